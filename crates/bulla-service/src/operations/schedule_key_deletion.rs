use bulla_model::{KeyArn, KeyState, Timestamp};

use crate::{Call, Service, ServiceError};

/// What `ScheduleKeyDeletion` is asked.
#[derive(Debug, Clone)]
pub struct ScheduleKeyDeletionRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// 7 to 30; 30 by default.
    pub pending_window_in_days: Option<u32>,
}

/// What `ScheduleKeyDeletion` answers.
#[derive(Debug, Clone)]
pub struct ScheduleKeyDeletionResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// When the key will be gone.
    pub deletion_date: Timestamp,
    /// The new state.
    pub state: KeyState,
    /// The window.
    pub pending_window_in_days: u32,
}

impl Service {
    /// Makes a key refuse every use, and be gone when the window ends.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `Validation`, `AccessDenied`.
    pub async fn schedule_key_deletion(
        &self,
        call: &Call,
        request: ScheduleKeyDeletionRequest,
    ) -> Result<ScheduleKeyDeletionResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
