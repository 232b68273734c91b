use crate::access::{Access, Action, Outcome};
use crate::{Token, TokenError, TokenRef, TokenVault};

/// What events say of a get that found nothing.
pub(super) const NOT_FOUND: &str = "NotFound";

impl TokenVault {
    /// Gives a token out; `None` where it was never there, was deleted or revoked, or has expired.
    ///
    /// On a warm cache: one round trip to the store, and no call to a key service.
    ///
    /// # Errors
    /// [`TokenError`]; what lies there and can't be believed is an error, never `None`.
    pub async fn get(&self, token: &TokenRef) -> Result<Option<Token>, TokenError> {
        let access = Access::of_token(Action::Get, token);
        self.recorded(access, self.found(token)).await
    }

    pub(super) async fn found(&self, token: &TokenRef) -> (Outcome, Result<Option<Token>, TokenError>) {
        let read = self.inner.read_token(token).await;
        let now = self.inner.clock.now();
        let (outcome, result) = match read {
            // "A reader MUST NOT give out a token at or after it."
            Ok(Some((token, cache_hit))) if token.about.is_valid_at(now) => {
                let outcome = Outcome {
                    version: Some(token.version),
                    cache_hit,
                    ..Outcome::default()
                };
                (outcome, Ok(Some(token)))
            }
            Ok(_) => {
                let outcome = Outcome {
                    failure: Some(NOT_FOUND),
                    ..Outcome::default()
                };
                (outcome, Ok(None))
            }
            Err(error) => (Outcome::default(), Err(error)),
        };
        self.inner.count_get(result.as_ref().map(Option::is_some));
        (outcome, result)
    }
}
