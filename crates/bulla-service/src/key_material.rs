//! The material of a key, whatever its spec: made, stored, and read again.

use std::fmt;

use bulla_crypto::blob::Material;
use bulla_crypto::keys::{self, PrivateKey, PublicKey};
use bulla_crypto::{DATA_KEY_BYTES, DataKey, SecretBytes};
use bulla_model::{KeyId, KeyMaterialState, KeySpec, MaterialId, RotationType, Timestamp};
use bulla_store::Table;

use crate::ServiceError;
use crate::bodies::{ImportBody, KeyVersionBody, VERSION};
use crate::decision::Decision;
use crate::entry::material_place;
use crate::row_ids::{parse_key_row, version_row};
use crate::service::Core;

/// One version's material, ready for use. `Debug` shows its kind only.
pub(crate) enum KeyMaterial {
    /// 32 bytes that encrypt blobs.
    Symmetric(Material),
    /// A key pair, or a key for HMAC.
    Key(Box<PreparedKey>),
    /// Imported material that was deleted or has expired.
    Deleted,
}

/// A key pair with its public half at hand, or a key for HMAC, which has none.
pub(crate) struct PreparedKey {
    pub(crate) private: PrivateKey,
    pub(crate) public: Option<PublicKey>,
}

impl KeyMaterial {
    /// Reads stored material; `None` where it is none of a key of that spec.
    pub(crate) fn read(spec: KeySpec, stored: &SecretBytes, key_id: &KeyId) -> Option<Self> {
        if spec == KeySpec::SymmetricDefault {
            let secret = DataKey::from_slice(stored.expose_secret())?;
            return Some(Self::Symmetric(Material::new(&secret, key_id.as_str()).ok()?));
        }
        let private = PrivateKey::from_stored_bytes(library_spec(spec)?, stored.expose_secret()).ok()?;
        let public = private.public_key().ok();
        Some(Self::Key(Box::new(PreparedKey { private, public })))
    }

    /// The material's id as a version of the key; `None` where there is no material.
    pub(crate) fn id(&self, key_id: &KeyId) -> Option<MaterialId> {
        match self {
            Self::Symmetric(material) => Some(MaterialId(*material.id())),
            Self::Key(key) => Some(MaterialId(key.private.material_id(key_id.as_str()))),
            Self::Deleted => None,
        }
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Symmetric(_) => "Symmetric(redacted)",
            Self::Key(_) => "Key(redacted)",
            Self::Deleted => "Deleted",
        })
    }
}

/// The spec as the cryptographic library has it; `None` for symmetric material, and for SM2, which it does not have.
pub(crate) fn library_spec(spec: KeySpec) -> Option<keys::KeySpec> {
    Some(match spec {
        KeySpec::Rsa2048 => keys::KeySpec::Rsa2048,
        KeySpec::Rsa3072 => keys::KeySpec::Rsa3072,
        KeySpec::Rsa4096 => keys::KeySpec::Rsa4096,
        KeySpec::EccNistP256 => keys::KeySpec::EccNistP256,
        KeySpec::EccNistP384 => keys::KeySpec::EccNistP384,
        KeySpec::EccNistP521 => keys::KeySpec::EccNistP521,
        KeySpec::EccSecgP256K1 => keys::KeySpec::EccSecgP256k1,
        KeySpec::Hmac224 => keys::KeySpec::Hmac224,
        KeySpec::Hmac256 => keys::KeySpec::Hmac256,
        KeySpec::Hmac384 => keys::KeySpec::Hmac384,
        KeySpec::Hmac512 => keys::KeySpec::Hmac512,
        KeySpec::MlDsa44 => keys::KeySpec::MlDsa44,
        KeySpec::MlDsa65 => keys::KeySpec::MlDsa65,
        KeySpec::MlDsa87 => keys::KeySpec::MlDsa87,
        KeySpec::EccNistEdwards25519 => keys::KeySpec::EccNistEdwards25519,
        KeySpec::MlKem512 => keys::KeySpec::MlKem512,
        KeySpec::MlKem768 => keys::KeySpec::MlKem768,
        KeySpec::MlKem1024 => keys::KeySpec::MlKem1024,
        KeySpec::SymmetricDefault | KeySpec::Sm2 => return None,
    })
}

/// Makes a fresh key of a spec that is not symmetric; on a thread of its own, because an RSA key takes up to seconds.
pub(crate) async fn generate_key(core: &Core, spec: KeySpec) -> Result<PrivateKey, ServiceError> {
    let spec = library_spec(spec).ok_or(ServiceError::Internal("a spec without keys"))?;
    let random = core.random.clone();
    core.run_generation(move || PrivateKey::generate(spec, &*random))
        .await?
        .map_err(|_| ServiceError::Internal("a key can't be made"))
}

/// New material of any spec, as it is stored, with its id as a version of the key.
pub(crate) async fn generate_material(
    core: &Core,
    spec: KeySpec,
    key_id: &KeyId,
) -> Result<(SecretBytes, MaterialId), ServiceError> {
    let failed = ServiceError::Internal("new material can't be made");
    if spec == KeySpec::SymmetricDefault {
        let stored = core.draw_secret(DATA_KEY_BYTES)?;
        let material = KeyMaterial::read(spec, &stored, key_id).ok_or(failed.clone())?;
        let id = material.id(key_id).ok_or(failed)?;
        return Ok((stored, id));
    }
    let key = generate_key(core, spec).await?;
    let id = MaterialId(key.material_id(key_id.as_str()));
    Ok((SecretBytes::from_vec(key.stored_bytes().expose_secret().to_vec()), id))
}

/// A version of a key's material that is to be written.
#[derive(Debug)]
pub(crate) struct NewVersion<'a> {
    /// Row id of the key.
    pub(crate) key_row: &'a str,
    pub(crate) spec: KeySpec,
    /// The material, as [`KeyMaterial::read`] reads it.
    pub(crate) stored: &'a SecretBytes,
    /// Its id, as [`KeyMaterial::id`] tells it.
    pub(crate) id: MaterialId,
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
        id: MaterialId,
        number: u32,
        rotation: Option<RotationType>,
    ) -> Self {
        Self {
            key_row,
            spec,
            stored,
            id,
            number,
            rotation,
            state: None,
            valid_to: None,
            import: None,
        }
    }

    /// Leaves the version's row to be written.
    pub(crate) fn put(self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let (account, region, _) =
            parse_key_row(self.key_row).ok_or(ServiceError::Internal("a key row without a key id"))?;
        let row = version_row(&account, &region, &self.id);
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
        Ok(())
    }
}

/// Makes new material for a key and leaves its row to be written; tells its id.
pub(crate) async fn put_new_material(
    decision: &mut Decision<'_>,
    key_row: &str,
    spec: KeySpec,
    number: u32,
    rotation: Option<RotationType>,
) -> Result<MaterialId, ServiceError> {
    let (_, _, key_id) = parse_key_row(key_row).ok_or(ServiceError::Internal("a key row without a key id"))?;
    let (stored, id) = generate_material(decision.core, spec, &key_id).await?;
    NewVersion::made(key_row, spec, &stored, id, number, rotation).put(decision)?;
    Ok(id)
}
