//! The port to what keeps the entries, and what every store promises.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_model::Timestamp;

use crate::place::{ClientPlaces, Place};

/// How long a deleted token's version is remembered.
pub const TOMBSTONE: Duration = Duration::from_secs(24 * 3600);
/// The most entries that one client may have.
pub const MAX_ENTRIES: usize = 10_000;
/// The highest version.
pub const MAX_VERSION: u64 = i64::MAX as u64;

/// How far a version may be ahead of the clock and be believed before anything was opened.
pub const FURTHEST_AHEAD: Duration = Duration::from_secs(24 * 3600);

/// Keeps entries and leases; it is not trusted with anything but keeping them.
///
/// # Contract
/// - **Atomicity.** `write`, `acquire` and `release` each happen in one step, whoever else writes, from whatever process. `revoke` raises the
///   epoch in one step, and then deletes.
/// - **Order.** A write happens only with a version above the entry's and above the client's epoch. What lies there and is no entry is written
///   over by a write under [`Condition::Any`] or [`Condition::Live`], and is an error for others.
/// - **Repetition.** A write that is repeated with the same version and bytes answers as the first did; nothing else changes.
/// - **Durability.** That of the store's own settings, which may be none: see each store.
/// - **Absence.** What was never there, was deleted, or has outlived its time is absent; a deleted entry's version is remembered for
///   [`TOMBSTONE`].
/// - **Errors.** After [`StoreErrorKind::Unavailable`] a write may or may not have happened.
#[async_trait]
pub trait TokenStore: Send + Sync + fmt::Debug {
    /// Reads an entry; one round trip.
    async fn read(&self, place: &Place) -> Result<Option<Entry>, StoreError>;

    /// Writes an entry if the condition holds.
    async fn write(&self, place: &Place, write: &Write<'_>) -> Result<Written, StoreError>;

    /// Lists the places of a client that have a live entry, in order of their names in the index.
    async fn list(&self, client: &ClientPlaces) -> Result<Vec<Place>, StoreError>;

    /// Raises the client's epoch to `version`, then deletes everything of the client; answers how many entries there were.
    ///
    /// From the epoch on, nobody holds a lease of the client that was acquired before it. An epoch that is more than [`FURTHEST_AHEAD`] beyond
    /// `version`, or is none, is replaced: nobody of the vault wrote it. May be repeated, and must be where it failed.
    async fn revoke(&self, client: &ClientPlaces, version: u64) -> Result<u64, StoreError>;

    /// Takes the lease of a place for a time, unless somebody has it.
    async fn acquire(&self, place: &Place, holder: &str, time: Duration) -> Result<Acquired, StoreError>;

    /// Gives a lease back; nothing happens where it is no longer held.
    async fn release(&self, place: &Place, lease: &Lease) -> Result<(), StoreError>;

    /// Asks the store whether it is there.
    async fn probe(&self) -> Result<(), StoreError>;
}

/// What lies at a place.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its version, as the store has it; believed once the record opened.
    pub version: u64,
    /// The record; `None` for a tombstone.
    pub record: Option<Vec<u8>>,
}

/// One write.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// The version, at most [`MAX_VERSION`].
    pub version: u64,
    /// The record; `None` deletes, and leaves a tombstone.
    pub record: Option<&'a [u8]>,
    /// How long the store keeps it; `None` for ever. A tombstone is kept for [`TOMBSTONE`].
    pub keep: Option<Duration>,
    /// What must be there.
    pub condition: Condition,
    /// The lease that must be held, of the token at the same client, provider and name.
    pub lease: Option<&'a Lease>,
    /// A version that the entry there may have and that does not count: the entry was found to be nobody's.
    pub unbelieved: Option<u64>,
}

/// What must be at the place for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing in particular.
    Any,
    /// Exactly this version; 0 for no live entry.
    Version(u64),
    /// A live entry.
    Live,
}

/// What came of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It happened.
    Stored,
    /// The version is not above this one, or the condition does not hold and this is the version there (0: none).
    Conflict(u64),
    /// There was nothing to delete.
    Absent,
    /// The lease is not held any more.
    LeaseLost,
    /// The client has as many entries as it may.
    Full,
}

/// The right to fetch one token, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Greater than that of any earlier lease of the place that the store remembers.
    pub number: u64,
    /// Who holds it, and in which attempt.
    pub holder: String,
}

impl Lease {
    /// As the store keeps it: "number ‖ ":" ‖ holder".
    pub(crate) fn text(&self) -> String {
        format!("{:020}:{}", self.number, self.holder)
    }
}

/// What came of asking for a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is yours.
    Lease(Lease),
    /// Somebody has it, for this long if it is not given back earlier.
    Held(Duration),
}

/// A store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the token store {kind}")]
pub struct StoreError {
    /// What to do about it.
    pub kind: StoreErrorKind,
    /// What the store or its client said.
    #[source]
    pub source: Option<Arc<dyn Error + Send + Sync>>,
}

/// Why a store did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreErrorKind {
    /// Not reached, no answer in time, broken off, loading, or not the one to write to; later.
    #[error("can't be reached")]
    Unavailable,
    /// It has no room for another write.
    #[error("is full")]
    Full,
    /// The credentials are refused, or may not do this.
    #[error("refuses the credentials")]
    Denied,
    /// What lies there is no entry of the vault.
    #[error("has something at this place that is no entry")]
    Malformed,
    /// It answered what it never should.
    #[error("answered something unusable")]
    Unusable,
}

impl StoreError {
    /// Makes an error without a source.
    pub fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Makes an error of what the store said.
    pub fn caused(kind: StoreErrorKind, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind,
            source: Some(Arc::new(source)),
        }
    }
}

/// "A reader MUST refuse an entry that is shorter than 21 octets, has another format, or a version that is not 20 digits or exceeds 2^63 - 1."
pub(crate) fn read_entry(mut bytes: Vec<u8>) -> Result<Entry, StoreError> {
    let malformed = || StoreError::new(StoreErrorKind::Malformed);
    let head: &[u8; 21] = bytes.first_chunk().ok_or_else(malformed)?;
    if head[0] != b'1' {
        return Err(malformed());
    }
    let version = read_version(&head[1..]).ok_or_else(malformed)?;
    // In place: no second buffer on the way of each get.
    bytes.drain(..21);
    let record = (!bytes.is_empty()).then_some(bytes);
    Ok(Entry { version, record })
}

/// Writes an entry's bytes.
pub(crate) fn entry_bytes(write: &Write<'_>) -> Vec<u8> {
    let record = write.record.unwrap_or_default();
    let mut bytes = Vec::with_capacity(21 + record.len());
    bytes.push(b'1');
    bytes.extend_from_slice(version_digits(write.version).as_bytes());
    bytes.extend_from_slice(record);
    bytes
}

pub(crate) fn version_digits(version: u64) -> String {
    format!("{version:020}")
}

pub(crate) fn read_version(digits: &[u8]) -> Option<u64> {
    let all = digits.len() == 20 && digits.iter().all(u8::is_ascii_digit);
    let version = std::str::from_utf8(digits).ok().filter(|_| all)?.parse().ok()?;
    (version <= MAX_VERSION).then_some(version)
}

/// The highest version that is believed of an entry or epoch that nobody can check, as seen from `version`.
pub(crate) fn highest_believed(version: u64) -> u64 {
    let ahead = u64::try_from(FURTHEST_AHEAD.as_micros()).unwrap_or(u64::MAX);
    version.saturating_add(ahead).min(MAX_VERSION)
}

/// The version of the next write: above what is there and what is known, and the time where that is more.
pub(crate) fn next_version(now: Timestamp, above: u64) -> u64 {
    let now = u64::try_from(now.as_micros()).unwrap_or(0);
    above.saturating_add(1).max(now).min(MAX_VERSION)
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size_bytes = self.record.as_ref().map(Vec::len);
        write!(f, "Entry(version {}, record {size_bytes:?})", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_entry_is_refused() {
        let good = entry_bytes(&Write {
            version: 7,
            record: Some(b"r"),
            keep: None,
            condition: Condition::Any,
            lease: None,
            unbelieved: None,
        });
        assert_eq!(good, b"100000000000000000007r");
        assert_eq!(read_entry(good.clone()).unwrap().version, 7);
        assert_eq!(read_entry(good[..21].to_vec()).unwrap().record, None);
        for wrong in [
            &good[..20],
            b"",
            b"200000000000000000007r",
            b"1000000000000000000-7r",
            b"109223372036854775808r",
        ] {
            assert!(read_entry(wrong.to_vec()).is_err());
        }
    }

    #[test]
    fn a_version_is_above_what_was_there_and_not_behind_the_clock() {
        assert_eq!(next_version(Timestamp::from_micros(100), 7), 100);
        assert_eq!(next_version(Timestamp::from_micros(100), 100), 101);
        assert_eq!(next_version(Timestamp::from_micros(-5), 0), 1);
        assert_eq!(next_version(Timestamp::from_micros(1), u64::MAX), MAX_VERSION);
    }
}
