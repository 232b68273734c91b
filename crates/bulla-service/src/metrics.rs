use std::sync::atomic::{AtomicU64, Ordering};

/// What the service counts; read by whoever exports it.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Group commits that became durable.
    pub commits: AtomicU64,
    /// Group commits that failed.
    pub commit_failures: AtomicU64,
    /// Events in durable commits.
    pub events: AtomicU64,
    /// Decisions that were made again because a row they had read changed.
    pub stale_decisions: AtomicU64,
    /// Rows found in the cache.
    pub cache_hits: AtomicU64,
    /// Rows read from the store.
    pub cache_misses: AtomicU64,
    /// Rows that were refused because they are not what the service wrote.
    pub tampered_rows: AtomicU64,
    /// Calls of root providers that were answered; after the start only a replacement of roots makes any.
    pub root_calls: AtomicU64,
    /// Calls of root providers that failed.
    pub root_call_failures: AtomicU64,
    /// Rows in the cache now.
    pub cache_entries: AtomicU64,
    /// Requests per group commit.
    pub batch_size: Histogram,
    /// Microseconds per group commit, from `begin` to durable.
    pub commit_micros: Histogram,
}

/// Counts values in buckets by powers of two: bucket `i` holds values below `2^i`, the last all others.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Numbers of values; cumulative sums are the exporter's.
    pub buckets: [AtomicU64; 24],
    /// Sum of all values.
    pub sum: AtomicU64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&self, value: u64) {
        let at = (64 - value.leading_zeros() as usize).min(self.buckets.len() - 1);
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
