//! The creation tags that users of local clouds know: they choose a key's id and its material. In a service made for development only;
//! in any other they are tags like all others.

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_crypto::SecretBytes;
use bulla_crypto::keys::{PrivateKey, imported_symmetric};
use bulla_model::{KeyId, KeySpec, MaterialId, Tag};
use zeroize::Zeroizing;

use crate::key_material::{KeyMaterial, library_spec};
use crate::{Mode, ServiceError};

/// The tag that chooses the id.
const ID: &str = "_custom_id_";
/// The tag that chooses the material. Its value is kept nowhere.
pub(crate) const MATERIAL: &str = "_custom_key_material_";

/// What a request's tags choose.
#[derive(Debug, Default)]
pub(super) struct CreationTags {
    /// The id.
    pub(super) id: Option<KeyId>,
    /// The material, as `ImportKeyMaterial` takes it.
    material: Option<SecretBytes>,
}

impl CreationTags {
    /// Reads the tags of a request, and leaves those that the key keeps.
    ///
    /// # Errors
    /// `Validation`: no id of the kind of key that is asked for, or no base64.
    pub(super) fn take(mode: Mode, multi_region: bool, tags: &mut Vec<Tag>) -> Result<Self, ServiceError> {
        if mode != Mode::Development {
            return Ok(Self::default());
        }
        let refused = |tag: &str, what: &str| ServiceError::Validation(format!("The tag {tag} has {what}"));
        let value = |key: &str| tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str());
        let id = match value(ID).map(str::parse::<KeyId>) {
            Some(Ok(id)) if id.as_str().starts_with("mrk-") == multi_region => Some(id),
            Some(_) => {
                let what = "a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key, as its value.";
                return Err(refused(ID, what));
            }
            None => None,
        };
        let material = match value(MATERIAL).map(|text| STANDARD.decode(text)) {
            Some(Ok(bytes)) => Some(SecretBytes::from_vec(bytes)),
            Some(Err(_)) => return Err(refused(MATERIAL, "base64 as its value.")),
            None => None,
        };
        for tag in tags.iter_mut().filter(|tag| tag.key == MATERIAL) {
            drop(Zeroizing::new(std::mem::take(&mut tag.value)));
        }
        tags.retain(|tag| tag.key != MATERIAL);
        Ok(Self { id, material })
    }

    /// The material that was chosen, as it is stored, with its id as a version of the key.
    ///
    /// # Errors
    /// `Validation`: it is none of a key of this spec.
    pub(super) fn stored(
        &self,
        spec: KeySpec,
        key_id: &KeyId,
    ) -> Result<Option<(SecretBytes, MaterialId)>, ServiceError> {
        let Some(material) = &self.material else {
            return Ok(None);
        };
        let refused =
            || ServiceError::Validation(format!("The tag {MATERIAL} holds no material of a key of spec {spec}."));
        let bytes = match library_spec(spec) {
            None => imported_symmetric(material)
                .map_err(|_| refused())?
                .expose_secret()
                .to_vec(),
            Some(spec) => {
                let key = PrivateKey::from_imported(spec, material).map_err(|_| refused())?;
                key.stored_bytes().expose_secret().to_vec()
            }
        };
        let stored = SecretBytes::from_vec(bytes);
        let id = KeyMaterial::read(spec, &stored, key_id).and_then(|material| material.id(key_id));
        Ok(Some((stored, id.ok_or_else(refused)?)))
    }
}
