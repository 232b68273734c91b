//! The store conformance suite on SQLite, each case on a file of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_store::Store;
use bulla_store::conformance::Backend;
use bulla_store_sql::{OpenOptions, SqlStore};
use tempfile::TempDir;

struct Sqlite(TempDir);

#[async_trait]
impl Backend for Sqlite {
    async fn create() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    async fn open(&self, lock_timeout: Duration) -> Arc<dyn Store> {
        let options = OpenOptions::sqlite_file(self.0.path().join("bulla.db")).lock_timeout(lock_timeout);
        Arc::new(SqlStore::open(options).await.expect("a store"))
    }

    async fn destroy(&self) {}
}

bulla_store::store_conformance!(Sqlite);
