//! When each key was used last: kept in memory, written down every few minutes beside the rows that decide.
//!
//! No operation waits for it, and nothing rests on it: who can write the database can take a record back to an older one. What
//! happened is in the audit log.

mod pending;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bulla_model::Timestamp;
use bulla_store::{Lookup, Row, StoreError, Table};

use self::pending::Pending;
use crate::bodies::{Body, KeyUsageBody, TrackingBody, VERSION};
use crate::keyring::StoreKey;
use crate::rows::Rows;
use crate::service::Core;
use crate::{OpenError, ServiceError};

/// The operations that use a key, as AWS counts them (`KeyLastUsageTrackingOperation`), sorted.
const USES: [&str; 14] = [
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// The row that says since when uses are kept; no ARN is this.
const TRACKING_ROW: &str = "tracking";

/// Records written in one transaction while others wait for it, and when nobody does.
const FEW: usize = 64;
const MANY: usize = 1_000;

/// The last use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The operation, by AWS's name.
    pub operation: String,
    /// When it was decided.
    pub time: Timestamp,
    /// `eventID` of its audit event.
    pub event_id: String,
    /// The request.
    pub request_id: String,
}

/// The last use of a key, as one request hands it over: nothing is copied.
#[derive(Debug, Clone)]
pub(crate) struct Used {
    pub(crate) operation: &'static str,
    pub(crate) time: Timestamp,
    pub(crate) event_id: String,
    pub(crate) request_id: Arc<str>,
}

/// What this node knows of the uses of keys.
#[derive(Debug)]
pub(crate) struct KeyUsage {
    pending: Pending,
    since: Timestamp,
    since_is_written: AtomicBool,
}

impl KeyUsage {
    /// Reads since when uses are kept: from `now` on where nobody kept any yet.
    ///
    /// # Errors
    /// `Tampered` where the row that says so is not the service's: written anew it would hide that uses before it are kept.
    pub(crate) async fn open(rows: &Rows, now: Timestamp) -> Result<Self, OpenError> {
        let lookup = rows.store.lookup(Table::KeyUsage, TRACKING_ROW).await?;
        let written = genuine::<TrackingBody>(&rows.store_key, TRACKING_ROW, &lookup);
        if lookup.row.is_some() && written.is_none() {
            return Err(OpenError::tampered(Table::KeyUsage, TRACKING_ROW));
        }
        Ok(Self {
            pending: Pending::default(),
            since_is_written: AtomicBool::new(written.is_some()),
            since: written.map_or(now, |body| body.since),
        })
    }

    /// Since when uses are kept.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// Notes the use of keys by an operation that succeeded; what is no use is left out.
    pub(crate) fn note(&self, keys: &[Arc<str>], used: Used) {
        if USES.binary_search(&used.operation).is_err() {
            return;
        }
        if let Some((last, others)) = keys.split_last() {
            for key in others {
                self.pending.used(key, used.clone());
            }
            self.pending.used(last, used);
        }
    }

    /// Notes the use of an API token, whatever was asked with it.
    pub(crate) fn note_token(&self, token: &Arc<str>, used: Used) {
        self.pending.used(token, used);
    }

    /// Forgets a key or a token that was deleted.
    pub(crate) fn forget(&self, id: &str) {
        self.pending.forget(id);
    }

    /// The last use of a key, by its ARN, or of a token, by its id, that this node knows: its own, or what is written down.
    pub(crate) async fn last(&self, rows: &Rows, id: &str) -> Result<Option<KeyUse>, ServiceError> {
        let lookup = rows.store.lookup(Table::KeyUsage, id).await?;
        let written = genuine::<KeyUsageBody>(&rows.store_key, id, &lookup);
        if lookup.row.is_some() && written.is_none() {
            return Err(rows.tampered(Table::KeyUsage, id));
        }
        let written = written.map(|body| KeyUse {
            operation: body.operation,
            time: body.time,
            event_id: body.event_id,
            request_id: body.request_id,
        });
        let own = self.pending.last(id).map(|used| KeyUse {
            operation: used.operation.to_owned(),
            time: used.time,
            event_id: used.event_id,
            request_id: used.request_id.to_string(),
        });
        Ok(own.into_iter().chain(written).max_by_key(|used| used.time))
    }

    async fn write(&self, rows: &Rows, keys: &[Arc<str>]) -> Result<(), StoreError> {
        let seal = |id: &str, body: Vec<u8>| rows.store_key.seal_row(Table::KeyUsage, id, "", 0, body);
        let uses = self.pending.of(keys);
        let mut transaction = rows.store.begin().await?;
        if !self.since_is_written.load(Ordering::Relaxed) {
            let body = TrackingBody {
                version: VERSION,
                since: self.since,
            };
            let row = seal(TRACKING_ROW, body.to_bytes());
            transaction.put_row(Table::KeyUsage, &row).await?;
        }
        for (arn, used) in &uses {
            match used {
                Some(used) => {
                    let body = KeyUsageBody {
                        version: VERSION,
                        operation: used.operation.to_owned(),
                        time: used.time,
                        event_id: used.event_id.clone(),
                        request_id: used.request_id.to_string(),
                    };
                    let row: Row = seal(arn, body.to_bytes());
                    transaction.put_row(Table::KeyUsage, &row).await?;
                }
                None => transaction.delete_row(Table::KeyUsage, arn).await?,
            }
        }
        transaction.commit().await?;
        self.since_is_written.store(true, Ordering::Relaxed);
        self.pending.written(&uses);
        Ok(())
    }
}

impl Core {
    /// Writes down the uses since the last time; `at_the_end`, when nobody waits for the store any more.
    ///
    /// What can't be written now is kept for the next time. Where several nodes use one key, the last one that writes is believed.
    pub(crate) async fn flush_key_usage(&self, at_the_end: bool) {
        let keys = self.key_usage.pending.keys();
        for chunk in keys.chunks(if at_the_end { MANY } else { FEW }) {
            if let Err(error) = self.key_usage.write(&self.rows, chunk).await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the last uses of keys were not written down; they are kept for the next time"
                );
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A row of uses that the service wrote, whenever that was.
fn genuine<B: Body>(store_key: &StoreKey, id: &str, lookup: &Lookup) -> Option<B> {
    let row = lookup.row.as_ref().filter(|row| row.id == id)?;
    let is_genuine = store_key.row_is_genuine(Table::KeyUsage, row);
    is_genuine.then(|| B::from_bytes(&row.body)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operations_that_use_keys_are_sorted_as_they_are_searched() {
        assert!(USES.is_sorted());
    }
}
