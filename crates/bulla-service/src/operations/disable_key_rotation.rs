use crate::{Call, Service, ServiceError};

/// What `DisableKeyRotation` is asked.
#[derive(Debug, Clone)]
pub struct DisableKeyRotationRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

impl Service {
    /// Stops automatic rotation.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `AccessDenied`.
    pub async fn disable_key_rotation(
        &self,
        call: &Call,
        request: DisableKeyRotationRequest,
    ) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
