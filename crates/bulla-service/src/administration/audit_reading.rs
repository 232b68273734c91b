use bulla_store::{CheckpointRow, EventRow};
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{self, members};
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError};

impl Service {
    /// Reads events from a sequence number on, at most `limit` (1 to 10,000), of which a caller of another account than the service's own
    /// is shown that account's only; reading is an event itself.
    ///
    /// # Errors
    /// `AccessDenied` for who is neither administrator nor auditor.
    pub async fn read_audit_events(&self, call: &Call, from: u64, limit: u32) -> Result<Vec<EventRow>, ServiceError> {
        let mut events = self.core.run(call, &ReadAudit { from, limit }).await?;
        let own = call.caller.account().as_str();
        events.retain(|row| serde_json::from_slice(&row.event).is_ok_and(|event| self.core.shows(&event, own)));
        Ok(events)
    }

    /// Reads the newest checkpoint.
    ///
    /// # Errors
    /// `AccessDenied`, as [`read_audit_events`](Self::read_audit_events).
    pub async fn read_checkpoint(&self, call: &Call) -> Result<CheckpointRow, ServiceError> {
        self.core.run(call, &ReadCheckpoint).await
    }
}

struct ReadAudit {
    from: u64,
    limit: u32,
}

impl Operation for ReadAudit {
    type Response = Vec<EventRow>;

    const EVENT: EventKind = EventKind {
        name: "ReadAudit",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("from", self.from.min(1 << 53).to_string().into()),
            ("limit", self.limit.into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Vec<EventRow>, ServiceError> {
        limits::range("limit", self.limit, 1, 10_000)?;
        decision.authorise("bulla:ReadAudit", "*")?;
        Ok(decision.core.rows.store.events(self.from, self.limit).await?)
    }
}

struct ReadCheckpoint;

impl Operation for ReadCheckpoint {
    type Response = CheckpointRow;

    const EVENT: EventKind = EventKind {
        name: "ReadCheckpoint",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<CheckpointRow, ServiceError> {
        decision.authorise("bulla:ReadCheckpoint", "*")?;
        let head = decision
            .core
            .rows
            .store
            .head()
            .await?
            .ok_or(ServiceError::Internal("no head"))?;
        Ok(CheckpointRow {
            size: head.size,
            note: head.checkpoint,
        })
    }
}
