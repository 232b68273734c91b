use crate::{Call, Service, ServiceError};

/// What `EnableKeyRotation` is asked.
#[derive(Debug, Clone)]
pub struct EnableKeyRotationRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// 90 to 2,560; 365 by default.
    pub rotation_period_in_days: Option<u32>,
}

impl Service {
    /// Rotates a key at the end of every period.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `Validation`, `AccessDenied`.
    pub async fn enable_key_rotation(
        &self,
        call: &Call,
        request: EnableKeyRotationRequest,
    ) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
