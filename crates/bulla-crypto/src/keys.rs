//! Keys of every kind that the key service has besides 256-bit symmetric ones: RSA, elliptic curves, Ed25519, HMAC, ML-DSA, ML-KEM.
//!
//! One [`PrivateKey`] type holds any of them; its [`KeySpec`] says which, and each operation refuses an algorithm that the spec does not
//! have ([`UseError::Incompatible`]). A [`PublicKey`] is read from a DER `SubjectPublicKeyInfo`.
//!
//! # Where each primitive comes from
//! | primitive | library | why |
//! |---|---|---|
//! | RSA, ECDSA, ECDH, HMAC, OAEP, AES Key Wrap, Ed25519, ML-DSA, ML-KEM encapsulation and decapsulation | `aws-lc-rs` | the rule |
//! | Ed25519ph (RFC 8032, 5.1) | `ed25519-dalek` | `aws-lc-rs` has pure Ed25519 only |
//! | ML-DSA with an external mu (FIPS 204, algorithm 7, line 6) | `ml-dsa` | `aws-lc-rs` takes messages only |
//! | expanding an ML-KEM seed (FIPS 203, algorithm 16) | `ml-kem` | `aws-lc-rs` reads expanded keys only; the expanded key then goes to it |
//!
//! # Stored bytes
//! [`PrivateKey::stored_bytes`] gives what is to be wrapped and stored, in one spelling for each key:
//! RSA and elliptic curves PKCS#8 version 1 as the library writes it, Ed25519 PKCS#8 version 1 (48 bytes), ML-DSA the seed ξ (32 bytes),
//! ML-KEM the seed d ‖ z (64 bytes), HMAC the key itself.
//!
//! # Randomness
//! Seeds and HMAC keys are drawn from the [`Random`](crate::Random) that the caller passes, and the external-mu variant of ML-DSA
//! draws its 32 bytes from it. RSA and EC keys, PSS salts, ECDSA nonces, OAEP seeds, pure ML-DSA's hedging and encapsulation use AWS-LC's own
//! generator, which the library does not let anyone replace; it is the one behind [`SystemRandom`](crate::SystemRandom).

mod agreement;
mod algorithm;
mod der;
mod error;
mod import;
mod kem;
mod key_wrap;
mod mac;
mod ml_dsa_mu;
mod ml_kem_seed;
mod oaep;
mod pkcs8;
mod prehash;
mod private;
mod public;
mod sign;
mod spec;
mod spki;
mod verify;

pub use algorithm::{EncryptionAlgorithm, MacAlgorithm, SigningAlgorithm, WrappingAlgorithm};
pub use error::{InvalidKey, UseError};
pub use import::{imported_symmetric, unwrap_imported, wrap_for_import};
pub use kem::Encapsulated;
pub use key_wrap::{unwrap_with_padding, wrap_with_padding};
pub use ml_dsa_mu::MU_BYTES;
pub use oaep::max_plaintext_bytes;
pub use private::PrivateKey;
pub use public::PublicKey;
pub use sign::Message;
pub use spec::KeySpec;
pub use verify::Verification;
