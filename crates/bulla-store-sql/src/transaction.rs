use std::sync::Arc;

use async_trait::async_trait;
use bulla_store::{
    Change, CheckpointRow, EventRow, GroupCommit, HeadRow, Row, RowWrite, StoreError, Table, Transaction, limits,
};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, Arguments};
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::connections::{ANSWER_TIMEOUT, Lease, no_answer};
use crate::dialect::Dialect;
use crate::error;
use crate::query::{self, Bind, arguments, bind, signed};
use crate::rows;
use crate::statements::{CHUNKS, GROUP, Statements};

/// The one transaction. After any error but [`StoreError::Limit`] it is over.
pub(crate) struct SqlTransaction {
    dialect: Dialect,
    statements: Arc<Statements>,
    /// As of `begin`, or as put since: under the lock nobody else writes it.
    head: Option<HeadRow>,
    /// `None` when it is over.
    open: Option<(Lease, AnyConnection)>,
}

impl SqlTransaction {
    /// Begins on a connection, and takes the lock.
    pub(crate) async fn begin(
        dialect: Dialect,
        statements: &Arc<Statements>,
        connection: &mut AnyConnection,
    ) -> Result<Option<HeadRow>, StoreError> {
        if dialect.begin_locks() {
            return read_head(connection, &statements.begin_and_read).await;
        }
        query::control(connection, dialect.begin())
            .await
            .map_err(error::from_sqlx)?;
        if let Some(head) = read_head(connection, &statements.lock_head).await? {
            return Ok(Some(head));
        }
        // No head row to lock yet: the schema's row stands in for it. Who waited here for the one who made the head locks the head too.
        query::fetch(connection, &statements.lock_schema, AnyArguments::default()).await?;
        read_head(connection, &statements.lock_head).await
    }

    pub(crate) fn new(
        dialect: Dialect,
        statements: Arc<Statements>,
        head: Option<HeadRow>,
        lease: Lease,
        connection: AnyConnection,
    ) -> Self {
        Self {
            dialect,
            statements,
            head,
            open: Some((lease, connection)),
        }
    }

    pub(crate) async fn probe(mut self) -> Result<(), StoreError> {
        let statements = Arc::clone(&self.statements);
        self.execute(&statements.probe, AnyArguments::default()).await?;
        Box::new(self).commit().await
    }

    async fn execute(&mut self, sql: &Arc<str>, arguments: AnyArguments) -> Result<(), StoreError> {
        // Owned while the statement runs: should this future be dropped, the connection closes and the database rolls back.
        let (lease, mut connection) = self.take()?;
        let done = timeout(ANSWER_TIMEOUT, query::execute(&mut connection, sql, arguments)).await;
        self.put_back(lease, connection, done.unwrap_or_else(|_| Err(no_answer())))
            .await
    }

    async fn fetch(&mut self, sql: &Arc<str>, arguments: AnyArguments) -> Result<Vec<AnyRow>, StoreError> {
        let (lease, mut connection) = self.take()?;
        let rows = timeout(ANSWER_TIMEOUT, query::fetch(&mut connection, sql, arguments)).await;
        self.put_back(lease, connection, rows.unwrap_or_else(|_| Err(no_answer())))
            .await
    }

    fn take(&mut self) -> Result<(Lease, AnyConnection), StoreError> {
        self.open
            .take()
            .ok_or_else(|| StoreError::Failed("the transaction is over: a statement in it failed".into()))
    }

    async fn put_back<T>(
        &mut self,
        lease: Lease,
        connection: AnyConnection,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match &result {
            Ok(_) => self.open = Some((lease, connection)),
            Err(error) if error::is_lost_connection(error) => {}
            Err(_) => roll_back(lease, connection).await,
        }
        result
    }

    async fn write_rows(&mut self, rows: &[RowWrite], changes: &[Change]) -> Result<(), StoreError> {
        for row in rows {
            match row {
                RowWrite::Put(table, row) => self.put_row(*table, row).await?,
                RowWrite::Delete(table, id) => self.delete_row(*table, id).await?,
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        self.append_changes(changes).await
    }

    /// Inserts rows in chunks of the sizes for which there are prepared statements.
    async fn insert<T>(
        &mut self,
        which: impl Fn(&Statements) -> &[Arc<str>; CHUNKS.len()],
        width: usize,
        mut rows: &[T],
        values: impl Fn(&mut AnyArguments, &T) -> Result<(), StoreError> + Send + Sync,
        name: impl Fn(&T, &T) -> String,
    ) -> Result<(), StoreError> {
        for (index, size) in CHUNKS.into_iter().enumerate() {
            while rows.len() >= size {
                let (chunk, rest) = rows.split_at(size);
                let mut arguments = AnyArguments::default();
                arguments.reserve(width * size, 0);
                for row in chunk {
                    values(&mut arguments, row)?;
                }
                let sql = Arc::clone(&which(&self.statements)[index]);
                let inserted = self.execute(&sql, arguments).await;
                inserted.map_err(|error| error::conflict_on(error, || name(&chunk[0], &chunk[size - 1])))?;
                rows = rest;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Transaction for SqlTransaction {
    async fn head(&mut self) -> Result<Option<HeadRow>, StoreError> {
        Ok(self.head.clone())
    }

    async fn changes(&mut self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let limit = limits::changes_limit(limit)?;
        let Ok(after) = i64::try_from(after) else {
            return Ok(Vec::new());
        };
        let statements = Arc::clone(&self.statements);
        let arguments = arguments(&[Bind::Integer(after), Bind::Integer(limit.into())])?;
        self.fetch(&statements.changes, arguments)
            .await?
            .iter()
            .map(rows::change)
            .collect()
    }

    async fn put_row(&mut self, table: Table, row: &Row) -> Result<(), StoreError> {
        limits::row(row)?;
        let statements = Arc::clone(&self.statements);
        let arguments = arguments(&[
            Bind::Text(&row.id),
            Bind::Text(&row.owner),
            Bind::Integer(signed(row.revision, "a row's revision")?),
            Bind::Bytes(&row.body),
            Bind::Bytes(&row.mac),
        ])?;
        self.execute(&statements.table(table).put, arguments).await
    }

    async fn delete_row(&mut self, table: Table, id: &str) -> Result<(), StoreError> {
        limits::id(id)?;
        let statements = Arc::clone(&self.statements);
        self.execute(&statements.table(table).delete, arguments(&[Bind::Text(id)])?)
            .await
    }

    async fn append_changes(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        for change in changes {
            limits::change(change)?;
            signed(change.revision, "a change's revision")?;
        }
        self.insert(
            |statements| &statements.insert_changes,
            7,
            changes,
            |arguments, change| {
                bind(
                    arguments,
                    Bind::Integer(signed(change.revision, "a change's revision")?),
                )?;
                bind(arguments, Bind::Integer(change.ordinal.into()))?;
                bind(arguments, Bind::Integer(change.count.into()))?;
                bind(arguments, Bind::Text(change.table.name()))?;
                bind(arguments, Bind::Text(&change.id))?;
                bind(arguments, Bind::Integer(rows::kind_number(change.kind)))?;
                bind(arguments, Bind::Bytes(&change.mac))
            },
            |first, last| match (first.revision, last.revision) {
                (first, last) if first == last => format!("a change of revision {first}"),
                (first, last) => format!("a change of the revisions {first} to {last}"),
            },
        )
        .await
    }

    async fn append_events(&mut self, events: &[EventRow]) -> Result<(), StoreError> {
        for event in events {
            limits::event(event)?;
            signed(event.sequence, "an event's sequence")?;
        }
        self.insert(
            |statements| &statements.insert_events,
            2,
            events,
            bind_event,
            |first, last| match (first.sequence, last.sequence) {
                (first, last) if first == last => format!("event {first}"),
                (first, last) => format!("an event from {first} to {last}"),
            },
        )
        .await
    }

    async fn commit_group(mut self: Box<Self>, group: GroupCommit<'_>) -> Result<(), StoreError> {
        self.write_rows(group.rows, group.changes).await?;
        let joined = if self.dialect.joins_statements() {
            group.events.len() % GROUP
        } else {
            0
        };
        let (alone, joined) = group.events.split_at(group.events.len() - joined);
        if !alone.is_empty() {
            self.append_events(alone).await?;
        }
        if joined.is_empty() {
            self.put_checkpoint(group.checkpoint).await?;
            self.put_head(group.head).await?;
            return self.commit().await;
        }
        limits::checkpoint(group.checkpoint)?;
        limits::head(group.head)?;
        let mut arguments = AnyArguments::default();
        arguments.reserve(2 * joined.len() + 6, 0);
        for event in joined {
            limits::event(event)?;
            bind_event(&mut arguments, event)?;
        }
        bind_checkpoint(&mut arguments, group.checkpoint)?;
        bind_head(&mut arguments, group.head)?;
        let sql = Arc::clone(&self.statements.commit_group[joined.len() - 1]);
        let (lease, mut connection) = self.take()?;
        let done = timeout(ANSWER_TIMEOUT, query::execute_as_is(&mut connection, &sql, arguments)).await;
        let what = || format!("the group commit at {}", group.head.size);
        ended(lease, connection, done).map_err(|error| error::conflict_on(error, what))
    }

    async fn put_checkpoint(&mut self, checkpoint: &CheckpointRow) -> Result<(), StoreError> {
        limits::checkpoint(checkpoint)?;
        let statements = Arc::clone(&self.statements);
        let mut arguments = AnyArguments::default();
        bind_checkpoint(&mut arguments, checkpoint)?;
        let stored = self.execute(&statements.put_checkpoint, arguments).await;
        stored.map_err(|error| error::conflict_on(error, || format!("checkpoint {}", checkpoint.size)))
    }

    async fn put_head(&mut self, head: &HeadRow) -> Result<(), StoreError> {
        limits::head(head)?;
        let statements = Arc::clone(&self.statements);
        let mut arguments = AnyArguments::default();
        bind_head(&mut arguments, head)?;
        self.execute(&statements.put_head, arguments).await?;
        self.head = Some(head.clone());
        Ok(())
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let (lease, mut connection) = self.take()?;
        let done = timeout(ANSWER_TIMEOUT, query::control(&mut connection, "COMMIT")).await;
        ended(lease, connection, done)
    }
}

/// Judges how a commit ended. After a failed one the connection goes: nobody knows what it holds.
fn ended(
    lease: Lease,
    connection: AnyConnection,
    done: Result<Result<(), sqlx::Error>, Elapsed>,
) -> Result<(), StoreError> {
    match done {
        Ok(Ok(())) => {
            lease.give_back(connection);
            Ok(())
        }
        Ok(Err(error)) => Err(error::from_commit(error)),
        Err(_) => Err(StoreError::Unknown("the database did not answer the commit".into())),
    }
}

fn bind_event(arguments: &mut AnyArguments, event: &EventRow) -> Result<(), StoreError> {
    bind(arguments, Bind::Integer(signed(event.sequence, "an event's sequence")?))?;
    bind(arguments, Bind::Bytes(&event.event))
}

fn bind_checkpoint(arguments: &mut AnyArguments, checkpoint: &CheckpointRow) -> Result<(), StoreError> {
    let size = signed(checkpoint.size, "a checkpoint's size")?;
    bind(arguments, Bind::Integer(size))?;
    bind(arguments, Bind::Text(&checkpoint.note))
}

fn bind_head(arguments: &mut AnyArguments, head: &HeadRow) -> Result<(), StoreError> {
    let revision = signed(head.metadata_revision, "the head's metadata revision")?;
    bind(arguments, Bind::Integer(signed(head.size, "the head's size")?))?;
    bind(arguments, Bind::Integer(revision))?;
    bind(arguments, Bind::Bytes(&head.state))?;
    bind(arguments, Bind::Text(&head.checkpoint))
}

impl Drop for SqlTransaction {
    fn drop(&mut self) {
        if let Some((lease, connection)) = self.open.take()
            && let Ok(runtime) = Handle::try_current()
        {
            // The lease goes with it: the next transaction begins after the roll-back. Without a runtime the connection just closes.
            runtime.spawn(roll_back(lease, connection));
        }
    }
}

async fn roll_back(lease: Lease, mut connection: AnyConnection) {
    let done = timeout(ANSWER_TIMEOUT, query::control(&mut connection, "ROLLBACK")).await;
    if matches!(done, Ok(Ok(()))) {
        lease.give_back(connection);
    }
}

async fn read_head(connection: &mut AnyConnection, sql: &Arc<str>) -> Result<Option<HeadRow>, StoreError> {
    query::fetch(connection, sql, AnyArguments::default())
        .await?
        .first()
        .map(rows::head)
        .transpose()
}
