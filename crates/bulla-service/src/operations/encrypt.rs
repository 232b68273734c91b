use bulla_crypto::{Context, SecretBytes};
use bulla_model::{EncryptionAlgorithm, KeyArn, MaterialId, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, context_value, members, shown};
use crate::operations::encryption::Encryption;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `Encrypt` is asked.
#[derive(Debug)]
pub struct EncryptRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// 1 to 4,096 bytes; under an RSA key at most what OAEP takes.
    pub plaintext: SecretBytes,
    /// Non-secret pairs that bind the ciphertext.
    pub encryption_context: Context,
    /// One of the key's.
    pub encryption_algorithm: EncryptionAlgorithm,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
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
        self.core.run(call, &request).await
    }
}

impl Operation for EncryptRequest {
    type Response = EncryptResponse;

    const EVENT: EventKind = EventKind {
        name: "Encrypt",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("encryptionAlgorithm", self.encryption_algorithm.as_str().into()),
            ("encryptionContext", context_value(&self.encryption_context)),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::blob("plaintext", self.plaintext.len(), 1, 4096)?;
        let key = decision
            .authorise_key::<Self>("kms:Encrypt", &self.key_id, KeyForms::All)
            .await?;
        let how = Encryption {
            asked: Asked::Encrypt,
            algorithm: self.encryption_algorithm,
            context: &self.encryption_context,
        };
        how.check(&key)?;
        let (ciphertext_blob, key_material_id) = how.encrypt(decision, &key, &self.plaintext).await?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(EncryptResponse {
            key_arn: key.key.arn.clone(),
            ciphertext_blob,
            encryption_algorithm: self.encryption_algorithm,
            key_material_id,
        })
    }
}
