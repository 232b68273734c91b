use bulla_crypto::SecretBytes;
use bulla_model::{EncapsulationAlgorithm, KeyArn, KeyUsage, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `Encapsulate` is asked.
#[derive(Debug, Clone)]
pub struct EncapsulateRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// One of the key's.
    pub encapsulation_algorithm: EncapsulationAlgorithm,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `Encapsulate` answers.
#[derive(Debug)]
pub struct EncapsulateResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// 32 bytes.
    pub shared_secret: SecretBytes,
    /// What `Decapsulate` takes: 768, 1,088 or 1,568 bytes.
    pub shared_secret_ciphertext_blob: Vec<u8>,
    /// How it was encapsulated.
    pub encapsulation_algorithm: EncapsulationAlgorithm,
}

impl Service {
    /// Makes a shared secret that the holder of an ML-KEM key can recover.
    ///
    /// # Errors
    /// `NotFound`, `Disabled`, `InvalidState`, `InvalidKeyUsage`, `Validation`, `AccessDenied`, `DryRun`.
    pub async fn encapsulate(
        &self,
        call: &Call,
        request: EncapsulateRequest,
    ) -> Result<EncapsulateResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for EncapsulateRequest {
    type Response = EncapsulateResponse;

    const EVENT: EventKind = EventKind {
        name: "Encapsulate",
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
        let key = decision
            .authorise_key::<Self>("kms:Encapsulate", &self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::EncapsulateDecapsulate, "Encapsulate")?;
        key.require_state(Asked::Encapsulate)?;
        key.require_algorithm(self.encapsulation_algorithm)?;
        let material = key.current_material(decision).await?;
        let encapsulated = material.encapsulate()?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(EncapsulateResponse {
            key_arn: key.key.arn.clone(),
            shared_secret: encapsulated.shared_secret,
            shared_secret_ciphertext_blob: encapsulated.ciphertext,
            encapsulation_algorithm: self.encapsulation_algorithm,
        })
    }
}
