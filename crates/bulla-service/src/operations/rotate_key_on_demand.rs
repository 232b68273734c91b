use bulla_model::{KeyArn, Operation as Asked, RotationType};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::decision::{Decision, EventKind};
use crate::limits::{members, shown};
use crate::rotation::rotate;
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `RotateKeyOnDemand` is asked.
#[derive(Debug, Clone)]
pub struct RotateKeyOnDemandRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
}

/// What `RotateKeyOnDemand` answers.
#[derive(Debug, Clone)]
pub struct RotateKeyOnDemandResponse {
    /// The key that was used.
    pub key_arn: KeyArn,
}

impl Service {
    /// Gives a key new material now, in all its regions; the old goes on decrypting. For imported material, that which waits for it.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `Unsupported`, `LimitExceeded`, `AccessDenied`.
    pub async fn rotate_key_on_demand(
        &self,
        call: &Call,
        request: RotateKeyOnDemandRequest,
    ) -> Result<RotateKeyOnDemandResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for RotateKeyOnDemandRequest {
    type Response = RotateKeyOnDemandResponse;

    const EVENT: EventKind = EventKind {
        name: "RotateKeyOnDemand",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", shown(&self.key_id))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key = decision
            .authorise_key::<Self>("kms:RotateKeyOnDemand", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::RotateKeyOnDemand)?;
        key.require_symmetric()?;
        key.key.require_no_replica()?;
        if key.key.body.on_demand_rotations >= ON_DEMAND_LIMIT {
            return Err(ServiceError::LimitExceeded(format!(
                "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed \
                 for this key: {}",
                key.key.arn
            )));
        }
        let schedule = key.key.body.rotation.clone();
        rotate(decision, &key.key, RotationType::OnDemand, schedule).await?;
        decision.response = members([("keyId", key.key.arn.as_str().into())]);
        Ok(RotateKeyOnDemandResponse {
            key_arn: key.key.arn.clone(),
        })
    }
}

/// Most rotations on demand that a key can have.
const ON_DEMAND_LIMIT: u32 = 25;
