//! Requests that nobody vouches for: counted, and recorded in aggregate, so that they can't fill the disk.

use std::sync::{Mutex, PoisonError};

use bulla_audit::AuthenticationFailures;
use bulla_model::Timestamp;

use crate::ServiceError;
use crate::runner::KMS;
use crate::service::Core;

/// Failures since the last event.
#[derive(Debug, Default)]
pub(crate) struct FailureCounts(Mutex<Option<AuthenticationFailures>>);

impl FailureCounts {
    pub(crate) fn count(&self, kind: &'static str, now: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.as_micros();
        let failures = counts.get_or_insert_with(|| AuthenticationFailures {
            first_time: now,
            last_time: now,
            reasons: Default::default(),
        });
        failures.last_time = failures.last_time.max(now);
        *failures.reasons.entry(kind).or_default() += 1;
    }

    /// Counts again what could not be written down.
    fn put_back(&self, earlier: AuthenticationFailures) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *counts {
            Some(failures) => {
                failures.first_time = failures.first_time.min(earlier.first_time);
                failures.last_time = failures.last_time.max(earlier.last_time);
                for (reason, count) in earlier.reasons {
                    *failures.reasons.entry(reason).or_default() += count;
                }
            }
            none => *none = Some(earlier),
        }
    }

    fn take(&self) -> Option<AuthenticationFailures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Core {
    /// Writes down the failures since the last time, if there were any.
    pub(crate) async fn flush_authentication_failures(&self) {
        let Some(failures) = self.failures.take() else { return };
        if let Err(error) = self.record_failures(&failures).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                count = failures.count(),
                "authentication failures were not recorded; they are kept for the next time"
            );
            self.failures.put_back(failures);
        }
    }

    async fn record_failures(&self, failures: &AuthenticationFailures) -> Result<(), ServiceError> {
        let draft = failures.draft(self.draw_uuid()?, KMS, "us-east-1", self.account.as_str());
        let event = draft
            .prepare()
            .map_err(|_| ServiceError::Internal("the event has no canonical form or is too large"))?;
        match self.commit(self.rows.synced(), Vec::new(), Vec::new(), event).await {
            Ok(()) | Err(crate::committer::CommitError::Stale) => Ok(()),
            Err(crate::committer::CommitError::Failed(error)) => Err(error),
        }
    }
}
