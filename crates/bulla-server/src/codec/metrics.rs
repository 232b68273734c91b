use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulla_service::Histogram;
use bulla_temporal::{Namespace, NamespaceStats};

use super::gate::CodecOperation;
use crate::metrics::{MICROS_PER_SECOND, render_histogram};

/// What the codec's façade counts; the number of series is fixed when the program is compiled.
#[derive(Debug, Default)]
pub(crate) struct CodecMetrics {
    encode: Row,
    decode: Row,
}

#[derive(Debug, Default)]
struct Row {
    statuses: [AtomicU64; STATUSES.len()],
    micros: Histogram,
}

/// Statuses that an encode or decode ends in; what is not listed counts as 500.
const STATUSES: [u16; 12] = [200, 400, 401, 403, 404, 405, 413, 415, 422, 429, 503, 500];

impl CodecMetrics {
    pub(crate) fn count(&self, operation: CodecOperation, status: u16, took: Duration) {
        let row = match operation {
            CodecOperation::Encode => &self.encode,
            CodecOperation::Decode => &self.decode,
            CodecOperation::Rotate => return,
        };
        let at = STATUSES.iter().position(|known| *known == status);
        row.statuses[at.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Ordering::Relaxed);
        row.micros.record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// Writes everything, with what the namespaces' codecs count, added up: names of namespaces are for who may know them.
    pub(crate) fn render(&self, stats: &[(Namespace, NamespaceStats)]) -> String {
        let mut text = String::with_capacity(8 * 1024);
        self.render_requests(&mut text);
        let sum = |of: fn(&NamespaceStats) -> u64| stats.iter().map(|(_, stats)| of(stats)).sum::<u64>();
        for (name, kind, help, value) in [
            (
                "bulla_codec_namespaces",
                "gauge",
                "Namespaces with their keys in memory.",
                stats.len() as u64,
            ),
            (
                "bulla_codec_payloads_sealed_total",
                "counter",
                "Payloads sealed.",
                sum(|s| s.sealed),
            ),
            (
                "bulla_codec_payloads_opened_total",
                "counter",
                "Payloads opened.",
                sum(|s| s.opened),
            ),
            (
                "bulla_codec_payloads_passed_total",
                "counter",
                "Payloads that stayed as they were.",
                sum(|s| s.passed),
            ),
            (
                "bulla_codec_payloads_refused_total",
                "counter",
                "Payloads that did not decode.",
                sum(|s| s.refused),
            ),
            (
                "bulla_codec_cached_keys",
                "gauge",
                "Data keys in memory.",
                sum(|s| s.cached_keys as u64),
            ),
            (
                "bulla_codec_key_hits_total",
                "counter",
                "Payloads whose data key was in memory.",
                sum(|s| s.keys.seal_hits + s.keys.open_hits),
            ),
            (
                "bulla_codec_key_misses_total",
                "counter",
                "Payloads that waited for a data key.",
                sum(|s| s.keys.seal_misses + s.keys.open_misses),
            ),
            (
                "bulla_codec_kms_calls_total",
                "counter",
                "Attempts at calls for data keys.",
                sum(|s| s.keys.provider_calls),
            ),
            (
                "bulla_codec_kms_polls_total",
                "counter",
                "Calls that asked for a key's state.",
                sum(|s| s.keys.provider_polls),
            ),
            (
                "bulla_codec_kms_failures_total",
                "counter",
                "Calls and polls that failed.",
                sum(|s| s.keys.provider_failures),
            ),
            (
                "bulla_codec_current_key_expired",
                "gauge",
                "Namespaces that can't seal: their data key ended, or the last one could not be had.",
                sum(|s| s.current_expired.into()),
            ),
            (
                "bulla_codec_circuits_open",
                "gauge",
                "Namespaces whose key provider is left alone after failures.",
                sum(|s| s.keys.circuit_open.into()),
            ),
        ] {
            put(
                &mut text,
                format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"),
            );
        }
        text
    }

    fn render_requests(&self, text: &mut String) {
        let rows = [("encode", &self.encode), ("decode", &self.decode)];
        put(
            text,
            format_args!(
                "# HELP bulla_codec_requests_total Requests by status.\n# TYPE bulla_codec_requests_total counter\n"
            ),
        );
        for (operation, row) in rows {
            for (status, count) in STATUSES.iter().zip(&row.statuses) {
                let count = count.load(Ordering::Relaxed);
                put(
                    text,
                    format_args!(
                        "bulla_codec_requests_total{{operation=\"{operation}\",status=\"{status}\"}} {count}\n"
                    ),
                );
            }
        }
        let name = "bulla_codec_request_duration_seconds";
        put(
            text,
            format_args!("# HELP {name} From the end of a request's headers to its answer.\n# TYPE {name} histogram\n"),
        );
        for (operation, row) in rows {
            let label = format!("operation=\"{operation}\",");
            render_histogram(text, name, &label, &row.micros, MICROS_PER_SECOND);
        }
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a String takes any text");
}
