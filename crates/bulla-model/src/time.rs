use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment: microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Tells the time; a parameter, so that tests and the development mode can set it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The moment that it is now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
        let now = std::time::SystemTime::now();
        let micros = match now.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
        };
        Timestamp(micros)
    }
}

impl Timestamp {
    const DAY_MICROS: i64 = 86_400_000_000;

    /// Makes a timestamp of microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch with milliseconds, as AWS's JSON has them.
    pub fn as_seconds_f64(self) -> f64 {
        (self.0.div_euclid(1000)) as f64 / 1000.0
    }

    /// This moment and a number of days of 86,400 seconds.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(i64::from(days) * Self::DAY_MICROS))
    }

    /// This moment and a number of microseconds.
    #[must_use]
    pub fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// This moment without its fraction of a second.
    #[must_use]
    pub fn rounded_to_second(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000).map_err(|_| fmt::Error)?;
        f.write_str(&moment.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_utc() {
        assert_eq!(Timestamp::from_micros(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.5Z");
    }

    #[test]
    fn aws_sees_milliseconds() {
        assert_eq!(Timestamp::from_micros(1_234_567).as_seconds_f64(), 1.234);
    }

    #[test]
    fn days_saturate_instead_of_wrapping() {
        assert_eq!(Timestamp::from_micros(i64::MAX).plus_days(30).as_micros(), i64::MAX);
        assert_eq!(Timestamp::from_micros(0).plus_days(1).as_micros(), 86_400_000_000);
    }

    #[test]
    fn the_machine_knows_that_it_is_past_2024() {
        assert!(SystemClock.now() > Timestamp::from_micros(1_704_067_200_000_000));
    }
}
