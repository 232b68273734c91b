use crate::{Call, Service, ServiceError};

/// What `DeleteAlias` is asked.
#[derive(Debug, Clone)]
pub struct DeleteAliasRequest {
    /// `alias/…`.
    pub alias_name: String,
}

impl Service {
    /// Deletes an alias; its key stays.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_alias(&self, call: &Call, request: DeleteAliasRequest) -> Result<(), ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
