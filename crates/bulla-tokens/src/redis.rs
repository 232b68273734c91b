//! Redis and Valkey, alone or as a cluster.
//!
//! # Durability
//! That of the server's own `appendonly` and `appendfsync`: an acknowledged write can be lost with the server, or with a failover to a replica
//! that did not have it yet. What is lost is fetched or put again; nothing older comes to life that a reader knows a newer version of.

mod config;
mod connection;
mod scripts;

use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, cmd};
use tokio::sync::OnceCell;

use self::connection::Connection;
use self::scripts::Scripts;
use crate::place::{ClientPlaces, Place};
use crate::store::{
    Acquired, Condition, Entry, Lease, MAX_ENTRIES, StoreError, StoreErrorKind, TOMBSTONE, TokenStore, Write, Written,
    entry_bytes, highest_believed, read_entry, read_version, version_digits,
};

pub use self::config::{RedisConfig, RedisConfigError};

/// Keys that one command deletes.
const BATCH: usize = 500;
/// How long the number of a lease outlives it.
const NUMBER_KEPT_MS: u64 = 30 * 24 * 3600 * 1000;

/// A token store in Redis or Valkey.
///
/// Connections are made when first needed and again, with backoff, when they break; nothing is sent twice unless repeating it is harmless.
#[derive(Debug)]
pub struct RedisStore {
    connection: Connection,
    scripts: Scripts,
    /// Set once the policy of eviction was asked for.
    warned: OnceCell<()>,
}

impl RedisStore {
    /// Makes a store; nothing is connected yet. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// [`RedisConfigError`] where the settings can't be used.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisConfigError> {
        Ok(Self {
            connection: Connection::new(config)?,
            scripts: Scripts::new(),
            warned: OnceCell::new(),
        })
    }

    /// Tells by which policy Redis evicts keys when its memory is full; `None` where it does not, or does not say.
    ///
    /// A lease that is evicted lets two fetch at once. Asking needs `+config|get`, which a user of its own need not have.
    pub async fn eviction(&self) -> Option<String> {
        let mut asked = cmd("CONFIG");
        asked.arg("GET").arg("maxmemory-policy");
        let (_, policy): (String, String) = self.query(&asked).await.ok()?;
        (policy != "noeviction").then_some(policy)
    }

    async fn query<T: redis::FromRedisValue>(&self, cmd: &Cmd) -> Result<T, StoreError> {
        self.connection.query(cmd).await
    }
}

#[async_trait]
impl TokenStore for RedisStore {
    async fn read(&self, place: &Place) -> Result<Option<Entry>, StoreError> {
        let bytes: Option<Vec<u8>> = self.query(cmd("GET").arg(place.key())).await?;
        bytes.map(read_entry).transpose()
    }

    async fn write(&self, place: &Place, write: &Write<'_>) -> Result<Written, StoreError> {
        let condition = match write.condition {
            Condition::Any => "any".to_owned(),
            Condition::Live => "live".to_owned(),
            Condition::Version(version) => version_digits(version),
        };
        let keep = match write.record {
            Some(_) => write.keep,
            None => Some(TOMBSTONE),
        };
        let keep_ms = keep.map_or(0, |keep| {
            u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52)
        });
        let mut invocation = self.scripts.write.prepare_invoke();
        invocation
            .key(place.key())
            .key(place.client().index())
            .key(place.client().epoch())
            .key(place.lease());
        invocation
            .arg(version_digits(write.version))
            .arg(entry_bytes(write))
            .arg(keep_ms)
            .arg(condition)
            .arg(write.lease.map(Lease::text).unwrap_or_default())
            .arg(place.member_name())
            .arg(MAX_ENTRIES)
            .arg(write.unbelieved.map(version_digits).unwrap_or_default());
        let answer: Vec<String> = self.connection.invoke(&invocation).await?;
        let answer: Vec<&str> = answer.iter().map(String::as_str).collect();
        match answer.as_slice() {
            ["stored"] => Ok(Written::Stored),
            ["absent"] => Ok(Written::Absent),
            ["lease"] => Ok(Written::LeaseLost),
            ["full"] => Ok(Written::Full),
            ["conflict", ""] => Ok(Written::Conflict(0)),
            ["conflict", version] => read_version(version.as_bytes())
                .map(Written::Conflict)
                .ok_or_else(|| StoreError::new(StoreErrorKind::Malformed)),
            ["malformed"] => Err(StoreError::new(StoreErrorKind::Malformed)),
            _ => Err(StoreError::new(StoreErrorKind::Unusable)),
        }
    }

    async fn list(&self, client: &ClientPlaces) -> Result<Vec<Place>, StoreError> {
        let mut invocation = self.scripts.list.prepare_invoke();
        invocation.key(client.index());
        let members: Vec<String> = self.connection.invoke(&invocation).await?;
        let mut places: Vec<_> = members.iter().filter_map(|member| client.member(member)).collect();
        places.sort_by(|a, b| a.member_name().cmp(b.member_name()));
        Ok(places)
    }

    async fn revoke(&self, client: &ClientPlaces, version: u64) -> Result<u64, StoreError> {
        let mut invocation = self.scripts.revoke.prepare_invoke();
        invocation
            .key(client.epoch())
            .key(client.index())
            .arg(version_digits(version))
            .arg(version_digits(highest_believed(version)));
        let members: Vec<String> = self.connection.invoke(&invocation).await?;
        let mut gone = 0;
        for batch in members.chunks(BATCH) {
            let places: Vec<_> = batch.iter().filter_map(|member| client.member(member)).collect();
            let mut leases = cmd("DEL");
            let mut entries = cmd("DEL");
            for place in &places {
                leases.arg(place.lease());
                entries.arg(place.key());
            }
            if !places.is_empty() {
                // Leases of before the epoch are nobody's already; this only clears them away.
                let _: u64 = self.query(&leases).await?;
                gone += self.query::<u64>(&entries).await?;
            }
            let _: u64 = self.query(cmd("ZREM").arg(client.index()).arg(batch)).await?;
        }
        Ok(gone)
    }

    async fn acquire(&self, place: &Place, holder: &str, time: Duration) -> Result<Acquired, StoreError> {
        let mut invocation = self.scripts.acquire.prepare_invoke();
        invocation
            .key(place.lease())
            .key(place.lease_number())
            .key(place.client().epoch())
            .arg(holder)
            .arg(u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 52))
            .arg(NUMBER_KEPT_MS);
        let (held, number): (bool, i64) = self.connection.invoke(&invocation).await?;
        let number = u64::try_from(number).unwrap_or(0);
        if held {
            return Ok(Acquired::Held(Duration::from_millis(number)));
        }
        Ok(Acquired::Lease(Lease {
            number,
            holder: holder.to_owned(),
        }))
    }

    async fn release(&self, place: &Place, lease: &Lease) -> Result<(), StoreError> {
        let mut invocation = self.scripts.release.prepare_invoke();
        invocation.key(place.lease()).arg(lease.text());
        self.connection.invoke::<()>(&invocation).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.query::<()>(&cmd("PING")).await?;
        self.warned
            .get_or_init(|| async {
                if let Some(policy) = self.eviction().await {
                    tracing::warn!(%policy, "Redis evicts keys when its memory is full, leases first: a refresh token may be used twice; use noeviction");
                }
            })
            .await;
        Ok(())
    }
}
