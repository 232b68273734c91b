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
    by_id: Shards<Arc<GrantEntry>>,
    /// Ids of grants by their grantees.
    by_grantee: Shards<Vec<Arc<str>>>,
}

/// A map that comes in parts once it is large, of which a change copies one: 50,000 grants are not copied for each that is made.
#[derive(Debug, Clone)]
struct Shards<V>(Vec<Arc<HashMap<Arc<str>, V>>>);

/// The parts of a large map, and the size beyond which a map is one.
const SHARDS: usize = 256;
const LARGE: usize = 512;

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
        let grantee = grant.body.grantee.as_str();
        let of_grantee = index.by_grantee.part_mut(grantee).entry(grantee.into()).or_default();
        of_grantee.push(grant.id.clone());
        index.by_id.part_mut(&grant.id).insert(grant.id.clone(), grant);
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
        let Some(grant) = self.by_id.part_mut(id).remove(id) else {
            return;
        };
        let grantee = grant.body.grantee.as_str();
        let part = self.by_grantee.part_mut(grantee);
        if let Some(of_grantee) = part.get_mut(grantee) {
            of_grantee.retain(|other| **other != *id);
            if of_grantee.is_empty() {
                part.remove(grantee);
            }
        }
    }
}

impl<V: Clone> Shards<V> {
    fn get(&self, name: &str) -> Option<&V> {
        self.0.get(self.at(name))?.get(name)
    }

    /// The part that has the name, or is to have it.
    fn part_mut(&mut self, name: &str) -> &mut HashMap<Arc<str>, V> {
        if self.0.len() == 1 && self.0[0].len() >= LARGE {
            let mut parts = vec![HashMap::new(); SHARDS];
            for (name, value) in self.0[0].iter() {
                parts[shard_of(name, SHARDS)].insert(name.clone(), value.clone());
            }
            self.0 = parts.into_iter().map(Arc::new).collect();
        }
        let at = self.at(name);
        Arc::make_mut(&mut self.0[at])
    }

    fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().flat_map(|part| part.values())
    }

    fn len(&self) -> usize {
        self.0.iter().map(|part| part.len()).sum()
    }

    fn at(&self, name: &str) -> usize {
        shard_of(name, self.0.len())
    }
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self(vec![Arc::default()])
    }
}

/// FNV-1a of the name's end, where names of one kind differ. Who chooses names of one part makes a slower set of his own key's grants.
fn shard_of(name: &str, parts: usize) -> usize {
    let end = name.len().saturating_sub(16);
    let mix = |hash: usize, byte: &u8| (hash ^ usize::from(*byte)).wrapping_mul(0x0100_0193);
    name.as_bytes()[end..].iter().fold(0x811c_9dc5_usize, mix) % parts
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

#[cfg(test)]
mod tests {
    use bulla_model::{GrantConstraints, Timestamp};

    use super::*;
    use crate::bodies::VERSION;

    fn grant(number: usize) -> Arc<GrantEntry> {
        let id = format!("{number:064x}");
        Arc::new(GrantEntry {
            row: RowKey::new(Table::Grants, &format!("key/{id}")),
            key_row: "key".into(),
            id: id.as_str().into(),
            body: GrantBody {
                version: VERSION,
                name: None,
                grantee: format!("arn:aws:iam::111122223333:user/user-{}", number % 3000),
                retiring: None,
                operations: vec![GrantOperation::Decrypt],
                constraints: GrantConstraints::default(),
                created: Timestamp::from_micros(0),
                issuer: "arn:aws:iam::111122223333:root".to_owned(),
            },
        })
    }

    fn shared<V>(one: &Shards<V>, other: &Shards<V>) -> usize {
        one.0
            .iter()
            .zip(&other.0)
            .filter(|(one, other)| Arc::ptr_eq(one, other))
            .count()
    }

    #[test]
    fn a_change_of_a_large_set_copies_one_part_of_it() {
        let mut set = GrantSet::new(RowKey::new(Table::Grants, "key"));
        (0..6000).for_each(|number| set.insert(grant(number)));
        for change in [true, false] {
            let before = set.clone();
            match change {
                true => set.insert(grant(6000)),
                false => set.remove(&grant(6000).id),
            }
            assert_eq!(before.len().abs_diff(set.len()), 1);
            assert_eq!(shared(&before.index.by_id, &set.index.by_id), SHARDS - 1);
            assert_eq!(shared(&before.index.by_grantee, &set.index.by_grantee), SHARDS - 1);
        }
    }

    #[test]
    fn grants_are_found_by_grantee_and_in_order_however_many_there_are() {
        let mut set = GrantSet::new(RowKey::new(Table::Grants, "key"));
        for number in 0..6000 {
            set.insert(grant(number));
            set.insert(grant(number));
        }
        (0..3000).for_each(|number| set.remove(&grant(number).id));
        let ids = |grants: Vec<&Arc<GrantEntry>>| grants.iter().map(|grant| grant.id.to_string()).collect::<Vec<_>>();
        let expected: Vec<String> = (3000..6000).map(|number| grant(number).id.to_string()).collect();
        assert_eq!(ids(set.in_order()), expected);
        for number in [0, 7, 2999] {
            let of_grantee = set.of_grantee(&grant(number).body.grantee).collect();
            assert_eq!(ids(of_grantee), [grant(number + 3000).id.to_string()]);
        }
        assert_eq!(set.of_grantee("arn:aws:iam::111122223333:user/nobody").count(), 0);
    }
}
