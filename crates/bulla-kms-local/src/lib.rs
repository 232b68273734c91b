//! The provider whose keys are files on this machine: root keys of 32 random bytes, and signing keys.
//!
//! A root key wraps in the layout of `spec/ciphertext-blob.md`, with the encryption context in its authenticated data, so a
//! context is bound as strictly as AWS KMS binds it. Who can read the file holds the key; [`RootKeyFile`] says what guards it.

mod config;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod key_file;
mod provider;
mod root_key_file;
mod signing_key_file;

pub use config::LocalConfig;
pub use error::{KeyFileKind, LocalError, LocalErrorKind};
pub use provider::LocalProvider;
pub use root_key_file::{RootKeyFile, RootKeyId};
pub use signing_key_file::{SigningKeyFile, SigningKeyId};
