use std::time::Duration;

use crate::BuildError;

/// The most messages that one data key may ever seal with random 96-bit nonces (NIST SP 800-38D, 8.3).
pub const MAX_MESSAGES: u64 = 1 << 32;

/// How a [`Sealer`](crate::Sealer) caches and calls; the defaults are those of a service with a remote KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Age at which a data key ends, counted from its creation; zero makes one data key a record. Default 5 min.
    pub max_age: Duration,
    /// Records that a data key seals at most, 1 to 2^32. Default 2^24.
    pub max_messages: u64,
    /// Bytes of plaintext that a data key seals at most, at least 1. Default 64 GiB.
    pub max_bytes: u64,
    /// Data keys held for sealing, one for each context, at least 1. Default 10,000.
    pub current_capacity: usize,
    /// How long an unwrapped key is kept, counted from its insertion; zero keeps none. Default 5 min.
    pub unwrapped_ttl: Duration,
    /// Unwrapped keys held, at least 1. Default 10,000.
    pub unwrapped_capacity: usize,
    /// How long one attempt of a provider call may take, more than zero. Default 5 s.
    pub call_timeout: Duration,
    /// Attempts at one provider call, 1 to 10; more than one only where the error is retryable. Default 3.
    pub attempts: u32,
    /// Longest wait before the second attempt; doubles for each further one, and each wait is a random part of it. Default 100 ms.
    pub retry_base: Duration,
    /// Failed attempts in a row at one key after which the provider is not asked about that key, at least 1. Default 5.
    pub breaker_threshold: u32,
    /// How long it is not asked before one call probes it. Default 5 s.
    pub breaker_pause: Duration,
    /// How long keys go on being used past their end while the provider can't be reached; zero for not at all. Default zero.
    ///
    /// It extends the age only: limits on messages and bytes, `invalidate` and `revocation_bound` hold as ever.
    pub outage_grace: Duration,
    /// How often the state of keys in use is asked for, where the provider can tell; more than zero. Default 30 s.
    pub poll_interval: Duration,
    /// How long entries of a key live when its state can't be had. Default 5 min.
    pub revocation_bound: Duration,
    /// Nonces that a thread draws at once, 1 to 4,096. Default 256, which are 3 KiB a thread.
    ///
    /// 1 asks the random generator for each record: for processes that fork without exec, or whose VM is resumed from snapshots.
    pub nonce_batch: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(300),
            max_messages: 1 << 24,
            max_bytes: 64 << 30,
            current_capacity: 10_000,
            unwrapped_ttl: Duration::from_secs(300),
            unwrapped_capacity: 10_000,
            call_timeout: Duration::from_secs(5),
            attempts: 3,
            retry_base: Duration::from_millis(100),
            breaker_threshold: 5,
            breaker_pause: Duration::from_secs(5),
            outage_grace: Duration::ZERO,
            poll_interval: Duration::from_secs(30),
            revocation_bound: Duration::from_secs(300),
            nonce_batch: 256,
        }
    }
}

/// Ages beyond this are refused: additions of instants stay far from overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

impl Settings {
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let ages = [
            ("max_age", self.max_age),
            ("unwrapped_ttl", self.unwrapped_ttl),
            ("call_timeout", self.call_timeout),
            ("retry_base", self.retry_base),
            ("breaker_pause", self.breaker_pause),
            ("outage_grace", self.outage_grace),
            ("poll_interval", self.poll_interval),
            ("revocation_bound", self.revocation_bound),
        ];
        for (name, age) in ages {
            require(age <= LONGEST, name, "at most ten years")?;
        }
        require(
            (1..=MAX_MESSAGES).contains(&self.max_messages),
            "max_messages",
            "1 to 2^32",
        )?;
        require(self.max_bytes >= 1, "max_bytes", "at least 1")?;
        require(self.current_capacity >= 1, "current_capacity", "at least 1")?;
        require(self.unwrapped_capacity >= 1, "unwrapped_capacity", "at least 1")?;
        require(!self.call_timeout.is_zero(), "call_timeout", "more than zero")?;
        require((1..=10).contains(&self.attempts), "attempts", "1 to 10")?;
        require(self.breaker_threshold >= 1, "breaker_threshold", "at least 1")?;
        require(!self.poll_interval.is_zero(), "poll_interval", "more than zero")?;
        require((1..=4096).contains(&self.nonce_batch), "nonce_batch", "1 to 4,096")
    }
}

fn require(holds: bool, name: &'static str, range: &'static str) -> Result<(), BuildError> {
    if holds {
        Ok(())
    } else {
        Err(BuildError::OutOfRange { name, range })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(Settings::default().check(), Ok(()));
    }

    #[test]
    fn no_data_key_may_seal_more_than_two_to_the_32_messages() {
        let settings = Settings {
            max_messages: MAX_MESSAGES + 1,
            ..Settings::default()
        };
        assert!(matches!(
            settings.check(),
            Err(BuildError::OutOfRange {
                name: "max_messages",
                ..
            })
        ));
        assert!(
            Settings {
                max_messages: MAX_MESSAGES,
                ..Settings::default()
            }
            .check()
            .is_ok()
        );
        assert!(
            Settings {
                max_messages: 0,
                ..Settings::default()
            }
            .check()
            .is_err()
        );
    }

    #[test]
    fn an_age_that_would_overflow_the_clock_is_refused() {
        assert!(
            Settings {
                max_age: Duration::MAX,
                ..Settings::default()
            }
            .check()
            .is_err()
        );
    }
}
