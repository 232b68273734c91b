use bulla_envelope::{DataKeyError, OpenError, SealError};
use bulla_kms::KmsErrorKind;

/// An encode or a decode that gave nothing; by what the caller should do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The configuration has no key for this namespace, and says to refuse such ones.
    #[error("there is no key for the namespace {0}")]
    UnknownNamespace(crate::Namespace),
    /// One payload can't be encoded or decoded, and never will be.
    #[error("payload {index}: {reason}")]
    Payload {
        /// Which one, counted from 0.
        index: usize,
        /// Why.
        #[source]
        reason: PayloadError,
    },
    /// The payloads name more keys than one request may, each of which is part of the decision and of the record; or they need more
    /// data keys that are not here than one request may ask for.
    #[error(
        "the payloads are under more than {} keys, or need more than {} data keys at once",
        crate::work::MAX_KEYS,
        crate::work::MAX_DATA_KEYS
    )]
    TooManyKeys,
    /// The key refuses: denied, disabled, gone, or misconfigured. Somebody has to mend that.
    #[error("the key can't be used")]
    KeyRefused(#[source] DataKeyError),
    /// The key can't be reached now; later.
    #[error("the key can't be reached")]
    KeyUnavailable(#[source] DataKeyError),
    /// The namespace's Sealer can't be built, or its key can't be made.
    #[error("the namespace can't be set up")]
    SetUp(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why one payload was refused. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// It is sealed in a version that this one does not know.
    #[error("it is sealed in a format that this version does not know")]
    UnknownVersion,
    /// Not authentic for this namespace, or not a record, or under a key that the namespace does not accept.
    #[error("it does not open in this namespace")]
    Refused,
    /// It is encrypted by something else, for which there is no key here.
    #[error("it is encrypted by something else, with a key that is not configured")]
    Undecodable,
    /// Nothing encrypted it, in a namespace that gives out nothing of the kind.
    #[error("it is not encrypted, and this namespace gives out what it opened alone")]
    Plaintext,
    /// Longer than a record can be.
    #[error("it is too long to be sealed")]
    TooLong,
}

impl CodecError {
    pub(crate) fn payload(index: usize, reason: PayloadError) -> Self {
        Self::Payload { index, reason }
    }

    pub(crate) fn of_key(error: DataKeyError) -> Self {
        if error.is_retryable() {
            Self::KeyUnavailable(error)
        } else {
            Self::KeyRefused(error)
        }
    }

    pub(crate) fn of_open(index: usize, error: OpenError) -> Self {
        match error {
            OpenError::DataKey(error) if error.kind() == Some(KmsErrorKind::Invalid) => {
                // The wrapped key is garbage: that is the payload's fault, not the key's.
                Self::payload(index, PayloadError::Refused)
            }
            OpenError::DataKey(error) => Self::of_key(error),
            _ => Self::payload(index, PayloadError::Refused),
        }
    }

    pub(crate) fn of_seal(index: usize, error: SealError) -> Self {
        match error {
            SealError::DataKey(error) => Self::of_key(error),
            SealError::TooLong { .. } => Self::payload(index, PayloadError::TooLong),
            error => Self::SetUp(Box::new(error)),
        }
    }
}
