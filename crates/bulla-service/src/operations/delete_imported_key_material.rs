use bulla_model::{KeyArn, KeySpec, MaterialId, Operation as Asked};
use serde_json::{Map, Value};

use crate::authorised::{Authorised, KeyForms};
use crate::decision::{Decision, EventKind};
use crate::imported::Imported;
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `DeleteImportedKeyMaterial` is asked.
#[derive(Debug, Clone)]
pub struct DeleteImportedKeyMaterialRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// Which material; the current one by default.
    pub key_material_id: Option<MaterialId>,
}

/// What `DeleteImportedKeyMaterial` answers.
#[derive(Debug, Clone)]
pub struct DeleteImportedKeyMaterialResponse {
    /// The key that had the material.
    pub key_arn: KeyArn,
    /// The material; of symmetric encryption keys.
    pub key_material_id: Option<MaterialId>,
}

impl Service {
    /// Deletes imported material. The key can't be used until the same material is imported again, and opens then what it sealed before.
    ///
    /// Material that only waited for its rotation is gone for good, and from every region where the key is the primary.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `Unsupported`, `AccessDenied`.
    pub async fn delete_imported_key_material(
        &self,
        call: &Call,
        request: DeleteImportedKeyMaterialRequest,
    ) -> Result<DeleteImportedKeyMaterialResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for DeleteImportedKeyMaterialRequest {
    type Response = DeleteImportedKeyMaterialResponse;

    const EVENT: EventKind = EventKind {
        name: "DeleteImportedKeyMaterial",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("keyMaterialId", self.key_material_id.map(|id| id.to_string()).into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key: Authorised<Self> = decision
            .authorise_key("kms:DeleteImportedKeyMaterial", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::DeleteImportedKeyMaterial)?;
        let mut imported = Imported::read(decision, &key.key).await?;
        let wanted = self.key_material_id.or(imported.current());
        if let Some(id) = wanted {
            match imported.find(id) {
                // AWS: "No effect".
                Some(version) if version.wrapped_material.is_none() => {}
                Some(_) => {
                    imported.remove(decision, id)?;
                    imported.finish(decision);
                    decision.used(id);
                }
                // Not confirmed.
                None => {
                    return Err(ServiceError::NotFound(format!(
                        "Key material {id} is not associated with KMS key {}.",
                        key.key.arn
                    )));
                }
            }
        }
        let shown_id = wanted.filter(|_| key.key.body.spec == KeySpec::SymmetricDefault);
        decision.response = members([
            ("keyId", key.key.arn.as_str().into()),
            ("keyMaterialId", shown_id.map(|id| id.to_string()).into()),
        ]);
        Ok(DeleteImportedKeyMaterialResponse {
            key_arn: key.key.arn.clone(),
            key_material_id: shown_id,
        })
    }
}
