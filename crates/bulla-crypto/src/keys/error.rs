use super::KeySpec;
use crate::RandomError;

/// Bytes that are no key of the wanted kind, or not in the one strict encoding.
///
/// Wrong encoding, wrong algorithm, wrong size, wrong curve, a point off its curve, and halves that do not belong together look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a valid key of this kind")]
#[non_exhaustive]
pub struct InvalidKey;

/// A key could not be used in this way. A signature or tag that is not right is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UseError {
    /// Keys of this spec do not have the algorithm, or not the operation.
    #[error("keys of spec {0} do not do this")]
    Incompatible(KeySpec),
    /// The algorithm does not take this type of message (a digest where it hashes itself, a message where it takes digests).
    #[error("the algorithm does not take this type of message")]
    MessageType,
    /// The digest, or the mu, has not the length that the algorithm has.
    #[error("a digest of {actual} bytes, where the algorithm has {expected}")]
    DigestLength {
        /// The length of the algorithm's digests in bytes.
        expected: usize,
        /// The length given in bytes.
        actual: usize,
    },
    /// The plaintext is longer than the key and the padding take.
    #[error("the plaintext is longer than {max} bytes")]
    TooLong {
        /// The most that fits, in bytes.
        max: usize,
    },
    /// No randomness could be drawn.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The cryptographic library refused.
    #[error("the cryptographic library refused")]
    Library,
}
