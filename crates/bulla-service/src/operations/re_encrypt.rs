use bulla_crypto::Context;
use bulla_crypto::blob::Blob;
use bulla_model::{EncryptionAlgorithm, KeyArn, MaterialId, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, context_value, members, shown};
use crate::operations::encryption::{Decryption, Encryption, modifiers_shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `ReEncrypt` is asked.
#[derive(Debug, Clone)]
pub struct ReEncryptRequest {
    /// 1 to 6,144 bytes; empty only with `dry_run`, for which the source key is named: AWS's `IGNORE_CIPHERTEXT`.
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
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
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
        self.core.run(call, &request).await
    }
}

impl Operation for ReEncryptRequest {
    type Response = ReEncryptResponse;

    const EVENT: EventKind = EventKind {
        name: "ReEncrypt",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("sourceKeyId", self.source_key_id.as_deref().map_or(Value::Null, shown)),
            (
                "sourceEncryptionContext",
                context_value(&self.source_encryption_context),
            ),
            (
                "sourceEncryptionAlgorithm",
                self.source_encryption_algorithm.as_str().into(),
            ),
            ("destinationKeyId", shown(&self.destination_key_id)),
            (
                "destinationEncryptionContext",
                context_value(&self.destination_encryption_context),
            ),
            (
                "destinationEncryptionAlgorithm",
                self.destination_encryption_algorithm.as_str().into(),
            ),
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
        decision.re_encrypt_on_same_key = self.is_on_same_key(decision).await?;
        let from = Decryption {
            asked: Asked::ReEncrypt,
            action: "kms:ReEncryptFrom",
            key_id: self.source_key_id.as_deref(),
            ciphertext: &self.ciphertext_blob,
            algorithm: self.source_encryption_algorithm,
            context: &self.source_encryption_context,
        };
        let to = Encryption {
            asked: Asked::ReEncrypt,
            algorithm: self.destination_encryption_algorithm,
            context: &self.destination_encryption_context,
        };
        let (source, blob) = match ignores_ciphertext {
            true => (from.find_named::<Self>(decision).await?, None),
            false => from.find_key::<Self>(decision).await?,
        };
        let destination = decision
            .authorise_key::<Self>("kms:ReEncryptTo", &self.destination_key_id, KeyForms::All)
            .await?;
        from.check(&source)?;
        to.check(&destination)?;
        if ignores_ciphertext {
            return Err(ServiceError::DryRun);
        }
        let (plaintext, source_key_material_id) = from.decrypt(decision, &source, blob.as_ref()).await?;
        let (ciphertext_blob, destination_key_material_id) = to.encrypt(decision, &destination, &plaintext).await?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        decision.response = members([
            ("sourceKeyMaterialId", source_key_material_id.to_string().into()),
            (
                "destinationKeyMaterialId",
                destination_key_material_id.to_string().into(),
            ),
        ]);
        Ok(ReEncryptResponse {
            ciphertext_blob,
            source_key_arn: source.key.arn.clone(),
            destination_key_arn: destination.key.arn.clone(),
            source_encryption_algorithm: self.source_encryption_algorithm,
            destination_encryption_algorithm: self.destination_encryption_algorithm,
            source_key_material_id,
            destination_key_material_id,
        })
    }
}

impl ReEncryptRequest {
    /// Whether source and destination are one key, for the condition key `kms:ReEncryptOnSameKey`; `None` where one of them is none.
    async fn is_on_same_key(&self, decision: &mut Decision<'_>) -> Result<Option<bool>, ServiceError> {
        let source = match (&self.source_key_id, Blob::parse(&self.ciphertext_blob)) {
            (Some(named), _) => decision.row_of(named).await?,
            (None, Ok(blob)) => {
                let material = MaterialId(*blob.material_id());
                decision.row_of_material(&material).await?
            }
            (None, Err(_)) => None,
        };
        let destination = decision.row_of(&self.destination_key_id).await?;
        Ok(source
            .zip(destination)
            .map(|(source, destination)| source == destination))
    }
}
