//! Between the vault's operations and its store: opens what lies at a place, and seals what is to lie there.

use std::time::Duration;

use bulla_crypto::record::Record;
use bulla_crypto::{Context, SecretBytes};
use bulla_model::Timestamp;

use super::Inner;
use crate::content;
use crate::place::{Kind, Place};
use crate::stats::count;
use crate::store::{Condition, Entry, Lease, Write, Written, highest_believed, next_version};
use crate::{Lasts, Seen, Token, TokenError, TokenRef};

/// How often a write is tried again because another one came between.
const TRIES: u32 = 16;
/// The most that the store's time to live goes beyond the sealed expiry.
const LONGEST_JITTER: Duration = Duration::from_secs(60);

/// What lay at a place, opened.
pub(crate) struct Opened {
    pub(crate) version: u64,
    pub(crate) content: SecretBytes,
    pub(crate) by: OpenedBy,
}

/// How an entry was opened.
pub(crate) struct OpenedBy {
    /// Where it lies.
    pub(crate) place: Place,
    /// The key that its data key is wrapped by.
    pub(crate) key: String,
    pub(crate) cache_hit: bool,
}

/// What came of a write of the vault's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    Stored(u64),
    /// The condition does not hold.
    Conflict,
    LeaseLost,
    /// There was nothing to delete.
    Absent,
}

/// What is to be written.
pub(crate) struct Sealing<'a> {
    /// What is sealed; `None` deletes.
    pub(crate) content: Option<&'a SecretBytes>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) condition: Condition,
    pub(crate) lease: Option<&'a Lease>,
}

impl Inner {
    pub(crate) fn place(&self, token: &TokenRef, kind: Kind) -> Place {
        token.place(&self.settings.prefix, kind)
    }

    /// Reads and opens an entry; `None` where there is none, or a tombstone.
    pub(crate) async fn open_at(&self, token: &TokenRef, kind: Kind) -> Result<Option<Opened>, TokenError> {
        let place = self.place(token, kind);
        // Before the read: marks are raised after the store has the version, so what is read then is at least as new.
        let lowest = self.marks.lowest(&token.client, &place).await?;
        let Some(Entry { version, record }) = self.store.read(&place).await? else {
            return Ok(None);
        };
        let Some(record) = record else { return Ok(None) };
        if version < lowest {
            return Err(TokenError::Replayed);
        }
        let sealer = self.sealers.of(&token.client).await?;
        let context = context(token)?;
        let binding = place.binding(version);
        let (opened, cache_hit) = match sealer.try_open_cached(&record, &context, &binding) {
            Some(opened) => (opened, true),
            None => (sealer.open(&record, &context, &binding).await, false),
        };
        let content = opened.map_err(TokenError::opening)?;
        // It opened: then it is this key that was asked for the data key, whoever wrote the record.
        let key = Record::parse(&record)
            .map_err(|_| TokenError::Malformed)?
            .key()
            .to_owned();
        Ok(Some(Opened {
            version,
            content,
            by: OpenedBy { place, key, cache_hit },
        }))
    }

    /// Names a version of a token for the log.
    pub(crate) fn seen(&self, token: &TokenRef, version: u64, lasts: Lasts) -> Seen {
        Seen {
            place: self.place(token, Kind::Token),
            version,
            lasts,
        }
    }

    /// Reads a token, valid or not; the mark is raised to its version, unless the log does that.
    pub(crate) async fn read_token(&self, token: &TokenRef) -> Result<Option<(Token, OpenedBy)>, TokenError> {
        let Some(opened) = self.open_at(token, Kind::Token).await? else {
            return Ok(None);
        };
        let (about, value) = content::decode(&opened.content).ok_or(TokenError::Malformed)?;
        let version = opened.version;
        if !self.marks.are_raised_by_log() {
            let lasts = Lasts::of(about.expires);
            let place = &opened.by.place;
            self.marks.raise(&token.client, place, version, lasts).await?;
        }
        Ok(Some((Token { value, version, about }, opened.by)))
    }

    /// Seals and writes, under a version above everything that is known.
    pub(crate) async fn write_at(
        &self,
        token: &TokenRef,
        kind: Kind,
        sealing: &Sealing<'_>,
    ) -> Result<Put, TokenError> {
        let place = self.place(token, kind);
        let mut above = match sealing.condition {
            Condition::Version(version) => version,
            Condition::Any | Condition::Live => 0,
        };
        let mut unbelieved = None;
        for _ in 0..TRIES {
            let lowest = self.marks.lowest(&token.client, &place).await?;
            let now = self.clock.now();
            let version = next_version(now, above.max(lowest));
            let record = match sealing.content {
                Some(content) => Some(self.seal(token, &place.binding(version), content).await?),
                None => None,
            };
            let write = Write {
                version,
                record: record.as_deref(),
                keep: self.keep(sealing.expires, now),
                condition: sealing.condition,
                lease: sealing.lease,
                unbelieved,
            };
            match self.store.write(&place, &write).await? {
                Written::Stored => {
                    if kind == Kind::State || !self.marks.are_raised_by_log() {
                        let lasts = sealing.content.map_or(Lasts::Deleted, |_| Lasts::of(sealing.expires));
                        self.marks.raise(&token.client, &place, version, lasts).await?;
                    }
                    return Ok(Put::Stored(version));
                }
                Written::Conflict(there) => {
                    let condition_holds = match sealing.condition {
                        Condition::Any | Condition::Live => true,
                        // The version there is the expected one, or there is none: it was the epoch that was higher.
                        Condition::Version(expected) => there == expected || there >= version,
                    };
                    if !condition_holds || there < version {
                        return Ok(Put::Conflict);
                    }
                    if self.is_plausible(there) || self.is_authentic(token, kind, there).await? {
                        above = above.max(there);
                    } else if unbelieved == Some(there) {
                        // It is the epoch that somebody set; the next revocation sets it right.
                        return Err(TokenError::Malformed);
                    } else {
                        unbelieved = Some(there);
                    }
                }
                Written::Absent => return Ok(Put::Absent),
                Written::LeaseLost => return Ok(Put::LeaseLost),
                Written::Full => return Err(TokenError::TooManyTokens),
            }
        }
        Err(TokenError::Contended)
    }

    /// Whether a version can be one of the vault's, as far as the clock tells: what is believed unseen must leave room for all that follow.
    pub(crate) fn is_plausible(&self, version: u64) -> bool {
        version <= highest_believed(next_version(self.clock.now(), 0))
    }

    /// Whether what lies there opens, as this version.
    async fn is_authentic(&self, token: &TokenRef, kind: Kind, version: u64) -> Result<bool, TokenError> {
        match self.open_at(token, kind).await {
            Ok(opened) => Ok(opened.is_some_and(|opened| opened.version == version)),
            Err(error) if error.is_about_what_lies_there() => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn seal(&self, token: &TokenRef, binding: &[u8], content: &SecretBytes) -> Result<Vec<u8>, TokenError> {
        let sealer = self.sealers.of(&token.client).await?;
        sealer
            .seal(&context(token)?, binding, content.expose_secret())
            .await
            .map_err(TokenError::Seal)
    }

    /// "The store's own time to live is that expiry plus up to a tenth of the remaining life, at most 60 s, at random."
    fn keep(&self, expires: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        let left = expires?.as_micros().saturating_sub(now.as_micros());
        let left = Duration::from_micros(u64::try_from(left).unwrap_or(0).max(1000));
        let jitter = (left / 10).min(LONGEST_JITTER).mul_f64(self.random_fraction());
        Some(left.saturating_add(jitter))
    }

    /// Draws a number from 0 to 1; 1 where there is no randomness, which is only for spreading load.
    pub(crate) fn random_fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.random.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
            Err(_) => 1.0,
        }
    }

    /// Counts what a get found.
    pub(crate) fn count_get(&self, found: Result<bool, &TokenError>) {
        match found {
            Ok(true) => count(&self.counters.hits),
            Ok(false) => count(&self.counters.misses),
            Err(error) if error.is_about_what_lies_there() => count(&self.counters.refused),
            Err(_) => {}
        }
    }
}

fn context(token: &TokenRef) -> Result<Context, TokenError> {
    let pairs = [
        ("client_id", token.client.as_str()),
        ("api_provider", token.provider.as_str()),
    ];
    Context::from_caller_pairs(pairs).map_err(TokenError::Context)
}
