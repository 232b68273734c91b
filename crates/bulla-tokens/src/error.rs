use bulla_envelope::{DataKeyError, OpenError, SealError};

use crate::access::AccessError;
use crate::content::LimitError;
use crate::fetch::FetchError;
use crate::keys::ClientKeyError;
use crate::marks::MarksError;
use crate::store::{StoreError, StoreErrorKind};

/// The vault did not do it; no value left.
///
/// `Display` names what was wrong and holds neither value nor ciphertext. [`code`](Self::code) is stable, for events and clients.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Denied, or not recorded.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The client has no key.
    #[error(transparent)]
    ClientKey(#[from] ClientKeyError),
    /// A part of the token is beyond its limit.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The context of client and provider is refused.
    #[error("client and provider make no context")]
    Context(#[source] bulla_crypto::ContextError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client has as many entries as it may.
    #[error("the client has 10,000 tokens, and may not have more")]
    TooManyTokens,
    /// Others wrote the same token again and again at the same time.
    #[error("the token was written by others at the same time")]
    Contended,
    /// What lies there is not a record or entry that this version reads.
    #[error("the stored value is no sealed token")]
    Malformed,
    /// What lies there does not belong to this client, provider, name and version, or was changed.
    #[error("the stored value is not what was sealed for this client, provider, name and version")]
    NotAuthentic,
    /// What lies there was sealed under a key that the client's key ring does not have.
    #[error("the stored value is sealed under a key that is not the client's")]
    ForeignKey,
    /// What lies there is older than what is known to have been there, or was revoked.
    #[error("the stored value is older than one that was there before, or was revoked")]
    Replayed,
    /// The key service did not give the data key.
    #[error("the data key of the client can't be had")]
    DataKey(#[source] DataKeyError),
    /// The value could not be sealed.
    #[error("the token could not be sealed")]
    Seal(#[source] SealError),
    /// Which versions are too old is not known.
    #[error(transparent)]
    Marks(#[from] MarksError),
    /// No token, and none could be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Somebody else is fetching it, and takes too long.
    #[error("the token is being fetched elsewhere, and that takes too long")]
    FetchedElsewhere,
    /// There is no randomness.
    #[error("the random generator failed")]
    Random,
}

impl TokenError {
    /// Names the error for events and clients.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Access(AccessError::Denied(_)) => "AccessDenied",
            Self::Access(AccessError::Key(_)) => "KeyUnusable",
            Self::Access(AccessError::Unrecorded(_)) => "AccessNotRecorded",
            Self::Access(AccessError::Outdated) => "TokenReplayed",
            Self::ClientKey(ClientKeyError::Failed { .. }) => "KeyUnavailable",
            Self::ClientKey(_) => "NoKeyForClient",
            Self::Limit(_) | Self::Context(_) => "ValidationError",
            Self::Store(error) => match error.kind {
                StoreErrorKind::Unavailable => "StoreUnavailable",
                StoreErrorKind::Full => "StoreFull",
                StoreErrorKind::Denied => "StoreDenied",
                StoreErrorKind::Malformed => "MalformedToken",
                StoreErrorKind::Unusable => "StoreUnusable",
            },
            Self::TooManyTokens => "TooManyTokens",
            Self::Contended => "Contended",
            Self::Malformed => "MalformedToken",
            Self::NotAuthentic => "TokenNotAuthentic",
            Self::ForeignKey => "ForeignKey",
            Self::Replayed => "TokenReplayed",
            Self::DataKey(error) => data_key_code(error),
            Self::Seal(SealError::DataKey(error)) => data_key_code(error),
            Self::Seal(_) => "SealFailed",
            Self::Marks(_) => "MarksUnavailable",
            Self::Fetch(error) => error.code(),
            Self::FetchedElsewhere => "FetchInProgress",
            Self::Random => "InternalFailure",
        }
    }

    /// Tells whether the same call may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.kind == StoreErrorKind::Unavailable,
            Self::DataKey(error) | Self::Seal(SealError::DataKey(error)) => error.is_retryable(),
            Self::Fetch(error) => error.is_retryable(),
            Self::Contended | Self::FetchedElsewhere | Self::Marks(_) | Self::Access(AccessError::Unrecorded(_)) => {
                true
            }
            _ => false,
        }
    }

    /// Whether what lies at the place can't be believed, whoever reads it.
    pub(crate) fn is_about_what_lies_there(&self) -> bool {
        match self {
            Self::Malformed | Self::NotAuthentic | Self::ForeignKey | Self::Replayed => true,
            Self::Store(error) => error.kind == StoreErrorKind::Malformed,
            Self::DataKey(error) => error.kind() == Some(bulla_kms::KmsErrorKind::WrongContext),
            _ => false,
        }
    }

    pub(crate) fn opening(error: OpenError) -> Self {
        match error {
            OpenError::Format(_) => Self::Malformed,
            OpenError::KeyNotAccepted { .. } => Self::ForeignKey,
            OpenError::DataKey(error) => Self::DataKey(error),
            // The context was checked when it was made.
            _ => Self::NotAuthentic,
        }
    }
}

fn data_key_code(error: &DataKeyError) -> &'static str {
    use bulla_kms::KmsErrorKind::*;
    match error.kind() {
        Some(AccessDenied) => "KeyAccessDenied",
        Some(KeyDisabled) => "KeyDisabled",
        Some(NotFound) => "KeyNotFound",
        Some(Throttled) => "KeyThrottled",
        Some(WrongContext) => "TokenNotAuthentic",
        _ => "KeyUnavailable",
    }
}
