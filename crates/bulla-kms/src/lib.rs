//! The port to whatever holds keys: the [`KeyProvider`] trait, its errors, and the suite that every provider passes.
//!
//! A provider wraps data keys under keys that it holds. It never sees the data. Everything that a wrapped key is bound
//! to (the key, the encryption context) is the provider's to enforce: see [`KeyProvider`].

mod error;
mod provider;
mod uri;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use error::{KmsError, KmsErrorKind};
pub use provider::{Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, WrappedKey};
pub use uri::{KeyUri, KeyUriError};
