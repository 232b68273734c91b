//! What came of a fetch is kept: the refresh token before all, then the token, and a failure so that the provider is left alone.

use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use bulla_envelope::SealError;
use bulla_model::Timestamp;
use tokio::time::{Instant, sleep};

use super::fetching::{Attempt, Holding, RETRY_BASE};
use super::put::after;
use super::sealed::{Put, Sealing};
use crate::content::{self, LimitError};
use crate::fetch::state::{MAX_REFRESH_BYTES, copy};
use crate::fetch::{FetchError, Fetched};
use crate::keys::ClientKeyError;
use crate::place::Kind;
use crate::stats::count;
use crate::store::{Condition, StoreErrorKind};
use crate::{About, Token, TokenError, TokenRef, TokenVault};

/// The longest that a provider is left alone after failures, where it does not say itself.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// How often a refresh token that must not be lost is offered to the store.
const RESCUES: u32 = 8;
/// How long a store that is away is waited for with a refresh token that it does not have yet.
const PATIENCE: Duration = Duration::from_secs(120);

/// The provider gave a token whose time is over.
#[derive(Debug, thiserror::Error)]
#[error("the token had expired when it came")]
struct Expired;

impl TokenVault {
    /// Keeps what a provider gave; where that can't be, the provider is left alone as after any other failure.
    pub(super) async fn keep(
        &self,
        token: &TokenRef,
        holding: &mut Holding,
        used: Option<&SecretBytes>,
        mut fetched: Fetched,
        asked_at: Timestamp,
    ) -> Result<Attempt, TokenError> {
        let failures = holding.state.failures;
        // An empty one replaces nothing.
        fetched.refresh_token = fetched.refresh_token.filter(|new| !new.is_empty());
        let kept = self.keep_fetched(token, holding, used, fetched, asked_at).await;
        if let Err(error) = &kept {
            count(&self.inner.counters.fetch_failures);
            holding.state.failures = failures;
            let failed = FetchError::AnswerLost(Arc::new(error.clone()));
            if let Err(error) = self.note_failure(token, holding, &failed).await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(%token, error, "it is not noted that a fetch failed: the provider may be asked again at once");
            }
        }
        kept
    }

    /// Stores the state first, since a refresh token exists only once; then the token.
    async fn keep_fetched(
        &self,
        token: &TokenRef,
        holding: &mut Holding,
        used: Option<&SecretBytes>,
        fetched: Fetched,
        asked_at: Timestamp,
    ) -> Result<Attempt, TokenError> {
        // Before the state is written: one that could not be read again would be lost, and the one before with it.
        if fetched
            .refresh_token
            .as_ref()
            .is_some_and(|new| new.len() > MAX_REFRESH_BYTES)
        {
            return Err(unusable(LimitError::REFRESH_TOKEN));
        }
        if !self.keep_refresh_token(token, holding, used, &fetched).await? {
            return Ok(Attempt::Held(Duration::ZERO));
        }
        let about = About {
            created: asked_at,
            expires: fetched.ttl.map(|ttl| after(asked_at, ttl)),
            token_type: fetched.token_type,
            scopes: fetched.scopes,
            metadata: bulla_crypto::Context::empty(),
        };
        let content = content::encode(&about, fetched.value.expose_secret()).map_err(unusable)?;
        if !about.is_valid_at(self.inner.clock.now()) {
            return Err(unusable(Expired));
        }
        let sealing = Sealing {
            content: Some(&content),
            expires: about.expires,
            condition: Condition::Any,
            lease: Some(&holding.lease),
        };
        match self.inner.write_at(token, Kind::Token, &sealing).await? {
            Put::Stored(version) => {
                let value = fetched.value;
                Ok(Attempt::Fetched(Token { value, version, about }))
            }
            Put::Conflict | Put::LeaseLost | Put::Absent => Ok(Attempt::Held(Duration::ZERO)),
        }
    }

    /// Stores the state after a success; answers whether the lease was still held. A store that does not take it is waited for.
    async fn keep_refresh_token(
        &self,
        token: &TokenRef,
        holding: &mut Holding,
        used: Option<&SecretBytes>,
        fetched: &Fetched,
    ) -> Result<bool, TokenError> {
        let before = holding.state.current.as_ref().map(copy);
        holding.state.succeed(used, fetched.refresh_token.as_ref());
        let give_up = Instant::now() + PATIENCE;
        let mut wait = RETRY_BASE / 4;
        let mut held = true;
        loop {
            let written = if held {
                self.write_held(token, holding).await
            } else {
                self.rescue(token, before.as_ref(), used, fetched).await.map(|()| false)
            };
            match written {
                Ok(true) => return Ok(true),
                Ok(false) if held && fetched.refresh_token.is_some() => held = false,
                Ok(false) => return Ok(false),
                // A store that is full or refuses may take it in a moment, and there is no other copy.
                Err(error) if may_pass(&error) && Instant::now() < give_up => {
                    sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// "It MAY still store a refresh token that replaces the one the state has as `current`": the lease was lost, the new refresh token must not be.
    async fn rescue(
        &self,
        token: &TokenRef,
        before: Option<&SecretBytes>,
        used: Option<&SecretBytes>,
        fetched: &Fetched,
    ) -> Result<(), TokenError> {
        let Some(new) = fetched.refresh_token.as_ref() else {
            return Ok(());
        };
        for _ in 0..RESCUES {
            let (mut state, version) = self.read_state(token).await?;
            // Revoked, authorised anew, or replaced by who came after: then that counts.
            if version == 0 || !state.uses(before) {
                return Ok(());
            }
            state.succeed(used, Some(new));
            if let Put::Stored(_) = self.write_state(token, &state, version, None).await? {
                tracing::info!(%token, "a refresh token that came after its lease had ended was kept");
                return Ok(());
            }
        }
        Err(TokenError::Contended)
    }

    /// Stores that a fetch failed, and until when the provider is left alone. An intent stays where the provider may have acted.
    pub(super) async fn note_failure(
        &self,
        token: &TokenRef,
        holding: &mut Holding,
        error: &FetchError,
    ) -> Result<(), TokenError> {
        let state = &mut holding.state;
        state.failures = state.failures.saturating_add(1);
        let own = Duration::from_secs(1)
            .saturating_mul(1 << state.failures.min(7))
            .min(LONGEST_BACKOFF)
            .mul_f64(0.5 + 0.5 * self.inner.random_fraction());
        let pause = match error {
            FetchError::RateLimited { retry_after } => retry_after.unwrap_or(own).max(Duration::from_secs(1)),
            _ => own,
        };
        state.not_before = Some(after(self.inner.clock.now(), pause));
        if !matches!(error, FetchError::AnswerLost(_)) {
            state.intent = None;
        }
        // Where the lease is lost, whoever has it now says what became of it.
        self.write_held(token, holding).await.map(|_| ())
    }
}

/// An answer that no token can be made of; asking again at once would only have the provider act again.
fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> TokenError {
    FetchError::AnswerLost(Arc::new(error)).into()
}

/// Whether a write that failed may succeed later, if only because somebody does something about it.
fn may_pass(error: &TokenError) -> bool {
    match error {
        TokenError::Store(error) => error.kind != StoreErrorKind::Malformed,
        TokenError::DataKey(_) | TokenError::Seal(SealError::DataKey(_)) | TokenError::Marks(_) => true,
        TokenError::ClientKey(ClientKeyError::Failed { .. }) | TokenError::Contended | TokenError::Random => true,
        _ => false,
    }
}
