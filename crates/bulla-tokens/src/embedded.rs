//! The store for one machine: a SQLite file.
//!
//! Several processes of the machine may have it open. What it acknowledges survives the loss of power (`synchronous=FULL`).

mod schema;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_model::Clock;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, SqliteConnection, Transaction};

use crate::place::{ClientPlaces, Place};
use crate::store::{
    Acquired, Condition, Entry, Lease, MAX_ENTRIES, MAX_VERSION, StoreError, StoreErrorKind, TOMBSTONE, TokenStore,
    Write, Written, highest_believed,
};

/// A token store in a SQLite file.
pub struct EmbeddedStore {
    pool: SqlitePool,
    clock: Arc<dyn Clock>,
}

impl EmbeddedStore {
    /// Opens the file, making it (mode 0600 is the directory's to see to) and its tables where they are missing.
    ///
    /// # Errors
    /// [`StoreError`] where it can't be opened, or is no store of this version.
    pub async fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await
            .map_err(store_error)?;
        schema::prepare(&pool).await?;
        Ok(Self { pool, clock })
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_micros().div_euclid(1000)
    }

    /// Begins a transaction that writes: it has the lock from its first statement.
    async fn begin(&self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)
    }
}

#[async_trait]
impl TokenStore for EmbeddedStore {
    async fn read(&self, place: &Place) -> Result<Option<Entry>, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(store_error)?;
        select(&mut connection, place.key(), self.now_ms()).await
    }

    async fn write(&self, place: &Place, write: &Write<'_>) -> Result<Written, StoreError> {
        if write.version > MAX_VERSION {
            return Err(StoreError::new(StoreErrorKind::Unusable));
        }
        let now = self.now_ms();
        let mut transaction = self.begin().await?;
        let written = decide(&mut transaction, place, write, now).await?;
        if written != Written::Stored {
            return Ok(written);
        }
        let keep = match write.record {
            Some(_) => write.keep,
            None => Some(TOMBSTONE),
        };
        let upsert = "INSERT INTO entries (place, client, member, version, record, gone_ms) VALUES (?, ?, ?, ?, ?, ?) \
                      ON CONFLICT (place) DO UPDATE SET version = excluded.version, record = excluded.record, \
                      gone_ms = excluded.gone_ms";
        sqlx::query(upsert)
            .bind(place.key())
            .bind(place.client().index())
            .bind(place.member_name())
            .bind(write.version.cast_signed())
            .bind(write.record)
            .bind(keep.map(|keep| after(now, keep)))
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Written::Stored)
    }

    async fn list(&self, client: &ClientPlaces) -> Result<Vec<Place>, StoreError> {
        let select = "SELECT member FROM entries WHERE client = ? AND record IS NOT NULL \
                      AND (gone_ms IS NULL OR gone_ms > ?) ORDER BY member";
        let rows = sqlx::query(select)
            .bind(client.index())
            .bind(self.now_ms())
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
        let members = rows
            .iter()
            .map(|row| row.try_get::<String, _>(0))
            .collect::<Result<Vec<_>, _>>();
        let members = members.map_err(store_error)?;
        Ok(members.iter().filter_map(|member| client.member(member)).collect())
    }

    async fn revoke(&self, client: &ClientPlaces, version: u64) -> Result<u64, StoreError> {
        let now = self.now_ms();
        let mut transaction = self.begin().await?;
        let raise = "INSERT INTO epochs (client, version) VALUES (?, ?) \
                     ON CONFLICT (client) DO UPDATE SET version = excluded.version \
                     WHERE version < excluded.version OR version > ?";
        sqlx::query(raise)
            .bind(client.index())
            .bind(version.min(MAX_VERSION).cast_signed())
            .bind(highest_believed(version).cast_signed())
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        let live = "SELECT count(*) FROM entries WHERE client = ? AND record IS NOT NULL \
                    AND (gone_ms IS NULL OR gone_ms > ?)";
        let count: i64 = sqlx::query_scalar(live)
            .bind(client.index())
            .bind(now)
            .fetch_one(&mut *transaction)
            .await
            .map_err(store_error)?;
        for delete in [
            "DELETE FROM entries WHERE client = ?",
            "DELETE FROM leases WHERE client = ?",
        ] {
            sqlx::query(delete)
                .bind(client.index())
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
        }
        transaction.commit().await.map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    async fn acquire(&self, place: &Place, holder: &str, time: Duration) -> Result<Acquired, StoreError> {
        let now = self.now_ms();
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT number, holder, until_ms FROM leases WHERE place = ?")
            .bind(place.lease())
            .fetch_optional(&mut *transaction)
            .await
            .map_err(store_error)?;
        let mut number = 1;
        if let Some(row) = row {
            let (last, held_by, until): (i64, String, i64) = (cell(&row, 0)?, cell(&row, 1)?, cell(&row, 2)?);
            let last = u64::try_from(last).unwrap_or(0);
            if now < until {
                if held_by == holder {
                    let holder = held_by;
                    return Ok(Acquired::Lease(Lease { number: last, holder }));
                }
                return Ok(Acquired::Held(Duration::from_millis(until.abs_diff(now))));
            }
            number = last + 1;
        }
        let upsert = "INSERT INTO leases (place, client, number, holder, until_ms) VALUES (?, ?, ?, ?, ?) \
                      ON CONFLICT (place) DO UPDATE SET number = excluded.number, holder = excluded.holder, \
                      until_ms = excluded.until_ms";
        sqlx::query(upsert)
            .bind(place.lease())
            .bind(place.client().index())
            .bind(number.cast_signed())
            .bind(holder)
            .bind(after(now, time))
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(Acquired::Lease(Lease {
            number,
            holder: holder.to_owned(),
        }))
    }

    async fn release(&self, place: &Place, lease: &Lease) -> Result<(), StoreError> {
        // Kept with its number, so that the next one is greater.
        sqlx::query("UPDATE leases SET until_ms = 0 WHERE place = ? AND number = ? AND holder = ?")
            .bind(place.lease())
            .bind(lease.number.cast_signed())
            .bind(&lease.holder)
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map_err(store_error)?;
        Ok(())
    }
}

/// Tells whether a write may happen, as the script for Redis does.
async fn decide(
    connection: &mut SqliteConnection,
    place: &Place,
    write: &Write<'_>,
    now: i64,
) -> Result<Written, StoreError> {
    if let Some(lease) = write.lease {
        let held = sqlx::query("SELECT 1 FROM leases WHERE place = ? AND number = ? AND holder = ? AND until_ms > ?")
            .bind(place.lease())
            .bind(lease.number.cast_signed())
            .bind(&lease.holder)
            .bind(now)
            .fetch_optional(&mut *connection)
            .await
            .map_err(store_error)?;
        if held.is_none() {
            return Ok(Written::LeaseLost);
        }
    }
    // What nobody will read again; also what makes room below.
    sqlx::query("DELETE FROM entries WHERE client = ? AND gone_ms <= ?")
        .bind(place.client().index())
        .bind(now)
        .execute(&mut *connection)
        .await
        .map_err(store_error)?;
    let entry = match select(connection, place.key(), now).await {
        // What is no entry is written over.
        Err(error) if error.kind == StoreErrorKind::Malformed && !matches!(write.condition, Condition::Version(_)) => {
            Some(Entry {
                version: 0,
                record: Some(Vec::new()),
            })
        }
        entry => entry?,
    };
    let believed = entry.as_ref().map(|entry| entry.version);
    let version = believed
        .filter(|version| Some(*version) != write.unbelieved)
        .unwrap_or(0);
    let live = entry.as_ref().is_some_and(|entry| entry.record.is_some());
    if entry.is_some_and(|entry| entry.version == write.version && entry.record.as_deref() == write.record) {
        return Ok(Written::Stored);
    }
    match write.condition {
        Condition::Live if !live => return Ok(Written::Absent),
        Condition::Version(0) if live => return Ok(Written::Conflict(version)),
        Condition::Version(expected) if expected != 0 && expected != version => return Ok(Written::Conflict(version)),
        _ => {}
    }
    let epoch: Option<i64> = sqlx::query_scalar("SELECT version FROM epochs WHERE client = ?")
        .bind(place.client().index())
        .fetch_optional(&mut *connection)
        .await
        .map_err(store_error)?;
    let highest = version.max(epoch.map_or(0, i64::cast_unsigned));
    if highest >= write.version {
        return Ok(Written::Conflict(highest));
    }
    if write.record.is_some() && !live && count(connection, place.client()).await? >= MAX_ENTRIES {
        return Ok(Written::Full);
    }
    Ok(Written::Stored)
}

async fn count(connection: &mut SqliteConnection, client: &ClientPlaces) -> Result<usize, StoreError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM entries WHERE client = ? AND record IS NOT NULL")
        .bind(client.index())
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

async fn select(connection: &mut SqliteConnection, key: &str, now: i64) -> Result<Option<Entry>, StoreError> {
    let row = sqlx::query("SELECT version, record FROM entries WHERE place = ? AND (gone_ms IS NULL OR gone_ms > ?)")
        .bind(key)
        .bind(now)
        .fetch_optional(connection)
        .await
        .map_err(store_error)?;
    let Some(row) = row else { return Ok(None) };
    let version: i64 = cell(&row, 0)?;
    let record: Option<Vec<u8>> = cell(&row, 1)?;
    let version = u64::try_from(version).map_err(|error| StoreError::caused(StoreErrorKind::Malformed, error))?;
    Ok(Some(Entry { version, record }))
}

fn cell<'r, T>(row: &'r SqliteRow, at: usize) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, Sqlite> + sqlx::Type<Sqlite>,
{
    row.try_get(at)
        .map_err(|error| StoreError::caused(StoreErrorKind::Malformed, error))
}

fn after(now_ms: i64, time: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX).max(1))
}

pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let code = match &error {
        sqlx::Error::Database(database) => database.code().and_then(|code| code.parse::<i32>().ok()),
        _ => None,
    };
    // The low byte of SQLite's code is the error, what is above it the detail.
    let kind = match code.map(|code| code & 0xff) {
        Some(13) => StoreErrorKind::Full,
        Some(3 | 8 | 23) => StoreErrorKind::Denied,
        Some(11 | 26) => StoreErrorKind::Malformed,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::caused(kind, error)
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmbeddedStore")
    }
}
