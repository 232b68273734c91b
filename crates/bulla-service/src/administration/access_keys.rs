use bulla_model::PrincipalArn;

use crate::{AccessKeyDescription, Call, CreateAccessKeyResponse, Service, ServiceError};

impl Service {
    /// Makes an access key for a user.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `LimitExceeded` from the third key on.
    pub async fn create_access_key(
        &self,
        call: &Call,
        principal: PrincipalArn,
    ) -> Result<CreateAccessKeyResponse, ServiceError> {
        let _ = (call, principal);
        Err(ServiceError::Internal("not built"))
    }

    /// Lists the access keys of a user, without secrets.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn list_access_keys(
        &self,
        call: &Call,
        principal: PrincipalArn,
    ) -> Result<Vec<AccessKeyDescription>, ServiceError> {
        let _ = (call, principal);
        Err(ServiceError::Internal("not built"))
    }

    /// Accepts or refuses signatures with an access key; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn set_access_key_enabled(
        &self,
        call: &Call,
        access_key_id: &str,
        enabled: bool,
    ) -> Result<(), ServiceError> {
        let _ = (call, access_key_id, enabled);
        Err(ServiceError::Internal("not built"))
    }

    /// Deletes an access key.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_access_key(&self, call: &Call, access_key_id: &str) -> Result<(), ServiceError> {
        let _ = (call, access_key_id);
        Err(ServiceError::Internal("not built"))
    }
}
