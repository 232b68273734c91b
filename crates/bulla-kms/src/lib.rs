//! The port to whatever holds keys: the [`KeyProvider`] trait, its errors, and the suite that every provider passes.
//!
//! A provider wraps data keys under keys that it holds. It never sees the data. It may sign too: [`Signer`] hashes what is
//! signed in this process and verifies without asking. Everything that a wrapped key is bound
//! to (the key, the encryption context) is the provider's to enforce: see [`KeyProvider`].

mod error;
mod key_spec;
mod known_key;
mod provider;
mod public_keys;
mod signer;
mod signing;
mod uri;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use error::{KmsError, KmsErrorKind};
pub use key_spec::{KeySpec, KeyUsage, SpecUsageError, UnknownName};
pub use provider::{Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, WrappedKey};
pub use signer::{Signer, SignerSettings};
pub use signing::{
    AlgorithmError, PublicKeyDescription, Signed, SigningAlgorithm, SigningInput, SigningLimits, Verification,
};
pub use uri::{KeyUri, KeyUriError};
