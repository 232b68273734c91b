use bulla_crypto::DataKey;
use bulla_crypto::blob::Material;
use bulla_model::{KeyArn, MaterialId, Operation as Asked, RotationType};
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::authorised::KeyForms;
use crate::bodies::{KeyBody, KeyVersionBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::material_place;
use crate::limits::{members, shown};
use crate::row_ids::{parse_key_row, version_row};
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
        key.require_encryption("RotateKeyOnDemand")?;
        if key.key.body.on_demand_rotations >= ON_DEMAND_LIMIT {
            return Err(ServiceError::LimitExceeded(format!(
                "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed \
                 for this key: {}",
                key.key.arn
            )));
        }
        let current = new_version(
            decision,
            &key.key.row.id,
            key.key.body.versions + 1,
            Some(RotationType::OnDemand),
        )?;
        let body = KeyBody {
            current,
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

/// Makes new material for a key and leaves its row to be written; tells its id.
pub(crate) fn new_version(
    decision: &mut Decision<'_>,
    key_row: &str,
    number: u32,
    rotation: Option<RotationType>,
) -> Result<MaterialId, ServiceError> {
    let (account, region, key_id) =
        parse_key_row(key_row).ok_or(ServiceError::Internal("a key row without a key id"))?;
    let core = decision.core;
    let failed = ServiceError::Internal("new material can't be made");
    let secret = DataKey::generate(&*core.random).map_err(|_| failed.clone())?;
    let id = MaterialId(
        *Material::new(&secret, key_id.as_str())
            .map_err(|_| failed.clone())?
            .id(),
    );
    let row = version_row(&account, &region, &id);
    let wrapped = core
        .rows
        .store_key
        .wrap(material_place(&row, key_row), &*core.random, secret.expose_secret());
    let body = KeyVersionBody {
        version: VERSION,
        number,
        created: decision.now,
        rotation,
        wrapped_material: wrapped.map_err(|_| failed)?,
    };
    decision.put(Table::KeyVersions, &row, key_row, &body);
    Ok(id)
}
