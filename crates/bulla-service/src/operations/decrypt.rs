use bulla_crypto::{Context, SecretBytes};
use bulla_model::{EncryptionAlgorithm, KeyArn, MaterialId};

use crate::{Call, Service, ServiceError};

/// What `Decrypt` is asked.
#[derive(Debug, Clone)]
pub struct DecryptRequest {
    /// The key that the caller expects; without it, the one that the ciphertext names.
    pub key_id: Option<String>,
    /// 1 to 6,144 bytes.
    pub ciphertext_blob: Vec<u8>,
    /// Non-secret pairs that bind the ciphertext.
    pub encryption_context: Context,
    /// `SymmetricDefault` for every key there is now.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// Grant tokens; nothing grants yet, so they decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `Decrypt` answers.
#[derive(Debug)]
pub struct DecryptResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// What was encrypted.
    pub plaintext: SecretBytes,
    /// How it was encrypted.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// The version of its material.
    pub key_material_id: MaterialId,
}

impl Service {
    /// Decrypts what any version of a key encrypted under exactly this context.
    ///
    /// # Errors
    /// `InvalidCiphertext`, `IncorrectKey`, `NotFound`, `Disabled`, `InvalidState`, `AccessDenied`, `DryRun`.
    pub async fn decrypt(&self, call: &Call, request: DecryptRequest) -> Result<DecryptResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
