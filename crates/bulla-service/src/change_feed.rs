//! Reading the change feed: every revision there, or it is said what is not.

use bulla_store::{Change, Store, StoreError, Transaction};

use crate::keyring::StoreKey;

/// Changes read at once.
const PAGE: u32 = 5_000;

/// Why a change feed is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error("the change feed was tampered with at revision {revision}")]
    Tampered { revision: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where changes come from: the store, or a transaction under the head's lock.
pub(crate) enum Source<'a> {
    Store(&'a dyn Store),
    Transaction(&'a mut dyn Transaction),
}

/// How far a walk vouches for the changes that it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// That they are contiguous and complete: their digest vouches for the rest.
    Digested,
    /// That each is genuine in the older form, too, for which there is no digest.
    Unbound,
}

/// Reads all changes after `after` up to exactly `until`, contiguous and complete.
pub(crate) async fn read(
    source: Source<'_>,
    store_key: &StoreKey,
    form: Form,
    after: u64,
    until: u64,
) -> Result<Vec<Change>, FeedError> {
    let mut changes: Vec<Change> = Vec::new();
    walk(source, store_key, form, after, until, &mut |mut page| {
        changes.append(&mut page)
    })
    .await?;
    Ok(changes)
}

/// Walks the same changes a page at a time, so that a long feed is never in memory as a whole.
pub(crate) async fn walk(
    mut source: Source<'_>,
    store_key: &StoreKey,
    form: Form,
    after: u64,
    until: u64,
    see: &mut (dyn FnMut(Vec<Change>) + Send),
) -> Result<(), FeedError> {
    let mut revision = after;
    while revision < until {
        let page = match &mut source {
            Source::Store(store) => store.changes(revision, PAGE).await,
            Source::Transaction(transaction) => transaction.changes(revision, PAGE).await,
        };
        let mut page = page.map_err(|error| match error {
            // A value of an impossible form.
            StoreError::Corrupt { .. } => FeedError::Tampered { revision: revision + 1 },
            error => error.into(),
        })?;
        let before = revision;
        let mut rest = page.as_slice();
        while let Some(first) = rest.first() {
            if first.revision > until {
                break;
            }
            let count = first.count as usize;
            if rest.len() < count {
                // The page ends inside a revision; the next one begins with it.
                break;
            }
            let (set, others) = rest.split_at(count.max(1));
            let whole = set.iter().enumerate().all(|(ordinal, change)| {
                change.revision == revision + 1
                    && change.ordinal as usize == ordinal
                    && change.count as usize == set.len()
                    && (form == Form::Digested || store_key.unbound_change_is_genuine(change))
            });
            if !whole {
                return Err(FeedError::Tampered { revision: revision + 1 });
            }
            revision += 1;
            rest = others;
        }
        if revision == before {
            return Err(FeedError::Tampered { revision: revision + 1 });
        }
        page.truncate(page.len() - rest.len());
        see(page);
    }
    Ok(())
}
