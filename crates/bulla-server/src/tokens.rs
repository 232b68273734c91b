//! The port to the token vault: what `/v1/tokens` asks, and what can be wrong with the answer.
//!
//! The server knows no Redis: the program implements this over the vault, which decides and records each access by the service.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::SecretBytes;
use bulla_model::Timestamp;
use bulla_service::{Call, ServiceError};

/// The token vault, as the REST façade sees it.
///
/// # Contract
/// - **Decided and recorded.** Each method decides by the service's policies who may, and has its event durable before it answers, failures too;
///   [`TokensError::recorded`] says where it could not.
/// - **Names** are those of the path, decoded; an implementation refuses the ones that it does not take.
/// - **Concurrency.** Called from any number of tasks at once.
#[async_trait]
pub trait Tokens: Send + Sync + fmt::Debug {
    /// Keeps a token, in place of one that may be there.
    async fn put(&self, asked: &TokenCall<'_>, token: &TokenPath, new: NewToken) -> Result<Stored, TokensError>;

    /// Gives a token out, fetching it where it is not there and the vault knows how; `None` where there is none.
    async fn get(&self, asked: &TokenCall<'_>, token: &TokenPath) -> Result<Option<Token>, TokensError>;

    /// Deletes a token; answers whether there was one.
    async fn delete(&self, asked: &TokenCall<'_>, token: &TokenPath) -> Result<bool, TokensError>;

    /// Lists a client's tokens without their values, at most `limit` (1 to 1,000) after the page before.
    async fn list(
        &self,
        asked: &TokenCall<'_>,
        client: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<TokenPage, TokensError>;

    /// Deletes everything of a client and bars what there was; answers how many entries there were.
    async fn revoke(&self, asked: &TokenCall<'_>, client: &str) -> Result<u64, TokensError>;

    /// Keeps the refresh token that a token is fetched by from here on.
    async fn authorise(
        &self,
        asked: &TokenCall<'_>,
        token: &TokenPath,
        refresh_token: SecretBytes,
    ) -> Result<(), TokensError>;

    /// Fetches a token anew from its provider.
    async fn refresh(&self, asked: &TokenCall<'_>, token: &TokenPath) -> Result<Stored, TokensError>;

    /// Tells what the vault has done since this process began, and what calls to key services cost. Decides and records nothing: the façade does.
    fn stats(&self) -> TokenStats;
}

/// What a vault has done since its process began.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenStats {
    /// Gets that found a token.
    pub hits: u64,
    /// Gets that found none, or one that had expired.
    pub misses: u64,
    /// Gets that refused what they found.
    pub refused: u64,
    /// Tokens written.
    pub puts: u64,
    /// Tokens deleted, without those of a revocation.
    pub deletes: u64,
    /// Times that a provider was asked for a token.
    pub refreshes: u64,
    /// Times that it gave none.
    pub refresh_failures: u64,
    /// Calls to key services, by all clients.
    pub kms_calls: u64,
    /// Opens and seals that needed none.
    pub kms_calls_saved: u64,
    /// Clients whose keys are held.
    pub clients: u64,
    /// Age in seconds of the oldest data key held for opening.
    pub oldest_key_seconds: u64,
    /// What the calls cost, as an amount and a currency.
    pub cost: String,
    /// What those that were saved would have cost.
    pub cost_saved: String,
}

/// Who asks, and what for.
#[derive(Debug, Clone, Copy)]
pub struct TokenCall<'a> {
    /// Who asks.
    pub call: &'a Call,
    /// What he says that it is for, at most 128 bytes.
    pub purpose: Option<&'a str>,
}

/// Names one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenPath {
    /// Whose it is.
    pub client: String,
    /// Who issued it.
    pub provider: String,
    /// Which of the provider's it is; `None` for its only one.
    pub name: Option<String>,
}

/// A token to be kept.
#[derive(Debug)]
pub struct NewToken {
    /// The secret.
    pub value: SecretBytes,
    /// How long it is valid; `None` for ever.
    pub ttl: Option<Duration>,
    /// What kind of token it is.
    pub token_type: String,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// Pairs that are kept with it.
    pub metadata: BTreeMap<String, String>,
}

/// A token that is given out.
#[derive(Debug)]
pub struct Token {
    /// The secret.
    pub value: SecretBytes,
    /// What else is known of it.
    pub about: TokenAbout,
}

/// What is known of a token beside its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAbout {
    /// Which write of it this is.
    pub version: u64,
    /// When it was put.
    pub created: Timestamp,
    /// From when on it is not given out any more.
    pub expires: Option<Timestamp>,
    /// What kind of token it is.
    pub token_type: String,
    /// What it is good for.
    pub scopes: Vec<String>,
    /// What was kept with it.
    pub metadata: BTreeMap<String, String>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The write's version.
    pub version: u64,
    /// The expiry that was sealed.
    pub expires: Option<Timestamp>,
}

/// A part of a client's tokens.
#[derive(Debug, Default)]
pub struct TokenPage {
    /// Valid tokens.
    pub tokens: Vec<(TokenPath, TokenAbout)>,
    /// Those that are there and can't be opened or believed, and why.
    pub unreadable: Vec<(TokenPath, TokensErrorKind)>,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// The vault did not do it.
#[derive(Debug, Clone)]
pub struct TokensError {
    /// What the caller can do about it.
    pub kind: TokensErrorKind,
    /// Whether the audit log has it.
    pub recorded: bool,
    /// What went wrong; no secret in it.
    pub source: Arc<dyn Error + Send + Sync>,
}

/// What is wrong.
#[derive(Debug, Clone)]
pub enum TokensErrorKind {
    /// The service denied it, or could not record it.
    Service(ServiceError),
    /// A name or another part is beyond its limits.
    Invalid,
    /// The client has no key.
    NoKey,
    /// The client's key can't be asked for now.
    KeyUnavailable,
    /// The client's key is disabled where it is held.
    KeyDisabled,
    /// The vault may not use the client's key where it is held.
    KeyAccessDenied,
    /// There is no such key where it should be.
    KeyNotFound,
    /// The key service wants fewer requests.
    KeyThrottled,
    /// The store is away.
    StoreUnavailable,
    /// The store has no room.
    StoreFull,
    /// The store refuses the vault's credentials.
    StoreDenied,
    /// The store answers what no store of this kind answers.
    StoreUnusable,
    /// The client has as many tokens as it may.
    TooManyTokens,
    /// Others wrote the same token at the same time.
    Contended,
    /// What lies there is no sealed token.
    Malformed,
    /// What lies there was moved or changed.
    NotAuthentic,
    /// What lies there is sealed under a key that is not the client's.
    ForeignKey,
    /// What lies there is older than what was there, or was revoked.
    Replayed,
    /// Which versions are too old is not known.
    MarksUnavailable,
    /// The event is not durable.
    NotRecorded,
    /// The vault does not know how to fetch this token.
    NoFetcher,
    /// Somebody has to authorise the vault at the provider anew.
    NeedsAuthorisation,
    /// The secret that the vault shows to the provider is not in the vault.
    NoClientSecret,
    /// The provider refuses.
    ProviderRefused,
    /// The provider can't be reached, or its answer was lost.
    ProviderUnavailable,
    /// The provider is left alone for a while.
    ProviderBackoff,
    /// Somebody else is fetching it, and that takes too long.
    FetchInProgress,
    /// A defect, or no randomness.
    Internal,
}

impl TokensError {
    /// An error that the log has.
    pub fn recorded(kind: TokensErrorKind, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind,
            recorded: true,
            source: Arc::new(source),
        }
    }

    /// An error of which nobody has written an event yet: the façade does.
    pub fn unrecorded(kind: TokensErrorKind, source: impl Error + Send + Sync + 'static) -> Self {
        Self {
            recorded: false,
            ..Self::recorded(kind, source)
        }
    }
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for TokensError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}
