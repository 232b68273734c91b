use bulla_crypto::SecretBytes;
use bulla_model::{KeyArn, KeyUsage, MacAlgorithm, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `VerifyMac` is asked.
#[derive(Debug)]
pub struct VerifyMacRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// 1 to 4,096 bytes.
    pub message: SecretBytes,
    /// One of the key's.
    pub mac_algorithm: MacAlgorithm,
    /// 1 to 6,144 bytes.
    pub mac: Vec<u8>,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `VerifyMac` answers.
#[derive(Debug, Clone)]
pub struct VerifyMacResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// How it was made.
    pub mac_algorithm: MacAlgorithm,
}

impl Service {
    /// Checks an HMAC; an answer says that it is right.
    ///
    /// # Errors
    /// As `GenerateMac`; `InvalidMac` for any MAC that is not the key's over this message.
    pub async fn verify_mac(&self, call: &Call, request: VerifyMacRequest) -> Result<VerifyMacResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for VerifyMacRequest {
    type Response = VerifyMacResponse;

    const EVENT: EventKind = EventKind {
        name: "VerifyMac",
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
        limits::blob("mac", self.mac.len(), 1, 6144)?;
        let key = decision
            .authorise_key::<Self>("kms:VerifyMac", &self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::GenerateVerifyMac, "VerifyMac")?;
        key.require_state(Asked::VerifyMac)?;
        key.require_algorithm(self.mac_algorithm)?;
        let material = key.current_material(decision).await?;
        if !material
            .verify_mac(self.mac_algorithm, &self.message, &self.mac)?
            .is_valid()
        {
            return Err(ServiceError::InvalidMac);
        }
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(VerifyMacResponse {
            key_arn: key.key.arn.clone(),
            mac_algorithm: self.mac_algorithm,
        })
    }
}
