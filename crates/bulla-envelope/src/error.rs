use std::error::Error;
use std::sync::Arc;

use bulla_crypto::{ContextError, FormatError};
use bulla_kms::{KmsError, KmsErrorKind};

use crate::AccessLogError;

/// A value was not sealed; nothing was stored or returned.
///
/// Its one-byte causes are boxed: beside the tag they would shift a successful result off its alignment, and each move of a record
/// then costs a stalled load.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The context holds keys under `bulla:`, or is too long with the Sealer's own pairs.
    #[error("the context is refused")]
    Context(#[source] Box<ContextError>),
    /// The value is longer than a record, or than one data key may seal.
    #[error("a value of {size_bytes} bytes is longer than the limit")]
    TooLong {
        /// Length of the plaintext in bytes.
        size_bytes: usize,
    },
    /// The record could not be made: the binding is too long, or there is no randomness.
    #[error("the record could not be made")]
    Record(#[source] Box<bulla_crypto::SealError>),
    /// There is no data key.
    #[error(transparent)]
    DataKey(#[from] DataKeyError),
}

impl From<ContextError> for SealError {
    fn from(error: ContextError) -> Self {
        Self::Context(Box::new(error))
    }
}

impl From<ContextError> for OpenError {
    fn from(error: ContextError) -> Self {
        Self::Context(Box::new(error))
    }
}

impl SealError {
    pub(crate) fn from_record(error: bulla_crypto::SealError, size_bytes: usize) -> Self {
        match error {
            bulla_crypto::SealError::TooLong => Self::TooLong { size_bytes },
            error => Self::Record(Box::new(error)),
        }
    }
}

/// A record was not opened; no plaintext left.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// These bytes are not a record that this version reads.
    #[error("not a record")]
    Format(#[source] FormatError),
    /// The context holds keys under `bulla:`, or is too long with the Sealer's own pairs.
    #[error("the context is refused")]
    Context(#[source] Box<ContextError>),
    /// The record names a key outside the key ring; the provider was not asked.
    #[error("the record is sealed under {key}, which is not in the key ring")]
    KeyNotAccepted {
        /// The key that the record names.
        key: String,
    },
    /// The record does not open under this key, context and binding: the one failure of decryption, without detail.
    #[error("the record does not open under this key, context and binding")]
    Refused,
    /// There is no data key.
    #[error(transparent)]
    DataKey(#[from] DataKeyError),
}

/// A record was not rewrapped; the old one stands.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RewrapError {
    /// The old record does not give up its data key.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The new record could not be written.
    #[error("the record could not be written")]
    Format(#[source] FormatError),
}

/// A data key could not be had.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DataKeyError {
    /// The provider refused, failed, or was not asked because its circuit is open.
    #[error("the key provider failed")]
    Provider(#[source] Arc<KmsError>),
    /// The access log did not take the event, so the key was not used.
    #[error("the access log failed, and without its event there is no access")]
    AccessLog(#[source] Arc<AccessLogError>),
    /// What the provider answered is not usable: a name or wrapped key beyond the limits.
    #[error("the key provider answered something unusable")]
    Answer(#[source] Arc<dyn Error + Send + Sync>),
    /// The key was invalidated again and again while it was being fetched.
    #[error("the key was invalidated while it was fetched")]
    Invalidated,
    /// The task that fetched the key ended without an answer: the runtime shut down, or the provider panicked.
    #[error("fetching the key was given up")]
    GivenUp,
}

impl DataKeyError {
    /// Tells whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Provider(error) => error.is_retryable(),
            Self::Invalidated | Self::GivenUp => true,
            Self::AccessLog(_) | Self::Answer(_) => false,
        }
    }

    /// Gives the provider's error kind, if it was the provider that failed.
    pub fn kind(&self) -> Option<KmsErrorKind> {
        match self {
            Self::Provider(error) => Some(error.kind),
            _ => None,
        }
    }
}

/// Settings or a key ring that no Sealer can be built with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting is outside its range.
    #[error("{name} must be {range}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// One of the Sealer's own context pairs is not under `bulla:`, or is set twice.
    #[error("the Sealer's own context is refused")]
    OwnContext(#[source] ContextError),
}
