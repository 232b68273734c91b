use crate::{Call, Service, ServiceError};

/// What `UpdateAlias` is asked.
#[derive(Debug, Clone)]
pub struct UpdateAliasRequest {
    /// `alias/…`.
    pub alias_name: String,
    /// Key id or key ARN.
    pub target_key_id: String,
}

impl Service {
    /// Points an existing alias at another key of the same kind.
    ///
    /// # Errors
    /// `NotFound`, `LimitExceeded`, `InvalidState`, `AccessDenied`.
    pub async fn update_alias(&self, call: &Call, request: UpdateAliasRequest) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
