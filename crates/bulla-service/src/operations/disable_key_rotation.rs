use bulla_model::Operation as Asked;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `DisableKeyRotation` is asked.
#[derive(Debug, Clone)]
pub struct DisableKeyRotationRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

impl Service {
    /// Stops automatic rotation.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `AccessDenied`.
    pub async fn disable_key_rotation(
        &self,
        call: &Call,
        request: DisableKeyRotationRequest,
    ) -> Result<(), ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DisableKeyRotationRequest {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "DisableKeyRotation",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:DisableKeyRotation", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::DisableKeyRotation)?;
        key.key.require_no_replica()?;
        if key.key.body.rotation.is_some() {
            let keys = decision.in_all_regions(&key.key).await?;
            decision.put_keys(&keys, |key| KeyBody {
                rotation: None,
                ..key.body.clone()
            });
        }
        decision.response = members([("keyId", key.key.arn.as_str().into())]);
        Ok(())
    }
}
