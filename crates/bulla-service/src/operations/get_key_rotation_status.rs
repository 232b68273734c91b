use bulla_model::{KeyArn, Timestamp};

use crate::{Call, Service, ServiceError};

/// What `GetKeyRotationStatus` is asked.
#[derive(Debug, Clone)]
pub struct GetKeyRotationStatusRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

/// What `GetKeyRotationStatus` answers.
#[derive(Debug, Clone)]
pub struct GetKeyRotationStatusResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// Whether the key rotates by itself.
    pub enabled: bool,
    /// The period, while enabled.
    pub rotation_period_in_days: Option<u32>,
    /// When it rotates next.
    pub next_rotation: Option<Timestamp>,
    /// When a rotation in progress began; rotations are immediate, so never.
    pub on_demand_rotation_start: Option<Timestamp>,
}

impl Service {
    /// Tells a key's rotation settings.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn get_key_rotation_status(
        &self,
        call: &Call,
        request: GetKeyRotationStatusRequest,
    ) -> Result<GetKeyRotationStatusResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
