use std::sync::atomic::{AtomicU64, Ordering};

/// What a vault has done since it was made; counters only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VaultStats {
    /// Gets that found a token.
    pub hits: u64,
    /// Gets that found none, or one that had expired.
    pub misses: u64,
    /// Gets that refused what they found: moved, replayed, changed, or under another key.
    pub refused: u64,
    /// Tokens written.
    pub puts: u64,
    /// Tokens deleted, without those of a revocation.
    pub deletes: u64,
    /// Times that a provider was asked for a token.
    pub fetches: u64,
    /// Times that it gave none.
    pub fetch_failures: u64,
    /// Calls to key services, by all clients.
    pub kms_calls: u64,
    /// Opens and seals that needed no call.
    pub kms_calls_saved: u64,
    /// Clients whose keys are held.
    pub clients: usize,
    /// Age in seconds of the oldest data key held for opening.
    pub oldest_key_seconds: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) puts: AtomicU64,
    pub(crate) deletes: AtomicU64,
    pub(crate) fetches: AtomicU64,
    pub(crate) fetch_failures: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> VaultStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        VaultStats {
            hits: read(&self.hits),
            misses: read(&self.misses),
            refused: read(&self.refused),
            puts: read(&self.puts),
            deletes: read(&self.deletes),
            fetches: read(&self.fetches),
            fetch_failures: read(&self.fetch_failures),
            ..VaultStats::default()
        }
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
