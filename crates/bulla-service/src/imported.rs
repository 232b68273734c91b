//! Imported material of one key: what is there, what is missing, and what that makes of the key.
//!
//! A version's row stays for ever once the version is permanently the key's, with or without its material: so a re-import finds its
//! id. Material that waits for its first rotation is not permanently the key's; deleting it leaves nothing.
//!
//! Whoever writes a version's row here also writes the row of its key, and has read it: so whatever two nodes do to one key's material at
//! once happens one after the other, although listings are not part of a read set.

use std::sync::Arc;

use bulla_crypto::SecretBytes;
use bulla_model::{ExpirationModel, KeyMaterialState, KeyState, MaterialId, Timestamp};
use bulla_store::Table;

use crate::ServiceError;
use crate::bodies::{ExpirationBody, ImportBody, KeyBody, KeyVersionBody, PendingBody, VERSION};
use crate::decision::Decision;
use crate::entry::{KeyEntry, material_place};
use crate::operations::list_key_rotations::every_version_of;
use crate::row_ids::{RowKey, parse_key_row, version_row};

/// A key with imported material, the same key in its other regions, and the versions of its own region as they are to be.
pub(crate) struct Imported {
    key: Arc<KeyEntry>,
    /// The key of every region, the primary's first.
    keys: Vec<Arc<KeyEntry>>,
    versions: Vec<(MaterialId, KeyVersionBody)>,
    current: Option<MaterialId>,
    pending: Option<MaterialId>,
}

impl Imported {
    pub(crate) async fn read(decision: &mut Decision<'_>, key: &Arc<KeyEntry>) -> Result<Self, ServiceError> {
        let keys = decision.in_all_regions(key).await?;
        let versions = every_version_of(decision, key).await?;
        Ok(Self {
            current: key.body.current,
            pending: key.body.pending.as_ref().map(|pending| pending.id),
            versions: versions.iter().map(|version| (version.id, version.body())).collect(),
            key: key.clone(),
            keys,
        })
    }

    /// The version with this id, whether its material is there or not.
    pub(crate) fn find(&self, id: MaterialId) -> Option<&KeyVersionBody> {
        self.versions
            .iter()
            .find_map(|(of, version)| (*of == id).then_some(version))
    }

    /// Whether no material was ever imported.
    pub(crate) fn is_new(&self) -> bool {
        self.versions.is_empty()
    }

    pub(crate) fn current(&self) -> Option<MaterialId> {
        self.current
    }

    /// Whether a version waits for its rotation, and its material is not there any more.
    pub(crate) fn has_given_up(&self, id: MaterialId, now: Timestamp) -> bool {
        self.pending == Some(id) && self.pending(now).is_none()
    }

    /// Every version whose material has come to its end and is still there.
    pub(crate) fn expired(&self, now: Timestamp) -> Vec<MaterialId> {
        let expired = |version: &KeyVersionBody| version.wrapped_material.is_some() && !version.is_held(now);
        let versions = self.versions.iter().filter(|(_, version)| expired(version));
        versions.map(|(id, _)| *id).collect()
    }

    /// Whether any material that is permanently the key's is not there, or none was ever imported.
    pub(crate) fn is_missing(&self, now: Timestamp) -> bool {
        self.permanent().count() == 0 || self.permanent().any(|version| !version.is_held(now))
    }

    /// The versions that are permanently the key's.
    fn permanent(&self) -> impl Iterator<Item = &KeyVersionBody> {
        let versions = self.versions.iter().filter(|(id, _)| Some(*id) != self.pending);
        versions.map(|(_, version)| version)
    }

    /// The material that waits for its rotation, if it is there.
    pub(crate) fn pending(&self, now: Timestamp) -> Option<MaterialId> {
        self.pending
            .filter(|id| self.find(*id).is_some_and(|version| version.is_held(now)))
    }

    /// Puts material into a version: one of the key's, its first, or a new one that waits for its rotation.
    pub(crate) fn put(
        &mut self,
        decision: &mut Decision<'_>,
        id: MaterialId,
        secret: &SecretBytes,
        valid_to: Option<Timestamp>,
        description: Option<&str>,
    ) -> Result<(), ServiceError> {
        let mut version = match self.find(id) {
            Some(version) => version.clone(),
            None => self.add(decision, id)?,
        };
        let row = row_of(&self.key, id)?;
        let core = decision.core;
        let wrapped = core.rows.store_key.wrap(
            material_place(&row, &self.key.row.id),
            &*core.random,
            secret.expose_secret(),
        );
        version.wrapped_material = Some(wrapped.map_err(|_| ServiceError::Internal("the material can't be wrapped"))?);
        version.valid_to = valid_to;
        let described = version.import.take().and_then(|import| import.description);
        version.import = Some(ImportBody {
            model: expiration_model(valid_to),
            // "KMS retains the value you specified when you last imported the same key material into this KMS key."
            description: description.map(str::to_owned).or(described),
        });
        self.set(decision, id, version)
    }

    /// Adds a version without material.
    fn add(&mut self, decision: &mut Decision<'_>, id: MaterialId) -> Result<KeyVersionBody, ServiceError> {
        let mut version = KeyVersionBody {
            version: VERSION,
            number: self.key.body.versions + 1,
            created: decision.now,
            rotation: None,
            wrapped_material: None,
            spec: self.key.body.spec,
            state: None,
            valid_to: None,
            import: Some(ImportBody {
                model: ExpirationModel::DoesNotExpire,
                description: None,
            }),
        };
        if self.is_new() {
            self.current = Some(id);
            return Ok(version);
        }
        version.state = Some(KeyMaterialState::PendingRotation);
        // What waited and has expired gives its place up.
        self.forget_pending(decision)?;
        self.pending = Some(id);
        for key in self.others() {
            decision.put(Table::KeyVersions, &row_of(key, id)?, &key.row.id, &version);
        }
        Ok(version)
    }

    /// Takes a version's material away; what only waited for its rotation is gone from every region with the primary's.
    pub(crate) fn remove(&mut self, decision: &mut Decision<'_>, id: MaterialId) -> Result<(), ServiceError> {
        if self.pending == Some(id) && !self.key.is_replica() {
            return self.forget_pending(decision);
        }
        let Some(version) = self.find(id) else { return Ok(()) };
        let version = KeyVersionBody {
            wrapped_material: None,
            valid_to: None,
            ..version.clone()
        };
        self.set(decision, id, version)
    }

    fn forget_pending(&mut self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        self.versions.retain(|(id, _)| *id != pending);
        for key in &self.keys {
            decision.delete(&RowKey::new(Table::KeyVersions, &row_of(key, pending)?));
        }
        Ok(())
    }

    fn set(
        &mut self,
        decision: &mut Decision<'_>,
        id: MaterialId,
        version: KeyVersionBody,
    ) -> Result<(), ServiceError> {
        decision.put(Table::KeyVersions, &row_of(&self.key, id)?, &self.key.row.id, &version);
        self.versions.retain(|(of, _)| *of != id);
        self.versions.push((id, version));
        Ok(())
    }

    fn others(&self) -> impl Iterator<Item = &Arc<KeyEntry>> {
        self.keys.iter().filter(|key| key.row != self.key.row)
    }

    /// Writes the key, in every region that the change reaches, and tells its state.
    pub(crate) fn finish(self, decision: &mut Decision<'_>) -> KeyState {
        let body = self.settle(decision.now);
        decision.put_key(&self.key, &body);
        let before = self.key.body.pending.as_ref().map(|pending| pending.id);
        if before != self.pending {
            for key in self.others() {
                let pending = self.pending.map(|id| PendingBody { id, valid_to: None });
                let body = KeyBody {
                    pending,
                    ..key.body.clone()
                };
                decision.put_key(key, &body);
            }
        }
        body.state
    }

    /// What the versions make of the key: "For symmetric encryption keys, you will need to import all of the key materials associated with
    /// the KMS key to change its state to Enabled."
    fn settle(&self, now: Timestamp) -> KeyBody {
        let state = match self.key.state(now) {
            state @ (KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => state,
            _ if self.is_missing(now) => KeyState::PendingImport,
            KeyState::PendingImport => KeyState::Enabled,
            state => state,
        };
        let pending = self.pending.and_then(|id| {
            let version = self.find(id)?;
            Some(PendingBody {
                id,
                valid_to: version.valid_to,
            })
        });
        let end = self.permanent().filter_map(|version| version.valid_to).min();
        let any_held = self.permanent().any(|version| version.wrapped_material.is_some());
        KeyBody {
            state,
            current: self.current,
            versions: u32::try_from(self.permanent().count()).unwrap_or(u32::MAX),
            expiration: any_held.then(|| ExpirationBody::of(end)),
            pending,
            ..self.key.body.clone()
        }
    }
}

impl KeyVersionBody {
    /// Whether the material is there, and not past its end.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        self.wrapped_material.is_some() && self.valid_to.is_none_or(|end| now < end)
    }
}

impl ExpirationBody {
    /// What a key says of material that ends at `end`, if ever.
    pub(crate) fn of(end: Option<Timestamp>) -> Self {
        Self {
            model: expiration_model(end),
            valid_to: end,
        }
    }
}

fn expiration_model(end: Option<Timestamp>) -> ExpirationModel {
    match end {
        Some(_) => ExpirationModel::Expires,
        None => ExpirationModel::DoesNotExpire,
    }
}

/// The id of the row of a key's version.
pub(crate) fn row_of(key: &KeyEntry, id: MaterialId) -> Result<String, ServiceError> {
    let (account, region, _) =
        parse_key_row(&key.row.id).ok_or(ServiceError::Internal("a key row without a key id"))?;
    Ok(version_row(&account, &region, &id))
}
