//! A database of one test's own.

use std::path::Path;

use bulla_store_sql::OpenOptions;

use crate::server;

/// Where the service's store is.
pub(crate) enum Database {
    /// A file in the test's directory.
    Sqlite,
    /// A database on the server that `scripts/test` started.
    Postgres(server::Database),
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite
    }

    pub(crate) async fn postgres() -> Self {
        Self::Postgres(server::Database::create("BULLA_TEST_POSTGRES_URL").await)
    }

    pub(crate) fn options(&self, directory: &Path) -> OpenOptions {
        match self {
            Self::Sqlite => OpenOptions::sqlite_file(directory.join("bulla.db")),
            Self::Postgres(database) => OpenOptions::new(&database.url),
        }
    }

    pub(crate) async fn destroy(&self) {
        if let Self::Postgres(database) = self {
            database.destroy().await;
        }
    }
}
