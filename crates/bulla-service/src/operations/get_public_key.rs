use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, KeyMetadata, Service, ServiceError};

/// What `GetPublicKey` is asked.
#[derive(Debug, Clone)]
pub struct GetPublicKeyRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
}

/// What `GetPublicKey` answers.
#[derive(Debug, Clone)]
pub struct GetPublicKeyResponse {
    /// The key, with its spec, usage and algorithms.
    pub key: KeyMetadata,
    /// DER `SubjectPublicKeyInfo`.
    pub public_key: Vec<u8>,
}

impl Service {
    /// Tells the public half of a key pair, also while the key is disabled.
    ///
    /// # Errors
    /// `NotFound`, `InvalidState`, `Unsupported`, `AccessDenied`.
    pub async fn get_public_key(
        &self,
        call: &Call,
        request: GetPublicKeyRequest,
    ) -> Result<GetPublicKeyResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GetPublicKeyRequest {
    type Response = GetPublicKeyResponse;

    const EVENT: EventKind = EventKind {
        name: "GetPublicKey",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id))])
    }

    fn grant_tokens(&self) -> &[String] {
        &self.grant_tokens
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:GetPublicKey", &self.key_id, KeyForms::All)
            .await?;
        key.require_state(Asked::GetPublicKey)?;
        key.require_asymmetric()?;
        let material = key.current_material(decision).await?;
        Ok(GetPublicKeyResponse {
            key: key.key.metadata(decision.now)?,
            public_key: material.public_key_der()?,
        })
    }
}
