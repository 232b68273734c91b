use crate::{Call, Service, ServiceError};

/// What `UpdateKeyDescription` is asked.
#[derive(Debug, Clone)]
pub struct UpdateKeyDescriptionRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// At most 8,192 characters.
    pub description: String,
}

impl Service {
    /// Replaces a key's description.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn update_key_description(
        &self,
        call: &Call,
        request: UpdateKeyDescriptionRequest,
    ) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
