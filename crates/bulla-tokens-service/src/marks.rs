use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_model::AccountId;
use bulla_service::{Lasts as KeptFor, Service, ServiceError, TokenPlace, TokenVersion};
use bulla_tokens::place::{Place, Prefix};
use bulla_tokens::{ClientId, Lasts, Marks, MarksError, Seen};

/// Marks in the service's own store: an old value is refused by all nodes, and after a restart.
///
/// Those of tokens are raised with the events of [`ServiceAccessLog`](crate::ServiceAccessLog), which also holds what was read against them when
/// the event is committed: then no other node can have raised them unseen. Those of how tokens are fetched, and epochs of clients, have
/// events of their own.
///
/// # What who can write to the service's store gets
/// A mark that was edited, deleted or taken back is found (`spec/store.md`, section 6), and nothing of its place is given out.
pub struct ServiceMarks {
    service: Service,
    account: AccountId,
    prefix: Prefix,
}

impl ServiceMarks {
    /// Keeps marks of the vault with these keys' account and this prefix.
    pub fn new(service: Service, account: AccountId, prefix: Prefix) -> Self {
        Self {
            service,
            account,
            prefix,
        }
    }
}

#[async_trait]
impl Marks for ServiceMarks {
    async fn lowest(&self, _: &ClientId, place: &Place) -> Result<u64, MarksError> {
        let place = token_place(&self.account, place);
        self.service.lowest_token_version(&place).await.map_err(unknown)
    }

    async fn raise(&self, _: &ClientId, place: &Place, version: u64, lasts: Lasts) -> Result<(), MarksError> {
        let seen = TokenVersion {
            place: token_place(&self.account, place),
            version,
            lasts: kept_for(lasts),
        };
        self.service.raise_token_mark(&seen).await.map_err(unknown)
    }

    fn are_raised_by_log(&self) -> bool {
        true
    }

    async fn revoke(&self, client: &ClientId, version: u64) -> Result<(), MarksError> {
        let client = self.prefix.client(client).epoch();
        let barring = self.service.bar_tokens(&self.account, &client, version);
        barring.await.map_err(unknown)
    }
}

/// What an access saw, as the service takes it.
pub(crate) fn version(account: &AccountId, seen: &Seen) -> TokenVersion {
    TokenVersion {
        place: token_place(account, &seen.place),
        version: seen.version,
        lasts: kept_for(seen.lasts),
    }
}

fn token_place(account: &AccountId, place: &Place) -> TokenPlace {
    TokenPlace::new(account, &place.client().epoch(), place.key())
}

fn kept_for(lasts: Lasts) -> KeptFor {
    match lasts {
        Lasts::Until(until) => KeptFor::Until(until),
        Lasts::Always => KeptFor::Always,
        Lasts::Deleted => KeptFor::Deleted,
    }
}

fn unknown(error: ServiceError) -> MarksError {
    MarksError(Arc::new(error))
}

impl fmt::Debug for ServiceMarks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceMarks")
            .field("account", &self.account)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
