//! What this node believes of the store's rows: verification on each load, the cache, and the index of newest changes.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bulla_model::{AccountId, MaterialId, Region};
use bulla_store::{Change, ChangeKind, Lookup, Row, RowFilter, Store, Table};
use quick_cache::sync::Cache;
use tokio::sync::Notify;
use tokio::sync::mpsc::WeakSender;

use crate::committer::Message;
use crate::entry::{AliasEntry, Entry};
use crate::freshness::look;
use crate::grants::GrantSet;
use crate::keyring::StoreKey;
use crate::metrics::count;
use crate::row_ids::{RowKey, RowKeyRef, set_of, version_row};
use crate::{Forgery, Metrics, ServiceError};

/// Rows, verified and cached.
///
/// An entry stays in the cache until a change names it. Changes of this node come with its own commits; those of other nodes are
/// read inside the next commit's transaction, under the head's lock, before anything is decided to stand. So a cached row may be
/// old when an operation is decided, and never when it is committed: every operation commits, and the committer holds its read set
/// against the changes since the revision that the decision saw.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) store_key: StoreKey,
    pub(crate) metrics: Metrics,
    /// Whether the last commit failed.
    pub(crate) failing: AtomicBool,
    cache: Cache<RowKey, Entry>,
    /// Every change up to this revision is applied to cache and index.
    synced: AtomicU64,
    /// Tells those who wait that it moved.
    pub(crate) moved: Notify,
    newest: Mutex<Newest>,
    /// Who catches up with other nodes; not held, so that the committer ends when nobody can ask any more.
    pub(crate) committer: OnceLock<WeakSender<Message>>,
}

/// The newest change of every row there ever was: what the store must show, so that an older state of a row is not believed.
///
/// Rows are kept by a hash under a key of this process, 24 bytes each; two rows with one hash (10^-9 among 200,000) would be refused
/// as tampered, never believed wrongly.
#[derive(Debug, Default)]
struct Newest {
    hasher: RandomState,
    by_row: HashMap<u64, Known>,
    /// Ids of all aliases that are there: a policy may decide by which a key has, so none of them may be hidden.
    aliases: BTreeSet<Arc<str>>,
    /// Accounts that ever had key material.
    accounts: BTreeSet<AccountId>,
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

    fn record(&mut self, change: &Change) {
        let slot = self.slot(change.table, &change.id);
        self.by_row.insert(slot, Known::of(change));
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

    fn is_there(&self, table: Table, id: &str) -> bool {
        let newest = self.by_row.get(&self.slot(table, id));
        newest.is_some_and(|newest| newest.stamp & 1 == 0)
    }

    /// Holds the newest change that a lookup shows against what is known, which is everything up to `applied`; `synced` was so when the
    /// row was looked up.
    fn doubts(&self, table: Table, id: &str, shown: Option<&Change>, synced: u64, applied: u64) -> Result<(), Doubt> {
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

/// Rows listed at once.
const LIST_LIMIT: u32 = 1000;

/// How often a row is looked up again because it keeps changing meanwhile.
const LOOKUPS: u32 = 16;

impl Rows {
    pub(crate) fn new(store: Arc<dyn Store>, store_key: StoreKey, cache_entries: usize) -> Self {
        Self {
            store,
            store_key,
            metrics: Metrics::default(),
            failing: AtomicBool::new(false),
            cache: Cache::with_weighter(cache_entries.min(1024), cache_entries as u64, quick_cache::UnitWeighter),
            synced: AtomicU64::new(0),
            moved: Notify::new(),
            newest: Mutex::default(),
            committer: OnceLock::new(),
        }
    }

    /// The revision up to which everything cached is current.
    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// Applies changes, in order and without a gap, up to `revision`.
    pub(crate) fn apply(&self, changes: &[Change], revision: u64) {
        let mut newest = self.newest();
        for change in changes {
            self.cache.remove(&RowKeyRef {
                table: change.table,
                id: &change.id,
            });
            self.note_changed_grant(change);
            newest.record(change);
        }
        self.synced.store(revision, Ordering::Release);
        self.moved.notify_waiters();
        self.metrics
            .cache_entries
            .store(self.cache.len() as u64, Ordering::Relaxed);
    }

    /// A set of grants stays in the cache, and is told which of them to look at again.
    fn note_changed_grant(&self, change: &Change) {
        let Some(id) = set_of(change.table, &change.id).filter(|_| change.table == Table::Grants) else {
            return;
        };
        let set = RowKeyRef {
            table: Table::Grants,
            id,
        };
        if let Some(Entry::GrantSet(grants)) = self.cache.get(&set) {
            match grants.with_changed(&change.id) {
                Some(grants) => self.cache.insert(grants.row.clone(), Entry::GrantSet(Arc::new(grants))),
                None => drop(self.cache.remove(&set)),
            }
        }
    }

    /// All grants of a key: from the cache, looked at again where some changed, or from the store.
    pub(crate) async fn grants(&self, key_row: &str) -> Result<Arc<GrantSet>, ServiceError> {
        // Before the cache: a change that comes in after the set was taken from it is not known to that set.
        let synced = self.synced();
        match self.cached(Table::Grants, key_row) {
            Some(Entry::GrantSet(set)) if set.changed.is_empty() => Ok(set),
            Some(Entry::GrantSet(set)) => self.refresh_grants(&set, synced).await,
            _ => self.load_grants(key_row, synced).await,
        }
    }

    /// Reads all grants of a key.
    async fn load_grants(&self, key_row: &str, synced: u64) -> Result<Arc<GrantSet>, ServiceError> {
        count(&self.metrics.cache_misses);
        let mut grants = GrantSet::new(RowKey::new(Table::Grants, key_row));
        let mut after: Option<Arc<str>> = None;
        loop {
            let filter = RowFilter::Owner(key_row);
            let page = self.list(Table::Grants, filter, after.as_deref(), LIST_LIMIT).await?;
            for entry in &page {
                after = Some(entry.row().id.clone());
                if let Entry::Grant(grant) = entry {
                    grants.insert(grant.clone());
                }
            }
            if page.len() < LIST_LIMIT as usize {
                break;
            }
        }
        Ok(self.keep_grants(grants, synced))
    }

    /// Looks at the grants that changed since a set was read; `synced` is from before the set was taken from the cache.
    async fn refresh_grants(&self, old: &GrantSet, synced: u64) -> Result<Arc<GrantSet>, ServiceError> {
        let mut grants = old.clone();
        for row in std::mem::take(&mut grants.changed) {
            match self.load(Table::Grants, &row).await? {
                Some(Entry::Grant(grant)) => grants.insert(grant),
                _ => grants.remove(row.rsplit('/').next().unwrap_or_default()),
            }
        }
        Ok(self.keep_grants(grants, synced))
    }

    fn keep_grants(&self, grants: GrantSet, synced: u64) -> Arc<GrantSet> {
        let grants = Arc::new(grants);
        let newest = self.newest();
        if self.synced() == synced {
            self.cache.insert(grants.row.clone(), Entry::GrantSet(grants.clone()));
        }
        drop(newest);
        grants
    }

    /// All aliases of an account and region, by the set that they are in, none of them hidden: each that the change feed knows is read.
    ///
    /// From the cache as far as it reaches.
    pub(crate) async fn aliases_in(&self, set: &str) -> Result<Vec<Arc<AliasEntry>>, ServiceError> {
        let ids: Vec<Arc<str>> = {
            let newest = self.newest();
            let from_set = newest.aliases.range::<str, _>((Bound::Included(set), Bound::Unbounded));
            from_set.take_while(|id| id.starts_with(set)).cloned().collect()
        };
        let mut aliases = Vec::with_capacity(ids.len());
        for id in ids {
            let entry = match self.cached(Table::Aliases, &id) {
                Some(entry) => Some(entry),
                None => self.load(Table::Aliases, &id).await?,
            };
            // Gone meanwhile, as the committer will find.
            if let Some(Entry::Alias(alias)) = entry {
                aliases.push(alias);
            }
        }
        Ok(aliases)
    }

    /// Hears of everything that any node has committed.
    async fn catch_up(&self) -> Result<(), ServiceError> {
        let committer = self.committer.get().and_then(WeakSender::upgrade);
        look(&committer.ok_or(ServiceError::ShuttingDown)?).await
    }

    /// Takes a row from the cache.
    pub(crate) fn cached(&self, table: Table, id: &str) -> Option<Entry> {
        let entry = self.cache.get(&RowKeyRef { table, id })?;
        count(&self.metrics.cache_hits);
        Some(entry)
    }

    /// Whether there is such a row, as far as this node has heard; no store is asked.
    pub(crate) fn is_known(&self, table: Table, id: &str) -> bool {
        self.newest().is_there(table, id)
    }

    /// The rows of a material in one region, whichever account's it is, as far as this node has heard; no store is asked.
    pub(crate) fn of_material(&self, region: &Region, material: &MaterialId) -> Vec<String> {
        let newest = self.newest();
        let rows = newest
            .accounts
            .iter()
            .map(|account| version_row(account, region, material));
        rows.filter(|row| newest.is_there(Table::KeyVersions, row)).collect()
    }

    /// Reads a row from the store, verifies it, and keeps it unless a change came in between.
    pub(crate) async fn load(&self, table: Table, id: &str) -> Result<Option<Entry>, ServiceError> {
        count(&self.metrics.cache_misses);
        for _ in 0..LOOKUPS {
            let synced = self.synced();
            let lookup = self.store.lookup(table, id).await?;
            let row = match self.judge(table, id, &lookup, synced) {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(None),
                Err(Doubt::Overtaken) => continue,
                Err(Doubt::Ahead) => {
                    let (shown, before) = (lookup.newest_change.map_or(0, |change| change.revision), synced);
                    self.catch_up().await?;
                    // What was read outside of a transaction was committed, so the head knows of it.
                    if self.synced() < shown {
                        tracing::error!(table = table.name(), id, before, shown, "a row is newer than the head");
                        return Err(self.tampered(table, id));
                    }
                    continue;
                }
                Err(Doubt::Tampered(_)) => return Err(self.tampered(table, id)),
            };
            let entry = Entry::decode(table, row, &self.store_key).ok_or_else(|| self.tampered(table, id))?;
            let newest = self.newest();
            if self.synced() == synced {
                self.cache.insert(entry.row().clone(), entry.clone());
            }
            drop(newest);
            return Ok(Some(entry));
        }
        Err(ServiceError::Throttled)
    }

    /// Lists rows, each verified and decoded, none of them cached.
    pub(crate) async fn list(
        &self,
        table: Table,
        filter: RowFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Entry>, ServiceError> {
        let listed = self.list_each(table, filter, after, limit).await?;
        listed
            .into_iter()
            .map(|(_, entry)| entry)
            .filter_map(Result::transpose)
            .collect()
    }

    /// The same, with what became of each row by its id: one that is tampered with keeps nobody from the others.
    pub(crate) async fn list_each(
        &self,
        table: Table,
        filter: RowFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<(String, Result<Option<Entry>, ServiceError>)>, ServiceError> {
        let synced = self.synced();
        let lookups = self.store.list(table, filter, after, limit).await?;
        let mut entries = Vec::with_capacity(lookups.len());
        for lookup in &lookups {
            let id = lookup.row.as_ref().map_or("", |row| &row.id);
            let entry = match self.judge(table, id, lookup, synced) {
                Ok(Some(row)) => {
                    let entry = Entry::decode(table, row, &self.store_key);
                    entry.map(Some).ok_or_else(|| self.tampered(table, id))
                }
                Ok(None) => Ok(None),
                Err(Doubt::Overtaken | Doubt::Ahead) => self.load(table, id).await,
                Err(Doubt::Tampered(_)) => Err(self.tampered(table, id)),
            };
            entries.push((id.to_owned(), entry));
        }
        Ok(entries)
    }

    /// Believes what was looked up while nothing was applied, as [`judge`](Self::judge) does.
    pub(crate) fn verify<'a>(
        &self,
        table: Table,
        id: &str,
        lookup: &'a Lookup,
    ) -> Result<Option<&'a Row>, ServiceError> {
        self.judge(table, id, lookup, u64::MAX)
            .map_err(|_| self.tampered(table, id))
    }

    /// Believes a row only if its MAC verifies and its newest change says `put` at its revision, and a missing row only if its newest
    /// change says `delete` or there never was one.
    ///
    /// `synced` is the revision that was synced before the row was looked up: what is known since says nothing against it. A change up to
    /// the revision that is synced now must be the very one that is known, one beyond it is for the committer to find in the feed.
    pub(crate) fn judge<'a>(
        &self,
        table: Table,
        id: &str,
        lookup: &'a Lookup,
        synced: u64,
    ) -> Result<Option<&'a Row>, Doubt> {
        let (row, change) = (lookup.row.as_ref(), lookup.newest_change.as_ref());
        if row.is_some_and(|row| row.id != id || !self.store_key.row_is_genuine(table, row)) {
            return Err(Doubt::Tampered(Forgery::Row));
        }
        let genuine_change = change.is_none_or(|change| {
            change.table == table && change.id == id && self.store_key.change_is_genuine(change, row)
        });
        if !genuine_change {
            return Err(Doubt::Tampered(Forgery::Change));
        }
        {
            let newest = self.newest();
            newest.doubts(table, id, change, synced, self.synced())?;
        }
        match (&lookup.row, change.map(|change| (change.kind, change.revision))) {
            (None, None | Some((ChangeKind::Delete, _))) => Ok(None),
            (Some(row), Some((ChangeKind::Put, revision))) if row.revision == revision => Ok(Some(row)),
            _ => Err(Doubt::Tampered(Forgery::Change)),
        }
    }

    pub(crate) fn tampered(&self, table: Table, id: &str) -> ServiceError {
        count(&self.metrics.tampered_rows);
        tracing::error!(table = table.name(), id, "a row is not what the service wrote");
        ServiceError::Tampered {
            table: table.name(),
            id: id.to_owned(),
        }
    }

    pub(crate) fn tampered_event(&self, sequence: u64) -> ServiceError {
        tracing::error!(sequence, "an event is not what the service wrote");
        ServiceError::Tampered {
            table: "audit_events",
            id: sequence.to_string(),
        }
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bulla_crypto::DataKey;
    use bulla_model::Timestamp;
    use bulla_store_sql::{OpenOptions, SqlStore};

    use super::*;
    use crate::bodies::{Body, GrantBody, VERSION};

    const KEY: &str = "111122223333/eu-north-1/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// Rows over a database in a file, and the directory that it is in.
    async fn rows() -> (Rows, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqlStore::open(OpenOptions::sqlite_file(directory.path().join("bulla.db"))).await;
        let secret = DataKey::from_slice(&[7; 32]).expect("32 bytes");
        let store_key = StoreKey::new(secret, "log", 1).expect("a store key");
        (Rows::new(Arc::new(store.expect("opens")), store_key, 100), directory)
    }

    /// Writes or deletes a grant in the store; nothing of it has reached the cache yet.
    async fn commit(rows: &Rows, revision: u64, grant: &str, kind: ChangeKind) -> Change {
        let id = format!("{KEY}/{grant}");
        let mut transaction = rows.store.begin().await.expect("begins");
        let row = if kind == ChangeKind::Put {
            let body = GrantBody {
                version: VERSION,
                grantee: "arn:aws:iam::111122223333:user/ann".to_owned(),
                operations: Vec::new(),
                created: Timestamp::from_micros(0),
                issuer: "arn:aws:iam::111122223333:root".to_owned(),
                name: None,
                retiring: None,
                constraints: Default::default(),
            };
            let row = rows
                .store_key
                .seal_row(Table::Grants, &id, KEY, revision, body.to_bytes());
            transaction.put_row(Table::Grants, &row).await.expect("puts");
            Some(row)
        } else {
            transaction.delete_row(Table::Grants, &id).await.expect("deletes");
            None
        };
        let row = row.as_ref();
        let change = rows.store_key.seal_change(revision, 0, 1, Table::Grants, &id, row);
        transaction
            .append_changes(std::slice::from_ref(&change))
            .await
            .expect("appends");
        transaction.commit().await.expect("commits");
        change
    }

    fn ids(set: &GrantSet) -> Vec<&str> {
        set.in_order().into_iter().map(|grant| &*grant.id).collect()
    }

    #[tokio::test]
    async fn a_grant_revoked_while_a_set_is_looked_at_again_does_not_stay_in_the_cache() {
        let (rows, _directory) = rows().await;
        for (revision, grant) in [(1, "a"), (2, "b")] {
            let change = commit(&rows, revision, grant, ChangeKind::Put).await;
            rows.apply(&[change], revision);
        }
        assert_eq!(ids(&rows.grants(KEY).await.expect("reads")), ["a", "b"]);
        let change = commit(&rows, 3, "a", ChangeKind::Put).await;
        rows.apply(&[change], 3);
        // As `grants` does: the revision, then the set. What comes in between is in neither.
        let synced = rows.synced();
        let Some(Entry::GrantSet(taken)) = rows.cached(Table::Grants, KEY) else {
            panic!("a set");
        };
        let change = commit(&rows, 4, "b", ChangeKind::Delete).await;
        rows.apply(&[change], 4);
        rows.refresh_grants(&taken, synced).await.expect("reads");
        assert_eq!(ids(&rows.grants(KEY).await.expect("reads")), ["a"]);
    }
}
