//! The cryptography of Bulla: canonical contexts, sealed records, ciphertext blobs, MACs, derivation, signatures, keys of every kind.
//!
//! Everything here is pure: no I/O, no clock, no ambient randomness. Whoever calls passes a [`Random`] (what the library draws by
//! itself, [`keys`] names). All primitives come from `aws-lc-rs`, but for three that it lacks, which [`keys`] names too; the byte formats are normative in `spec/context.md`, `spec/record.md` and `spec/ciphertext-blob.md`.
//!
//! # Secrets in memory
//! [`DataKey`] and [`SecretBytes`] hold their bytes in one heap allocation each, never move them, and wipe them on drop.
//! What `aws-lc-rs` 1.19 holds for us was read in its source: an AES key schedule, an Ed25519 key and an HKDF PRK lie in memory
//! that AWS-LC cleanses when it frees it (`OPENSSL_free` always does); `hmac::Key` cleanses its context on drop. Two things it
//! does not wipe: the last HKDF block on the stack of `HKDF_expand`, and what moving an `hmac::Key` leaves behind. So each
//! derivation here ends by overwriting the stack it used (`hazmat::burn_stack`), and secret input to HMAC goes through
//! `sign_to_buffer`, which never moves a context that has seen data. `tests/memory.rs` scans the process for what is left.

mod context;
mod error;
mod hazmat;
mod random;
mod secret;

pub mod blob;
pub mod kdf;
pub mod keys;
pub mod mac;
pub mod record;
pub mod signature;

pub use context::{Context, ContextError, MAX_CONTEXT_BYTES, OWN_KEY_PREFIX};
pub use error::{FormatError, FormatErrorKind, KeyError, OpenError, SealError};
pub use random::{Random, RandomError, SystemRandom};
pub use secret::{DATA_KEY_BYTES, DataKey, SecretBytes};

/// Compares two byte strings of public length in time that does not depend on their contents.
///
/// Strings of different lengths differ at once.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}

/// Compares 32 bytes in constant time, by words: on the path of every open, where byte by byte costs a quarter of an AEAD.
pub(crate) fn constant_time_eq_32(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let words = |bytes: &[u8; 32]| {
        let (words, _) = bytes.as_chunks::<8>();
        [0, 1, 2, 3].map(|i| u64::from_ne_bytes(words[i]))
    };
    let (a, b) = (words(a), words(b));
    let difference = (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
    subtle::ConstantTimeEq::ct_eq(&difference, &0).into()
}

/// Computes SHA-256 (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}
