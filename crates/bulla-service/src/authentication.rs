//! Bearer credentials: who shows one is its principal, until the next decision says otherwise.

use std::sync::Arc;

use bulla_store::Table;

use crate::api_token::ApiToken;
use crate::entry::{ApiTokenEntry, Entry};
use crate::service::Core;
use crate::{Caller, Service, ServiceError};

impl Service {
    /// Finds who shows a bearer credential: an API token (`bulla_…`), without the word `Bearer` before it.
    ///
    /// It may be found in a cache that another node's change has not reached; the operation that the caller asks for is held against
    /// that change when it commits, so a disabled token decides the very next operation nevertheless. A refusal was true when this was
    /// called, on whichever node; finding that out costs the store one look for all who ask at once, and no row is read for a token
    /// that nobody has. Refusals are counted and recorded in aggregate, under their error's code.
    ///
    /// # Errors
    /// `UnrecognizedClient`, `ExpiredToken`, `Store`, `Tampered`, `Throttled`, `ShuttingDown`.
    pub async fn authenticate_bearer(&self, bearer: &str, source_ip: &str) -> Result<Caller, ServiceError> {
        let found = self.core.authenticate_bearer(bearer).await;
        match &found {
            Err(error @ ServiceError::Tampered { .. }) => self.core.record_tampering(error).await?,
            Err(error @ (ServiceError::UnrecognizedClient | ServiceError::ExpiredToken)) => {
                self.record_authentication_failure(error.code(), source_ip);
            }
            _ => {}
        }
        found
    }
}

impl Core {
    async fn authenticate_bearer(&self, bearer: &str) -> Result<Caller, ServiceError> {
        let token = ApiToken::parse(bearer).ok_or(ServiceError::UnrecognizedClient)?;
        let known = match self.known_token(&token).await? {
            Some(known) => known,
            None => {
                // Who is refused commits nothing, and a node learns at its commits what others changed.
                self.freshness.catch_up(&self.queue).await?;
                let known = self.known_token(&token).await?;
                known.ok_or(ServiceError::UnrecognizedClient)?
            }
        };
        if known.has_expired(self.clock.now()) {
            return Err(ServiceError::ExpiredToken);
        }
        Ok(Caller::by_token(known))
    }

    /// The row of a token that is accepted, its end apart, as far as this node has heard.
    async fn known_token(&self, token: &ApiToken<'_>) -> Result<Option<Arc<ApiTokenEntry>>, ServiceError> {
        let Some(Entry::ApiToken(known)) = self.known_entry(Table::ApiTokens, token.id()).await? else {
            return Ok(None);
        };
        if !token.is_of(&known.body.hash) || !known.body.enabled {
            return Ok(None);
        }
        let principal = self.known_entry(Table::Principals, known.principal.as_str()).await?;
        let is_active = matches!(principal, Some(Entry::Principal(principal)) if principal.accepts(known.body.created));
        Ok(is_active.then_some(known))
    }
}
