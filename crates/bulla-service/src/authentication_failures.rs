//! Requests that nobody vouches for: counted, and recorded in aggregate, so that they can't fill the disk.

mod sources;

use std::sync::{Mutex, PoisonError};

use bulla_audit::AuthenticationFailures;
use bulla_model::Timestamp;

use self::sources::Sources;
use crate::ServiceError;
use crate::runner::KMS;
use crate::service::Core;

/// Failures since the last event.
#[derive(Debug, Default)]
pub(crate) struct FailureCounts(Mutex<Option<Counted>>);

/// What one event will say; its sources are still counted apart.
#[derive(Debug)]
struct Counted {
    failures: AuthenticationFailures,
    sources: Sources,
}

impl FailureCounts {
    pub(crate) fn count(&self, kind: &'static str, source_ip: &str, now: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_micros();
        let counted = counts.get_or_insert_with(|| Counted {
            failures: AuthenticationFailures {
                first_time: now,
                last_time: now,
                reasons: Default::default(),
                sources: Default::default(),
                other_sources: 0,
            },
            sources: Sources::default(),
        });
        counted.failures.last_time = counted.failures.last_time.max(now);
        *counted.failures.reasons.entry(kind).or_default() += 1;
        counted.sources.count(source_ip);
    }

    /// Counts again what could not be written down.
    fn put_back(&self, earlier: Counted) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *counts {
            Some(Counted { failures, sources }) => {
                failures.first_time = failures.first_time.min(earlier.failures.first_time);
                failures.last_time = failures.last_time.max(earlier.failures.last_time);
                for (reason, count) in earlier.failures.reasons {
                    *failures.reasons.entry(reason).or_default() += count;
                }
                sources.add(earlier.sources);
            }
            none => *none = Some(earlier),
        }
    }

    fn take(&self) -> Option<Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Core {
    /// Writes down the failures since the last time, if there were any.
    pub(crate) async fn flush_authentication_failures(&self) {
        let Some(mut counted) = self.failures.take() else {
            return;
        };
        (counted.failures.sources, counted.failures.other_sources) = counted.sources.greatest();
        if let Err(error) = self.record_failures(&counted.failures).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                count = counted.failures.count(),
                "authentication failures were not recorded; they are kept for the next time"
            );
            self.failures.put_back(counted);
        }
    }

    async fn record_failures(&self, failures: &AuthenticationFailures) -> Result<(), ServiceError> {
        let draft = failures.draft(self.draw_uuid()?, KMS, "us-east-1", self.account.as_str());
        let event = draft
            .prepare()
            .map_err(|_| ServiceError::Internal("the event has no canonical form or is too large"))?;
        // It rests on nothing that it read, so nothing can have made it stale.
        match self.commit(u64::MAX, Vec::new(), Vec::new(), event).await {
            Ok(()) => Ok(()),
            Err(crate::committer::CommitError::Stale) => Err(ServiceError::Throttled),
            Err(crate::committer::CommitError::Failed(error)) => Err(error),
        }
    }
}
