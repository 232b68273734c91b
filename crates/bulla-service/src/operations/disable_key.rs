use crate::{Call, Service, ServiceError};

/// What `DisableKey` is asked.
#[derive(Debug, Clone)]
pub struct DisableKeyRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

impl Service {
    /// Makes a key refuse every use; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn disable_key(&self, call: &Call, request: DisableKeyRequest) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
