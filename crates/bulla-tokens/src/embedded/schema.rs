use sqlx::sqlite::SqlitePool;

use super::store_error;
use crate::store::{StoreError, StoreErrorKind};

/// The layout that this program writes; in the file's `user_version`.
const VERSION: i64 = 1;

const TABLES: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS entries (place TEXT PRIMARY KEY NOT NULL, client TEXT NOT NULL, member TEXT NOT NULL, \
     version INTEGER NOT NULL, record BLOB, gone_ms INTEGER) STRICT, WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS entries_of_client ON entries (client, member)",
    "CREATE TABLE IF NOT EXISTS leases (place TEXT PRIMARY KEY NOT NULL, client TEXT NOT NULL, number INTEGER NOT NULL, \
     holder TEXT NOT NULL, until_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS epochs (client TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL) STRICT, WITHOUT ROWID",
];

/// Makes the tables in an empty file, and refuses a file of another version.
pub(super) async fn prepare(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await
        .map_err(store_error)?;
    match version {
        VERSION => Ok(()),
        0 => {
            for table in TABLES {
                sqlx::query(table)
                    .execute(&mut *transaction)
                    .await
                    .map_err(store_error)?;
            }
            sqlx::query("PRAGMA user_version = 1")
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
            transaction.commit().await.map_err(store_error)
        }
        _ => Err(StoreError::new(StoreErrorKind::Malformed)),
    }
}
