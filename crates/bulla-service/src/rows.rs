//! What this node believes of the store's rows: verification on each load, the cache, and the index of newest changes.

mod grant_sets;
mod newest;
mod recent;

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bulla_model::{MaterialId, Region};
use bulla_store::{Change, ChangeKind, Lookup, Row, RowFilter, Store, Table};
use quick_cache::sync::Cache;
use tokio::sync::Notify;
use tokio::sync::mpsc::WeakSender;

use crate::committer::Message;
use crate::entry::{AliasEntry, Entry};
use crate::freshness::look;
use crate::keyring::StoreKey;
use crate::metrics::count;
use crate::row_ids::{RowKey, RowKeyRef, version_row};
pub(crate) use crate::rows::newest::Doubt;
use crate::rows::newest::Newest;
pub(crate) use crate::rows::recent::RecentChange;
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
    /// Events that the log has at least: as many as its head had that was believed last.
    log_size: AtomicU64,
    /// Tells those who wait that it moved.
    pub(crate) moved: Notify,
    newest: Mutex<Newest>,
    /// Who catches up with other nodes; not held, so that the committer ends when nobody can ask any more.
    pub(crate) committer: OnceLock<WeakSender<Message>>,
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
            log_size: AtomicU64::new(0),
            moved: Notify::new(),
            newest: Mutex::default(),
            committer: OnceLock::new(),
        }
    }

    /// The revision up to which everything cached is current.
    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }

    /// How many events the log has, as far as this node has heard.
    pub(crate) fn log_size(&self) -> u64 {
        self.log_size.load(Ordering::Acquire)
    }

    pub(crate) fn log_has(&self, events: u64) {
        self.log_size.fetch_max(events, Ordering::AcqRel);
    }

    /// Every change after a revision that can concern a cache, newest first, and up to which revision; `None` where they are too many to
    /// be known by name.
    pub(crate) fn changed_since(&self, revision: u64) -> (u64, Option<Vec<RecentChange>>) {
        let newest = self.newest();
        (self.synced(), newest.recent.since(revision))
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
