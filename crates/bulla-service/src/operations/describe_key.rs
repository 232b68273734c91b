use crate::{Call, KeyMetadata, Service, ServiceError};

/// What `DescribeKey` is asked.
#[derive(Debug, Clone)]
pub struct DescribeKeyRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// Grant tokens; nothing grants yet, so they decide nothing.
    pub grant_tokens: Vec<String>,
}

/// What `DescribeKey` answers.
#[derive(Debug, Clone)]
pub struct DescribeKeyResponse {
    /// The key.
    pub key: KeyMetadata,
}

impl Service {
    /// Tells a key's metadata.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn describe_key(
        &self,
        call: &Call,
        request: DescribeKeyRequest,
    ) -> Result<DescribeKeyResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
