use bulla_crypto::SecretBytes;
use bulla_model::{KeyArn, KeyUsage, MessageType, Operation as Asked, SigningAlgorithm};
use serde_json::{Map, Value};

use crate::authorised::{KeyForms, require_message};
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `Verify` is asked.
#[derive(Debug)]
pub struct VerifyRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// 1 to 4,096 bytes: the message, or what `message_type` says.
    pub message: SecretBytes,
    /// What the message is.
    pub message_type: MessageType,
    /// 1 to 6,144 bytes.
    pub signature: Vec<u8>,
    /// One of the key's.
    pub signing_algorithm: SigningAlgorithm,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `Verify` answers.
#[derive(Debug, Clone)]
pub struct VerifyResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// How it was signed.
    pub signing_algorithm: SigningAlgorithm,
}

impl Service {
    /// Checks a signature; an answer says that it is right.
    ///
    /// # Errors
    /// As `Sign`; `InvalidSignature` for any signature that is not the key's over this message.
    pub async fn verify(&self, call: &Call, request: VerifyRequest) -> Result<VerifyResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for VerifyRequest {
    type Response = VerifyResponse;

    const EVENT: EventKind = EventKind {
        name: "Verify",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("messageType", self.message_type.as_str().into()),
            ("signingAlgorithm", self.signing_algorithm.as_str().into()),
            ("dryRun", if self.dry_run { true.into() } else { Value::Null }),
        ])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        limits::blob("message", self.message.len(), 1, 4096)?;
        limits::blob("signature", self.signature.len(), 1, 6144)?;
        let key = decision
            .authorise_key::<Self>("kms:Verify", &self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::SignVerify, "Verify")?;
        key.require_state(Asked::Verify)?;
        key.require_algorithm(self.signing_algorithm)?;
        require_message(
            key.key.body.spec,
            self.signing_algorithm,
            self.message_type,
            &self.message,
        )?;
        let material = key.current_material(decision).await?;
        let verification = material
            .verify(
                decision,
                self.signing_algorithm,
                self.message_type,
                &self.message,
                &self.signature,
            )
            .await?;
        if !verification.is_valid() {
            return Err(ServiceError::InvalidSignature);
        }
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(VerifyResponse {
            key_arn: key.key.arn.clone(),
            signing_algorithm: self.signing_algorithm,
        })
    }
}
