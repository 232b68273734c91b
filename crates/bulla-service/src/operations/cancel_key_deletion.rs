use bulla_model::KeyArn;

use crate::{Call, Service, ServiceError};

/// What `CancelKeyDeletion` is asked.
#[derive(Debug, Clone)]
pub struct CancelKeyDeletionRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

/// What `CancelKeyDeletion` answers.
#[derive(Debug, Clone)]
pub struct CancelKeyDeletionResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
}

impl Service {
    /// Keeps a key that was to be deleted; it is disabled then.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn cancel_key_deletion(
        &self,
        call: &Call,
        request: CancelKeyDeletionRequest,
    ) -> Result<CancelKeyDeletionResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
