use bulla_store::{CheckpointRow, EventRow};

use crate::{Call, Service, ServiceError};

impl Service {
    /// Reads events from a sequence number on, at most `limit` (1 to 10,000); reading is an event itself.
    ///
    /// # Errors
    /// `AccessDenied` for who is neither administrator nor auditor.
    pub async fn read_audit_events(&self, call: &Call, from: u64, limit: u32) -> Result<Vec<EventRow>, ServiceError> {
        let _ = (call, from, limit);
        Err(ServiceError::Internal("not built"))
    }

    /// Reads the newest checkpoint.
    ///
    /// # Errors
    /// `AccessDenied`, as [`read_audit_events`](Self::read_audit_events).
    pub async fn read_checkpoint(&self, call: &Call) -> Result<CheckpointRow, ServiceError> {
        let _ = call;
        Err(ServiceError::Internal("not built"))
    }
}
