use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bulla_crypto::Random;
use bulla_envelope::{AccessRecord, Sealer, Settings, Stats};

use crate::keys::{ClientKeyError, ClientKeys};
use crate::{ClientId, VaultStats};

/// The most clients whose Sealers are held.
const MOST: usize = 10_000;

/// A Sealer for each client, made when the client is first seen.
///
/// They record nothing: the vault records each access, with what the cache answered.
#[derive(Debug)]
pub(crate) struct Sealers {
    keys: Arc<dyn ClientKeys>,
    random: RandomPort,
    settings: Settings,
    sealers: RwLock<HashMap<ClientId, Sealer>>,
    /// Of Sealers that are gone.
    gone: Gone,
}

#[derive(Clone)]
struct RandomPort(Arc<dyn Random>);

#[derive(Debug, Default)]
struct Gone {
    calls: AtomicU64,
    saved: AtomicU64,
}

impl Sealers {
    pub(crate) fn new(keys: Arc<dyn ClientKeys>, random: Arc<dyn Random>, settings: Settings) -> Self {
        Self {
            keys,
            random: RandomPort(random),
            settings,
            sealers: RwLock::default(),
            gone: Gone::default(),
        }
    }

    pub(crate) async fn of(&self, client: &ClientId) -> Result<Sealer, ClientKeyError> {
        if let Some(sealer) = self.read().get(client) {
            return Ok(sealer.clone());
        }
        let key = self.keys.key_of(client).await?;
        let random = Arc::clone(&self.random.0);
        let sealer = Sealer::builder(key.provider, key.key, AccessRecord::Unrecorded, random)
            .purpose("token")
            // Who may use another key of the account can seal with any context, and so for a client that is not his.
            .key_ring(key.ring.without_account())
            .settings(self.settings.clone())
            .build()
            .map_err(|error| ClientKeyError::Failed {
                client: client.clone(),
                source: Arc::new(error),
            })?;
        let mut sealers = self.write();
        if sealers.len() >= MOST && !sealers.contains_key(client) {
            let any = sealers.keys().next().cloned();
            if let Some(gone) = any.and_then(|any| sealers.remove(&any)) {
                self.gone.add(&gone.stats());
            }
        }
        // Where two came at once, the first one's stays.
        Ok(sealers.entry(client.clone()).or_insert(sealer).clone())
    }

    /// Drops the data keys of a client.
    pub(crate) fn clear(&self, client: &ClientId) {
        if let Some(sealer) = self.read().get(client) {
            sealer.clear();
        }
    }

    pub(crate) fn add_to(&self, mut stats: VaultStats) -> VaultStats {
        stats.kms_calls = self.gone.calls.load(Ordering::Relaxed);
        stats.kms_calls_saved = self.gone.saved.load(Ordering::Relaxed);
        let sealers: Vec<_> = self.read().values().cloned().collect();
        stats.clients = sealers.len();
        for sealer in sealers {
            let of_one = sealer.stats();
            stats.kms_calls += of_one.provider_calls;
            stats.kms_calls_saved += of_one.open_hits + of_one.seal_hits;
            stats.oldest_key_seconds = stats.oldest_key_seconds.max(of_one.oldest_unwrapped.as_secs());
        }
        stats
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<ClientId, Sealer>> {
        self.sealers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<ClientId, Sealer>> {
        self.sealers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gone {
    fn add(&self, stats: &Stats) {
        self.calls.fetch_add(stats.provider_calls, Ordering::Relaxed);
        self.saved
            .fetch_add(stats.open_hits + stats.seal_hits, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for RandomPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}
