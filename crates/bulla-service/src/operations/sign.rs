use bulla_crypto::SecretBytes;
use bulla_model::{KeyArn, KeyUsage, MessageType, Operation as Asked, SigningAlgorithm};
use serde_json::{Map, Value};

use crate::authorised::{KeyForms, require_message};
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `Sign` is asked.
#[derive(Debug)]
pub struct SignRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// 1 to 4,096 bytes: the message, or what `message_type` says.
    pub message: SecretBytes,
    /// What the message is.
    pub message_type: MessageType,
    /// One of the key's.
    pub signing_algorithm: SigningAlgorithm,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
    /// Decide everything, do nothing, answer `DryRun`.
    pub dry_run: bool,
}

/// What `Sign` answers.
#[derive(Debug, Clone)]
pub struct SignResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// DER for ECDSA, else the algorithm's own form.
    pub signature: Vec<u8>,
    /// How it was signed.
    pub signing_algorithm: SigningAlgorithm,
}

impl Service {
    /// Signs a message, or its digest.
    ///
    /// # Errors
    /// `NotFound`, `Disabled`, `InvalidState`, `InvalidKeyUsage`, `Validation`, `AccessDenied`, `DryRun`.
    pub async fn sign(&self, call: &Call, request: SignRequest) -> Result<SignResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for SignRequest {
    type Response = SignResponse;

    const EVENT: EventKind = EventKind {
        name: "Sign",
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
        let key = decision
            .authorise_key::<Self>("kms:Sign", &self.key_id, KeyForms::All)
            .await?;
        key.require_usage(KeyUsage::SignVerify, "Sign")?;
        key.require_state(Asked::Sign)?;
        key.require_algorithm(self.signing_algorithm)?;
        require_message(
            key.key.body.spec,
            self.signing_algorithm,
            self.message_type,
            &self.message,
        )?;
        let material = key.current_material(decision).await?;
        let signature = material
            .sign(decision, self.signing_algorithm, self.message_type, &self.message)
            .await?;
        if self.dry_run {
            return Err(ServiceError::DryRun);
        }
        Ok(SignResponse {
            key_arn: key.key.arn.clone(),
            signature,
            signing_algorithm: self.signing_algorithm,
        })
    }
}
