use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::fetching::Attempt;
use super::get::retried;
use crate::access::{Access, Action, Outcome};
use crate::fetch::Fetcher;
use crate::place::Kind;
use crate::{Lasts, Token, TokenError, TokenRef, TokenVault};

/// How long a waiting process lets pass between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long the background lets a token alone that it could not refresh.
const BACKGROUND_PAUSE: Duration = Duration::from_secs(1);

impl TokenVault {
    /// Gives a token out, fetching it where it is not there or has expired: once, over all processes.
    ///
    /// Shortly before its expiry it is refreshed in the background, while the one that is still valid is given out; a provider that is down
    /// matters only when that has expired.
    ///
    /// # Errors
    /// [`TokenError`]; [`TokenError::Fetch`] where the provider gave none.
    pub async fn get_or_fetch(&self, token: &TokenRef, fetcher: &Arc<dyn Fetcher>) -> Result<Token, TokenError> {
        retried(|| {
            let access = Access::of_token(Action::Get, token);
            self.recorded(access, self.obtained(token, fetcher))
        })
        .await
    }

    /// Fetches a token anew though the one that is there may be valid; once, over all processes that ask at the same time.
    ///
    /// It is recorded as [`Action::Refresh`], one event for the caller and the provider: who may have it done need not be who may get it.
    ///
    /// # Errors
    /// As [`get_or_fetch`](Self::get_or_fetch).
    pub async fn refresh(&self, token: &TokenRef, fetcher: &Arc<dyn Fetcher>) -> Result<Token, TokenError> {
        let access = Access::of_token(Action::Refresh, token);
        let refreshed = async {
            let stale = match self.inner.read_token(token).await {
                Ok(read) => read.map_or(0, |(token, _)| token.version),
                Err(TokenError::Replayed) => 0,
                Err(error) => return (Outcome::default(), Err(error)),
            };
            self.outcome_of(token, self.fetch_once(token, fetcher, stale, true).await)
        };
        self.recorded(access, refreshed).await
    }

    async fn obtained(&self, token: &TokenRef, fetcher: &Arc<dyn Fetcher>) -> (Outcome, Result<Token, TokenError>) {
        match self.found(token).await {
            (outcome, Ok(Some(found))) => {
                if self.is_due(&found) {
                    self.refresh_in_background(token, fetcher, found.version);
                }
                (outcome, Ok(found))
            }
            // What is too old is not used: a Redis that lost its last writes in a failover has such.
            (_, Ok(None) | Err(TokenError::Replayed)) => {
                self.outcome_of(token, self.fetch_once(token, fetcher, 0, false).await)
            }
            (outcome, Err(error)) => (outcome, Err(error)),
        }
    }

    /// Fetches, or waits for who does: answers with a token above the version `stale`. `announced` is whether the log has it already.
    async fn fetch_once(
        &self,
        token: &TokenRef,
        fetcher: &Arc<dyn Fetcher>,
        stale: u64,
        announced: bool,
    ) -> Result<Token, TokenError> {
        let deadline = Instant::now() + self.inner.settings.fetch_wait;
        let flight = self.inner.flights.of(&self.inner.place(token, Kind::Token));
        let turn = timeout_at(deadline, flight.turn.lock()).await;
        let _turn = turn.map_err(|_| TokenError::FetchedElsewhere)?;
        loop {
            // Whoever was before may have fetched it.
            if let Some(found) = self.fresher(token, stale).await? {
                return Ok(found);
            }
            match self.fetch_leased(token, fetcher, stale, announced).await {
                Ok(Attempt::Fetched(fetched)) => return Ok(fetched),
                // A holder whose lease has ended may find that another one succeeded.
                Err(error) => return self.fresher(token, stale).await?.ok_or(error),
                Ok(Attempt::Held(left)) => {
                    let spread = 0.5 + 0.5 * self.inner.random_fraction();
                    sleep(left.min(LOOK_EVERY).mul_f64(spread)).await;
                }
            }
            if Instant::now() >= deadline {
                return Err(TokenError::FetchedElsewhere);
            }
        }
    }

    /// Reads a valid token above a version.
    pub(super) async fn fresher(&self, token: &TokenRef, stale: u64) -> Result<Option<Token>, TokenError> {
        let read = match self.inner.read_token(token).await {
            Err(TokenError::Replayed) => None,
            read => read?,
        };
        let now = self.inner.clock.now();
        Ok(read
            .map(|(token, _)| token)
            .filter(|token| token.version > stale && token.about.is_valid_at(now)))
    }

    /// Whether a token is close to its end.
    fn is_due(&self, token: &Token) -> bool {
        let now = self.inner.clock.now();
        let Some(left) = token.about.remaining(now) else {
            return false;
        };
        let life = token.about.remaining(token.about.created).unwrap_or_default();
        left < self.inner.settings.refresh_before.min(life / 5)
    }

    fn refresh_in_background(&self, token: &TokenRef, fetcher: &Arc<dyn Fetcher>, stale: u64) {
        let flight = self.inner.flights.of(&self.inner.place(token, Kind::Token));
        if !flight.may_try(Instant::now()) || flight.turn.try_lock().is_err() {
            return;
        }
        flight.try_again_at(Instant::now() + BACKGROUND_PAUSE);
        let (vault, token, fetcher) = (self.clone(), token.clone(), Arc::clone(fetcher));
        tokio::spawn(async move {
            let _turn = flight.turn.lock().await;
            match vault.fetch_leased(&token, &fetcher, stale, false).await {
                Ok(Attempt::Fetched(_)) => {}
                Ok(Attempt::Held(left)) => flight.try_again_at(Instant::now() + left.min(BACKGROUND_PAUSE)),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(%token, error, "a token could not be refreshed before its expiry");
                }
            }
        });
    }

    fn outcome_of(&self, token: &TokenRef, result: Result<Token, TokenError>) -> (Outcome, Result<Token, TokenError>) {
        let outcome = match &result {
            Ok(found) => Outcome {
                version: Some(found.version),
                seen: Some(self.inner.seen(token, found.version, Lasts::of(found.about.expires))),
                ..Outcome::default()
            },
            Err(_) => Outcome::default(),
        };
        (outcome, result)
    }
}
