use bulla_model::KeyArn;

use crate::{Call, Service, ServiceError};

/// What `RotateKeyOnDemand` is asked.
#[derive(Debug, Clone)]
pub struct RotateKeyOnDemandRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

/// What `RotateKeyOnDemand` answers.
#[derive(Debug, Clone)]
pub struct RotateKeyOnDemandResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
}

impl Service {
    /// Gives a key new material now; the old goes on decrypting.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `LimitExceeded`, `AccessDenied`.
    pub async fn rotate_key_on_demand(
        &self,
        call: &Call,
        request: RotateKeyOnDemandRequest,
    ) -> Result<RotateKeyOnDemandResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
