use bulla_crypto::Context;
use bulla_model::{EncryptionAlgorithm, KeyArn, MaterialId};

use crate::{Call, Service, ServiceError};

/// What `ReEncrypt` is asked.
#[derive(Debug, Clone)]
pub struct ReEncryptRequest {
    /// 1 to 6,144 bytes.
    pub ciphertext_blob: Vec<u8>,
    /// The key that the caller expects.
    pub source_key_id: Option<String>,
    /// The context of the ciphertext.
    pub source_encryption_context: Context,
    /// How it was encrypted.
    pub source_encryption_algorithm: EncryptionAlgorithm,
    /// The new key.
    pub destination_key_id: String,
    /// The new context.
    pub destination_encryption_context: Context,
    /// How to encrypt.
    pub destination_encryption_algorithm: EncryptionAlgorithm,
    /// Grant tokens; nothing grants yet, so they decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `ReEncrypt` answers.
#[derive(Debug, Clone)]
pub struct ReEncryptResponse {
    /// The new ciphertext.
    pub ciphertext_blob: Vec<u8>,
    /// The key that decrypted.
    pub source_key_arn: KeyArn,
    /// The key that encrypted.
    pub destination_key_arn: KeyArn,
    /// How it was encrypted.
    pub source_encryption_algorithm: EncryptionAlgorithm,
    /// How it is encrypted.
    pub destination_encryption_algorithm: EncryptionAlgorithm,
    /// The version that decrypted.
    pub source_key_material_id: MaterialId,
    /// The version that encrypted.
    pub destination_key_material_id: MaterialId,
}

impl Service {
    /// Decrypts and encrypts again without showing the plaintext.
    ///
    /// # Errors
    /// As `Decrypt` and `Encrypt`.
    pub async fn re_encrypt(&self, call: &Call, request: ReEncryptRequest) -> Result<ReEncryptResponse, ServiceError> {
        let _ = (call, request);
        Err(ServiceError::Internal("not built"))
    }
}
