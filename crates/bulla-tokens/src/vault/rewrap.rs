use super::sealed::{Put, Sealing};
use crate::access::{Access, Action, Outcome};
use crate::content;
use crate::place::Kind;
use crate::store::Condition;
use crate::{ClientId, TokenError, TokenRef, TokenVault};

/// How often an entry is read again that others write at the same time.
const TRIES: u32 = 16;

impl TokenVault {
    /// Puts everything of a client under its key as it is now, so that an older one can be retired; answers how many entries it put.
    ///
    /// Values and expiries stay; versions grow. The older key must still open, and be in the key ring. Other instances go on sealing with the data keys that
    /// they hold: where the client's alias was moved, all entries are under the new key only after a rewrap that begins when the data keys' age (5 min
    /// unless set) is over on every instance.
    ///
    /// # Errors
    /// [`TokenError`] at the first entry that can't be opened or written; then it is to be repeated.
    pub async fn rewrap(&self, client: &ClientId) -> Result<u64, TokenError> {
        let access = Access::of_client(Action::Rewrap, client);
        let rewrapped = async {
            let result = self.rewrap_all(client).await;
            let outcome = Outcome {
                count: result.as_ref().ok().copied(),
                ..Outcome::default()
            };
            (outcome, result)
        };
        self.recorded(access, rewrapped).await
    }

    async fn rewrap_all(&self, client: &ClientId) -> Result<u64, TokenError> {
        // A data key of before is wrapped by the key of before.
        self.inner.sealers.clear(client);
        let places = self.inner.settings.prefix.client(client);
        let mut count = 0;
        for place in self.inner.store.list(&places).await? {
            let Some((kind, provider, name)) = place.parts() else {
                continue;
            };
            let token = TokenRef::new(client.clone(), provider).named(name);
            count += u64::from(self.rewrap_at(&token, kind).await?);
        }
        Ok(count)
    }
    /// Puts one entry under the key of now; answers whether there was one.
    async fn rewrap_at(&self, token: &TokenRef, kind: Kind) -> Result<bool, TokenError> {
        for _ in 0..TRIES {
            let Some(opened) = self.inner.open_at(token, kind).await? else {
                return Ok(false);
            };
            let expires = match kind {
                Kind::Token => content::decode(&opened.content).ok_or(TokenError::Malformed)?.0.expires,
                Kind::State => None,
            };
            let sealing = Sealing {
                content: Some(&opened.content),
                expires,
                condition: Condition::Version(opened.version),
                lease: None,
            };
            match self.inner.write_at(token, kind, &sealing).await? {
                // Where the log raises marks, this one is raised by who reads it next: what was there before has the same content.
                Put::Stored(_) => return Ok(true),
                // Somebody else wrote it meanwhile, perhaps with a data key of before.
                Put::Conflict | Put::LeaseLost | Put::Absent => {}
            }
        }
        Err(TokenError::Contended)
    }
}
