use bulla_crypto::SecretBytes;
use bulla_model::{EncapsulationAlgorithm, KeyArn, KeyUsage, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `Decapsulate` is asked.
#[derive(Debug, Clone)]
pub struct DecapsulateRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// 1 to 6,144 bytes; of the length that the key's spec has.
    pub shared_secret_ciphertext_blob: Vec<u8>,
    /// One of the key's.
    pub encapsulation_algorithm: EncapsulationAlgorithm,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `Decapsulate` answers.
#[derive(Debug)]
pub struct DecapsulateResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// 32 bytes.
    pub shared_secret: SecretBytes,
    /// How it was encapsulated.
    pub encapsulation_algorithm: EncapsulationAlgorithm,
}

impl Service {
    /// Recovers a shared secret.
    ///
    /// A ciphertext of the right length that is not the key's gives another secret, and no error (FIPS 203, implicit rejection).
    ///
    /// # Errors
    /// As `Encapsulate`; `InvalidCiphertext` for a ciphertext of another length.
    pub async fn decapsulate(
        &self,
        call: &Call,
        request: DecapsulateRequest,
    ) -> Result<DecapsulateResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DecapsulateRequest {
    type Response = DecapsulateResponse;

    const EVENT: EventKind = EventKind {
        name: "Decapsulate",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("encapsulationAlgorithm", self.encapsulation_algorithm.as_str().into()),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::blob(
            "sharedSecretCiphertextBlob",
            self.shared_secret_ciphertext_blob.len(),
            1,
            6144,
        )?;
        let key = decision
            .authorise_key::<Self>("kms:Decapsulate", &self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::EncapsulateDecapsulate, "Decapsulate")?;
        key.require_state(Asked::Decapsulate)?;
        key.require_algorithm(self.encapsulation_algorithm)?;
        let material = key.current_material(decision).await?;
        let shared_secret = material.decapsulate(&self.shared_secret_ciphertext_blob)?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(DecapsulateResponse {
            key_arn: key.key.arn.clone(),
            shared_secret,
            encapsulation_algorithm: self.encapsulation_algorithm,
        })
    }
}
