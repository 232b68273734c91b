//! A store in memory that keeps the port's contract as far as the service uses it, and that a test can edit, hold and break.
//!
//! What the real store does beyond (limits, dropped statements, several databases) is the conformance suite's; `opening` runs the
//! service on SQLite, too.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bulla_store::{
    Change, CheckpointRow, EventRow, HeadRow, Lookup, Row, RowFilter, Store, StoreError, Table, Transaction,
};
use tokio::sync::{OwnedMutexGuard, watch};

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Data {
    pub(crate) rows: BTreeMap<(Table, String), Row>,
    pub(crate) changes: Vec<Change>,
    pub(crate) events: Vec<EventRow>,
    pub(crate) checkpoints: Vec<CheckpointRow>,
    pub(crate) head: Option<HeadRow>,
}

/// Where a transaction fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Begin,
    Head,
    PutRow,
    Changes,
    Events,
    Checkpoint,
    PutHead,
    /// Nothing was committed.
    Commit,
    /// It was committed, and not said so.
    CommitUnknown,
    /// A read outside of a transaction.
    Lookup,
}

#[derive(Debug, Default)]
struct Database {
    data: Mutex<Data>,
    lock: Arc<tokio::sync::Mutex<()>>,
}

/// One node's connection to a database in memory.
#[derive(Debug, Clone)]
pub(crate) struct MemoryStore {
    database: Arc<Database>,
    fault: Arc<Mutex<Option<Step>>>,
    /// While true, this node's `begin` waits.
    held: watch::Sender<bool>,
    /// How often this node's `begin` was called.
    pub(crate) begun: watch::Sender<u64>,
    /// While true, what this node has read outside of a transaction does not reach it.
    reads_held: watch::Sender<bool>,
    /// How often this node read rows.
    pub(crate) read: watch::Sender<u64>,
}

impl MemoryStore {
    pub(crate) fn new() -> Self {
        Self {
            database: Arc::default(),
            fault: Arc::default(),
            held: watch::Sender::new(false),
            begun: watch::Sender::new(0),
            reads_held: watch::Sender::new(false),
            read: watch::Sender::new(0),
        }
    }

    /// Another node's connection to the same database.
    pub(crate) fn another(&self) -> Self {
        Self {
            database: self.database.clone(),
            ..Self::new()
        }
    }

    /// A database of its own with the same content, as restored from a backup.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        *copy.edit() = self.edit().clone();
        copy
    }

    pub(crate) fn edit(&self) -> MutexGuard<'_, Data> {
        self.database.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn fail_at(&self, step: Option<Step>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub(crate) fn hold_reads(&self, held: bool) {
        self.reads_held.send_replace(held);
    }

    /// What was read is on its way.
    async fn deliver<T>(&self, read: T) -> Result<T, StoreError> {
        self.read.send_modify(|read| *read += 1);
        let mut held = self.reads_held.subscribe();
        held.wait_for(|held| !held).await.expect("the store holds the sender");
        Ok(read)
    }

    fn page(&self, table: Table, filter: RowFilter<'_>, after: Option<&str>, limit: u32) -> Vec<Lookup> {
        let data = self.edit();
        let wanted = |row: &&Row| match filter {
            RowFilter::All => true,
            RowFilter::Owner(owner) => row.owner == owner,
        };
        data.rows
            .iter()
            .filter(|((of, id), _)| *of == table && after.is_none_or(|after| id.as_str() > after))
            .map(|(_, row)| row)
            .filter(wanted)
            .take(limit as usize)
            .map(|row| Lookup {
                row: Some(row.clone()),
                newest_change: data.newest_change(table, &row.id).cloned(),
            })
            .collect()
    }

    fn check(&self, step: Step) -> Result<(), StoreError> {
        if *self.fault.lock().unwrap_or_else(PoisonError::into_inner) == Some(step) {
            return Err(StoreError::Failed(Box::new(io::Error::other("broken by the test"))));
        }
        Ok(())
    }
}

impl Data {
    pub(crate) fn newest_change(&self, table: Table, id: &str) -> Option<&Change> {
        self.changes
            .iter()
            .rev()
            .find(|change| change.table == table && change.id == id)
    }

    fn changes_after(&self, after: u64, limit: u32) -> Vec<Change> {
        self.changes
            .iter()
            .filter(|change| change.revision > after)
            .take(limit as usize)
            .cloned()
            .collect()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn head(&self) -> Result<Option<HeadRow>, StoreError> {
        Ok(self.edit().head.clone())
    }

    async fn lookup(&self, table: Table, id: &str) -> Result<Lookup, StoreError> {
        self.check(Step::Lookup)?;
        let lookup = {
            let data = self.edit();
            Lookup {
                row: data.rows.get(&(table, id.to_owned())).cloned(),
                newest_change: data.newest_change(table, id).cloned(),
            }
        };
        self.deliver(lookup).await
    }

    async fn list(
        &self,
        table: Table,
        filter: RowFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError> {
        let page = self.page(table, filter, after, limit);
        self.deliver(page).await
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        Ok(self.edit().changes_after(after, limit))
    }

    async fn count_revisions(&self) -> Result<u64, StoreError> {
        let mut revisions: Vec<u64> = self.edit().changes.iter().map(|change| change.revision).collect();
        revisions.dedup();
        Ok(revisions.len() as u64)
    }

    async fn events(&self, from: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        Ok(self
            .edit()
            .events
            .iter()
            .filter(|event| event.sequence >= from)
            .take(limit as usize)
            .cloned()
            .collect())
    }

    async fn checkpoints(&self, after: u64, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        Ok(self
            .edit()
            .checkpoints
            .iter()
            .filter(|row| row.size > after)
            .take(limit as usize)
            .cloned()
            .collect())
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        self.begun.send_modify(|begun| *begun += 1);
        let mut held = self.held.subscribe();
        held.wait_for(|held| !held).await.expect("the store holds the sender");
        self.check(Step::Begin)?;
        let lock = self.database.lock.clone().lock_owned().await;
        let data = self.edit().clone();
        Ok(Box::new(MemoryTransaction {
            store: self.clone(),
            data,
            _lock: lock,
        }))
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.begin().await?.commit().await
    }
}

struct MemoryTransaction {
    store: MemoryStore,
    data: Data,
    _lock: OwnedMutexGuard<()>,
}

fn conflict<T>(what: String) -> Result<T, StoreError> {
    Err(StoreError::Conflict { what })
}

#[async_trait]
impl Transaction for MemoryTransaction {
    async fn head(&mut self) -> Result<Option<HeadRow>, StoreError> {
        self.store.check(Step::Head)?;
        Ok(self.data.head.clone())
    }

    async fn changes(&mut self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        Ok(self.data.changes_after(after, limit))
    }

    async fn put_row(&mut self, table: Table, row: &Row) -> Result<(), StoreError> {
        self.store.check(Step::PutRow)?;
        self.data.rows.insert((table, row.id.clone()), row.clone());
        Ok(())
    }

    async fn delete_row(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        self.data.rows.remove(&(table, id.to_owned()));
        Ok(())
    }

    async fn append_changes(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.store.check(Step::Changes)?;
        for change in changes {
            let same = |other: &Change| (other.revision, other.ordinal) == (change.revision, change.ordinal);
            if self.data.changes.iter().rev().any(same) {
                return conflict(format!("change {}", change.revision));
            }
            self.data.changes.push(change.clone());
        }
        self.data
            .changes
            .sort_by_key(|change| (change.revision, change.ordinal));
        Ok(())
    }

    async fn append_events(&mut self, events: &[EventRow]) -> Result<(), StoreError> {
        self.store.check(Step::Events)?;
        for event in events {
            if self
                .data
                .events
                .iter()
                .rev()
                .any(|other| other.sequence == event.sequence)
            {
                return conflict(format!("event {}", event.sequence));
            }
            self.data.events.push(event.clone());
        }
        self.data.events.sort_by_key(|event| event.sequence);
        Ok(())
    }

    async fn put_checkpoint(&mut self, checkpoint: &CheckpointRow) -> Result<(), StoreError> {
        self.store.check(Step::Checkpoint)?;
        if self.data.checkpoints.iter().any(|other| other.size == checkpoint.size) {
            return conflict(format!("checkpoint {}", checkpoint.size));
        }
        self.data.checkpoints.push(checkpoint.clone());
        self.data.checkpoints.sort_by_key(|checkpoint| checkpoint.size);
        Ok(())
    }

    async fn put_head(&mut self, head: &HeadRow) -> Result<(), StoreError> {
        self.store.check(Step::PutHead)?;
        self.data.head = Some(head.clone());
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.store.check(Step::Commit)?;
        *self.store.edit() = self.data;
        self.store
            .check(Step::CommitUnknown)
            .map_err(|error| StoreError::Unknown(Box::new(error)))
    }
}
