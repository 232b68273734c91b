use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bulla_model::{Clock, Timestamp};

/// A clock that stands still until a test moves it; microseconds since 1970-01-01 UTC.
///
/// Share it behind an `Arc`: the code under test and the test then see the same time. It may be set back, so that what a wall clock
/// does (it jumps) can be tested.
#[derive(Debug)]
pub struct TestClock {
    now_us: AtomicI64,
}

impl TestClock {
    /// Where [`TestClock::default`] starts: 2026-01-01T00:00:00Z.
    pub const START_US: i64 = 1_767_225_600_000_000;

    /// Makes a clock that stands at `now_us` microseconds.
    pub fn at(now_us: i64) -> Self {
        Self {
            now_us: AtomicI64::new(now_us),
        }
    }

    /// Moves the clock to `now_us` microseconds, forward or back.
    pub fn set(&self, now_us: i64) {
        self.now_us.store(now_us, Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.now_us.fetch_add(microseconds(by), Ordering::SeqCst);
    }

    /// Moves the clock back, as a wrong time server would.
    pub fn rewind(&self, by: Duration) {
        self.now_us.fetch_sub(microseconds(by), Ordering::SeqCst);
    }

    /// Reads the clock, in microseconds.
    pub fn read(&self) -> i64 {
        self.now_us.load(Ordering::SeqCst)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.read())
    }
}

impl Default for TestClock {
    fn default() -> Self {
        Self::at(Self::START_US)
    }
}

fn microseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_stands_still_until_it_is_moved() {
        let clock = TestClock::default();
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00Z");
        clock.advance(Duration::from_secs(90));
        assert_eq!(clock.now().to_string(), "2026-01-01T00:01:30Z");
        clock.rewind(Duration::from_secs(91));
        assert_eq!(clock.now().to_string(), "2025-12-31T23:59:59Z");
    }
}
