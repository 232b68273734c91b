use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_store::{
    Change, CheckpointRow, EventRow, HeadRow, Lookup, RowFilter, Store, StoreError, Table, Transaction, limits,
};
use sqlx::any::AnyRow;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connections::{ANSWER_TIMEOUT, Connections, no_answer};
use crate::dialect::{Dialect, Role, Settings};
use crate::options::OpenOptions;
use crate::query::{self, Bind, arguments};
use crate::statements::Statements;
use crate::transaction::SqlTransaction;
use crate::{error, rows, schema};

/// The store on SQLite, PostgreSQL, MySQL or MariaDB.
#[derive(Debug)]
pub struct SqlStore {
    dialect: Dialect,
    lock_timeout: Duration,
    statements: Arc<Statements>,
    writer: Arc<Connections>,
    readers: Arc<Connections>,
    read_only: bool,
}

impl SqlStore {
    /// Opens a database, checks that it is durable, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`], [`StoreError::Schema`] where the schema is newer or not Bulla's, and what the database answers.
    pub async fn open(options: OpenOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (dialect, connect) = options.resolve()?;
        let OpenOptions {
            lock_timeout,
            read_connections,
            read_only,
            sqlite_max_pages,
            ..
        } = options;
        let connections = |role, size| {
            let check_durable = role == Role::Writer && !read_only;
            let settings = Settings {
                role,
                lock_timeout,
                check_durable,
                sqlite_max_pages,
            };
            Connections::new(connect.clone(), dialect, settings, size)
        };
        let store = Self {
            dialect,
            lock_timeout,
            statements: Arc::new(Statements::build(dialect)),
            writer: connections(Role::Writer, 1),
            readers: connections(Role::Reader, read_connections),
            read_only,
        };
        store.prepare().await?;
        Ok(store)
    }

    /// Opens the database of a URL with the default options.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(OpenOptions::new(url)).await
    }

    /// Closes all connections; what is called later answers [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn prepare(&self) -> Result<(), StoreError> {
        let deadline = Instant::now() + self.lock_timeout;
        let connections = if self.read_only { &self.readers } else { &self.writer };
        let lease = connections.lease(deadline).await?.ok_or_else(busy)?;
        loop {
            let prepared = async {
                let mut connection = lease.connect().await?;
                if self.read_only {
                    schema::check(&mut connection, self.dialect).await?;
                } else {
                    schema::migrate(&mut connection, self.dialect, self.lock_timeout).await?;
                }
                Ok(connection)
            };
            match prepared.await {
                Ok(connection) => {
                    lease.give_back(connection);
                    return Ok(());
                }
                // SQLite does not wait for another process that is just turning the file into its write-ahead mode.
                Err(StoreError::Busy(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs one statement that reads.
    async fn fetch(&self, sql: &Arc<str>, values: &[Bind<'_>]) -> Result<Vec<AnyRow>, StoreError> {
        let lease = self
            .readers
            .lease(Instant::now() + ANSWER_TIMEOUT)
            .await?
            .ok_or_else(no_answer)?;
        if let Some(mut connection) = lease.reuse() {
            let rows = timeout(ANSWER_TIMEOUT, query::fetch(&mut connection, sql, arguments(values)?)).await;
            match rows.unwrap_or_else(|_| Err(no_answer())) {
                // It may have broken while it was idle: once more on a new one.
                Err(error) if error::is_lost_connection(&error) => drop(connection),
                answer => {
                    lease.give_back(connection);
                    return answer;
                }
            }
        }
        let mut connection = lease.connect().await?;
        let rows = timeout(ANSWER_TIMEOUT, query::fetch(&mut connection, sql, arguments(values)?)).await;
        let rows = rows.unwrap_or_else(|_| Err(no_answer()))?;
        lease.give_back(connection);
        Ok(rows)
    }

    async fn begin_transaction(&self) -> Result<SqlTransaction, StoreError> {
        if self.read_only {
            return Err(StoreError::ReadOnly("opened for reading only".into()));
        }
        let deadline = Instant::now() + self.lock_timeout;
        let lease = self.writer.lease(deadline).await?.ok_or_else(busy)?;
        // The database counts the lock timeout itself and answers first; the margin is for a database that does not answer.
        let deadline = deadline.max(Instant::now()) + self.lock_timeout + Duration::from_secs(1);
        let mut reused = lease.reuse();
        loop {
            let may_be_broken = reused.is_some();
            let mut connection = match reused.take() {
                Some(connection) => connection,
                None => lease.connect().await?,
            };
            let begun = SqlTransaction::begin(self.dialect, &self.statements, &mut connection);
            match timeout_at(deadline, begun).await {
                Ok(Ok(head)) => {
                    return Ok(SqlTransaction::new(
                        self.dialect,
                        Arc::clone(&self.statements),
                        head,
                        lease,
                        connection,
                    ));
                }
                Ok(Err(error)) if may_be_broken && error::is_lost_connection(&error) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(busy()),
            }
        }
    }
}

fn busy() -> StoreError {
    StoreError::Busy("another transaction held the lock for longer than the lock timeout".into())
}

#[async_trait]
impl Store for SqlStore {
    async fn head(&self) -> Result<Option<HeadRow>, StoreError> {
        self.fetch(&self.statements.head, &[])
            .await?
            .first()
            .map(rows::head)
            .transpose()
    }

    async fn lookup(&self, table: Table, id: &str) -> Result<Lookup, StoreError> {
        limits::id(id)?;
        let answer = self
            .fetch(&self.statements.table(table).lookup, &[Bind::Text(id); 4])
            .await?;
        match answer.first() {
            Some(row) => rows::lookup(row, table, Some(id)),
            None => Ok(Lookup {
                row: None,
                newest_change: None,
            }),
        }
    }

    async fn list(
        &self,
        table: Table,
        filter: RowFilter<'_>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Lookup>, StoreError> {
        let limit = Bind::Integer(limits::list_limit(limit)?.into());
        // Ids have at least one byte.
        let after = after.unwrap_or_default();
        if !after.is_empty() {
            limits::id(after)?;
        }
        let after = Bind::Text(after);
        let statements = self.statements.table(table);
        let answer = match filter {
            RowFilter::All => self.fetch(&statements.list_all, &[after, limit]).await?,
            RowFilter::Owner(owner) => {
                limits::owner(owner)?;
                self.fetch(&statements.list_owned, &[Bind::Text(owner), after, limit])
                    .await?
            }
        };
        answer.iter().map(|row| rows::lookup(row, table, None)).collect()
    }

    async fn changes(&self, after: u64, limit: u32) -> Result<Vec<Change>, StoreError> {
        let limit = limits::changes_limit(limit)?;
        let Ok(after) = i64::try_from(after) else {
            return Ok(Vec::new());
        };
        let answer = self
            .fetch(
                &self.statements.changes,
                &[Bind::Integer(after), Bind::Integer(limit.into())],
            )
            .await?;
        answer.iter().map(rows::change).collect()
    }

    async fn count_revisions(&self) -> Result<u64, StoreError> {
        let answer = self.fetch(&self.statements.count_revisions, &[]).await?;
        answer
            .first()
            .map_or(Ok(0), |row| query::number(row, 0, "the number of revisions"))
    }

    async fn events(&self, from: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        let limit = limits::log_limit(limit)?;
        let Ok(from) = i64::try_from(from) else {
            return Ok(Vec::new());
        };
        let answer = self
            .fetch(
                &self.statements.events,
                &[Bind::Integer(from), Bind::Integer(limit.into())],
            )
            .await?;
        answer.iter().map(rows::event).collect()
    }

    async fn checkpoints(&self, after: u64, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        let limit = limits::log_limit(limit)?;
        let Ok(after) = i64::try_from(after) else {
            return Ok(Vec::new());
        };
        let values = [Bind::Integer(after), Bind::Integer(limit.into())];
        self.fetch(&self.statements.checkpoints, &values)
            .await?
            .iter()
            .map(rows::checkpoint)
            .collect()
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(self.begin_transaction().await?))
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.begin_transaction().await?.probe().await
    }
}
