use crate::{Call, Service, ServiceError};

/// What `CreateAlias` is asked.
#[derive(Debug, Clone)]
pub struct CreateAliasRequest {
    /// `alias/…`.
    pub alias_name: String,
    /// Key id or key ARN.
    pub target_key_id: String,
}

impl Service {
    /// Gives a key a name.
    ///
    /// # Errors
    /// `AlreadyExists`, `InvalidAliasName`, `NotFound`, `LimitExceeded`, `InvalidState`, `AccessDenied`.
    pub async fn create_alias(&self, call: &Call, request: CreateAliasRequest) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
