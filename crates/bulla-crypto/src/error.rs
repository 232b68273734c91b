use std::fmt;

use crate::RandomError;

/// A value did not open: the one public failure of decryption.
///
/// Wrong key, wrong context, wrong binding and changed bytes look alike from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value does not open under this key, context and binding")]
#[non_exhaustive]
pub struct OpenError;

/// A value could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The result would be longer than its format allows.
    #[error("the value is longer than its format allows")]
    TooLong,
    /// The binding is longer than [`MAX_BINDING_BYTES`](crate::record::MAX_BINDING_BYTES).
    #[error("the binding is longer than 65,536 bytes")]
    BindingTooLong,
    /// The header was made for another data key.
    #[error("the header belongs to another data key")]
    HeaderOfAnotherKey,
    /// No nonce could be drawn.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The cryptographic library refused; nothing was sealed.
    #[error("the cryptographic library refused")]
    Library,
}

/// The cryptographic library refused a key: out of memory, or a failed self-test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic library refused the key")]
#[non_exhaustive]
pub struct KeyError;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {kind}")]
#[non_exhaustive]
pub struct FormatError {
    /// What was being read: `context`, `record`, `ciphertext blob`.
    pub subject: &'static str,
    /// What is wrong with it.
    pub kind: FormatErrorKind,
}

impl FormatError {
    pub(crate) fn new(subject: &'static str, kind: FormatErrorKind) -> Self {
        Self { subject, kind }
    }
}

/// Why bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatErrorKind {
    /// Ends too early.
    Truncated,
    /// Goes on after its end.
    TrailingBytes,
    /// Names a version that this crate does not know.
    UnknownVersion,
    /// Names an algorithm that this crate does not know.
    UnknownAlgorithm,
    /// A field, or the whole, is longer than allowed.
    TooLong,
    /// A field that must not be empty is.
    Empty,
    /// Text that is not UTF-8.
    NotUtf8,
    /// Means something, but is not the one way to write it.
    NotCanonical,
    /// Does not have the form at all.
    Malformed,
}

impl fmt::Display for FormatErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "ends too early",
            Self::TrailingBytes => "goes on after its end",
            Self::UnknownVersion => "unknown version",
            Self::UnknownAlgorithm => "unknown algorithm",
            Self::TooLong => "longer than allowed",
            Self::Empty => "a field is empty",
            Self::NotUtf8 => "not UTF-8",
            Self::NotCanonical => "not in canonical form",
            Self::Malformed => "malformed",
        })
    }
}
