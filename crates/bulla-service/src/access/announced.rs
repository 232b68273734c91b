use bulla_audit::Intent;
use serde_json::{Map, Value};

use super::{Access, Accessed, Failure};
use crate::committer::CommitError;
use crate::decision::{Decision, EventKind};
use crate::runner::Operation;
use crate::{Call, Service, ServiceError};

/// An effect outside the store that was allowed and announced; to be concluded with its outcome.
///
/// One that never is stays open: `bulla audit verify` lists it.
#[derive(Debug)]
#[must_use = "an effect that was announced is to be concluded"]
pub struct Announced {
    access: Access,
    accessed: Accessed,
}

impl Announced {
    /// The event that announces it, and its key.
    pub fn accessed(&self) -> &Accessed {
        &self.accessed
    }
}

impl Service {
    /// Decides an access whose effect is outside the store (a token written to Redis, a provider called), and announces that effect.
    ///
    /// The event is durable when this returns; then comes the effect, then [`conclude`](Self::conclude).
    ///
    /// # Errors
    /// As [`access`](Self::access): nothing is announced, and nothing may be done.
    pub async fn announce(&self, call: &Call, access: Access) -> Result<Announced, ServiceError> {
        let access = Announcement(access);
        let accessed = self.core.run(call, &access).await?;
        Ok(Announced {
            access: access.0,
            accessed,
        })
    }

    /// Records how an effect ended: with what it made (`outcome`, no secret in it), or how it failed.
    ///
    /// It asks nobody's permission: what happened is recorded, whatever the caller may do by now.
    ///
    /// # Errors
    /// `Store`, `Tampered`, `Throttled`, `ShuttingDown`: the announcement stays open, and nothing that the effect made may leave the
    /// process.
    pub async fn conclude(
        &self,
        call: &Call,
        announced: Announced,
        outcome: Result<Map<String, Value>, Failure>,
    ) -> Result<(), ServiceError> {
        let Announced { access, accessed } = announced;
        for _ in 0..self.core.max_decisions {
            let mut decision = Decision::new(&self.core, call);
            decision.concerns(access.resource.shared());
            if let Some(key) = &accessed.key {
                decision.concerns(key.shared());
            }
            decision.told.intent = Intent::Outcome(accessed.event_id.clone());
            decision.told.purpose.clone_from(&access.purpose);
            match &outcome {
                Ok(response) => decision.response.clone_from(response),
                Err(failure) => decision.told.failure = Some((failure.code.clone(), failure.message.clone())),
            }
            let (event, _) = self
                .core
                .event(&decision, access.event(), Operation::parameters(&access), None)?;
            // It read nothing; stale it is only where so much changed at once that nobody knows what.
            match self.core.commit(decision.seen, Vec::new(), Vec::new(), event).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Stale) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(ServiceError::Throttled)
    }
}

struct Announcement(Access);

impl Operation for Announcement {
    type Response = Accessed;

    const EVENT: EventKind = Access::EVENT;

    fn event(&self) -> EventKind {
        self.0.event()
    }

    fn parameters(&self) -> Map<String, Value> {
        Operation::parameters(&self.0)
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Accessed, ServiceError> {
        let accessed = self.0.decide(decision).await?;
        decision.told.intent = Intent::Announced;
        Ok(accessed)
    }
}
