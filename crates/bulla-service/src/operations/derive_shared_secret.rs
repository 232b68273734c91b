use bulla_crypto::SecretBytes;
use bulla_model::{KeyAgreementAlgorithm, KeyArn, KeyOrigin, KeyUsage, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `DeriveSharedSecret` is asked.
#[derive(Debug, Clone)]
pub struct DeriveSharedSecretRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// One of the key's.
    pub key_agreement_algorithm: KeyAgreementAlgorithm,
    /// The peer's, DER `SubjectPublicKeyInfo`, 1 to 8,192 bytes.
    pub public_key: Vec<u8>,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `DeriveSharedSecret` answers.
#[derive(Debug)]
pub struct DeriveSharedSecretResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// The raw secret: 32, 48 or 66 bytes.
    pub shared_secret: SecretBytes,
    /// How it was derived.
    pub key_agreement_algorithm: KeyAgreementAlgorithm,
    /// Where the key's material comes from.
    pub key_origin: KeyOrigin,
}

impl Service {
    /// Agrees on a secret with the holder of another key pair on the same curve.
    ///
    /// # Errors
    /// `NotFound`, `Disabled`, `InvalidState`, `InvalidKeyUsage`, `Validation`, `AccessDenied`, `DryRun`.
    pub async fn derive_shared_secret(
        &self,
        call: &Call,
        request: DeriveSharedSecretRequest,
    ) -> Result<DeriveSharedSecretResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DeriveSharedSecretRequest {
    type Response = DeriveSharedSecretResponse;

    const EVENT: EventKind = EventKind {
        name: "DeriveSharedSecret",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("keyAgreementAlgorithm", self.key_agreement_algorithm.as_str().into()),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::blob("publicKey", self.public_key.len(), 1, 8192)?;
        let key = decision
            .authorise_key::<Self>("kms:DeriveSharedSecret", &self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::KeyAgreement, "DeriveSharedSecret")?;
        key.require_state(Asked::DeriveSharedSecret)?;
        key.require_algorithm(self.key_agreement_algorithm)?;
        let material = key.current_material(decision).await?;
        let shared_secret = material.agree(decision, &self.public_key).await?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(DeriveSharedSecretResponse {
            key_arn: key.key.arn.clone(),
            shared_secret,
            key_agreement_algorithm: self.key_agreement_algorithm,
            key_origin: key.key.body.origin,
        })
    }
}
