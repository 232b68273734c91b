//! The pages that tell of the codec: `/health`, `/readyz`, `/stats`, `/metrics`.

use std::time::Duration;

use bulla_temporal::{Namespace, NamespaceStats};
use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use super::answer::{Codec, READY_WITHIN, Sender, json_page, page};

impl Codec {
    pub(super) fn health(&self) -> Response<Full<Bytes>> {
        json_page(&json!({"status": "alive"}))
    }

    /// Ready is who can record; a key that can't be reached now is told by `/stats`, or no replica would be left in an outage.
    pub(super) async fn ready(&self) -> Response<Full<Bytes>> {
        match tokio::time::timeout(READY_WITHIN, self.gate.ready()).await {
            Ok(true) => json_page(&json!({"status": "ready"})),
            _ => page(
                StatusCode::SERVICE_UNAVAILABLE,
                "application/json",
                Bytes::from_static(br#"{"status":"not ready"}"#),
            ),
        }
    }

    pub(super) fn metrics_page(&self) -> Response<Full<Bytes>> {
        let text = self.metrics.render(&self.codec.stats());
        page(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into())
    }

    /// The members of the server that Bulla replaces, for all namespaces together, and for each one that who asks may see.
    pub(super) async fn stats(&self, sender: &Sender, head: &Parts) -> Response<Full<Bytes>> {
        let stats = self.codec.stats();
        let seen = self.seen(sender, head, &stats).await;
        let all: Vec<&NamespaceStats> = stats.iter().map(|(_, stats)| stats).collect();
        let mut page = members(&all);
        if seen.contains(&true) {
            let seen = stats.iter().zip(seen).filter(|(_, seen)| *seen);
            let each = seen.map(|((name, stats), _)| (name.to_string(), Value::Object(members(&[stats]))));
            page.insert("namespaces".to_owned(), Value::Object(each.collect()));
        }
        json_page(&Value::Object(page))
    }

    async fn seen(&self, sender: &Sender, head: &Parts, stats: &[(Namespace, NamespaceStats)]) -> Vec<bool> {
        if self.config.open_statistics {
            return vec![true; stats.len()];
        }
        match self.authenticate(sender, head).await {
            Ok(admission) if self.rates.admit(&admission.principal) => {
                let names: Vec<_> = stats.iter().map(|(name, _)| name.clone()).collect();
                self.gate.may_see(&admission, &names).await
            }
            _ => Vec::new(),
        }
    }
}

fn members(stats: &[&NamespaceStats]) -> Map<String, Value> {
    let sum = |of: fn(&NamespaceStats) -> u64| stats.iter().map(|stats| of(stats)).sum::<u64>();
    let hits = sum(|stats| stats.keys.seal_hits + stats.keys.open_hits);
    let misses = sum(|stats| stats.keys.seal_misses + stats.keys.open_misses);
    let members = json!({
        "cached_keys_count": sum(|stats| stats.cached_keys as u64),
        "current_key_expired": stats.iter().any(|stats| stats.current_expired),
        "sealed": sum(|stats| stats.sealed),
        "opened": sum(|stats| stats.opened),
        "passed": sum(|stats| stats.passed),
        "refused": sum(|stats| stats.refused),
        "hit_rate": if hits + misses == 0 { 1.0 } else { hits as f64 / (hits + misses) as f64 },
        "kms_calls": sum(|stats| stats.keys.provider_calls),
        "kms_failures": sum(|stats| stats.keys.provider_failures),
        "kms_circuit_open": stats.iter().any(|stats| stats.keys.circuit_open),
    });
    let Value::Object(mut members) = members else {
        return Map::new();
    };
    // The oldest data key that seals is the one to look at.
    let oldest = stats
        .iter()
        .filter_map(|stats| Some((stats.current_age?, stats.max_age)));
    if let Some((age, most)) = oldest.max() {
        let left = most.saturating_sub(age);
        members.insert("current_key_age".to_owned(), duration(age).into());
        members.insert("current_key_expires_in".to_owned(), duration(left).into());
    }
    members
}

/// Writes a duration as the replaced server did: `25m30s`.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_before() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (1530, "25m30s"),
            (3600, "1h0m0s"),
            (90_061, "25h1m1s"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
        }
    }
}
