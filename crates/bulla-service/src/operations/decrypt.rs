use bulla_crypto::{Context, SecretBytes};
use bulla_model::{EncryptionAlgorithm, KeyArn, MaterialId, Operation as Asked};
use serde_json::{Map, Value};

use crate::decision::{Decision, EventKind};
use crate::limits::{self, context_value, members, shown};
use crate::operations::encryption::{Decryption, modifiers_shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `Decrypt` is asked.
#[derive(Debug, Clone)]
pub struct DecryptRequest {
    /// The key that the caller expects; without it, the one that the ciphertext names.
    pub key_id: Option<String>,
    /// 1 to 6,144 bytes; empty only with `dry_run`, for which a key is named: AWS's `IGNORE_CIPHERTEXT`.
    pub ciphertext_blob: Vec<u8>,
    /// Non-secret pairs that bind the ciphertext.
    pub encryption_context: Context,
    /// One of the key's.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
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
        self.core.run(call, &request).await
    }
}

impl Operation for DecryptRequest {
    type Response = DecryptResponse;

    const EVENT: EventKind = EventKind {
        name: "Decrypt",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", self.key_id.as_deref().map_or(Value::Null, shown)),
            ("encryptionAlgorithm", self.encryption_algorithm.as_str().into()),
            ("encryptionContext", context_value(&self.encryption_context)),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
            ("dryRunModifiers", modifiers_shown(self.dry_run, &self.ciphertext_blob)),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let ignores_ciphertext = self.dry_run && self.ciphertext_blob.is_empty();
        limits::blob(
            "ciphertextBlob",
            self.ciphertext_blob.len(),
            usize::from(!ignores_ciphertext),
            6144,
        )?;
        let how = Decryption {
            asked: Asked::Decrypt,
            action: "kms:Decrypt",
            key_id: self.key_id.as_deref(),
            ciphertext: &self.ciphertext_blob,
            algorithm: self.encryption_algorithm,
            context: &self.encryption_context,
        };
        if ignores_ciphertext {
            let key = how.find_named::<Self>(decision).await?;
            how.check(&key)?;
            return Err(ServiceError::DryRun);
        }
        let (key, blob) = how.find_key::<Self>(decision).await?;
        how.check(&key)?;
        let (plaintext, key_material_id) = how.decrypt(decision, &key, blob.as_ref()).await?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(DecryptResponse {
            key_arn: key.key.arn.clone(),
            plaintext,
            encryption_algorithm: self.encryption_algorithm,
            key_material_id,
        })
    }
}
