use bulla_crypto::SecretBytes;
use bulla_crypto::keys::{PrivateKey, unwrap_imported};
use bulla_model::{ExpirationModel, ImportType, KeyArn, KeyId, KeySpec, MaterialId, Operation as Asked, Timestamp};
use serde_json::{Map, Value};

use crate::authorised::{Authorised, KeyForms};
use crate::decision::{Decision, EventKind};
use crate::import_token::ImportToken;
use crate::imported::Imported;
use crate::key_material::{KeyMaterial, library_spec};
use crate::limits::{members, shown};
use crate::runner::{KMS, Operation};
use crate::{Call, Service, ServiceError};

/// What `ImportKeyMaterial` is asked.
#[derive(Debug, Clone)]
pub struct ImportKeyMaterialRequest {
    /// Key id or key ARN; an alias is refused.
    pub key_id: String,
    /// What `GetParametersForImport` gave for this key.
    pub import_token: Vec<u8>,
    /// The material, wrapped under the public key that came with the token.
    pub encrypted_key_material: Vec<u8>,
    /// When the material ends: in the future, at most 365 days from now.
    pub valid_to: Option<Timestamp>,
    /// Whether it ends; it does by default.
    pub expiration_model: Option<ExpirationModel>,
    /// New for a key that never had any material, else existing, by default; for symmetric encryption keys only.
    pub import_type: Option<ImportType>,
    /// At most 256 characters; by default what it was at the last import. For symmetric encryption keys only.
    pub key_material_description: Option<String>,
    /// The material that is meant; for symmetric encryption keys only.
    pub key_material_id: Option<MaterialId>,
}

/// What `ImportKeyMaterial` answers.
#[derive(Debug, Clone)]
pub struct ImportKeyMaterialResponse {
    /// The key that has the material now.
    pub key_arn: KeyArn,
    /// The material; of symmetric encryption keys.
    pub key_material_id: Option<MaterialId>,
}

impl Service {
    /// Imports material into a key whose origin is outside, or brings back what was deleted or has expired.
    ///
    /// # Errors
    /// `NotFound`, `InvalidArn`, `InvalidState`, `Unsupported`, `Validation`, `InvalidImportToken`, `ExpiredImportToken`,
    /// `InvalidCiphertext`, `IncorrectKeyMaterial`, `AccessDenied`.
    pub async fn import_key_material(
        &self,
        call: &Call,
        request: ImportKeyMaterialRequest,
    ) -> Result<ImportKeyMaterialResponse, ServiceError> {
        self.core.run(call, &request).await
    }
}

impl Operation for ImportKeyMaterialRequest {
    type Response = ImportKeyMaterialResponse;

    const EVENT: EventKind = EventKind {
        name: "ImportKeyMaterial",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([
            ("keyId", shown(&self.key_id)),
            ("validTo", self.valid_to.map(|end| end.to_string()).into()),
            (
                "expirationModel",
                self.expiration_model.map(ExpirationModel::as_str).into(),
            ),
            ("importType", self.import_type.map(ImportType::as_str).into()),
            (
                "keyMaterialDescription",
                self.key_material_description.as_deref().map_or(Value::Null, shown),
            ),
            ("keyMaterialId", self.key_material_id.map(|id| id.to_string()).into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Self::Response, ServiceError> {
        let key: Authorised<Self> = decision
            .authorise_key("kms:ImportKeyMaterial", &self.key_id, KeyForms::KeysOnly)
            .await?;
        key.require_state(Asked::ImportKeyMaterial)?;
        self.check(decision.now)?;
        let symmetric = key.key.body.spec == KeySpec::SymmetricDefault;
        let for_symmetric_only =
            self.import_type.is_some() || self.key_material_description.is_some() || self.key_material_id.is_some();
        if for_symmetric_only && !symmetric {
            // Not confirmed.
            return Err(ServiceError::Validation(
                "ImportType, KeyMaterialDescription and KeyMaterialId can be specified only for symmetric encryption KMS keys".to_owned(),
            ));
        }
        let (secret, id) = self.unwrap(decision, &key).await?;
        let mut imported = Imported::read(decision, &key.key).await?;
        self.require_meant(decision.now, &key, &imported, id)?;
        let description = self.key_material_description.as_deref();
        imported.put(decision, id, &secret, self.valid_to, description)?;
        let state = imported.finish(decision);
        decision.used(id);
        let shown_id = symmetric.then_some(id);
        decision.response = members([
            ("keyId", key.key.arn.as_str().into()),
            ("keyState", state.as_str().into()),
            ("keyMaterialId", shown_id.map(|id| id.to_string()).into()),
        ]);
        Ok(ImportKeyMaterialResponse {
            key_arn: key.key.arn.clone(),
            key_material_id: shown_id,
        })
    }
}

/// The longest that material can be good for.
const MAX_VALID_DAYS: u32 = 365;

impl ImportKeyMaterialRequest {
    /// Checks the members against one another. The words for dates out of range and for contradictory members are not confirmed.
    fn check(&self, now: Timestamp) -> Result<(), ServiceError> {
        let model = self.expiration_model.unwrap_or(ExpirationModel::Expires);
        let words = match (model, self.valid_to) {
            (ExpirationModel::Expires, None) => {
                "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
            }
            (ExpirationModel::DoesNotExpire, Some(_)) => {
                "The parameter ValidTo cannot be specified for a key with an expiration model of KEY_MATERIAL_DOES_NOT_EXPIRE"
            }
            (ExpirationModel::Expires, Some(end)) if end <= now => "ValidTo must be in the future",
            (ExpirationModel::Expires, Some(end)) if end > now.plus_days(MAX_VALID_DAYS) => {
                "ValidTo must be at most 365 days in the future"
            }
            _ if self.import_type == Some(ImportType::NewKeyMaterial) && self.key_material_id.is_some() => {
                "KeyMaterialId cannot be specified with ImportType NEW_KEY_MATERIAL"
            }
            _ => return Ok(()),
        };
        Err(ServiceError::Validation(words.to_owned()))
    }

    /// Unwraps the material with the key that the token carries, and reads it as the key's spec has it: the bytes to store, and their id.
    async fn unwrap(
        &self,
        decision: &Decision<'_>,
        key: &Authorised<Self>,
    ) -> Result<(SecretBytes, MaterialId), ServiceError> {
        let core = decision.core;
        let (token, private_key) = ImportToken::open(&core.rows.store_key, &key.key, &self.import_token)
            .map_err(|_| ServiceError::InvalidImportToken)?;
        if token.valid_to <= decision.now {
            return Err(ServiceError::ExpiredImportToken);
        }
        let wrapped = self.encrypted_key_material.clone();
        let (spec, id) = (key.key.body.spec, key.key.id.clone());
        core.run_heavy(move || read_material(spec, &id, &unwrap(token, &private_key, &wrapped)?))
            .await?
    }

    /// Requires that the material is the one that the key expects.
    fn require_meant(
        &self,
        now: Timestamp,
        key: &Authorised<Self>,
        imported: &Imported,
        id: MaterialId,
    ) -> Result<(), ServiceError> {
        let incorrect = |reason| Err(ServiceError::IncorrectKeyMaterial { reason });
        if self.key_material_id.is_some_and(|meant| meant != id) {
            return incorrect("not the material that KeyMaterialId names");
        }
        let by_default = if imported.is_new() {
            ImportType::NewKeyMaterial
        } else {
            ImportType::ExistingKeyMaterial
        };
        let known = imported.find(id);
        match self.import_type.unwrap_or(by_default) {
            ImportType::ExistingKeyMaterial if known.is_none() => incorrect("not material that the key had before"),
            ImportType::ExistingKeyMaterial => Ok(()),
            // "You must first import new key material into the primary Region key." "The import type for the replica Region key should be
            // EXISTING_KEY_MATERIAL." The words are not confirmed.
            ImportType::NewKeyMaterial if key.key.is_replica() => Err(ServiceError::Unsupported(format!(
                "New key material cannot be imported into the multi-Region replica key {}.",
                key.key.arn
            ))),
            ImportType::NewKeyMaterial if known.is_some() && !imported.has_given_up(id, now) => {
                incorrect("material that the key has already")
            }
            ImportType::NewKeyMaterial if imported.is_new() || known.is_some() => Ok(()),
            ImportType::NewKeyMaterial => match imported.pending(now) {
                Some(pending) => Err(ServiceError::InvalidState(format!(
                    "New key material (id: {id}) cannot be imported into KMS key {}, because another key material (id: {pending}) is \
                     pending rotation.",
                    key.key.arn
                ))),
                None => Ok(()),
            },
        }
    }
}

fn unwrap(token: ImportToken, private_key: &SecretBytes, wrapped: &[u8]) -> Result<SecretBytes, ServiceError> {
    let spec = library_spec(token.spec).ok_or(ServiceError::InvalidImportToken)?;
    let wrapping_key = PrivateKey::from_stored_bytes(spec, private_key.expose_secret())
        .map_err(|_| ServiceError::InvalidImportToken)?;
    let wrapping = token.wrapping().ok_or(ServiceError::InvalidImportToken)?;
    unwrap_imported(&wrapping_key, wrapping, wrapped).map_err(|_| ServiceError::InvalidCiphertext {
        reason: "the key material does not unwrap",
    })
}

fn read_material(
    spec: KeySpec,
    key_id: &KeyId,
    material: &SecretBytes,
) -> Result<(SecretBytes, MaterialId), ServiceError> {
    let incorrect = ServiceError::IncorrectKeyMaterial {
        reason: "not material of the key's spec",
    };
    let copy = |secret: &SecretBytes| SecretBytes::from_vec(secret.expose_secret().to_vec());
    let stored = match library_spec(spec) {
        None => copy(material),
        Some(spec) => match PrivateKey::from_imported(spec, material) {
            Ok(key) => copy(key.stored_bytes()),
            Err(_) => return Err(incorrect),
        },
    };
    let id = KeyMaterial::read(spec, &stored, key_id).and_then(|read| read.id(key_id));
    id.map(|id| (stored, id)).ok_or(incorrect)
}
