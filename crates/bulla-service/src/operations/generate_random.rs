use bulla_crypto::SecretBytes;

use crate::{Call, Service, ServiceError};

/// What `GenerateRandom` is asked.
#[derive(Debug, Clone)]
pub struct GenerateRandomRequest {
    /// 1 to 1,024.
    pub number_of_bytes: u32,
}

/// What `GenerateRandom` answers.
#[derive(Debug)]
pub struct GenerateRandomResponse {
    /// Random bytes.
    pub plaintext: SecretBytes,
}

impl Service {
    /// Draws random bytes.
    ///
    /// # Errors
    /// `Validation`, `AccessDenied`.
    pub async fn generate_random(
        &self,
        call: &Call,
        request: GenerateRandomRequest,
    ) -> Result<GenerateRandomResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
