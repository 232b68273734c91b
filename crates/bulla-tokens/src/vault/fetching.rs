//! One fetch under a lease, as `spec/token-vault.md` (*State of fetching*) orders it.

use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use bulla_model::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use super::put::after;
use super::sealed::{Put, Sealing};
use crate::access::{Access, Action, Outcome};
use crate::content;
use crate::fetch::state::{FetchState, Intent, copy};
use crate::fetch::{FetchError, FetchRequest, Fetched, Fetcher};
use crate::place::Kind;
use crate::stats::count;
use crate::store::{Acquired, Condition, Lease};
use crate::{About, Lasts, Token, TokenError, TokenRef, TokenVault};

/// Attempts at the provider under one lease where the answer was lost.
const ATTEMPTS: u32 = 3;
/// The first wait between them; doubles.
const RETRY_BASE: Duration = Duration::from_millis(200);
/// The longest that a provider is left alone after failures, where it does not say itself.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// How often a refresh token that must not be lost is offered to the store.
const RESCUES: u32 = 8;

/// How long an answer is looked for after its time.
const GRACE: Duration = Duration::from_millis(200);
/// How long a store that is away is waited for with a refresh token that it does not have yet.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of one try to fetch.
pub(super) enum Attempt {
    Fetched(Token),
    /// Somebody else has the lease, for this long at most.
    Held(Duration),
}

/// A lease and what was read under it.
struct Holding {
    lease: Lease,
    /// When the lease has ended, as seen from here.
    end: Instant,
    state: FetchState,
    /// The state's version; 0 where there is none.
    version: u64,
}

/// The provider did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

impl TokenVault {
    /// Takes the lease and fetches, unless a token above `stale` has come meanwhile; records it unless it is `announced`.
    pub(super) async fn fetch_leased(
        &self,
        token: &TokenRef,
        fetcher: &Arc<dyn Fetcher>,
        stale: u64,
        announced: bool,
    ) -> Result<Attempt, TokenError> {
        let inner = &self.inner;
        let place = inner.place(token, Kind::Token);
        let mut holder = [0; 16];
        inner.random.fill(&mut holder).map_err(|_| TokenError::Random)?;
        let end = Instant::now() + inner.settings.lease;
        let holder = hex::encode(holder);
        let lease = match inner.store.acquire(&place, &holder, inner.settings.lease).await? {
            Acquired::Lease(lease) => lease,
            Acquired::Held(left) => return Ok(Attempt::Held(left)),
        };
        // A task of its own: a caller that goes away must not take a new refresh token with it.
        let (vault, token, fetcher) = (self.clone(), token.clone(), Arc::clone(fetcher));
        let fetching = tokio::spawn(async move {
            let until = (lease.clone(), end);
            let fetched = vault.fetch_holding(&token, &fetcher, stale, until, announced).await;
            if let Err(error) = vault.inner.store.release(&place, &lease).await {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(%token, error, "a lease was not given back; it ends by itself");
            }
            fetched
        });
        // It ends without an answer where the runtime shuts down, or the fetcher panicked.
        fetching.await.unwrap_or(Err(TokenError::FetchedElsewhere))
    }

    async fn fetch_holding(
        &self,
        token: &TokenRef,
        fetcher: &Arc<dyn Fetcher>,
        stale: u64,
        (lease, end): (Lease, Instant),
        announced: bool,
    ) -> Result<Attempt, TokenError> {
        if let Some(found) = self.fresher(token, stale).await? {
            return Ok(Attempt::Fetched(found));
        }
        let (state, version) = self.read_state(token).await?;
        let now = self.inner.clock.now();
        let uses_grant = fetcher.uses_refresh_token();
        if uses_grant && (state.needs_authorisation || state.current.is_none()) {
            return Err(FetchError::NeedsAuthorisation.into());
        }
        if let Some(until) = state.not_before.filter(|until| now < *until) {
            return Err(FetchError::BackingOff { until }.into());
        }
        let secret = match fetcher.secret() {
            Some(secret) => Some(self.get(secret).await?.ok_or(FetchError::NoSecret)?.value),
            None => None,
        };
        let mut holding = Holding {
            lease,
            end,
            state,
            version,
        };
        if announced {
            return self.ask_and_store(token, fetcher, secret.as_ref(), &mut holding).await;
        }
        let access = Access::of_token(Action::Refresh, token);
        let asked = async {
            let fetched = self.ask_and_store(token, fetcher, secret.as_ref(), &mut holding).await;
            let outcome = match &fetched {
                Ok(Attempt::Fetched(fetched)) => Outcome {
                    version: Some(fetched.version),
                    seen: Some(
                        self.inner
                            .seen(token, fetched.version, Lasts::of(fetched.about.expires)),
                    ),
                    ..Outcome::default()
                },
                _ => Outcome::default(),
            };
            (outcome, fetched)
        };
        self.recorded(access, asked).await
    }

    /// Stores the intent, asks, and stores what came of it.
    async fn ask_and_store(
        &self,
        token: &TokenRef,
        fetcher: &Arc<dyn Fetcher>,
        secret: Option<&SecretBytes>,
        holding: &mut Holding,
    ) -> Result<Attempt, TokenError> {
        // "Who is about to ask the provider MUST hold the lease, and MUST store the intent first."
        holding.state.intent = Some(Intent::new(&holding.lease, self.inner.clock.now()));
        if !self.write_held(token, holding).await? {
            return Ok(Attempt::Held(Duration::ZERO));
        }
        let mut used = holding
            .state
            .current
            .as_ref()
            .map(copy)
            .filter(|_| fetcher.uses_refresh_token());
        let mut tried_previous = false;
        loop {
            let asked_at = self.inner.clock.now();
            count(&self.inner.counters.fetches);
            let error = match self.ask(token, fetcher, secret, used.as_ref(), holding.end).await {
                Ok(fetched) => {
                    return self
                        .keep_fetched(token, holding, used.as_ref(), fetched, asked_at)
                        .await;
                }
                Err(error) => error,
            };
            count(&self.inner.counters.fetch_failures);
            if !matches!(error, FetchError::InvalidGrant) || used.is_none() {
                self.note_failure(token, holding, &error).await?;
                return Err(error.into());
            }
            // "`invalid_grant` is believed only where the state, read again, still has the refresh token that was refused."
            let (state, version) = self.read_state(token).await?;
            let refused = if tried_previous {
                state.previous.as_ref()
            } else {
                state.current.as_ref()
            };
            let unchanged = version == holding.version
                && refused.map(SecretBytes::expose_secret) == used.as_ref().map(SecretBytes::expose_secret);
            if !unchanged {
                return Ok(Attempt::Held(Duration::ZERO));
            }
            // The new one never worked: its answer may have been for somebody else, and the one before still be good.
            match state.previous.as_ref().filter(|_| !tried_previous) {
                Some(previous) => {
                    used = Some(copy(previous));
                    tried_previous = true;
                }
                None => {
                    holding.state.needs_authorisation = true;
                    holding.state.intent = None;
                    self.write_held(token, holding).await?;
                    return Err(FetchError::InvalidGrant.into());
                }
            }
        }
    }

    /// Asks the provider; again, with the same refresh token, where the answer was lost and the lease still lasts.
    async fn ask(
        &self,
        token: &TokenRef,
        fetcher: &Arc<dyn Fetcher>,
        secret: Option<&SecretBytes>,
        refresh_token: Option<&SecretBytes>,
        end: Instant,
    ) -> Result<Fetched, FetchError> {
        let limit = self.inner.settings.fetch_timeout;
        let request = FetchRequest {
            token,
            secret,
            refresh_token,
        };
        let mut tries = 0;
        let mut last = FetchError::NotSent(Arc::new(NoAnswer(Duration::ZERO)));
        while tries < ATTEMPTS {
            if tries > 0 {
                let wait = RETRY_BASE * 2u32.pow(tries - 1);
                sleep(wait.mul_f64(0.5 + 0.5 * self.inner.random_fraction())).await;
            }
            // Nobody is asked whose answer could come after the lease.
            if Instant::now() + limit + GRACE > end {
                break;
            }
            tries += 1;
            let mut fetching = fetcher.fetch(&request);
            let mut asked = timeout(limit, &mut fetching).await;
            if asked.is_err() {
                // Where the process was stopped, the timer may be seen before the answer that is there.
                asked = timeout(GRACE, fetching).await;
            }
            match asked.unwrap_or_else(|_| Err(FetchError::AnswerLost(Arc::new(NoAnswer(limit))))) {
                Err(error @ (FetchError::NotSent(_) | FetchError::AnswerLost(_))) => {
                    // A later try that is not sent does not undo that an earlier one may have been.
                    if !matches!((&last, &error), (FetchError::AnswerLost(_), FetchError::NotSent(_))) {
                        last = error;
                    }
                }
                answer => return answer,
            }
        }
        Err(last)
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
        let content = content::encode(&about, fetched.value.expose_secret())?;
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

    /// Stores the state after a success; answers whether the lease was still held. A store that is away for a moment is waited for.
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
                Err(error) if error.is_retryable() && Instant::now() < give_up => {
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
    async fn note_failure(
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

    /// Writes the state under the lease, over what was read; answers whether it still could.
    async fn write_held(&self, token: &TokenRef, holding: &mut Holding) -> Result<bool, TokenError> {
        let put = self.write_state(token, &holding.state, holding.version, Some(&holding.lease));
        match put.await? {
            Put::Stored(version) => {
                holding.version = version;
                Ok(true)
            }
            Put::Conflict | Put::LeaseLost | Put::Absent => Ok(false),
        }
    }

    async fn write_state(
        &self,
        token: &TokenRef,
        state: &FetchState,
        over: u64,
        lease: Option<&Lease>,
    ) -> Result<Put, TokenError> {
        let content = state.encode();
        let sealing = Sealing {
            content: Some(&content),
            expires: None,
            condition: Condition::Version(over),
            lease,
        };
        self.inner.write_at(token, Kind::State, &sealing).await
    }

    /// Reads the state and its version; an empty one, and 0, where there is none.
    async fn read_state(&self, token: &TokenRef) -> Result<(FetchState, u64), TokenError> {
        let Some(opened) = self.inner.open_at(token, Kind::State).await? else {
            return Ok((FetchState::default(), 0));
        };
        let state = FetchState::decode(&opened.content).ok_or(TokenError::Malformed)?;
        let place = self.inner.place(token, Kind::State);
        self.inner
            .marks
            .raise(&token.client, &place, opened.version, Lasts::Always)
            .await?;
        Ok((state, opened.version))
    }
}
