//! The material of a key, whatever its spec: made, stored, and read again.

use std::fmt;

use bulla_crypto::blob::Material;
use bulla_crypto::{DataKey, SecretBytes};
use bulla_model::{KeyId, KeyMaterialState, KeySpec, MaterialId, RotationType, Timestamp};
use bulla_store::Table;

use crate::ServiceError;
use crate::bodies::{ImportBody, KeyVersionBody, VERSION};
use crate::decision::Decision;
use crate::entry::material_place;
use crate::row_ids::{parse_key_row, version_row};

/// One version's material, ready for use. `Debug` shows its kind only.
pub(crate) enum KeyMaterial {
    /// 32 bytes that encrypt blobs.
    Symmetric(Material),
    /// Imported material that was deleted or has expired.
    Deleted,
}

impl KeyMaterial {
    /// Reads stored material; `None` where it is none of a key of that spec.
    pub(crate) fn read(spec: KeySpec, stored: &SecretBytes, key_id: &KeyId) -> Option<Self> {
        match spec {
            KeySpec::SymmetricDefault => {
                let secret = DataKey::from_slice(stored.expose_secret())?;
                Some(Self::Symmetric(Material::new(&secret, key_id.as_str()).ok()?))
            }
            _ => None,
        }
    }

    /// The material's id as a version of the key; `None` where there is no material.
    pub(crate) fn id(&self, _key_id: &KeyId) -> Option<MaterialId> {
        match self {
            Self::Symmetric(material) => Some(MaterialId(*material.id())),
            Self::Deleted => None,
        }
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Symmetric(_) => "Symmetric(redacted)",
            Self::Deleted => "Deleted",
        })
    }
}

/// A version of a key's material that is to be written.
#[derive(Debug)]
pub(crate) struct NewVersion<'a> {
    /// Row id of the key.
    pub(crate) key_row: &'a str,
    pub(crate) spec: KeySpec,
    /// As [`KeyMaterial::read`] reads it.
    pub(crate) stored: &'a SecretBytes,
    /// From 1.
    pub(crate) number: u32,
    pub(crate) rotation: Option<RotationType>,
    pub(crate) state: Option<KeyMaterialState>,
    pub(crate) valid_to: Option<Timestamp>,
    pub(crate) import: Option<ImportBody>,
}

impl<'a> NewVersion<'a> {
    /// A version of material that the service made itself.
    pub(crate) fn made(
        key_row: &'a str,
        spec: KeySpec,
        stored: &'a SecretBytes,
        number: u32,
        rotation: Option<RotationType>,
    ) -> Self {
        Self {
            key_row,
            spec,
            stored,
            number,
            rotation,
            state: None,
            valid_to: None,
            import: None,
        }
    }

    /// Leaves the version's row to be written; tells the material's id.
    pub(crate) fn put(self, decision: &mut Decision<'_>) -> Result<MaterialId, ServiceError> {
        let (account, region, key_id) =
            parse_key_row(self.key_row).ok_or(ServiceError::Internal("a key row without a key id"))?;
        let id = KeyMaterial::read(self.spec, self.stored, &key_id)
            .and_then(|material| material.id(&key_id))
            .ok_or(ServiceError::Internal("material that is none of its spec"))?;
        let row = version_row(&account, &region, &id);
        let core = decision.core;
        let wrapped = core
            .rows
            .store_key
            .wrap(
                material_place(&row, self.key_row),
                &*core.random,
                self.stored.expose_secret(),
            )
            .map_err(|_| ServiceError::Internal("material can't be wrapped"))?;
        let body = KeyVersionBody {
            version: VERSION,
            number: self.number,
            created: decision.now,
            rotation: self.rotation,
            wrapped_material: Some(wrapped),
            spec: self.spec,
            state: self.state,
            valid_to: self.valid_to,
            import: self.import,
        };
        decision.put(Table::KeyVersions, &row, self.key_row, &body);
        Ok(id)
    }
}

/// Makes new symmetric material for a key and leaves its row to be written; tells its id.
pub(crate) fn put_new_symmetric(
    decision: &mut Decision<'_>,
    key_row: &str,
    number: u32,
    rotation: Option<RotationType>,
) -> Result<MaterialId, ServiceError> {
    let secret = decision.core.draw_secret(bulla_crypto::DATA_KEY_BYTES)?;
    NewVersion::made(key_row, KeySpec::SymmetricDefault, &secret, number, rotation).put(decision)
}
