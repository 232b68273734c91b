use std::time::Duration;

use bulla_model::Timestamp;

use super::sealed::{Put, Sealing};
use crate::access::{Access, Action, Outcome};
use crate::content;
use crate::place::Kind;
use crate::stats::count;
use crate::store::Condition;
use crate::{About, Lasts, NewToken, Stored, TokenError, TokenRef, TokenVault};

impl TokenVault {
    /// Keeps a token, in place of one that may be there.
    ///
    /// # Errors
    /// [`TokenError`]. After one that [is retryable](TokenError::is_retryable) the token may have been written.
    pub async fn put(&self, token: &TokenRef, new: NewToken) -> Result<Stored, TokenError> {
        let access = Access::of_token(Action::Put, token);
        self.recorded(access, self.write_new(token, new)).await
    }

    async fn write_new(&self, token: &TokenRef, new: NewToken) -> (Outcome, Result<Stored, TokenError>) {
        let created = self.inner.clock.now();
        let about = About {
            created,
            expires: new.ttl.map(|ttl| after(created, ttl)),
            token_type: new.token_type,
            scopes: new.scopes,
            metadata: new.metadata,
        };
        let expires = about.expires;
        let written = async {
            let content = content::encode(&about, new.value.expose_secret())?;
            let sealing = Sealing {
                content: Some(&content),
                expires,
                condition: Condition::Any,
                lease: None,
            };
            match self.inner.write_at(token, Kind::Token, &sealing).await? {
                Put::Stored(version) => Ok(Stored { version, expires }),
                // None of them can come of a write without condition and lease.
                Put::Conflict | Put::LeaseLost | Put::Absent => Err(TokenError::Contended),
            }
        };
        let result = written.await;
        let version = result.as_ref().ok().map(|stored| stored.version);
        if version.is_some() {
            count(&self.inner.counters.puts);
        }
        let outcome = Outcome {
            version,
            seen: version.map(|version| self.inner.seen(token, version, Lasts::of(expires))),
            ..Outcome::default()
        };
        (outcome, result)
    }
}

pub(super) fn after(time: Timestamp, by: Duration) -> Timestamp {
    time.plus_micros(i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
}
