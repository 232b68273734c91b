use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bulla_model::AccountId;
use bulla_store::{Change, ChangeKind, Table};

use crate::Forgery;
use crate::row_ids::RowKeyRef;
use crate::rows::recent::Recent;

/// The newest change of every row there ever was: what the store must show, so that an older state of a row is not believed.
///
/// Rows are kept by a hash under a key of this process, 24 bytes each; two rows with one hash (10^-9 among 200,000) would be refused
/// as tampered, never believed wrongly.
#[derive(Debug, Default)]
pub(super) struct Newest {
    hasher: RandomState,
    by_row: HashMap<u64, Known>,
    /// Ids of all aliases that are there: a policy may decide by which a key has, so none of them may be hidden.
    pub(super) aliases: BTreeSet<Arc<str>>,
    /// Accounts that ever had key material.
    pub(super) accounts: BTreeSet<AccountId>,
    pub(super) recent: Recent,
}

/// What is known of the newest change of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// Its revision, and in the lowest bit whether it deleted.
    stamp: u64,
    /// The beginning of its MAC: another genuine change of the same row and revision, from another course of events, has another.
    mac: [u8; 8],
}

impl Known {
    fn of(change: &Change) -> Self {
        let mut mac = [0; 8];
        mac.copy_from_slice(&change.mac[..8]);
        Self {
            stamp: change.revision << 1 | u64::from(change.kind == ChangeKind::Delete),
            mac,
        }
    }

    fn revision(self) -> u64 {
        self.stamp >> 1
    }
}

impl Newest {
    fn slot(&self, table: Table, id: &str) -> u64 {
        self.hasher.hash_one(RowKeyRef { table, id })
    }

    pub(super) fn record(&mut self, change: &Change) {
        let slot = self.slot(change.table, &change.id);
        self.by_row.insert(slot, Known::of(change));
        self.recent.record(change);
        if change.table == Table::Aliases {
            match change.kind {
                ChangeKind::Put => drop(self.aliases.insert(change.id.as_str().into())),
                ChangeKind::Delete => drop(self.aliases.remove(change.id.as_str())),
            }
        }
        if change.table == Table::KeyVersions
            && let Some((account, _)) = change.id.split_once('/')
            && !self.accounts.contains(account)
        {
            self.accounts.extend(account.parse::<AccountId>());
        }
    }

    pub(super) fn is_there(&self, table: Table, id: &str) -> bool {
        let newest = self.by_row.get(&self.slot(table, id));
        newest.is_some_and(|newest| newest.stamp & 1 == 0)
    }

    /// Holds the newest change that a lookup shows against what is known, which is everything up to `applied`; `synced` was so when the
    /// row was looked up.
    pub(super) fn doubts(
        &self,
        table: Table,
        id: &str,
        shown: Option<&Change>,
        synced: u64,
        applied: u64,
    ) -> Result<(), Doubt> {
        let known = self.by_row.get(&self.slot(table, id)).copied();
        let shown = shown.map(Known::of);
        if shown == known {
            return Ok(());
        }
        if shown.is_some_and(|shown| shown.revision() > applied) {
            return Err(Doubt::Ahead);
        }
        match known {
            Some(known) if known.revision() > synced => Err(Doubt::Overtaken),
            Some(known) if shown.is_none_or(|shown| shown.revision() < known.revision()) => {
                Err(Doubt::Tampered(Forgery::Older))
            }
            // Nothing like it was ever committed.
            _ => Err(Doubt::Tampered(Forgery::Change)),
        }
    }
}

/// Why what a lookup shows is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The row was changed after it was looked up: it is to be looked up again.
    Overtaken,
    /// It is of a revision that this node has not heard of: another node's, or nobody's.
    Ahead,
    /// It is not what the service wrote.
    Tampered(Forgery),
}
