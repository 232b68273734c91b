use crate::access::{Access, AccessError, Action, Outcome};
use crate::{Lasts, Seen, Token, TokenError, TokenRef, TokenVault};

/// What events say of a get that found nothing.
pub(super) const NOT_FOUND: &str = "NotFound";

/// How often a value is read that is overtaken before it may leave.
const READS: u32 = 3;

impl TokenVault {
    /// Gives a token out; `None` where it was never there, was deleted or revoked, or has expired.
    ///
    /// On a warm cache: one round trip to the store, and no call to a key service.
    ///
    /// # Errors
    /// [`TokenError`]; what lies there and can't be believed is an error, never `None`.
    pub async fn get(&self, token: &TokenRef) -> Result<Option<Token>, TokenError> {
        retried(|| {
            let access = Access::of_token(Action::Get, token);
            self.recorded(access, self.found(token))
        })
        .await
    }

    pub(super) async fn found(&self, token: &TokenRef) -> (Outcome, Result<Option<Token>, TokenError>) {
        let read = self.inner.read_token(token).await;
        let now = self.inner.clock.now();
        let (outcome, result) = match read {
            // "A reader MUST NOT give out a token at or after it."
            Ok(Some((found, by))) if found.about.is_valid_at(now) => {
                let outcome = Outcome {
                    version: Some(found.version),
                    cache_hit: by.cache_hit,
                    key: Some(by.key),
                    seen: Some(Seen {
                        place: by.place,
                        version: found.version,
                        lasts: Lasts::of(found.about.expires),
                    }),
                    ..Outcome::default()
                };
                (outcome, Ok(Some(found)))
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

/// Reads again where another instance wrote a newer version after the read, and before the log had it. What is still as old is refused: the
/// marks have been told by then.
pub(super) async fn retried<T, F: Future<Output = Result<T, TokenError>>>(
    mut read: impl FnMut() -> F,
) -> Result<T, TokenError> {
    for _ in 1..READS {
        match read().await {
            Err(TokenError::Access(AccessError::Outdated)) => {}
            other => return other,
        }
    }
    read().await
}
