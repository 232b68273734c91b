use super::get::NOT_FOUND;
use super::sealed::{Put, Sealing};
use crate::access::{Access, Action, Outcome};
use crate::place::Kind;
use crate::stats::count;
use crate::store::Condition;
use crate::{Lasts, TokenError, TokenRef, TokenVault};

impl TokenVault {
    /// Deletes a token; answers whether there was one. Its version is remembered for a day, so that an older value does not come back.
    ///
    /// How it is fetched (its refresh token) stays.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn delete(&self, token: &TokenRef) -> Result<bool, TokenError> {
        let access = Access::of_token(Action::Delete, token);
        self.recorded(access, self.bury(token)).await
    }

    async fn bury(&self, token: &TokenRef) -> (Outcome, Result<bool, TokenError>) {
        let sealing = Sealing {
            content: None,
            expires: None,
            condition: Condition::Live,
            lease: None,
        };
        let mut outcome = Outcome::default();
        let result = match self.inner.write_at(token, Kind::Token, &sealing).await {
            Ok(Put::Stored(version)) => {
                count(&self.inner.counters.deletes);
                outcome.version = Some(version);
                outcome.seen = Some(self.inner.seen(token, version, Lasts::Deleted));
                Ok(true)
            }
            Ok(Put::Absent) => {
                outcome.failure = Some(NOT_FOUND);
                Ok(false)
            }
            Ok(Put::Conflict | Put::LeaseLost) => Err(TokenError::Contended),
            Err(error) => Err(error),
        };
        (outcome, result)
    }
}
