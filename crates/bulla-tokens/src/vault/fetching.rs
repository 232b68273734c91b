//! One fetch under a lease, as `spec/token-vault.md` (*State of fetching*) orders it.

use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use tokio::time::{Instant, sleep, timeout};

use super::sealed::{Put, Sealing};
use crate::access::{Access, Action, Outcome};
use crate::fetch::state::{FetchState, Intent, copy};
use crate::fetch::{FetchError, FetchRequest, Fetched, Fetcher};
use crate::place::Kind;
use crate::stats::count;
use crate::store::{Acquired, Condition, Lease};
use crate::{Lasts, Token, TokenError, TokenRef, TokenVault};

/// Attempts at the provider under one lease where the answer was lost.
const ATTEMPTS: u32 = 3;
/// The first wait between them; doubles.
pub(super) const RETRY_BASE: Duration = Duration::from_millis(200);
/// How long an answer is looked for after its time.
const GRACE: Duration = Duration::from_millis(200);

/// What came of one try to fetch.
pub(super) enum Attempt {
    Fetched(Token),
    /// Somebody else has the lease, for this long at most.
    Held(Duration),
}

/// A lease and what was read under it.
pub(super) struct Holding {
    pub(super) lease: Lease,
    /// When the lease has ended, as seen from here.
    pub(super) end: Instant,
    pub(super) state: FetchState,
    /// The state's version; 0 where there is none.
    pub(super) version: u64,
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
                Ok(fetched) => return self.keep(token, holding, used.as_ref(), fetched, asked_at).await,
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

    /// Writes the state under the lease, over what was read; answers whether it still could.
    pub(super) async fn write_held(&self, token: &TokenRef, holding: &mut Holding) -> Result<bool, TokenError> {
        let put = self.write_state(token, &holding.state, holding.version, Some(&holding.lease));
        match put.await? {
            Put::Stored(version) => {
                holding.version = version;
                Ok(true)
            }
            Put::Conflict | Put::LeaseLost | Put::Absent => Ok(false),
        }
    }

    pub(super) async fn write_state(
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
    pub(super) async fn read_state(&self, token: &TokenRef) -> Result<(FetchState, u64), TokenError> {
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
