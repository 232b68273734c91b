//! Bearer credentials: who shows one is its principal, until the next decision says otherwise.

use std::sync::Arc;

use bulla_model::PrincipalArn;
use bulla_store::Table;

use crate::api_token::ApiToken;
use crate::call::MappedUser;
use crate::entry::{ApiTokenEntry, Entry};
use crate::oidc::IdentityError;
use crate::service::Core;
use crate::session::{Session, name_of};
use crate::{Caller, Service, ServiceError};

impl Service {
    /// Finds who shows a bearer credential, without the word `Bearer` before it: an API token (`bulla_…`), or a token of an issuer that
    /// the settings map to a principal.
    ///
    /// It may be found in a cache that another node's change has not reached; the operation that the caller asks for is held against
    /// that change when it commits, so a disabled token decides the very next operation nevertheless. A refusal was true when this was
    /// called, on whichever node; finding that out costs the store one look for all who ask at once, and no row is read for a token
    /// that nobody has. Refusals are counted and recorded in aggregate, under their error's code.
    ///
    /// # Errors
    /// `UnrecognizedClient`, `ExpiredToken`, `IdpCommunication`, `Store`, `Tampered`, `Throttled`, `ShuttingDown`.
    pub async fn authenticate_bearer(&self, bearer: &str, source_ip: &str) -> Result<Caller, ServiceError> {
        let found = self.core.authenticate_bearer(bearer).await;
        match &found {
            Err(error @ ServiceError::Tampered { .. }) => self.core.record_tampering(error).await?,
            Err(
                error @ (ServiceError::UnrecognizedClient
                | ServiceError::ExpiredToken
                | ServiceError::IdpCommunication(_)),
            ) => {
                self.record_authentication_failure(error.code(), source_ip);
            }
            _ => {}
        }
        found
    }
}

impl Core {
    async fn authenticate_bearer(&self, bearer: &str) -> Result<Caller, ServiceError> {
        let Some(token) = ApiToken::parse(bearer) else {
            return self.authenticate_web_identity(bearer).await;
        };
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

    /// Finds whom a token of an issuer is mapped to.
    async fn authenticate_web_identity(&self, bearer: &str) -> Result<Caller, ServiceError> {
        let now = self.clock.now();
        let identity = self.issuers.verify(bearer, now).await.map_err(|error| match error {
            IdentityError::Expired { .. } => ServiceError::ExpiredToken,
            IdentityError::Unreachable => error.into(),
            _ => ServiceError::UnrecognizedClient,
        })?;
        let principal = identity.principal.clone().ok_or(ServiceError::UnrecognizedClient)?;
        // A token that does not say since when it is could not be ended by when it was issued.
        let issued = identity.issued.ok_or(ServiceError::UnrecognizedClient)?;
        if !principal.is_role() {
            return Ok(Caller::by_mapping(MappedUser { principal, identity }));
        }
        let mut role = self.known_entry(Table::Roles, principal.as_str()).await?;
        if role.is_none() {
            self.freshness.catch_up(&self.queue).await?;
            role = self.known_entry(Table::Roles, principal.as_str()).await?;
        }
        let Some(Entry::Role(role)) = role else {
            return Err(ServiceError::UnrecognizedClient);
        };
        let longest = i64::from(role.body.max_session_seconds) * 1_000_000;
        let expires = identity.expires.min(issued.plus_micros(longest));
        if expires <= now {
            return Err(ServiceError::ExpiredToken);
        }
        let name = name_of(&identity);
        let arn = PrincipalArn::session(&principal, &name).ok_or(ServiceError::UnrecognizedClient)?;
        Ok(Caller::by_session(Arc::new(Session {
            arn,
            role: principal,
            role_id: role.id.clone(),
            name,
            policy: None,
            tags: Default::default(),
            transitive: Default::default(),
            issued,
            expires,
            access_key_id: None,
            shown: Some(identity),
            federated: None,
            source_identity: None,
        })))
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
