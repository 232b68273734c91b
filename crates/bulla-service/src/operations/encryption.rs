//! What Encrypt, Decrypt and ReEncrypt have in common: encrypting and decrypting under keys of every spec.

use bulla_crypto::blob::Blob;
use bulla_crypto::{Context, SecretBytes};
use bulla_model::{EncryptionAlgorithm, KeySpec, KeyUsage, MaterialId, Operation as Asked};

use serde_json::{Value, json};

use crate::ServiceError;
use crate::authorised::{Authorised, KeyForms, require_fits};
use crate::decision::Decision;
use crate::runner::Operation;

/// How a plaintext is to be encrypted.
pub(crate) struct Encryption<'a> {
    pub(crate) asked: Asked,
    pub(crate) algorithm: EncryptionAlgorithm,
    pub(crate) context: &'a Context,
}

impl Encryption<'_> {
    /// Requires that the key does this.
    pub(crate) fn check<O: Operation>(&self, key: &Authorised<O>) -> Result<(), ServiceError> {
        key.require_usage(KeyUsage::EncryptDecrypt, self.asked.as_str())?;
        key.require_state(self.asked)?;
        key.require_algorithm(self.algorithm)?;
        refuse_context(self.algorithm, self.context)
    }

    /// Encrypts under the key's current material; tells its id.
    pub(crate) async fn encrypt<O: Operation>(
        &self,
        decision: &mut Decision<'_>,
        key: &Authorised<O>,
        plaintext: &SecretBytes,
    ) -> Result<(Vec<u8>, MaterialId), ServiceError> {
        let material = key.current_material(decision).await?;
        let ciphertext = if self.algorithm == EncryptionAlgorithm::SymmetricDefault {
            material.encrypt(decision, self.context, plaintext.expose_secret())?
        } else {
            require_fits(key.key.body.spec, self.algorithm, plaintext)?;
            material.encrypt_oaep(self.algorithm, plaintext.expose_secret())?
        };
        Ok((ciphertext, material.id()))
    }
}

/// How a ciphertext is to be decrypted.
pub(crate) struct Decryption<'a> {
    pub(crate) asked: Asked,
    pub(crate) action: &'static str,
    pub(crate) key_id: Option<&'a str>,
    pub(crate) ciphertext: &'a [u8],
    pub(crate) algorithm: EncryptionAlgorithm,
    pub(crate) context: &'a Context,
}

impl Decryption<'_> {
    /// Finds the key: the one that is named, or else the one that the ciphertext names; with the blob, if it is one.
    pub(crate) async fn find_key<O: Operation>(
        &self,
        decision: &mut Decision<'_>,
    ) -> Result<(Authorised<O>, Option<Blob<'_>>), ServiceError> {
        let named = match self.key_id {
            Some(key_id) => Some(decision.authorise_key::<O>(self.action, key_id, KeyForms::All).await?),
            None => None,
        };
        let blob = match (&named, Blob::parse(self.ciphertext)) {
            (_, Ok(blob)) => Some(blob),
            // What RSA encrypted is only of some length.
            (Some(_), Err(_)) if self.algorithm != EncryptionAlgorithm::SymmetricDefault => None,
            (_, Err(_)) => {
                return Err(ServiceError::InvalidCiphertext {
                    reason: "not a ciphertext of this service",
                });
            }
        };
        match (named, blob) {
            (Some(key), blob) => Ok((key, blob)),
            (None, Some(blob)) => {
                let material = MaterialId(*blob.material_id());
                let key = decision.authorise_material::<O>(self.action, &material).await?;
                Ok((key, Some(blob)))
            }
            (None, None) => Err(ServiceError::Internal("a ciphertext without a key")),
        }
    }

    /// Finds the key that is named, where nothing is to be decrypted. The words for one that is not named are not confirmed.
    pub(crate) async fn find_named<O: Operation>(
        &self,
        decision: &mut Decision<'_>,
    ) -> Result<Authorised<O>, ServiceError> {
        let named = self.key_id.ok_or_else(|| {
            ServiceError::Validation(
                "A key ID is required when DryRunModifiers is set to IGNORE_CIPHERTEXT.".to_owned(),
            )
        })?;
        decision.authorise_key::<O>(self.action, named, KeyForms::All).await
    }

    /// Requires that the key does this.
    pub(crate) fn check<O: Operation>(&self, key: &Authorised<O>) -> Result<(), ServiceError> {
        if self.algorithm == EncryptionAlgorithm::SymmetricDefault && key.key.body.spec != KeySpec::SymmetricDefault {
            // A blob is never of such a key; AWS says so before it looks at the key's usage.
            return Err(ServiceError::incorrect_key());
        }
        key.require_usage(KeyUsage::EncryptDecrypt, self.asked.as_str())?;
        key.require_state(self.asked)?;
        key.require_algorithm(self.algorithm)?;
        refuse_context(self.algorithm, self.context)
    }

    /// Decrypts; tells the id of the material that did.
    pub(crate) async fn decrypt<O: Operation>(
        &self,
        decision: &mut Decision<'_>,
        key: &Authorised<O>,
        blob: Option<&Blob<'_>>,
    ) -> Result<(SecretBytes, MaterialId), ServiceError> {
        match blob {
            Some(blob) if self.algorithm == EncryptionAlgorithm::SymmetricDefault => {
                let material = MaterialId(*blob.material_id());
                let material = key.material_of(decision, &material).await?;
                Ok((material.decrypt(blob, self.context)?, material.id()))
            }
            _ => {
                let material = key.current_material(decision).await?;
                let plaintext = material.decrypt_oaep(decision, self.algorithm, self.ciphertext).await?;
                Ok((plaintext, material.id()))
            }
        }
    }
}

/// RSA binds no context. The message is not confirmed.
fn refuse_context(algorithm: EncryptionAlgorithm, context: &Context) -> Result<(), ServiceError> {
    if algorithm == EncryptionAlgorithm::SymmetricDefault || context.is_empty() {
        return Ok(());
    }
    Err(ServiceError::Validation(
        "EncryptionContext is not supported for asymmetric keys.".to_owned(),
    ))
}

/// `DryRunModifiers` as an event shows them.
pub(crate) fn modifiers_shown(dry_run: bool, ciphertext: &[u8]) -> Value {
    match dry_run && ciphertext.is_empty() {
        true => json!(["IGNORE_CIPHERTEXT"]),
        false => Value::Null,
    }
}
