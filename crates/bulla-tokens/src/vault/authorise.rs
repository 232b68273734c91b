use bulla_crypto::SecretBytes;

use super::sealed::{Put, Sealing};
use crate::access::{Access, Action, Outcome};
use crate::content::LimitError;
use crate::fetch::state::{FetchState, MAX_REFRESH_BYTES};
use crate::place::Kind;
use crate::store::Condition;
use crate::{TokenError, TokenRef, TokenVault};

impl TokenVault {
    /// Keeps the refresh token that somebody's authorisation gave, in place of one that may be there.
    ///
    /// From here on [`get_or_fetch`](Self::get_or_fetch) with a fetcher that uses refresh tokens works, until the provider refuses the grant.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn authorise(&self, token: &TokenRef, refresh_token: SecretBytes) -> Result<(), TokenError> {
        let access = Access::of_token(Action::Put, token);
        let authorised = async {
            let result = self.write_grant(token, refresh_token).await;
            let outcome = Outcome {
                version: result.as_ref().ok().copied(),
                ..Outcome::default()
            };
            (outcome, result.map(|_| ()))
        };
        self.recorded(access, authorised).await
    }

    async fn write_grant(&self, token: &TokenRef, refresh_token: SecretBytes) -> Result<u64, TokenError> {
        if refresh_token.is_empty() || refresh_token.len() > MAX_REFRESH_BYTES {
            return Err(LimitError::REFRESH_TOKEN.into());
        }
        let state = FetchState {
            current: Some(refresh_token),
            ..FetchState::default()
        };
        let content = state.encode();
        let sealing = Sealing {
            content: Some(&content),
            expires: None,
            condition: Condition::Any,
            lease: None,
        };
        match self.inner.write_at(token, Kind::State, &sealing).await? {
            Put::Stored(version) => Ok(version),
            Put::Conflict | Put::LeaseLost | Put::Absent => Err(TokenError::Contended),
        }
    }
}
