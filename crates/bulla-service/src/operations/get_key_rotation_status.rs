use bulla_model::{KeyArn, KeyState, Operation as Asked, Timestamp};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `GetKeyRotationStatus` is asked.
#[derive(Debug, Clone)]
pub struct GetKeyRotationStatusRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

/// What `GetKeyRotationStatus` answers.
#[derive(Debug, Clone)]
pub struct GetKeyRotationStatusResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
    /// Whether the key rotates by itself.
    pub enabled: bool,
    /// The period, while enabled.
    pub rotation_period_in_days: Option<u32>,
    /// When it rotates next.
    pub next_rotation: Option<Timestamp>,
    /// When a rotation in progress began; rotations are immediate, so never.
    pub on_demand_rotation_start: Option<Timestamp>,
}

impl Service {
    /// Tells a key's rotation settings.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `AccessDenied`.
    pub async fn get_key_rotation_status(
        &self,
        call: &Call,
        request: GetKeyRotationStatusRequest,
    ) -> Result<GetKeyRotationStatusResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for GetKeyRotationStatusRequest {
    type Response = GetKeyRotationStatusResponse;

    const EVENT: EventKind = EventKind {
        name: "GetKeyRotationStatus",
        source: KMS,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:GetKeyRotationStatus", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::GetKeyRotationStatus)?;
        // "While a KMS key is pending deletion, its key rotation status is false."
        let goes = matches!(
            key.key.body.state,
            KeyState::PendingDeletion | KeyState::PendingReplicaDeletion
        );
        let rotation = key.key.body.rotation.as_ref().filter(|_| !goes);
        Ok(GetKeyRotationStatusResponse {
            key_arn: key.key.arn.clone(),
            enabled: rotation.is_some(),
            rotation_period_in_days: rotation.map(|rotation| rotation.period_days),
            next_rotation: rotation.map(|rotation| rotation.next),
            on_demand_rotation_start: None,
        })
    }
}
