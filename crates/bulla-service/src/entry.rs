//! Rows as this node believes them: verified, decoded, their secrets unwrapped.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulla_model::policy::{Policy, PolicyKind, default_key_policy};
use bulla_model::{
    KeyArn, KeyId, KeyMaterialState, KeySpec, KeyState, MaterialId, PrincipalArn, RotationType, Timestamp,
};
use bulla_store::{Row, Table};

use crate::bodies::{
    AccessKeyBody, AliasBody, ApiTokenBody, AuditBatchBody, Body, GroupBody, ImportBody, KeyBody, KeyVersionBody,
    PrincipalBody, RoleBody, StoreKeyBody, TokenMarkBody, VERSION,
};
use crate::grants::{GrantEntry, GrantSet};
use crate::key_material::KeyMaterial;
use crate::keyring::{Place, StoreKey};
use crate::row_ids::{RowKey, parse_key_row, version_row};
use crate::session::unique_id;
use crate::{Credential, KeyMetadata, ServiceError};

/// A decoded row; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    Principal(Arc<PrincipalEntry>),
    AccessKey(Arc<AccessKeyEntry>),
    ApiToken(Arc<ApiTokenEntry>),
    AuditBatch(Arc<AuditBatchEntry>),
    TokenMark(Arc<TokenMarkEntry>),
    Role(Arc<RoleEntry>),
    Group(Arc<GroupEntry>),
    Key(Arc<KeyEntry>),
    Version(Arc<VersionEntry>),
    Alias(Arc<AliasEntry>),
    StoreKey(Arc<StoreKeyEntry>),
    Grant(Arc<GrantEntry>),
    /// All grants of a key; no row's own.
    GrantSet(Arc<GrantSet>),
}

#[derive(Debug)]
pub(crate) struct PrincipalEntry {
    pub(crate) row: RowKey,
    pub(crate) body: PrincipalBody,
    /// Its identity policies by their names, compiled.
    pub(crate) policies: Vec<(String, Policy)>,
}

#[derive(Debug)]
pub(crate) struct RoleEntry {
    pub(crate) row: RowKey,
    pub(crate) arn: PrincipalArn,
    /// Of this role, and of none that is made later under its name.
    pub(crate) id: String,
    pub(crate) body: RoleBody,
    pub(crate) trust: Policy,
    /// Its identity policies by their names, compiled.
    pub(crate) policies: Vec<(String, Policy)>,
}

#[derive(Debug)]
pub(crate) struct GroupEntry {
    pub(crate) row: RowKey,
    pub(crate) body: GroupBody,
    /// Its identity policies, compiled; each name says whose it is.
    pub(crate) policies: Vec<(String, Policy)>,
}

#[derive(Debug)]
pub(crate) struct AccessKeyEntry {
    pub(crate) row: RowKey,
    pub(crate) enabled: bool,
    pub(crate) created: Timestamp,
    pub(crate) wrapped_secret: String,
    pub(crate) credential: Arc<Credential>,
}

#[derive(Debug)]
pub(crate) struct ApiTokenEntry {
    pub(crate) row: RowKey,
    pub(crate) principal: PrincipalArn,
    pub(crate) body: ApiTokenBody,
}

#[derive(Debug)]
pub(crate) struct KeyEntry {
    pub(crate) row: RowKey,
    pub(crate) id: KeyId,
    pub(crate) arn: KeyArn,
    /// `None` where no material was ever there.
    pub(crate) current_row: Option<Arc<str>>,
    pub(crate) body: KeyBody,
    /// The key policy, the default one where the body has none, compiled.
    pub(crate) policy: Policy,
}

/// One version of a key's material. The material is used through [`Authorised`](crate::authorised::Authorised) only.
#[derive(Debug)]
pub(crate) struct VersionEntry {
    pub(crate) row: RowKey,
    /// Row id of the key.
    pub(crate) key_row: Arc<str>,
    pub(crate) id: MaterialId,
    pub(crate) number: u32,
    pub(crate) created: Timestamp,
    pub(crate) rotation: Option<RotationType>,
    /// As stored; see [`state_of`](Self::state_of).
    pub(crate) state: Option<KeyMaterialState>,
    pub(crate) valid_to: Option<Timestamp>,
    pub(crate) import: Option<ImportBody>,
    pub(crate) spec: KeySpec,
    /// As stored, for its own row; `None` where there is no material.
    pub(crate) wrapped_material: Option<String>,
    pub(crate) material: KeyMaterial,
}

#[derive(Debug)]
pub(crate) struct AliasEntry {
    pub(crate) row: RowKey,
    /// Row id of the key.
    pub(crate) key_row: Arc<str>,
    pub(crate) body: AliasBody,
}

#[derive(Debug)]
pub(crate) struct StoreKeyEntry {
    pub(crate) row: RowKey,
    pub(crate) body: StoreKeyBody,
}

#[derive(Debug)]
pub(crate) struct AuditBatchEntry {
    pub(crate) row: RowKey,
    pub(crate) body: AuditBatchBody,
}

#[derive(Debug)]
pub(crate) struct TokenMarkEntry {
    pub(crate) row: RowKey,
    pub(crate) body: TokenMarkBody,
}

impl Entry {
    pub(crate) fn row(&self) -> &RowKey {
        match self {
            Entry::Principal(entry) => &entry.row,
            Entry::AccessKey(entry) => &entry.row,
            Entry::ApiToken(entry) => &entry.row,
            Entry::AuditBatch(entry) => &entry.row,
            Entry::TokenMark(entry) => &entry.row,
            Entry::Role(entry) => &entry.row,
            Entry::Group(entry) => &entry.row,
            Entry::Key(entry) => &entry.row,
            Entry::Version(entry) => &entry.row,
            Entry::Alias(entry) => &entry.row,
            Entry::StoreKey(entry) => &entry.row,
            Entry::Grant(entry) => &entry.row,
            Entry::GrantSet(set) => &set.row,
        }
    }

    /// Decodes a row whose MAC was verified; `None` where its content is not what its table holds.
    pub(crate) fn decode(table: Table, row: &Row, store_key: &StoreKey) -> Option<Entry> {
        let key = RowKey::new(table, &row.id);
        Some(match table {
            Table::Principals => Entry::Principal(Arc::new(PrincipalEntry::decode(key, row)?)),
            Table::AccessKeys => Entry::AccessKey(Arc::new(AccessKeyEntry::decode(key, row, store_key)?)),
            Table::AuditBatches => Entry::AuditBatch(Arc::new(AuditBatchEntry {
                row: key,
                body: AuditBatchBody::from_bytes(&row.body)?,
            })),
            Table::TokenMarks => Entry::TokenMark(Arc::new(TokenMarkEntry {
                row: key,
                body: TokenMarkBody::from_bytes(&row.body)?,
            })),
            Table::ApiTokens => Entry::ApiToken(Arc::new(ApiTokenEntry::decode(key, row)?)),
            Table::Roles => {
                let body = RoleBody::from_bytes(&row.body)?;
                Entry::Role(Arc::new(RoleEntry::new(row.id.parse().ok()?, body)?))
            }
            Table::Groups => Entry::Group(Arc::new(GroupEntry::decode(key, row)?)),
            Table::Keys => Entry::Key(Arc::new(KeyEntry::decode(key, row)?)),
            Table::KeyVersions => Entry::Version(Arc::new(VersionEntry::decode(key, row, store_key)?)),
            Table::Aliases => {
                let body = AliasBody::from_bytes(&row.body)?;
                Entry::Alias(Arc::new(AliasEntry {
                    row: key,
                    key_row: row.owner.as_str().into(),
                    body,
                }))
            }
            Table::StoreKeys => Entry::StoreKey(Arc::new(StoreKeyEntry {
                row: key,
                body: StoreKeyBody::from_bytes(&row.body)?,
            })),
            Table::Grants => Entry::Grant(Arc::new(GrantEntry::decode(key, row)?)),
            Table::Settings | Table::AuditKeys | Table::KeyUsage => return None,
        })
    }
}

impl PrincipalEntry {
    /// Whether he may ask, by a credential of his that was made at `made`.
    ///
    /// One from before him is of an earlier user of the same name: what a deletion overlooked, because a listing did not show it, comes back
    /// with nobody.
    pub(crate) fn accepts(&self, made: Timestamp) -> bool {
        self.body.enabled && made >= self.body.created
    }

    fn decode(key: RowKey, row: &Row) -> Option<Self> {
        let body = PrincipalBody::from_bytes(&row.body)?;
        Some(Self {
            row: key,
            policies: compile(&body.policies, "")?,
            body,
        })
    }
}

impl RoleEntry {
    /// A role whose row says this; `None` where a policy does not parse.
    pub(crate) fn new(arn: PrincipalArn, body: RoleBody) -> Option<Self> {
        Some(Self {
            row: RowKey::new(Table::Roles, arn.as_str()),
            id: unique_id("AROA", arn.as_str(), body.created),
            trust: Policy::parse(PolicyKind::Trust, &body.trust).ok()?,
            policies: compile(&body.policies, "")?,
            arn,
            body,
        })
    }
}

impl GroupEntry {
    fn decode(key: RowKey, row: &Row) -> Option<Self> {
        let body = GroupBody::from_bytes(&row.body)?;
        let arn: PrincipalArn = row.id.parse().ok()?;
        Some(Self {
            row: key,
            policies: compile(&body.policies, &format!("group {}/", arn.name()))?,
            body,
        })
    }
}

/// Compiles identity policies, each under its name after a prefix.
fn compile(policies: &BTreeMap<String, String>, prefix: &str) -> Option<Vec<(String, Policy)>> {
    let one = |(name, document): (&String, &String)| {
        let policy = Policy::parse(PolicyKind::Identity, document).ok()?;
        Some((format!("{prefix}{name}"), policy))
    };
    policies.iter().map(one).collect()
}

impl AccessKeyEntry {
    fn decode(key: RowKey, row: &Row, store_key: &StoreKey) -> Option<Self> {
        let body = AccessKeyBody::from_bytes(&row.body)?;
        let secret = store_key
            .unwrap(secret_place(&row.id, &row.owner), &body.wrapped_secret)
            .ok()?;
        let principal: PrincipalArn = row.owner.parse().ok()?;
        let credential = Credential {
            access_key_id: row.id.clone(),
            secret,
            account: principal.account(),
            principal,
            revision: row.revision,
            session: None,
        };
        Some(Self {
            row: key,
            enabled: body.enabled,
            created: body.created,
            wrapped_secret: body.wrapped_secret,
            credential: Arc::new(credential),
        })
    }
}

impl ApiTokenEntry {
    fn decode(key: RowKey, row: &Row) -> Option<Self> {
        Some(Self {
            row: key,
            principal: row.owner.parse().ok()?,
            body: ApiTokenBody::from_bytes(&row.body)?,
        })
    }

    /// Whether it has come to its end at `now`.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.body.expires.is_some_and(|end| end <= now)
    }
}

impl KeyEntry {
    fn decode(key: RowKey, row: &Row) -> Option<Self> {
        Self::new(key, KeyBody::from_bytes(&row.body)?)
    }

    /// A key whose row says this; `None` where its policy does not parse.
    pub(crate) fn new(key: RowKey, body: KeyBody) -> Option<Self> {
        let (account, region, id) = parse_key_row(&key.id)?;
        let policy = match &body.policy {
            Some(document) => Policy::parse(PolicyKind::Key, document),
            None => Policy::parse(PolicyKind::Key, &default_key_policy(&account)),
        };
        Some(Self {
            policy: policy.ok()?,
            arn: KeyArn::new(&region, &account, &id),
            current_row: body
                .current
                .map(|current| version_row(&account, &region, &current).into()),
            id,
            row: key,
            body,
        })
    }

    /// Whether the key is past its deletion date, so that it does not exist any more.
    pub(crate) fn is_gone(&self, now: Timestamp) -> bool {
        self.body.state == KeyState::PendingDeletion && self.body.deletion_date.is_some_and(|date| date <= now)
    }

    /// The key's state at `now`: from the instant that any imported material of it ends, it waits for that material, whether or not
    /// anybody has deleted it yet.
    pub(crate) fn state(&self, now: Timestamp) -> KeyState {
        let end = self.body.expiration.as_ref().and_then(|expiration| expiration.valid_to);
        match self.body.state {
            KeyState::Enabled | KeyState::Disabled if end.is_some_and(|end| end <= now) => KeyState::PendingImport,
            state => state,
        }
    }

    pub(crate) fn metadata(&self, now: Timestamp) -> Result<KeyMetadata, ServiceError> {
        let metadata =
            KeyMetadata::of(&self.row.id, &self.body).ok_or(ServiceError::Internal("a key row without a key id"))?;
        Ok(KeyMetadata {
            state: self.state(now),
            ..metadata
        })
    }
}

impl VersionEntry {
    fn decode(key: RowKey, row: &Row, store_key: &StoreKey) -> Option<Self> {
        let body = KeyVersionBody::from_bytes(&row.body)?;
        let (_, _, key_id) = parse_key_row(&row.owner)?;
        // The row's id names the material that is in it.
        let id: MaterialId = row.id.rsplit('/').next()?.parse().ok()?;
        let material = match &body.wrapped_material {
            None => KeyMaterial::Deleted,
            Some(wrapped) => {
                let secret = store_key.unwrap(material_place(&row.id, &row.owner), wrapped).ok()?;
                let material = KeyMaterial::read(body.spec, &secret, &key_id)?;
                (material.id(&key_id)? == id).then_some(material)?
            }
        };
        Some(Self {
            row: key,
            key_row: row.owner.as_str().into(),
            id,
            number: body.number,
            created: body.created,
            rotation: body.rotation,
            state: body.state,
            valid_to: body.valid_to,
            import: body.import,
            spec: body.spec,
            wrapped_material: body.wrapped_material,
            material,
        })
    }

    /// The row's content.
    pub(crate) fn body(&self) -> KeyVersionBody {
        KeyVersionBody {
            version: VERSION,
            number: self.number,
            created: self.created,
            rotation: self.rotation,
            wrapped_material: self.wrapped_material.clone(),
            spec: self.spec,
            state: self.state,
            valid_to: self.valid_to,
            import: self.import.clone(),
        }
    }

    /// Whether the material is there, and not past its end.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        self.wrapped_material.is_some() && self.valid_to.is_none_or(|end| now < end)
    }

    /// What this version is to its key.
    pub(crate) fn state_of(&self, key: &KeyBody) -> KeyMaterialState {
        self.state.unwrap_or(if key.current == Some(self.id) {
            KeyMaterialState::Current
        } else {
            KeyMaterialState::NonCurrent
        })
    }
}

pub(crate) fn material_place<'a>(id: &'a str, owner: &'a str) -> Place<'a> {
    Place {
        purpose: "key-material",
        table: Table::KeyVersions,
        id,
        owner,
    }
}

pub(crate) fn secret_place<'a>(id: &'a str, owner: &'a str) -> Place<'a> {
    Place {
        purpose: "access-key-secret",
        table: Table::AccessKeys,
        id,
        owner,
    }
}

pub(crate) fn seed_place(id: &str) -> Place<'_> {
    Place {
        purpose: "audit-seed",
        table: Table::AuditKeys,
        id,
        owner: "",
    }
}
