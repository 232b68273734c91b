use bulla_model::{PrincipalArn, PrincipalName, Role};

use crate::{Call, CreatePrincipalResponse, PrincipalDescription, Service, ServiceError};

impl Service {
    /// Makes a user of the caller's account, with a first access key.
    ///
    /// # Errors
    /// `AlreadyExists`, `AccessDenied`.
    pub async fn create_principal(
        &self,
        call: &Call,
        name: PrincipalName,
        role: Role,
    ) -> Result<CreatePrincipalResponse, ServiceError> {
        let _ = (call, name, role);
        Err(ServiceError::Internal("not built"))
    }

    /// Lists the users of the caller's account.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub async fn list_principals(&self, call: &Call) -> Result<Vec<PrincipalDescription>, ServiceError> {
        let _ = call;
        Err(ServiceError::Internal("not built"))
    }

    /// Lets a user do what its role says, or nothing; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn set_principal_enabled(
        &self,
        call: &Call,
        arn: PrincipalArn,
        enabled: bool,
    ) -> Result<(), ServiceError> {
        let _ = (call, arn, enabled);
        Err(ServiceError::Internal("not built"))
    }

    /// Gives a user another role; decides the very next operation.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn set_principal_role(&self, call: &Call, arn: PrincipalArn, role: Role) -> Result<(), ServiceError> {
        let _ = (call, arn, role);
        Err(ServiceError::Internal("not built"))
    }

    /// Deletes a user and its access keys.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn delete_principal(&self, call: &Call, arn: PrincipalArn) -> Result<(), ServiceError> {
        let _ = (call, arn);
        Err(ServiceError::Internal("not built"))
    }
}
