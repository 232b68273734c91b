use bulla_crypto::SecretBytes;
use bulla_model::{KeyArn, KeyUsage, MacAlgorithm, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GenerateMac` is asked.
#[derive(Debug)]
pub struct GenerateMacRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// 1 to 4,096 bytes.
    pub message: SecretBytes,
    /// One of the key's.
    pub mac_algorithm: MacAlgorithm,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `GenerateMac` answers.
#[derive(Debug, Clone)]
pub struct GenerateMacResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// 28, 32, 48 or 64 bytes.
    pub mac: Vec<u8>,
    /// How it was made.
    pub mac_algorithm: MacAlgorithm,
}

impl Service {
    /// Makes the HMAC of a message.
    ///
    /// # Errors
    /// `NotFound`, `Disabled`, `InvalidState`, `InvalidKeyUsage`, `Validation`, `AccessDenied`, `DryRun`.
    pub async fn generate_mac(
        &self,
        call: &Call,
        request: GenerateMacRequest,
    ) -> Result<GenerateMacResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GenerateMacRequest {
    type Response = GenerateMacResponse;

    const EVENT: EventKind = EventKind {
        name: "GenerateMac",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("macAlgorithm", self.mac_algorithm.as_str().into()),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::blob("message", self.message.len(), 1, 4096)?;
        let key = decision
            .authorise_key::<Self>("kms:GenerateMac", &self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::GenerateVerifyMac, "GenerateMac")?;
        key.require_state(Asked::GenerateMac)?;
        key.require_algorithm(self.mac_algorithm)?;
        let material = key.current_material(decision).await?;
        let mac = material.generate_mac(self.mac_algorithm, &self.message)?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(GenerateMacResponse {
            key_arn: key.key.arn.clone(),
            mac,
            mac_algorithm: self.mac_algorithm,
        })
    }
}
