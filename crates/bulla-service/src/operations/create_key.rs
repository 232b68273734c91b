use bulla_model::{KeyOrigin, KeySpec, KeyUsage, Tag};

use crate::{Call, KeyMetadata, Service, ServiceError};

/// What `CreateKey` is asked.
#[derive(Debug, Clone)]
pub struct CreateKeyRequest {
    /// At most 8,192 characters.
    pub description: String,
    /// Only `EncryptDecrypt` yet.
    pub usage: KeyUsage,
    /// Only `SymmetricDefault` yet.
    pub spec: KeySpec,
    /// Only `AwsKms` yet.
    pub origin: KeyOrigin,
    /// At most 50.
    pub tags: Vec<Tag>,
    /// Refused unless absent: policies are not built yet.
    pub policy: Option<String>,
    /// Refused unless false.
    pub multi_region: bool,
}

/// What `CreateKey` answers.
#[derive(Debug, Clone)]
pub struct CreateKeyResponse {
    /// The key.
    pub key: KeyMetadata,
}

impl Service {
    /// Makes a key with fresh material.
    ///
    /// # Errors
    /// `Validation`, `Tag`, `Unsupported`, `AccessDenied`.
    pub async fn create_key(&self, call: &Call, request: CreateKeyRequest) -> Result<CreateKeyResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
