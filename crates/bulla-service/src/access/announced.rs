use bulla_audit::Intent;
use serde_json::{Map, Value};

use super::{Access, Accessed, Failure, OUTDATED};
use crate::committer::CommitError;
use crate::decision::{Decision, EventKind};
use crate::runner::Operation;
use crate::token_marks::Standing;
use crate::{Call, Service, ServiceError, TokenVersion};

/// An effect outside the store that was allowed and announced; to be concluded with its outcome.
///
/// One that never is stays open: `bulla audit verify` lists it.
#[derive(Debug)]
#[must_use = "an effect that was announced is to be concluded"]
pub struct Announced {
    access: Access,
    accessed: Accessed,
    token: Option<TokenVersion>,
}

/// An effect whose outcome is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concluded {
    /// Whether the version that it wrote was revoked meanwhile: it is not to leave the process. The event says so.
    pub barred: bool,
}

impl Announced {
    /// The event that announces it, and its key.
    pub fn accessed(&self) -> &Accessed {
        &self.accessed
    }

    /// Says which version of a token the effect wrote: the mark of its place is raised to it with the event that concludes.
    pub fn wrote(&mut self, token: TokenVersion) {
        self.token = Some(token);
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
            token: None,
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
    ) -> Result<Concluded, ServiceError> {
        let Announced {
            access,
            accessed,
            token,
        } = announced;
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
            let standing = match (&token, &outcome) {
                (Some(token), Ok(_)) => self.core.named(decision.see(token).await).await?,
                _ => Standing::Newest,
            };
            if standing == Standing::Barred {
                decision.told.failure = Some((OUTDATED.to_owned(), String::new()));
            }
            let (event, _) = self
                .core
                .event(&decision, access.event(), Operation::parameters(&access), None)?;
            // But for marks it read nothing; stale it is only where those moved, or so much changed at once that nobody knows what.
            let Decision {
                seen, reads, writes, ..
            } = decision;
            match self.core.commit(seen, reads, writes, event).await {
                Ok(()) => {
                    return Ok(Concluded {
                        barred: standing == Standing::Barred,
                    });
                }
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
