//! What the server counts, in Prometheus's text format. The number of series is fixed when the program is compiled.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulla_service::Histogram;

use crate::aws::{Operation, ROUTES, STS_ACTIONS};
use crate::tokens::TokenStats;

/// Everything that an operation can end in; what is not listed counts as `other`.
const OUTCOMES: &[&str] = &[
    "ok",
    "AccessDeniedException",
    "AlreadyExistsException",
    "ConflictException",
    "CustomKeyStoreInvalidStateException",
    "CustomKeyStoreNotFoundException",
    "DependencyTimeoutException",
    "DisabledException",
    "DryRunOperationException",
    "ExpiredIdentityToken",
    "ExpiredImportTokenException",
    "ExpiredTokenException",
    "IDPCommunicationError",
    "IncompleteSignatureException",
    "IncorrectKeyException",
    "IncorrectKeyMaterialException",
    "InvalidAction",
    "InvalidAliasNameException",
    "InvalidArnException",
    "InvalidCiphertextException",
    "InvalidGrantIdException",
    "InvalidGrantTokenException",
    "InvalidIdentityToken",
    "InvalidImportTokenException",
    "InvalidKeyUsageException",
    "InvalidMarkerException",
    "InvalidSignatureException",
    "KMSInternalException",
    "KMSInvalidMacException",
    "KMSInvalidSignatureException",
    "KMSInvalidStateException",
    "KeyUnavailableException",
    "LimitExceededException",
    "MalformedPolicyDocumentException",
    "MissingAuthenticationTokenException",
    "NotFoundException",
    "PackedPolicyTooLargeException",
    "RequestEntityTooLargeException",
    "RequestTimeoutException",
    "SerializationException",
    "TagException",
    "ThrottlingException",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "UnsupportedOperationException",
    "ValidationException",
    "other",
];

/// What a request asked for, as it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    /// An operation of KMS.
    Kms(Operation),
    /// An action of STS, by its place in [`STS_ACTIONS`].
    Sts(usize),
    /// Nothing that there is.
    Unknown,
}

impl From<Option<Operation>> for Counted {
    fn from(operation: Option<Operation>) -> Self {
        operation.map_or(Self::Unknown, Self::Kms)
    }
}

/// Operations of KMS, actions of STS, and what is neither.
const ROWS: usize = ROUTES.len() + STS_ACTIONS.len() + 1;

/// One row per operation and one for requests that name none.
#[derive(Debug)]
pub(crate) struct Metrics {
    rows: Vec<Row>,
    /// Connections open now.
    pub(crate) connections: AtomicU64,
    /// Connections closed at once because their client had too many.
    pub(crate) refused_connections: AtomicU64,
    /// TLS handshakes that failed.
    pub(crate) failed_handshakes: AtomicU64,
}

#[derive(Debug)]
struct Row {
    outcomes: [AtomicU64; OUTCOMES.len()],
    micros: Histogram,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            outcomes: [const { AtomicU64::new(0) }; OUTCOMES.len()],
            micros: Histogram::default(),
        }
    }
}

impl Metrics {
    /// Starts at zero.
    pub(crate) fn new() -> Self {
        let rows = std::iter::repeat_with(Row::default).take(ROWS).collect();
        Self {
            rows,
            connections: AtomicU64::new(0),
            refused_connections: AtomicU64::new(0),
            failed_handshakes: AtomicU64::new(0),
        }
    }

    /// Counts one request.
    pub(crate) fn count(&self, asked: impl Into<Counted>, outcome: &str, took: Duration) {
        let at = match asked.into() {
            Counted::Kms(operation) => operation as usize,
            Counted::Sts(action) => ROUTES.len() + action,
            Counted::Unknown => ROWS - 1,
        };
        let Some(row) = self.rows.get(at) else {
            return;
        };
        let at = OUTCOMES
            .iter()
            .position(|name| *name == outcome)
            .unwrap_or(OUTCOMES.len() - 1);
        row.outcomes[at].fetch_add(1, Ordering::Relaxed);
        row.micros.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Writes everything, with what the service counts.
    pub(crate) fn render(&self, service: &bulla_service::Metrics, signing_keys: usize) -> String {
        let mut text = String::with_capacity(16 * 1024);
        self.render_operations(&mut text);
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for (name, kind, help, value) in [
            (
                "bulla_connections",
                "gauge",
                "Connections open now.",
                value(&self.connections),
            ),
            (
                "bulla_connections_refused_total",
                "counter",
                "Connections closed at once because their client had too many.",
                value(&self.refused_connections),
            ),
            (
                "bulla_tls_handshake_failures_total",
                "counter",
                "TLS handshakes that failed.",
                value(&self.failed_handshakes),
            ),
            (
                "bulla_signing_keys",
                "gauge",
                "Derived signing keys in the cache.",
                signing_keys as u64,
            ),
            (
                "bulla_audit_commits_total",
                "counter",
                "Group commits that became durable.",
                value(&service.commits),
            ),
            (
                "bulla_audit_commit_failures_total",
                "counter",
                "Group commits that failed.",
                value(&service.commit_failures),
            ),
            (
                "bulla_audit_events_total",
                "counter",
                "Events in durable commits.",
                value(&service.events),
            ),
            (
                "bulla_stale_decisions_total",
                "counter",
                "Decisions made again because a row changed.",
                value(&service.stale_decisions),
            ),
            (
                "bulla_cache_hits_total",
                "counter",
                "Rows found in the cache.",
                value(&service.cache_hits),
            ),
            (
                "bulla_cache_misses_total",
                "counter",
                "Rows read from the store.",
                value(&service.cache_misses),
            ),
            (
                "bulla_cache_entries",
                "gauge",
                "Rows in the cache now.",
                value(&service.cache_entries),
            ),
            (
                "bulla_provider_calls_total",
                "counter",
                "Calls of root key providers that were answered.",
                value(&service.root_calls),
            ),
            (
                "bulla_provider_call_failures_total",
                "counter",
                "Calls of root key providers that failed.",
                value(&service.root_call_failures),
            ),
            (
                "bulla_tampered_rows_total",
                "counter",
                "Rows refused because they were changed.",
                value(&service.tampered_rows),
            ),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        for (name, help, histogram, per_unit) in [
            (
                "bulla_audit_batch_size",
                "Requests in one group commit.",
                &service.batch_size,
                1.0,
            ),
            (
                "bulla_audit_commit_seconds",
                "Seconds from begin to durable.",
                &service.commit_micros,
                MICROS_PER_SECOND,
            ),
        ] {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
            render_histogram(&mut text, name, "", histogram, per_unit);
        }
        text
    }

    fn render_operations(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "# HELP bulla_operations_total Requests by operation and outcome.\n# TYPE bulla_operations_total counter"
        );
        let names = || {
            ROUTES
                .iter()
                .map(|route| route.name)
                .chain(STS_ACTIONS)
                .chain(["unknown"])
        };
        for (name, row) in names().zip(&self.rows) {
            for (outcome, count) in OUTCOMES.iter().zip(&row.outcomes) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let _ = writeln!(
                        text,
                        "bulla_operations_total{{operation=\"{name}\",outcome=\"{outcome}\"}} {count}"
                    );
                }
            }
        }
        let _ = writeln!(
            text,
            "# HELP bulla_operation_seconds Seconds from headers to answer.\n# TYPE bulla_operation_seconds histogram"
        );
        for (name, row) in names().zip(&self.rows) {
            if row.micros.count() > 0 {
                render_histogram(
                    text,
                    "bulla_operation_seconds",
                    &format!("operation=\"{name}\","),
                    &row.micros,
                    MICROS_PER_SECOND,
                );
            }
        }
    }
}

/// What a histogram counts is divided, not multiplied by a fraction: a quotient of whole numbers is the nearest to what is meant, and is
/// written with its few digits.
pub(crate) const MICROS_PER_SECOND: f64 = 1e6;

/// Bucket `i` holds whole numbers below `2^i`, so its upper bound is `2^i - 1`.
pub(crate) fn render_histogram(text: &mut String, name: &str, labels: &str, histogram: &Histogram, per_unit: f64) {
    let mut total = 0;
    for (power, bucket) in histogram.buckets.iter().enumerate() {
        total += bucket.load(Ordering::Relaxed);
        if power + 1 < histogram.buckets.len() {
            let bound = ((1_u64 << power) - 1) as f64 / per_unit;
            let _ = writeln!(text, "{name}_bucket{{{labels}le=\"{bound}\"}} {total}");
        }
    }
    let sum = histogram.sum.load(Ordering::Relaxed) as f64 / per_unit;
    let labels_alone = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", labels.trim_end_matches(','))
    };
    let _ = writeln!(text, "{name}_bucket{{{labels}le=\"+Inf\"}} {total}");
    let _ = writeln!(
        text,
        "{name}_sum{labels_alone} {sum}\n{name}_count{labels_alone} {total}"
    );
}

/// Writes what the token vault of this process counts.
pub(crate) fn render_tokens(text: &mut String, stats: &TokenStats) {
    for (name, kind, help, value) in [
        ("hits_total", "counter", "Gets that found a token.", stats.hits),
        ("misses_total", "counter", "Gets that found none.", stats.misses),
        (
            "refused_total",
            "counter",
            "Gets that refused what they found.",
            stats.refused,
        ),
        ("puts_total", "counter", "Tokens written.", stats.puts),
        (
            "deletes_total",
            "counter",
            "Tokens deleted, without those of a revocation.",
            stats.deletes,
        ),
        (
            "refreshes_total",
            "counter",
            "Times that a provider was asked for a token.",
            stats.refreshes,
        ),
        (
            "refresh_failures_total",
            "counter",
            "Times that it gave none.",
            stats.refresh_failures,
        ),
        (
            "kms_calls_total",
            "counter",
            "Calls to key services for tokens.",
            stats.kms_calls,
        ),
        (
            "kms_calls_saved_total",
            "counter",
            "Opens and seals of tokens that needed no call.",
            stats.kms_calls_saved,
        ),
        ("clients", "gauge", "Clients whose keys are held.", stats.clients),
        (
            "oldest_key_seconds",
            "gauge",
            "Age of the oldest data key held for opening tokens.",
            stats.oldest_key_seconds,
        ),
    ] {
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "# HELP bulla_tokens_{name} {help}\n# TYPE bulla_tokens_{name} {kind}\nbulla_tokens_{name} {value}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prometheus's text format, as far as it is used here: each series is announced, each histogram's bounds grow and their counts do
    /// not fall, each number is written with as few digits as it has.
    #[test]
    fn the_page_is_in_prometheuss_form_and_every_number_has_its_few_digits() {
        let (metrics, service) = (Metrics::new(), bulla_service::Metrics::default());
        for micros in [0, 3, 16_383, 700_001, 40_000_000] {
            metrics.count(
                Operation::of_target("TrentService.Sign"),
                "ok",
                Duration::from_micros(micros),
            );
            service.commit_micros.record(micros);
            service.batch_size.record(micros / 1000);
        }
        let text = metrics.render(&service, 0);
        let mut announced = "";
        let (mut bound, mut count) = (f64::NEG_INFINITY, 0);
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                announced = rest.split(' ').next().unwrap();
                continue;
            } else if line.starts_with('#') {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with(announced), "{line} after {announced}");
            assert!(value.len() <= 12, "{line}");
            let Some((_, rest)) = series.split_once("le=\"") else {
                (bound, count) = (f64::NEG_INFINITY, 0);
                continue;
            };
            let text = rest.trim_end_matches(['"', '}']);
            assert!(text.len() <= 12, "{line}");
            let (next, total) = (text.replace("+Inf", "inf").parse().unwrap(), value.parse().unwrap());
            assert!(next > bound && total >= count, "{line}");
            (bound, count) = (next, total);
        }
        assert!(text.contains("le=\"0.016383\""), "{text}");
        assert!(text.contains("bulla_audit_commit_seconds_sum 40.716387"));
    }

    #[test]
    fn what_is_counted_is_rendered() {
        let metrics = Metrics::new();
        let encrypt = Operation::of_target("TrentService.Encrypt");
        metrics.count(encrypt, "ok", Duration::from_micros(3));
        metrics.count(encrypt, "ok", Duration::from_micros(5));
        metrics.count(Counted::Sts(1), "InvalidIdentityToken", Duration::from_micros(9));
        metrics.count(Counted::Unknown, "NobodyListedThis", Duration::from_micros(1));
        let text = metrics.render(&bulla_service::Metrics::default(), 7);
        for line in [
            "bulla_operations_total{operation=\"Encrypt\",outcome=\"ok\"} 2",
            "bulla_operations_total{operation=\"AssumeRoleWithWebIdentity\",outcome=\"InvalidIdentityToken\"} 1",
            "bulla_operations_total{operation=\"unknown\",outcome=\"other\"} 1",
            "bulla_operation_seconds_bucket{operation=\"Encrypt\",le=\"+Inf\"} 2",
            "bulla_operation_seconds_count{operation=\"Encrypt\"} 2",
            "bulla_signing_keys 7",
            "bulla_audit_batch_size_count 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
