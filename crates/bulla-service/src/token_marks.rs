//! Which versions of tokens are too old to be believed: high-water marks of places, epochs of clients (`spec/store.md`, section 12).

use std::sync::Arc;

use bulla_crypto::sha256;
use bulla_model::{AccountId, Timestamp};
use bulla_store::Table;
use serde_json::{Map, Value};

use crate::bodies::{TokenMarkBody, VERSION};
use crate::decision::{Decision, EventKind};
use crate::entry::{Entry, TokenMarkEntry};
use crate::limits::members;
use crate::row_ids::RowKey;
use crate::runner::{BULLA, Operation};
use crate::service::Core;
use crate::{Service, ServiceError};

/// How long a mark stays after what it bars has expired: no node's clock is behind another one's by that much.
const MARGIN_DAYS: u32 = 1;

/// Where a vault keeps a token, as the service's marks name it.
///
/// The names in it are digests: names of clients and providers may be longer than a row's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPlace {
    owner: String,
    mark: String,
    epoch: String,
}

impl TokenPlace {
    /// Names a place in the vault of an account: its store key, and the one under which its client's epoch is.
    pub fn new(account: &AccountId, client: &str, place: &str) -> Self {
        let owner = format!("{account}/{}", hex::encode(sha256(client.as_bytes())));
        Self {
            mark: format!("{owner}/{}", hex::encode(sha256(place.as_bytes()))),
            epoch: epoch_row(&owner),
            owner,
        }
    }
}

/// A version of a token that was read or written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenVersion {
    /// Where it lies.
    pub place: TokenPlace,
    /// Its number.
    pub version: u64,
    /// For how long it could be brought back.
    pub lasts: Lasts,
}

/// For how long a version could be brought back, and so has to be barred once there is a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Until its sealed expiry.
    Until(Timestamp),
    /// For ever: it has none.
    Always,
    /// It holds nothing: it is that of a deletion. What was before it is barred for as long as it was anyway.
    Deleted,
}

/// What the marks say of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Newest,
    /// There was a newer one.
    Older,
    /// Everything of its client up to it was revoked.
    Barred,
}

impl Service {
    /// Tells the lowest version of a place that is to be believed, as far as this node has heard; no store is asked for what is cached.
    ///
    /// Another node may have raised it: what an access with a [`TokenVersion`] says when it is committed is true for all.
    ///
    /// # Errors
    /// `Store`, `Tampered` (recorded).
    pub async fn lowest_token_version(&self, place: &TokenPlace) -> Result<u64, ServiceError> {
        let core = &self.core;
        let read = async {
            let epoch = core.token_mark(&place.epoch).await?;
            let epoch = epoch.map_or(0, |epoch| epoch.body.mark.saturating_add(1));
            let mark = core.token_mark(&place.mark).await?.map_or(0, |mark| mark.body.mark);
            Ok(mark.max(epoch))
        };
        core.named(read.await).await
    }

    /// Raises the mark of a place by itself, durable when this returns; nothing is written where it was as high.
    ///
    /// For what no access says: an access with a [`TokenVersion`] raises it with its own event.
    ///
    /// # Errors
    /// `Store`, `Tampered` (recorded), `Throttled`, `ShuttingDown`.
    pub async fn raise_token_mark(&self, seen: &TokenVersion) -> Result<(), ServiceError> {
        let core = &self.core;
        let known = core.token_mark(&seen.place.mark).await;
        match core.named(known).await? {
            Some(mark) if merged(Some(&mark.body), seen) == mark.body => Ok(()),
            _ => core.run(&core.own_call()?, &RaiseMark(seen)).await,
        }
    }

    /// Raises the epoch of a client, durable when this returns: none of its versions up to `version` is believed again, on any node.
    ///
    /// # Errors
    /// As [`raise_token_mark`](Self::raise_token_mark).
    pub async fn bar_tokens(&self, account: &AccountId, client: &str, version: u64) -> Result<(), ServiceError> {
        let place = TokenPlace::new(account, client, "");
        let bar = BarTokens { place, version };
        self.core.run(&self.core.own_call()?, &bar).await
    }
}

impl Core {
    async fn token_mark(&self, row: &str) -> Result<Option<Arc<TokenMarkEntry>>, ServiceError> {
        match self.known_entry(Table::TokenMarks, row).await? {
            Some(Entry::TokenMark(mark)) => Ok(Some(mark)),
            Some(_) => Err(ServiceError::Internal("a row of another table")),
            None => Ok(None),
        }
    }

    /// Records a tampered row that was met outside an operation.
    pub(crate) async fn named<T>(&self, read: Result<T, ServiceError>) -> Result<T, ServiceError> {
        if let Err(error @ ServiceError::Tampered { .. }) = &read {
            self.record_tampering(error).await?;
        }
        read
    }

    /// Whether a mark bars nothing any more: everything up to it has expired, or its client's epoch bars it.
    ///
    /// A reader refuses a token at its sealed expiry, whatever marks say, and `until` is the latest of those that the mark bars.
    pub(crate) async fn is_spent(&self, mark: &TokenMarkEntry, now: Timestamp) -> Result<bool, ServiceError> {
        let Some((owner, _)) = mark.row.id.rsplit_once('/').filter(|(_, what)| *what != "epoch") else {
            return Ok(false);
        };
        if mark.body.until.is_some_and(|until| until.plus_days(MARGIN_DAYS) <= now) {
            return Ok(true);
        }
        let epoch = self.token_mark(&epoch_row(owner)).await?;
        Ok(epoch.is_some_and(|epoch| epoch.body.mark >= mark.body.mark))
    }
}

impl Decision<'_> {
    /// Holds a version against the marks, and leaves them raised to it.
    pub(crate) async fn see(&mut self, seen: &TokenVersion) -> Result<Standing, ServiceError> {
        let place = &seen.place;
        let epoch = self.token_mark(&place.epoch).await?;
        if epoch.is_some_and(|epoch| seen.version <= epoch.body.mark) {
            return Ok(Standing::Barred);
        }
        let mark = self.token_mark(&place.mark).await?;
        let before = mark.as_ref().map(|mark| &mark.body);
        let after = merged(before, seen);
        let is_newest = after.mark == seen.version;
        if before != Some(&after) {
            self.put(Table::TokenMarks, &place.mark, &place.owner, &after);
        }
        Ok(if is_newest { Standing::Newest } else { Standing::Older })
    }

    pub(crate) async fn token_mark(&mut self, row: &str) -> Result<Option<Arc<TokenMarkEntry>>, ServiceError> {
        self.reads.push(RowKey::new(Table::TokenMarks, row));
        // A store is not asked for what no change names: most clients have no epoch.
        self.core.token_mark(row).await
    }
}

/// The mark with what was seen. Also an older version lengthens it: it could be brought back for as long as it lasts.
fn merged(before: Option<&TokenMarkBody>, seen: &TokenVersion) -> TokenMarkBody {
    let lasts = match seen.lasts {
        Lasts::Until(until) => Some(until),
        Lasts::Always => None,
        Lasts::Deleted => before.and_then(|before| before.until),
    };
    let until = match before {
        None => lasts,
        Some(before) => before.until.zip(lasts).map(|(a, b)| a.max(b)),
    };
    TokenMarkBody {
        version: VERSION,
        mark: before.map_or(seen.version, |before| before.mark.max(seen.version)),
        until,
    }
}

fn epoch_row(owner: &str) -> String {
    format!("{owner}/epoch")
}

struct RaiseMark<'a>(&'a TokenVersion);

impl Operation for RaiseMark<'_> {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "RaiseTokenMark",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("version", self.0.version.to_string().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        decision.see(self.0).await.map(drop)
    }
}

struct BarTokens {
    place: TokenPlace,
    version: u64,
}

impl Operation for BarTokens {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "RaiseTokenEpoch",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("version", self.version.to_string().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let before = decision.token_mark(&self.place.epoch).await?;
        if before.is_none_or(|before| before.body.mark < self.version) {
            let body = TokenMarkBody {
                version: VERSION,
                mark: self.version,
                until: None,
            };
            decision.put(Table::TokenMarks, &self.place.epoch, &self.place.owner, &body);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(version: u64, lasts: Lasts) -> TokenVersion {
        let account: AccountId = "111122223333".parse().expect("an account");
        TokenVersion {
            place: TokenPlace::new(&account, "c", "p"),
            version,
            lasts,
        }
    }

    #[test]
    fn a_mark_never_falls_and_lasts_as_long_as_anything_that_it_bars() {
        let (early, late) = (Timestamp::from_micros(10), Timestamp::from_micros(20));
        let first = merged(None, &seen(5, Lasts::Until(late)));
        let second = merged(Some(&first), &seen(6, Lasts::Until(early)));
        assert_eq!((second.mark, second.until), (6, Some(late)));
        let older = merged(Some(&second), &seen(4, Lasts::Always));
        assert_eq!((older.mark, older.until), (6, None));
        let deleted = merged(Some(&second), &seen(7, Lasts::Deleted));
        assert_eq!((deleted.mark, deleted.until), (7, Some(late)));
        assert_eq!(merged(None, &seen(7, Lasts::Deleted)).until, None);
    }

    #[test]
    fn places_of_two_clients_have_no_row_in_common() {
        let account: AccountId = "111122223333".parse().expect("an account");
        let (a, b) = (TokenPlace::new(&account, "a", "p"), TokenPlace::new(&account, "b", "p"));
        assert_ne!(a.mark, b.mark);
        assert_ne!(a.epoch, b.epoch);
        assert!(a.mark.len() <= 512 && a.mark.starts_with(&a.owner) && a.epoch.starts_with(&a.owner));
    }
}
