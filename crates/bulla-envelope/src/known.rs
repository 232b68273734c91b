use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Until when a key may be taken to be enabled, by what its provider last said.
///
/// All entries of one key share it. Each use reads it, so the bound holds though nothing runs in the background; it is written once a
/// poll.
pub(crate) struct Known {
    since: Instant,
    /// Nanoseconds after `since`.
    until: AtomicU64,
}

impl Known {
    /// Begins with nothing known.
    pub(crate) fn nothing(since: Instant) -> Self {
        Self {
            since,
            until: AtomicU64::new(0),
        }
    }

    /// Of providers that can't tell the state of keys, whose entries have their ages alone.
    pub(crate) fn for_ever(since: Instant) -> Self {
        Self {
            since,
            until: AtomicU64::new(u64::MAX),
        }
    }

    #[inline]
    pub(crate) fn holds(&self, now: Instant) -> bool {
        now < self.until()
    }

    #[inline]
    pub(crate) fn until(&self) -> Instant {
        self.since + Duration::from_nanos(self.until.load(Ordering::Relaxed))
    }

    /// Takes it that the key is enabled up to `until`, if that is later than what is known.
    pub(crate) fn extend(&self, until: Instant) {
        let nanos = until.saturating_duration_since(self.since).as_nanos();
        self.until
            .fetch_max(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_only_ever_extended() {
        let now = Instant::now();
        let known = Known::nothing(now);
        assert!(!known.holds(now));
        known.extend(now + Duration::from_secs(2));
        known.extend(now + Duration::from_secs(1));
        assert!(known.holds(now + Duration::from_secs(1)));
        assert!(!known.holds(now + Duration::from_secs(2)));
        assert!(Known::for_ever(now).holds(now + Duration::from_secs(1 << 33)));
    }
}
