use std::fmt;

use async_trait::async_trait;

use crate::{Change, CheckpointRow, EventRow, HeadRow, Lookup, Row, StoreError, Table};

/// Which rows of a table a listing walks, in the order of their ids (by bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFilter<'a> {
    /// All rows.
    All,
    /// Rows of this owner.
    Owner(&'a str),
}

/// A row that a transaction writes or deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowWrite {
    /// Writes this row, new or over the older one.
    Put(Table, Row),
    /// Deletes the row of this id; nothing happens where there is none.
    Delete(Table, String),
}

/// Everything that one group commit writes.
#[derive(Debug, Clone, Copy)]
pub struct GroupCommit<'a> {
    /// Rows that decide.
    pub rows: &'a [RowWrite],
    /// What the change feed says of them.
    pub changes: &'a [Change],
    /// The events, in order.
    pub events: &'a [EventRow],
    /// The signed checkpoint over the last of them.
    pub checkpoint: &'a CheckpointRow,
    /// The head after them.
    pub head: &'a HeadRow,
}

/// Keeps the service's state.
///
/// # Contract
/// - **Durability.** When [`Transaction::commit`] returns `Ok`, its effects survive the loss of power. A store that can't promise
///   this says so when it is opened, and does not open.
/// - **Unknown outcome.** When `commit` fails, the transaction may or may not have happened: the caller answers nobody with success
///   and reads the head again.
/// - **Isolation.** One [`Transaction`] at a time, over all processes on the same database: `begin` waits for the head row's lock, at
///   most the store's lock timeout, then answers [`StoreError::Busy`]. Reads outside a transaction see committed rows only, and never wait
///   for a transaction.
/// - **Order.** Listings are in byte order of ids on every database.
/// - **Damage.** A row or a newest change with a value of an impossible form is shown with a MAC of zeros, which verifies nowhere, and keeps
///   nobody from the others.
/// - **Absence.** Not found is `Ok(None)` or an empty list.
#[async_trait]
pub trait Store: Send + Sync + fmt::Debug {
    /// Reads the head; `None` before the store was initialised.
    async fn head(&self) -> Result<Option<HeadRow>, StoreError>;

    /// Reads one row and the newest change that names it, as of one moment.
    async fn lookup(&self, table: Table, id: &str) -> Result<Lookup, StoreError>;

    /// Lists rows after the id `after`, each with the newest change that names it, at most `limit` (1 to 1,000).
    async fn list(
        &self,
        table: Table,
        filter: RowFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError>;

    /// Lists changes with a revision greater than `after`, in order, at most `limit` rows (1 to 10,000).
    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError>;

    /// Counts the distinct revisions in the change feed; equals the head's metadata revision unless rows are missing.
    async fn count_revisions(&self) -> Result<u64, StoreError>;

    /// Lists events from sequence `from`, in order, at most `limit` (1 to 10,000).
    async fn events(&self, from: u64, limit: u32) -> Result<Vec<EventRow>, StoreError>;

    /// Lists checkpoints with a size greater than `after`, in order, at most `limit` (1 to 10,000).
    async fn checkpoints(&self, after: u64, limit: u32) -> Result<Vec<CheckpointRow>, StoreError>;

    /// Begins the one transaction.
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError>;

    /// Writes nothing and commits durably: shows that the store can still be written. For readiness.
    async fn probe(&self) -> Result<(), StoreError>;
}

/// A change, its audit events and the checkpoint over them, together or not at all.
///
/// Dropped without [`commit`](Self::commit), nothing of it happened. After an error of any of its methods but [`StoreError::Limit`], and
/// after a call whose future was dropped, it is over: each further call fails, `commit` too.
#[async_trait]
pub trait Transaction: Send {
    /// Reads the head under the lock; `None` before the store was initialised.
    async fn head(&mut self) -> Result<Option<HeadRow>, StoreError>;

    /// Lists changes with a revision greater than `after`, in order, at most `limit` rows (1 to 10,000).
    async fn changes(&mut self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError>;

    /// Writes a row, new or over the older one.
    async fn put_row(&mut self, table: Table, row: &Row) -> Result<(), StoreError>;

    /// Deletes a row; nothing happens where there is none.
    async fn delete_row(&mut self, table: Table, id: &str) -> Result<(), StoreError>;

    /// Appends to the change feed; a revision and ordinal that exist are [`StoreError::Conflict`].
    async fn append_changes(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Appends events; a sequence that exists is [`StoreError::Conflict`].
    async fn append_events(&mut self, events: &[EventRow]) -> Result<(), StoreError>;

    /// Stores a checkpoint; a size that exists is [`StoreError::Conflict`].
    async fn put_checkpoint(&mut self, checkpoint: &CheckpointRow) -> Result<(), StoreError>;

    /// Writes the head, the first or over the older one.
    async fn put_head(&mut self, head: &HeadRow) -> Result<(), StoreError>;

    /// Makes all of it durable and visible.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;

    /// Writes a whole group commit and makes it durable: as `put_row` and `delete_row`, `append_changes`, `append_events`,
    /// `put_checkpoint`, `put_head` and `commit` do, in this order.
    ///
    /// A store whose database is asked with fewer round trips for all at once overrides it; the outcome is the same, but what failed
    /// before the commit may be [`StoreError::Unknown`], too.
    async fn commit_group(mut self: Box<Self>, group: GroupCommit<'_>) -> Result<(), StoreError> {
        for row in group.rows {
            match row {
                RowWrite::Put(table, row) => self.put_row(*table, row).await?,
                RowWrite::Delete(table, id) => self.delete_row(*table, id).await?,
            }
        }
        if !group.changes.is_empty() {
            self.append_changes(group.changes).await?;
        }
        self.append_events(group.events).await?;
        self.put_checkpoint(group.checkpoint).await?;
        self.put_head(group.head).await?;
        self.commit().await
    }
}
