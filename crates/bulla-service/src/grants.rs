//! The grants of a key, by who is granted, so that a key with a thousand of them is as fast as one with none.

use std::collections::HashMap;
use std::sync::Arc;

use bulla_model::GrantOperation;
use bulla_store::{Row, Table};
use serde::{Deserialize, Serialize};

use crate::ServiceError;
use crate::bodies::{Body, GrantBody};
use crate::decision::Decision;
use crate::keyring::Place;
use crate::row_ids::RowKey;

/// Most grants of one key.
pub(crate) const MAX_GRANTS: usize = 50_000;

#[derive(Debug)]
pub(crate) struct GrantEntry {
    pub(crate) row: RowKey,
    /// Row id of the key.
    pub(crate) key_row: Arc<str>,
    /// 64 hexadecimal digits.
    pub(crate) id: Arc<str>,
    pub(crate) body: GrantBody,
}

/// All grants of one key; in the cache under the key's row id, as no row's own entry is.
///
/// A change of a grant leaves the set there and notes that grant as changed; who needs the set next looks at those alone.
#[derive(Debug, Clone)]
pub(crate) struct GrantSet {
    pub(crate) row: RowKey,
    index: Arc<Index>,
    /// Rows that were changed since the set was read.
    pub(crate) changed: Vec<Arc<str>>,
}

#[derive(Debug, Clone, Default)]
struct Index {
    by_id: HashMap<Arc<str>, Arc<GrantEntry>>,
    /// Ids of grants by their grantees.
    by_grantee: HashMap<String, Vec<Arc<str>>>,
}

/// Beyond so many changed grants, reading all of them anew is as good.
const MAX_CHANGED: usize = 1000;

impl GrantEntry {
    pub(crate) fn decode(key: RowKey, row: &Row) -> Option<Self> {
        let (owner, id) = row.id.rsplit_once('/')?;
        (owner == row.owner).then_some(())?;
        Some(Self {
            row: key,
            key_row: owner.into(),
            id: id.into(),
            body: GrantBody::from_bytes(&row.body)?,
        })
    }

    pub(crate) fn permits(&self, operation: GrantOperation) -> bool {
        self.body.operations.contains(&operation)
    }
}

impl GrantSet {
    pub(crate) fn new(row: RowKey) -> Self {
        Self {
            row,
            index: Arc::default(),
            changed: Vec::new(),
        }
    }

    /// The same with one more changed row; `None` where there are too many.
    pub(crate) fn with_changed(&self, row: &str) -> Option<Self> {
        let mut set = self.clone();
        if !set.changed.iter().any(|changed| **changed == *row) {
            set.changed.push(row.into());
        }
        (set.changed.len() <= MAX_CHANGED).then_some(set)
    }

    pub(crate) fn insert(&mut self, grant: Arc<GrantEntry>) {
        let index = Arc::make_mut(&mut self.index);
        index.remove(&grant.id);
        let of_grantee = index.by_grantee.entry(grant.body.grantee.clone()).or_default();
        of_grantee.push(grant.id.clone());
        index.by_id.insert(grant.id.clone(), grant);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        Arc::make_mut(&mut self.index).remove(id);
    }

    pub(crate) fn len(&self) -> usize {
        self.index.by_id.len()
    }

    pub(crate) fn of_grantee<'a>(&'a self, arn: &str) -> impl Iterator<Item = &'a Arc<GrantEntry>> + use<'a> {
        let ids = self.index.by_grantee.get(arn).into_iter().flatten();
        ids.filter_map(|id| self.index.by_id.get(id))
    }

    /// In the order of ids, which is the order of pages.
    pub(crate) fn in_order(&self) -> Vec<&Arc<GrantEntry>> {
        let mut grants: Vec<&Arc<GrantEntry>> = self.index.by_id.values().collect();
        grants.sort_by(|one, other| one.id.cmp(&other.id));
        grants
    }
}

impl Index {
    fn remove(&mut self, id: &str) {
        let Some(grant) = self.by_id.remove(id) else { return };
        if let Some(of_grantee) = self.by_grantee.get_mut(&grant.body.grantee) {
            of_grantee.retain(|other| **other != *id);
            if of_grantee.is_empty() {
                self.by_grantee.remove(&grant.body.grantee);
            }
        }
    }
}

/// What a grant token says; sealed under the store key, so that nobody makes one himself.
#[derive(Serialize, Deserialize)]
struct Token {
    /// The grant's row id.
    grant: String,
}

/// Makes a token of a grant; each is another one.
pub(crate) fn seal_token(decision: &Decision<'_>, grant_row: &str) -> Result<String, ServiceError> {
    let token = Token {
        grant: grant_row.to_owned(),
    };
    let failed = ServiceError::Internal("a grant token can't be made");
    let bytes = serde_json::to_vec(&token).map_err(|_| failed.clone())?;
    let core = decision.core;
    let sealed = core.rows.store_key.wrap(PLACE, &*core.random, &bytes);
    sealed.map_err(|_| failed)
}

/// The row id of the grant that a token is of; the grant may be gone.
pub(crate) fn open_token(decision: &Decision<'_>, token: &str) -> Result<String, ServiceError> {
    let opened = decision.core.rows.store_key.unwrap(PLACE, token);
    let opened = opened.map_err(|_| ServiceError::InvalidGrantToken)?;
    let token: Token = serde_json::from_slice(opened.expose_secret()).map_err(|_| ServiceError::InvalidGrantToken)?;
    Ok(token.grant)
}

const PLACE: Place<'static> = Place {
    purpose: "grant-token",
    table: Table::Grants,
    id: "",
    owner: "",
};
