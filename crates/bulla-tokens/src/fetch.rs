//! Getting tokens from their providers.

mod client_credentials;
pub(crate) mod http;
mod oauth;
mod refresh_token;
pub(crate) mod state;

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::SecretBytes;
use bulla_model::Timestamp;

use crate::TokenRef;

pub use self::client_credentials::ClientCredentials;
pub use self::http::HttpError;
pub use self::oauth::{ClientAuthentication, OAuthClient};
pub use self::refresh_token::RefreshToken;

/// Gets one token from its provider; one's own is written by implementing this.
///
/// # Contract
/// - **Once.** The vault calls it under a lease, one at a time over all processes, having stored that it is about to.
/// - **Errors.** They say whether the provider may have acted: [`FetchError::NotSent`] where it surely has not,
///   [`FetchError::AnswerLost`] where it may have. The vault decides by that what to do with a refresh token.
/// - **Time.** The vault ends a call after its own timeout, as if the answer were lost.
#[async_trait]
pub trait Fetcher: Send + Sync + fmt::Debug {
    /// Names a token of the vault that the fetcher needs: its client secret.
    fn secret(&self) -> Option<&TokenRef> {
        None
    }

    /// Says whether it uses refresh tokens, which the vault then keeps for it.
    fn uses_refresh_token(&self) -> bool {
        false
    }

    /// Asks the provider for a token.
    ///
    /// # Errors
    /// [`FetchError`].
    async fn fetch(&self, request: &FetchRequest<'_>) -> Result<Fetched, FetchError>;
}

/// What a fetcher is given.
#[derive(Debug)]
pub struct FetchRequest<'a> {
    /// Which token is wanted.
    pub token: &'a TokenRef,
    /// The value of the token that [`Fetcher::secret`] names.
    pub secret: Option<&'a SecretBytes>,
    /// The refresh token to use, where the fetcher uses them.
    pub refresh_token: Option<&'a SecretBytes>,
}

/// What a provider gave.
#[derive(Debug)]
pub struct Fetched {
    /// The token; empty where the answer has none that can be used. Then the refresh token that came with it is kept all the same.
    pub value: SecretBytes,
    /// How long it is valid, counted from when the provider was asked; `None` for ever.
    pub ttl: Option<Duration>,
    /// What kind of token it is.
    pub token_type: String,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// The refresh token that replaces the one used; `None` where that one stays good.
    pub refresh_token: Option<SecretBytes>,
}

/// A provider gave no token.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The provider was not reached; it has not acted.
    #[error("the provider can't be reached")]
    NotSent(#[source] Arc<dyn Error + Send + Sync>),
    /// The provider was asked, and its answer did not come, or can't be used; it may have acted.
    #[error("the provider's answer was lost or can't be used")]
    AnswerLost(#[source] Arc<dyn Error + Send + Sync>),
    /// The provider wants fewer requests.
    #[error("the provider limits the rate of requests")]
    RateLimited {
        /// When it may be asked again, if it said so.
        retry_after: Option<Duration>,
    },
    /// The refresh token is not good (any more).
    #[error("the provider refuses the grant")]
    InvalidGrant,
    /// The provider refuses for another reason.
    #[error("the provider refuses: {code}")]
    Refused {
        /// The error's code as OAuth has it, printable ASCII of at most 64 characters, or the HTTP status.
        code: String,
    },
    /// There is no refresh token, or the one there is was refused: somebody has to authorise anew.
    #[error("the grant needs authorisation")]
    NeedsAuthorisation,
    /// It failed a moment ago, and is left alone until then.
    #[error("the provider is left alone until {until}")]
    BackingOff {
        /// When it may be asked again.
        until: Timestamp,
    },
    /// The token that holds the client secret is not there.
    #[error("the client secret is not in the vault")]
    NoSecret,
}

impl FetchError {
    /// Names the error for events and clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSent(_) => "ProviderUnreachable",
            Self::AnswerLost(_) => "ProviderAnswerLost",
            Self::RateLimited { .. } => "ProviderRateLimited",
            Self::InvalidGrant | Self::NeedsAuthorisation => "NeedsAuthorisation",
            Self::Refused { .. } => "ProviderRefused",
            Self::BackingOff { .. } => "ProviderBackoff",
            Self::NoSecret => "NoClientSecret",
        }
    }

    /// Tells whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::NotSent(_) | Self::AnswerLost(_) | Self::RateLimited { .. } | Self::BackingOff { .. }
        )
    }
}
