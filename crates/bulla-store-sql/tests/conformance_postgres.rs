//! The store conformance suite on PostgreSQL, each case on a database of its own.

#[path = "support/raw.rs"]
mod raw;
#[path = "support/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_store::Store;
use bulla_store::conformance::Backend;
use bulla_store_sql::{OpenOptions, SqlStore};

use crate::server::Database;

struct Postgres(Database);

#[async_trait]
impl Backend for Postgres {
    async fn create() -> Self {
        Self(Database::create("BULLA_TEST_POSTGRES_URL").await)
    }

    async fn open(&self, lock_timeout: Duration) -> Arc<dyn Store> {
        let options = OpenOptions::new(&self.0.url).lock_timeout(lock_timeout);
        Arc::new(SqlStore::open(options).await.expect("a store"))
    }

    async fn destroy(&self) {
        self.0.destroy().await;
    }
}

bulla_store::store_conformance!(Postgres);
