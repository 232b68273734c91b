use bulla_model::{KeyId, Operation as Asked, Timestamp};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::key_usage::KeyUse;
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GetKeyLastUsage` is asked.
#[derive(Debug, Clone)]
pub struct GetKeyLastUsageRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

/// What `GetKeyLastUsage` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetKeyLastUsageResponse {
    /// `KeyId`.
    pub key_id: KeyId,
    /// `KeyLastUsage`; `None` where the key was not used since `tracking_start`.
    pub last_use: Option<KeyUse>,
    /// `TrackingStartDate`: since when uses are kept, or the key's creation, whichever is later.
    pub tracking_start: Timestamp,
    /// `KeyCreationDate`.
    pub created: Timestamp,
}

impl Service {
    /// Tells when a key was used last for a cryptographic operation that succeeded, and by which request.
    ///
    /// This node's own uses are known at once; those of other nodes, and of a process that was killed, as far as they were written down:
    /// each node does so every five minutes, and when it stops.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `AccessDenied`.
    pub async fn get_key_last_usage(
        &self,
        call: &Call,
        request: GetKeyLastUsageRequest,
    ) -> Result<GetKeyLastUsageResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GetKeyLastUsageRequest {
    type Response = GetKeyLastUsageResponse;

    const EVENT: EventKind = EventKind {
        name: "GetKeyLastUsage",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:GetKeyLastUsage", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::GetKeyLastUsage)?;
        let (usage, created) = (&decision.core.key_usage, key.key.body.created);
        Ok(GetKeyLastUsageResponse {
            last_use: usage.last(&decision.core.rows, key.key.arn.as_str()).await?,
            key_id: key.key.id.clone(),
            tracking_start: usage.since().max(created),
            created,
        })
    }
}
