//! Requests of known callers that are refused before anything is decided: each leaves its event, too.

use serde_json::Map;

use crate::committer::CommitError;
use crate::decision::{Decision, EventKind};
use crate::service::Core;
use crate::{Call, Service, ServiceError};

/// A request whose caller is authenticated and whose form is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The operation; `UnknownOperation` where the service has none of the name that was asked for.
    pub operation: &'static str,
    /// The event's source: `kms.amazonaws.com` for AWS's operations, `bulla` for others.
    pub event_source: &'static str,
    /// Whether the operation changes nothing.
    pub read_only: bool,
    /// AWS's code of the error.
    pub code: &'static str,
}

impl Service {
    /// Records a refusal. Only once this returns may the refusal be answered.
    ///
    /// The event has the error's code and nothing of what was sent: no message, no parameters.
    ///
    /// # Errors
    /// `UnrecognizedClient` where the caller's access key or principal ended meanwhile (recorded as that), `Store`, `Tampered`,
    /// `Throttled`, `ShuttingDown`.
    pub async fn record_refusal(&self, call: &Call, refusal: Refusal) -> Result<(), ServiceError> {
        self.core.record_refusal(call, refusal).await
    }
}

impl Core {
    async fn record_refusal(&self, call: &Call, refusal: Refusal) -> Result<(), ServiceError> {
        let kind = EventKind {
            name: refusal.operation,
            source: refusal.event_source,
            read_only: refusal.read_only,
        };
        for _ in 0..self.max_decisions {
            let mut decision = Decision::new(self, call);
            let identified = decision.identify().await;
            let event_id = self.draw_uuid()?;
            let mut draft = decision.draft(&kind, &event_id, Map::new(), identified.as_ref().err());
            if identified.is_ok() {
                draft.error_code = Some(refusal.code.into());
            }
            let event = draft
                .prepare()
                .map_err(|_| ServiceError::Internal("the event has no canonical form or is too large"))?;
            match self.commit(decision.seen, decision.reads, Vec::new(), event).await {
                Ok(()) => return identified,
                Err(CommitError::Stale) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(ServiceError::Throttled)
    }
}
