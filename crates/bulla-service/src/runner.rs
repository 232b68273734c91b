//! The one way in: decide → commit the event with its changes → answer, again while what was read keeps changing.

use std::future::Future;

use bulla_audit::PreparedEvent;
use bulla_model::KeyId;
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};

use crate::call::CallerKind;
use crate::committer::{CommitError, CommitRequest, Message, Write};
use crate::decision::{Decision, EventKind};
use crate::key_usage::Used;
use crate::row_ids::RowKey;
use crate::service::Core;
use crate::{Call, ServiceError};

/// AWS's name of the service, in events of AWS's operations.
pub(crate) const KMS: &str = "kms.amazonaws.com";
/// AWS's name of the token service.
pub(crate) const STS: &str = "sts.amazonaws.com";
/// Bulla's own operations.
pub(crate) const BULLA: &str = "bulla";

/// An operation: what its event is called and says, and how it is decided.
pub(crate) trait Operation: Sync {
    type Response: Send;

    const EVENT: EventKind;

    /// What its event is called, where one type stands for many operations.
    fn event(&self) -> EventKind {
        Self::EVENT
    }

    /// What the event says was asked: identifiers, algorithms, sizes, the encryption context; no plaintext, no ciphertext.
    ///
    /// Policies see the same: conditions on members of the request are decided by what this says.
    fn parameters(&self) -> Map<String, Value>;

    /// The request's grant tokens.
    fn grant_tokens(&self) -> &[String] {
        &[]
    }

    /// Authorises, validates, and does what is asked, except for writing: writes are left in the decision.
    fn decide(&self, decision: &mut Decision<'_>) -> impl Future<Output = Result<Self::Response, ServiceError>> + Send;
}

impl Core {
    /// Runs an operation. Its answer, good or bad, is returned only once its event is durable.
    pub(crate) async fn run<O: Operation>(&self, call: &Call, operation: &O) -> Result<O::Response, ServiceError> {
        let asked = || operation.parameters();
        for _ in 0..self.max_decisions {
            let mut decision = Decision::of(self, call, &asked, operation.grant_tokens());
            let result = match decision.identify().await {
                Ok(()) => operation.decide(&mut decision).await,
                Err(error) => Err(error),
            };
            let parameters = decision.take_parameters();
            let (event, event_id) = self.event(&decision, operation.event(), parameters, result.as_ref().err())?;
            let writes = if result.is_ok() { decision.writes } else { Vec::new() };
            match self.commit(decision.seen, decision.reads, writes, event).await {
                Ok(()) => {
                    if let Err(ServiceError::AccessDenied(denial)) = &result {
                        log_denial(call, operation.event().name, denial, &decision.decided_by);
                    }
                    let used = Used {
                        operation: operation.event().name,
                        time: decision.now,
                        event_id,
                        request_id: call.request_id.clone(),
                    };
                    if let CallerKind::Token(token) = &call.caller.kind
                        && decision.principal.is_some()
                    {
                        self.key_usage.note_token(&token.row.id, used.clone());
                    }
                    if result.is_ok() {
                        self.key_usage.note(&decision.resources, used);
                    }
                    return result;
                }
                Err(CommitError::Stale) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(self.give_up(call, operation.event(), operation.parameters()).await)
    }

    /// Records that what an operation reads kept changing, which is `Throttled`; what else it answers is why that could not be recorded.
    pub(crate) async fn give_up(&self, call: &Call, kind: EventKind, parameters: Map<String, Value>) -> ServiceError {
        let decision = Decision::new(self, call);
        let error = ServiceError::Throttled;
        let event = match self.event(&decision, kind, parameters, Some(&error)) {
            Ok((event, _)) => event,
            Err(error) => return error,
        };
        // It rests on nothing that was read, so it is not stale, whatever was changed.
        match self.commit(u64::MAX, Vec::new(), Vec::new(), event).await {
            Err(CommitError::Failed(failure)) => failure,
            _ => error,
        }
    }

    /// The event, and its id.
    pub(crate) fn event(
        &self,
        decision: &Decision<'_>,
        kind: EventKind,
        parameters: Map<String, Value>,
        error: Option<&ServiceError>,
    ) -> Result<(PreparedEvent, String), ServiceError> {
        let event_id = match &decision.told.event_id {
            Some(known) => known.clone(),
            None => self.draw_uuid()?,
        };
        let event = decision
            .draft(&kind, &event_id, parameters, error)
            .prepare()
            .map_err(|_| ServiceError::Internal("the event has no canonical form or is too large"))?;
        Ok((event, event_id))
    }

    /// Waits until a decision is durable.
    pub(crate) async fn commit(
        &self,
        seen: u64,
        reads: Vec<RowKey>,
        writes: Vec<Write>,
        event: PreparedEvent,
    ) -> Result<(), CommitError> {
        self.commit_with(seen, reads, writes, Vec::new(), event).await
    }

    /// The same with further events, which come before the decision's own.
    pub(crate) async fn commit_with(
        &self,
        seen: u64,
        reads: Vec<RowKey>,
        writes: Vec<Write>,
        further: Vec<PreparedEvent>,
        event: PreparedEvent,
    ) -> Result<(), CommitError> {
        let (answer, outcome) = oneshot::channel();
        let request = CommitRequest {
            seen,
            reads,
            writes,
            further,
            event,
            answer,
        };
        self.queue.try_send(Message::Commit(request)).map_err(|error| {
            CommitError::Failed(match error {
                mpsc::error::TrySendError::Full(_) => ServiceError::Throttled,
                mpsc::error::TrySendError::Closed(_) => ServiceError::ShuttingDown,
            })
        })?;
        outcome
            .await
            .unwrap_or(Err(CommitError::Failed(ServiceError::ShuttingDown)))
    }

    /// Draws a version 4 UUID.
    pub(crate) fn draw_uuid(&self) -> Result<String, ServiceError> {
        Ok(self.draw_key_id()?.as_str().to_owned())
    }

    pub(crate) fn draw_key_id(&self) -> Result<KeyId, ServiceError> {
        Ok(KeyId::from_random(self.draw_16_bytes()?))
    }

    pub(crate) fn draw_multi_region_key_id(&self) -> Result<KeyId, ServiceError> {
        Ok(KeyId::multi_region_from_random(self.draw_16_bytes()?))
    }

    fn draw_16_bytes(&self) -> Result<[u8; 16], ServiceError> {
        let mut bytes = [0; 16];
        self.random
            .fill(&mut bytes)
            .map_err(|_| ServiceError::Internal("the random generator failed"))?;
        Ok(bytes)
    }
}

/// Says why somebody may not, for every façade alike: the façade's own line has the same request id.
fn log_denial(call: &Call, operation: &str, denial: &str, decided_by: &[Value]) {
    let decided_by = Value::from(decided_by);
    tracing::info!(
        request_id = &*call.request_id,
        operation,
        principal = call.caller.arn().as_str(),
        // As text in quotes: what a client named comes back in it.
        denial = ?denial,
        %decided_by,
        "denied"
    );
}
