//! Which caller may do what to which key; and the keys themselves, which only a permitted decision can use.

mod keys;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::{Context, SecretBytes};
use bulla_model::{
    AliasArn, EncapsulationAlgorithm, EncryptionAlgorithm, KeyAgreementAlgorithm, KeyArn, KeyRef, KeySpec, KeyState,
    KeyUsage, MacAlgorithm, MaterialId, NamedKey, Operation as Asked, Refusal, SigningAlgorithm, permit,
};
use bulla_store::Table;

pub(crate) use self::keys::{require_fits, require_message};
use crate::ServiceError;
use crate::bodies::KeyVersionBody;
use crate::decision::Decision;
use crate::entry::{KeyEntry, VersionEntry, material_place};
use crate::key_material::KeyMaterial;
use crate::row_ids::{RowKey, alias_row, key_row, material_set, parse_key_row, version_row};
use crate::runner::Operation;

/// What an operation takes as `KeyId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyForms {
    /// Key ids, key ARNs, alias names, alias ARNs.
    All,
    /// Key ids and key ARNs.
    KeysOnly,
}

/// A key that the caller may use for `O`; only [`Decision::authorise_key`] and its like make one.
///
/// Material is reached through this value alone, so no path leads to it without an authorised decision, and no decision is
/// answered without its event.
pub(crate) struct Authorised<O> {
    pub(crate) key: Arc<KeyEntry>,
    /// As it is at the moment of the decision.
    pub(crate) state: KeyState,
    operation: PhantomData<fn() -> O>,
}

/// One version of an authorised key's material.
pub(crate) struct AuthorisedMaterial<O> {
    version: Arc<VersionEntry>,
    operation: PhantomData<fn() -> O>,
}

impl Decision<'_> {
    /// Finds the key that a caller names, if he may do `action` to it. Who may not learns nothing of what exists.
    pub(crate) async fn authorise_key<O: Operation>(
        &mut self,
        action: &str,
        named: &str,
        forms: KeyForms,
    ) -> Result<Authorised<O>, ServiceError> {
        let reference = KeyRef::parse(named, self.region())?;
        let account = reference.account.unwrap_or_else(|| self.account().clone());
        let region = self.region();
        let of_another = account != *self.account();
        self.request_alias = None;
        let (arn, row) = match reference.named {
            NamedKey::Key(id) => (
                KeyArn::new(region, &account, &id).to_string(),
                Some(key_row(&account, region, &id).into()),
            ),
            NamedKey::Alias(_) if forms == KeyForms::KeysOnly => {
                return Err(ServiceError::InvalidArn(
                    "Key Aliases are not supported for this operation.".to_owned(),
                ));
            }
            NamedKey::Alias(name) => {
                self.request_alias = Some(name.to_string());
                let alias = self.alias(&alias_row(&account, region, &name)).await?;
                let arn = AliasArn::new(region, &account, &name).as_str().to_owned();
                (arn, alias.map(|alias| alias.key_row.clone()))
            }
        };
        match row {
            row if of_another => self.authorise_across(action, &arn, row.as_ref()).await,
            Some(row) => self.authorise_row(action, &row).await,
            None => {
                self.authorise(action, &arn)?;
                Err(ServiceError::NotFound(format!("Alias {arn} is not found.")))
            }
        }
    }

    /// The row id of what a caller names, whether there is such a key or not; decides nothing.
    pub(crate) async fn row_of(&mut self, named: &str) -> Result<Option<Arc<str>>, ServiceError> {
        let Ok(reference) = KeyRef::parse(named, self.region()) else {
            return Ok(None);
        };
        let account = reference.account.unwrap_or_else(|| self.account().clone());
        match reference.named {
            NamedKey::Key(id) => Ok(Some(key_row(&account, self.region(), &id).into())),
            NamedKey::Alias(name) => {
                let alias = self.alias(&alias_row(&account, self.region(), &name)).await?;
                Ok(alias.map(|alias| alias.key_row.clone()))
            }
        }
    }

    /// The same for a key of another account. Who is not let in by the key's own policy or by a grant learns nothing of what exists,
    /// and none of his own policies is asked, whose conditions could tell.
    async fn authorise_across<O: Operation>(
        &mut self,
        action: &str,
        named: &str,
        row: Option<&Arc<str>>,
    ) -> Result<Authorised<O>, ServiceError> {
        let key = match row {
            Some(row) => self.key(row).await?.filter(|key| !key.is_gone(self.now)),
            None => None,
        };
        if let Some(key) = key
            && self.is_let_in(action, &key).await?
        {
            self.concerns(key.arn.shared());
            self.authorise_on(action, &key).await?;
            return Ok(Authorised {
                state: key.state(self.now),
                key,
                operation: PhantomData,
            });
        }
        Err(ServiceError::AccessDenied(format!(
            "User: {} is not authorized to perform: {action} on resource: {named} because no resource-based policy allows the {action} action",
            self.call.caller.arn(),
        )))
    }

    /// The same for a key that is known by its row.
    pub(crate) async fn authorise_row<O: Operation>(
        &mut self,
        action: &str,
        row: &Arc<str>,
    ) -> Result<Authorised<O>, ServiceError> {
        let key = self.key(row).await?;
        if let Some(key) = &key {
            self.concerns(key.arn.shared());
            self.authorise_on(action, key).await?;
        }
        match key {
            Some(key) if !key.is_gone(self.now) => Ok(Authorised {
                state: key.state(self.now),
                key,
                operation: PhantomData,
            }),
            _ => {
                let (account, region, id) =
                    crate::row_ids::parse_key_row(row).ok_or(ServiceError::Internal("a key row without a key id"))?;
                let arn = KeyArn::new(&region, &account, &id);
                self.authorise(action, arn.as_str())?;
                Err(ServiceError::NotFound(format!("Key '{arn}' does not exist")))
            }
        }
    }

    /// Finds the key that a ciphertext names by its material, if the caller may do `action` to it: a key of his own account, or one of
    /// another that lets him in.
    pub(crate) async fn authorise_material<O: Operation>(
        &mut self,
        action: &str,
        material: &MaterialId,
    ) -> Result<Authorised<O>, ServiceError> {
        let own = version_row(self.account(), self.region(), material);
        if let Some(version) = self.version(&own).await? {
            return match self.authorise_row(action, &version.key_row).await {
                Err(ServiceError::NotFound(_)) => Err(self.no_such_ciphertext(action)),
                other => other,
            };
        }
        for version in self.elsewhere(material).await? {
            let key = self.key(&version.key_row).await?.filter(|key| !key.is_gone(self.now));
            if let Some(key) = key
                && self.is_let_in(action, &key).await?
            {
                self.concerns(key.arn.shared());
                self.authorise_on(action, &key).await?;
                return Ok(Authorised {
                    state: key.state(self.now),
                    key,
                    operation: PhantomData,
                });
            }
        }
        Err(self.no_such_ciphertext(action))
    }

    /// The row of the key that a ciphertext names by its material, whether the caller may use it or not; decides nothing.
    pub(crate) async fn row_of_material(&mut self, material: &MaterialId) -> Result<Option<Arc<str>>, ServiceError> {
        let own = version_row(self.account(), self.region(), material);
        let version = match self.version(&own).await? {
            Some(version) => Some(version),
            None => self.elsewhere(material).await?.into_iter().next(),
        };
        Ok(version.map(|version| version.key_row.clone()))
    }

    /// Versions with this material of other accounts' keys, in this region.
    async fn elsewhere(&mut self, material: &MaterialId) -> Result<Vec<Arc<VersionEntry>>, ServiceError> {
        let region = self.region();
        self.reads
            .push(RowKey::new(Table::KeyVersions, &material_set(region, material)));
        let mut found = Vec::new();
        for row in self.core.rows.of_material(region, material) {
            found.extend(self.version(&row).await?);
        }
        Ok(found)
    }

    /// What is said of a ciphertext of no key, of a key elsewhere, and of a key that does not let the caller in: the same.
    fn no_such_ciphertext(&self, action: &str) -> ServiceError {
        ServiceError::AccessDenied(format!(
            "User: {} is not authorized to perform: {action} on the resource associated with this ciphertext because the resource does \
             not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            self.call.caller.arn(),
        ))
    }
}

impl<O: Operation> Authorised<O> {
    /// Requires that the key is for `usage`, as `operation` needs.
    pub(crate) fn require_usage(&self, usage: KeyUsage, operation: &str) -> Result<(), ServiceError> {
        let found = self.key.body.usage;
        if found == usage {
            return Ok(());
        }
        let arn = &self.key.arn;
        Err(ServiceError::InvalidKeyUsage(format!(
            "{arn} key usage is {found} which is not valid for {operation}."
        )))
    }

    /// Requires that the key is for encryption.
    pub(crate) fn require_encryption(&self, operation: &str) -> Result<(), ServiceError> {
        self.require_usage(KeyUsage::EncryptDecrypt, operation)
    }

    /// Requires that the key's state permits the operation.
    pub(crate) fn require_state(&self, asked: Asked) -> Result<(), ServiceError> {
        require_state_of(&self.key, self.state, asked)
    }

    /// Requires that the key is symmetric and for encryption, as rotation needs.
    pub(crate) fn require_symmetric(&self) -> Result<(), ServiceError> {
        let spec = self.key.body.spec;
        if spec == KeySpec::SymmetricDefault {
            return Ok(());
        }
        Err(ServiceError::UnsupportedSpec(spec))
    }

    /// Requires that the key is a key pair, as its public half needs.
    pub(crate) fn require_asymmetric(&self) -> Result<(), ServiceError> {
        let spec = self.key.body.spec;
        if spec.is_asymmetric() {
            return Ok(());
        }
        Err(ServiceError::UnsupportedSpec(spec))
    }

    /// Requires that the algorithm is one of the key's spec.
    pub(crate) fn require_algorithm<A: KeyAlgorithm>(&self, algorithm: A) -> Result<(), ServiceError> {
        let spec = self.key.body.spec;
        if A::of(spec).contains(&algorithm) {
            return Ok(());
        }
        Err(ServiceError::InvalidKeyUsage(format!(
            "Algorithm {algorithm} is incompatible with key spec {spec}."
        )))
    }

    /// The key's current material.
    pub(crate) async fn current_material(
        &self,
        decision: &mut Decision<'_>,
    ) -> Result<AuthorisedMaterial<O>, ServiceError> {
        let row = self
            .key
            .current_row
            .as_ref()
            .ok_or(ServiceError::Internal("a key in use without material"))?;
        // A key whose current material is not there was not left so by the service.
        let version = match decision.version(row).await? {
            Some(version) if version.key_row == self.key.row.id => version,
            _ => return Err(decision.core.rows.tampered(bulla_store::Table::KeyVersions, row)),
        };
        decision.used(version.id);
        Ok(AuthorisedMaterial {
            version,
            operation: PhantomData,
        })
    }

    /// Leaves a version of the key to be written for its replica: with the same material, wrapped for its own place. Imported material
    /// is not copied.
    pub(crate) fn copy_version(
        &self,
        decision: &mut Decision<'_>,
        version: &VersionEntry,
        replica_row: &str,
    ) -> Result<(), ServiceError> {
        let (account, region, _) =
            parse_key_row(replica_row).ok_or(ServiceError::Internal("a key row without a key id"))?;
        let row = version_row(&account, &region, &version.id);
        let core = decision.core;
        let store_key = &core.rows.store_key;
        let failed = |_| ServiceError::Internal("the material can't be wrapped for its replica");
        let wrapped = match version.wrapped_material.as_ref().filter(|_| version.import.is_none()) {
            Some(wrapped) => {
                let place = material_place(&version.row.id, &version.key_row);
                let secret = store_key.unwrap(place, wrapped).map_err(failed)?;
                let place = material_place(&row, replica_row);
                let wrapped = store_key.wrap(place, &*core.random, secret.expose_secret());
                Some(wrapped.map_err(failed)?)
            }
            None => None,
        };
        let body = KeyVersionBody {
            valid_to: None,
            wrapped_material: wrapped,
            ..version.body()
        };
        decision.put(Table::KeyVersions, &row, replica_row, &body);
        Ok(())
    }

    /// The version of the key that a ciphertext names; `IncorrectKey` where it is another key's.
    pub(crate) async fn material_of(
        &self,
        decision: &mut Decision<'_>,
        material: &MaterialId,
    ) -> Result<AuthorisedMaterial<O>, ServiceError> {
        // Material belongs to the key's account, which need not be the caller's.
        let (owner, _) = self.key.row.id.rsplit_once('/').unwrap_or_default();
        let row = format!("{owner}/{material}");
        let version = decision.version(&row).await?.ok_or(ServiceError::InvalidCiphertext {
            reason: "no such key material",
        })?;
        if version.key_row != self.key.row.id {
            return Err(ServiceError::incorrect_key());
        }
        decision.used(version.id);
        Ok(AuthorisedMaterial {
            version,
            operation: PhantomData,
        })
    }
}

/// Requires that a key's state, as it is now, permits the operation.
pub(crate) fn require_state_of(key: &KeyEntry, state: KeyState, asked: Asked) -> Result<(), ServiceError> {
    let arn = &key.arn;
    permit(asked, state, key.body.origin).map_err(|refusal| match refusal {
        Refusal::Origin(origin) => ServiceError::Unsupported(format!(
            "{arn} origin is {origin} which is not valid for this operation."
        )),
        Refusal::Disabled => ServiceError::Disabled(format!("{arn} is disabled.")),
        Refusal::InvalidState(words) => ServiceError::InvalidState(format!("{arn} is {words}.")),
    })
}

impl<O: Operation> AuthorisedMaterial<O> {
    pub(crate) fn id(&self) -> MaterialId {
        self.version.id
    }

    /// The material, where it is symmetric.
    fn symmetric(&self) -> Option<&Material> {
        match &self.version.material {
            KeyMaterial::Symmetric(material) => Some(material),
            KeyMaterial::Key(_) | KeyMaterial::Deleted => None,
        }
    }

    pub(crate) fn encrypt(
        &self,
        decision: &Decision<'_>,
        context: &Context,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, ServiceError> {
        self.symmetric()
            .ok_or(ServiceError::Internal("a key in use without material"))?
            .encrypt(context, &*decision.core.random, plaintext)
            .map_err(|_| ServiceError::Internal("the encryption failed"))
    }

    pub(crate) fn decrypt(&self, blob: &Blob<'_>, context: &Context) -> Result<SecretBytes, ServiceError> {
        let material = self.symmetric().ok_or(ServiceError::InvalidCiphertext {
            reason: "the key material was deleted",
        })?;
        material
            .decrypt(blob, context)
            .map_err(|_| ServiceError::InvalidCiphertext {
                reason: "ciphertext or context differ from what was encrypted",
            })
    }
}

/// Algorithms that a key spec has some of.
pub(crate) trait KeyAlgorithm: Copy + PartialEq + fmt::Display + 'static {
    /// Those of `spec`.
    fn of(spec: KeySpec) -> &'static [Self];
}

impl KeyAlgorithm for EncryptionAlgorithm {
    fn of(spec: KeySpec) -> &'static [Self] {
        spec.encryption_algorithms()
    }
}

impl KeyAlgorithm for SigningAlgorithm {
    fn of(spec: KeySpec) -> &'static [Self] {
        spec.signing_algorithms()
    }
}

impl KeyAlgorithm for MacAlgorithm {
    fn of(spec: KeySpec) -> &'static [Self] {
        spec.mac_algorithms()
    }
}

impl KeyAlgorithm for KeyAgreementAlgorithm {
    fn of(spec: KeySpec) -> &'static [Self] {
        spec.key_agreement_algorithms()
    }
}

impl KeyAlgorithm for EncapsulationAlgorithm {
    fn of(spec: KeySpec) -> &'static [Self] {
        spec.encapsulation_algorithms()
    }
}
