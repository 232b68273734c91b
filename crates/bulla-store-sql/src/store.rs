use async_trait::async_trait;
use bulla_store::{
    Change, CheckpointRow, EventRow, HeadRow, Lookup, RowFilter, Store, StoreError, Table, Transaction,
};

use crate::OpenOptions;

/// The store on SQLite, PostgreSQL, MySQL or MariaDB.
#[derive(Debug)]
pub struct SqlStore {}

impl SqlStore {
    /// Opens a database, migrates it, and checks that it is durable.
    pub async fn open(_options: OpenOptions) -> Result<Self, StoreError> {
        Err(later())
    }

    /// Opens the database of a URL with the default options.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(OpenOptions::new(url)).await
    }

    /// Closes all connections.
    pub async fn close(&self) {}
}

fn later() -> StoreError {
    StoreError::Failed("not built yet".into())
}

#[async_trait]
impl Store for SqlStore {
    async fn head(&self) -> Result<Option<HeadRow>, StoreError> {
        Err(later())
    }
    async fn lookup(&self, _: Table, _: &str) -> Result<Lookup, StoreError> {
        Err(later())
    }
    async fn list(&self, _: Table, _: RowFilter<'_>, _: Option<&str>, _: u32) -> Result<Vec<Lookup>, StoreError> {
        Err(later())
    }
    async fn changes(&self, _: u64, _: u32) -> Result<Vec<Change>, StoreError> {
        Err(later())
    }
    async fn count_revisions(&self) -> Result<u64, StoreError> {
        Err(later())
    }
    async fn events(&self, _: u64, _: u32) -> Result<Vec<EventRow>, StoreError> {
        Err(later())
    }
    async fn checkpoints(&self, _: u64, _: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        Err(later())
    }
    async fn begin(&self) -> Result<Box<dyn Transaction>, StoreError> {
        Err(later())
    }
    async fn probe(&self) -> Result<(), StoreError> {
        Err(later())
    }
}
