use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a [`Sealer`](crate::Sealer) has done and holds; a snapshot, its counters only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Records sealed with a data key that was there.
    pub seal_hits: u64,
    /// Seals that had to wait for a data key, in vain or not.
    pub seal_misses: u64,
    /// Records opened, or refused, with a data key that was there.
    pub open_hits: u64,
    /// Opens that had to wait for a data key, in vain or not.
    pub open_misses: u64,
    /// Records that named a key outside the key ring.
    pub keys_not_accepted: u64,
    /// Attempts at provider calls that ask for a key: generate, wrap, unwrap.
    pub provider_calls: u64,
    /// Calls that asked for a key's state.
    pub provider_polls: u64,
    /// Provider calls and polls that failed, each attempt counted.
    pub provider_failures: u64,
    /// Calls that were not made because the circuit to their key was open.
    pub provider_skipped: u64,
    /// Data keys fetched to replace one that was coming to its end.
    pub renewals: u64,
    /// Data keys held for sealing.
    pub current_keys: usize,
    /// Data keys held for opening.
    pub unwrapped_keys: usize,
    /// Age of the oldest data key held for sealing.
    pub oldest_current: Duration,
    /// Age of the oldest data key held for opening, counted from its insertion.
    pub oldest_unwrapped: Duration,
    /// Whether the circuit to the sealing key, or to another key that records name, is open.
    pub circuit_open: bool,
}

/// Counters that one thread writes and any thread reads; padded, so that no two threads write one cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Tally {
    /// Records sealed against a shared data key's budget, with and without a wait.
    pub(crate) seals: AtomicU64,
    /// Those of them that waited.
    pub(crate) seals_after_miss: AtomicU64,
    pub(crate) seal_misses: AtomicU64,
    pub(crate) open_hits: AtomicU64,
    pub(crate) open_misses: AtomicU64,
}

impl Tally {
    /// Adds one without a locked instruction: only the owning thread writes.
    #[inline]
    pub(crate) fn add_one(counter: &AtomicU64) {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// All tallies of a Sealer, and the sum of those whose threads have ended. The lock is taken when a thread begins, ends, or asks.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    running: Mutex<Vec<Arc<Tally>>>,
    ended: Tally,
}

impl Tallies {
    pub(crate) fn open(&self) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        self.running().push(Arc::clone(&tally));
        tally
    }

    pub(crate) fn close(&self, tally: &Arc<Tally>) {
        let mut running = self.running();
        running.retain(|other| !Arc::ptr_eq(other, tally));
        for (field, ended) in [
            (&tally.seals, &self.ended.seals),
            (&tally.seals_after_miss, &self.ended.seals_after_miss),
            (&tally.seal_misses, &self.ended.seal_misses),
            (&tally.open_hits, &self.ended.open_hits),
            (&tally.open_misses, &self.ended.open_misses),
        ] {
            ended.fetch_add(field.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    pub(crate) fn add_to_ended(&self, field: impl Fn(&Tally) -> &AtomicU64) {
        field(&self.ended).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self, field: impl Fn(&Tally) -> &AtomicU64) -> u64 {
        let running = self.running();
        running
            .iter()
            .map(|tally| field(tally).load(Ordering::Relaxed))
            .sum::<u64>()
            + field(&self.ended).load(Ordering::Relaxed)
    }

    fn running(&self) -> MutexGuard<'_, Vec<Arc<Tally>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counters off the hot path: shared, each beside a provider call or a refusal.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) keys_not_accepted: AtomicU64,
    pub(crate) provider_calls: AtomicU64,
    pub(crate) provider_polls: AtomicU64,
    pub(crate) provider_failures: AtomicU64,
    pub(crate) provider_skipped: AtomicU64,
    pub(crate) renewals: AtomicU64,
}

/// Adds one to a shared counter.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
