use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, KeyMetadata, Service, ServiceError};

/// What `DescribeKey` is asked.
#[derive(Debug, Clone)]
pub struct DescribeKeyRequest {
    /// Key id, key ARN, alias name or alias ARN.
    pub key_id: String,
    /// Grant tokens; grants are effective at once, so they are checked and decide nothing.
    pub grant_tokens: Vec<String>,
}

/// What `DescribeKey` answers.
#[derive(Debug, Clone)]
pub struct DescribeKeyResponse {
    /// The key.
    pub key: KeyMetadata,
}

impl Service {
    /// Tells a key's metadata.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`.
    pub async fn describe_key(
        &self,
        call: &Call,
        request: DescribeKeyRequest,
    ) -> Result<DescribeKeyResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DescribeKeyRequest {
    type Response = DescribeKeyResponse;

    const EVENT: EventKind = EventKind {
        name: "DescribeKey",
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
            .authorise_key::<Self>("kms:DescribeKey", &self.key_id, KeyForms::All)
            .await?;
        key.require_state(Asked::DescribeKey)?;
        let key = key.key.metadata(decision.now)?;
        Ok(DescribeKeyResponse { key })
    }
}
