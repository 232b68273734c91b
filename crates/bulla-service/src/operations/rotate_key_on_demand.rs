use bulla_model::{KeyArn, KeySpec, Operation as Asked, RotationType};
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::KeyBody;
use crate::decision::{Decision, EventKind};
use crate::key_material::put_new_material;
use crate::limits::{members, shown};
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
    /// Gives a key new material now; the old goes on decrypting.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `Disabled`, `InvalidState`, `LimitExceeded`, `AccessDenied`.
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
        if key.key.body.on_demand_rotations >= ON_DEMAND_LIMIT {
            return Err(ServiceError::LimitExceeded(format!(
                "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed \
                 for this key: {}",
                key.key.arn
            )));
        }
        let current = put_new_material(
            decision,
            &key.key.row.id,
            KeySpec::SymmetricDefault,
            key.key.body.versions + 1,
            Some(RotationType::OnDemand),
        )
        .await?;
        let body = KeyBody {
            current: Some(current),
            versions: key.key.body.versions + 1,
            on_demand_rotations: key.key.body.on_demand_rotations + 1,
            ..key.key.body.clone()
        };
        decision.put_key(&key.key, &body);
        decision.used(current);
        decision.response = members([("keyId", key.key.arn.as_str().into())]);
        Ok(RotateKeyOnDemandResponse {
            key_arn: key.key.arn.clone(),
        })
    }
}

/// Most rotations on demand that a key can have.
const ON_DEMAND_LIMIT: u32 = 25;
