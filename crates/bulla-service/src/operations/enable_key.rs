use crate::{Call, Service, ServiceError};

/// What `EnableKey` is asked.
#[derive(Debug, Clone)]
pub struct EnableKeyRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

impl Service {
    /// Makes a disabled key usable.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn enable_key(&self, call: &Call, request: EnableKeyRequest) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
