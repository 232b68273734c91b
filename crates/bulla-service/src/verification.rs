use std::fmt;

use bulla_audit::LogState;
use bulla_store::{Change, RowFilter, StoreError, Table};

use crate::change_feed::{self, FeedError, Form, Source};
use crate::feed_digest::{FeedDigest, ForgedLine};
use crate::rows::Doubt;
use crate::{Service, ServiceError};

/// Rows read at once.
const PAGE: u32 = 1_000;

/// What is wrong with a row that decides, as only the store key can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// Its MAC does not verify.
    Row,
    /// Its newest change is missing, forged, or of another revision.
    Change,
    /// It is older than the change feed says.
    Older,
}

/// A row that the service would refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgedRow {
    /// Its table.
    pub table: &'static str,
    /// Its primary key.
    pub id: String,
    /// What is wrong.
    pub what: Forgery,
}

/// What was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Rows whose MAC and newest change were checked.
    pub rows: u64,
    /// The change feed is complete and genuine up to this revision; `None` where it is not, or where changes lie beyond it.
    pub changes_up_to: Option<u64>,
}

impl Service {
    /// Checks the MAC of every row that decides and of every change, and hands each row that would be refused to `found`.
    ///
    /// Reads a page at a time, whatever the size of the store; changes nothing and records nothing. A row that is missing is not found
    /// here but by comparing with the log.
    ///
    /// # Errors
    /// `Store`.
    pub async fn verify_rows(&self, found: &mut (dyn FnMut(ForgedRow) + Send)) -> Result<Verified, ServiceError> {
        let rows = &self.core.rows;
        let mut verified = 0;
        for table in Table::ALL.into_iter().filter(|table| table.decides()) {
            let mut after: Option<String> = None;
            loop {
                let synced = rows.synced();
                let page = rows.store.list(table, RowFilter::All, after.as_deref(), PAGE).await?;
                let full = page.len() == PAGE as usize;
                for lookup in &page {
                    let Some(row) = &lookup.row else { continue };
                    after = Some(row.id.clone());
                    verified += 1;
                    if let Err(Doubt::Tampered(what)) = rows.judge(table, &row.id, lookup, synced) {
                        let (table, id) = (table.name(), row.id.clone());
                        found(ForgedRow { table, id, what });
                    }
                }
                if !full {
                    break;
                }
            }
        }
        Ok(Verified {
            rows: verified,
            changes_up_to: self.verify_changes().await?,
        })
    }

    async fn verify_changes(&self) -> Result<Option<u64>, ServiceError> {
        let rows = &self.core.rows;
        let (mut after, mut feed) = (0, FeedDigest::default());
        loop {
            let Some(head) = rows.store.head().await? else {
                return Ok(None);
            };
            let until = head.metadata_revision;
            let source = Source::Store(&*rows.store);
            let vouched = LogState::from_bytes(&head.state)
                .map_err(|_| ForgedLine)
                .and_then(|log| FeedDigest::of_checkpoint(&rows.store_key, &head.checkpoint, &self.core.origin, &log));
            let Ok(vouched) = vouched else { return Ok(None) };
            let form = if vouched.is_some() {
                Form::Digested
            } else {
                Form::Unbound
            };
            let mut digest = |page: Vec<Change>| feed = feed.after(&rows.store_key, &page);
            match change_feed::walk(source, &rows.store_key, form, after, until, &mut digest).await {
                Ok(()) => {}
                Err(FeedError::Tampered { .. }) => return Ok(None),
                Err(FeedError::Store(error)) => return Err(error.into()),
            }
            if vouched.is_some_and(|vouched| vouched != feed) {
                return Ok(None);
            }
            let beyond = match rows.store.changes(until, 1).await {
                Ok(beyond) => !beyond.is_empty(),
                Err(StoreError::Corrupt { .. }) => true,
                Err(error) => return Err(error.into()),
            };
            if !beyond {
                return Ok(Some(until));
            }
            // Committed meanwhile, or nobody's.
            let newer = rows.store.head().await?.map_or(0, |head| head.metadata_revision);
            if newer <= until {
                return Ok(None);
            }
            after = until;
        }
    }
}

impl fmt::Display for Forgery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Row => "its MAC does not verify",
            Self::Change => "its newest change is missing, forged or of another revision",
            Self::Older => "it is older than the change feed says",
        })
    }
}

impl fmt::Display for ForgedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.table, self.id, self.what)
    }
}
