//! Requests that are refused before the gate decides them: strangers, those who ask too often, and what can't be read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bulla_temporal::Namespace;
use http::StatusCode;
use tokio::time::Instant;

use super::answer::{Codec, Problem, Sender};
use super::gate::{Admission, CodecOperation, Refused};
use super::rates::Rates;

/// A request, as far as it came.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) admission: Option<Admission>,
    pub(super) namespace: Option<Namespace>,
    /// From here on the gate leaves the line.
    pub(super) decided: bool,
}

/// How many refusals are recorded one by one; the rest are counted, so that a flood of them fills no disk.
pub(super) struct Refusals {
    rates: Rates,
    everybody: Arc<str>,
    unrecorded: AtomicU64,
}

const A_SECOND: u32 = 20;

impl Codec {
    /// Records a refusal; the problem to answer with, which is another where that failed.
    pub(super) async fn refuse(
        &self,
        operation: CodecOperation,
        sender: &Sender,
        asked: &Asked,
        problem: Problem,
    ) -> Problem {
        let Some(unrecorded) = self.refusals.admit() else {
            return problem;
        };
        let refused = Refused {
            operation,
            admission: asked.admission.as_ref(),
            namespace: asked.namespace.as_ref(),
            request_id: &self.request_ids.next(),
            source_ip: &sender.source_ip,
            code: code_of(problem.status),
            unrecorded,
        };
        match self.gate.refuse(&refused).await {
            Ok(()) => problem,
            Err(refusal) => refusal.into(),
        }
    }
}

fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "Unauthenticated",
        StatusCode::FORBIDDEN => "AccessDenied",
        StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
        StatusCode::REQUEST_TIMEOUT => "RequestTimeout",
        StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLarge",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "UnsupportedMediaType",
        StatusCode::TOO_MANY_REQUESTS => "Throttled",
        StatusCode::SERVICE_UNAVAILABLE => "Unavailable",
        _ => "BadRequest",
    }
}

impl Refusals {
    /// `None` where this one is only counted; else how many were since the last that was recorded.
    fn admit(&self) -> Option<u64> {
        self.admit_at(Instant::now())
    }

    fn admit_at(&self, now: Instant) -> Option<u64> {
        if self.rates.admit_at(&self.everybody, now) {
            return Some(self.unrecorded.swap(0, Ordering::Relaxed));
        }
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            rates: Rates::new(A_SECOND),
            everybody: "".into(),
            unrecorded: AtomicU64::new(0),
        }
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusals")
            .field("unrecorded", &self.unrecorded)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_a_flood_of_refusals_each_is_recorded_or_counted_in_the_next_that_is() {
        let refusals = Refusals::default();
        let began = Instant::now();
        let recorded: Vec<u64> = (0..1_000).filter_map(|_| refusals.admit_at(began)).collect();
        assert_eq!(recorded, [0; A_SECOND as usize]);
        let later = began + Duration::from_secs(1);
        assert_eq!(refusals.admit_at(later), Some(1_000 - u64::from(A_SECOND)));
        assert_eq!(refusals.admit_at(later), Some(0));
    }
}
