use bulla_crypto::{Context, SecretBytes};
use bulla_model::{EncryptionAlgorithm, KeyArn, MaterialId};

use crate::{Call, Service, ServiceError};

/// What `Encrypt` is asked.
#[derive(Debug)]
pub struct EncryptRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// 1 to 4,096 bytes.
    pub plaintext: SecretBytes,
    /// Non-secret pairs that bind the ciphertext.
    pub encryption_context: Context,
    /// `SymmetricDefault` for every key there is now.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// Grant tokens; nothing grants yet, so they decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `Encrypt` answers.
#[derive(Debug, Clone)]
pub struct EncryptResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// The ciphertext.
    pub ciphertext_blob: Vec<u8>,
    /// How it was encrypted.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// The version of its material.
    pub key_material_id: MaterialId,
}

impl Service {
    /// Encrypts up to 4,096 bytes under a key and a context.
    ///
    /// # Errors
    /// `NotFound`, `Disabled`, `InvalidState`, `InvalidKeyUsage`, `Validation`, `AccessDenied`, `DryRun`.
    pub async fn encrypt(&self, call: &Call, request: EncryptRequest) -> Result<EncryptResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
