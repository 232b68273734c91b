use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bulla_envelope::Stats;

/// What one namespace's codec has done and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespaceStats {
    /// Payloads sealed.
    pub sealed: u64,
    /// Payloads opened, whoever sealed them.
    pub opened: u64,
    /// Payloads that stayed as they were.
    pub passed: u64,
    /// Payloads that did not decode.
    pub refused: u64,
    /// Data keys held, for sealing and for opening.
    pub cached_keys: usize,
    /// Age of the data key that seals; `None` while there is none.
    pub current_age: Option<Duration>,
    /// How old it may become.
    pub max_age: Duration,
    /// Whether the namespace can't seal: its data key is past its end, or the last one could not be had.
    pub current_expired: bool,
    /// What the Sealers have counted: that of the sealing key and those that only open, added.
    pub keys: Stats,
}

/// Counters of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sealed: AtomicU64,
    pub(crate) opened: AtomicU64,
    pub(crate) passed: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) can_not_seal: AtomicBool,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self, sealing: Stats, others: &[Stats], max_age: Duration) -> NamespaceStats {
        let mut keys = sealing;
        for other in others {
            keys.open_hits += other.open_hits;
            keys.open_misses += other.open_misses;
            keys.keys_not_accepted += other.keys_not_accepted;
            keys.provider_calls += other.provider_calls;
            keys.provider_polls += other.provider_polls;
            keys.provider_failures += other.provider_failures;
            keys.provider_skipped += other.provider_skipped;
            keys.unwrapped_keys += other.unwrapped_keys;
            keys.circuit_open |= other.circuit_open;
        }
        let current_age = (sealing.current_keys > 0).then_some(sealing.oldest_current);
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        NamespaceStats {
            sealed: load(&self.sealed),
            opened: load(&self.opened),
            passed: load(&self.passed),
            refused: load(&self.refused),
            cached_keys: keys.current_keys + keys.unwrapped_keys,
            current_age,
            max_age,
            current_expired: current_age.is_some_and(|age| age >= max_age)
                || (current_age.is_none() && self.can_not_seal.load(Ordering::Relaxed)),
            keys,
        }
    }
}
