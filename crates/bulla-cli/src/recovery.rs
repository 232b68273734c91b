//! The recovery key: a second root for the store key, that exists only as shares on paper.

mod provider;
mod share;

use bulla_crypto::{DataKey, Random, kdf};

pub(crate) use provider::RecoveryProvider;
pub(crate) use share::{Share, Split, combine, split};

/// The set that a recovery key's shares belong to: 16 lower-case hexadecimal digits, derived from the key.
///
/// It is public, and tells whether shares, put together, gave the key that was split.
fn set_id(key: &DataKey) -> String {
    let derived = kdf::derive_key(key, "bulla/recovery-key/1", b"set");
    hex::encode(derived.expose_secret().get(..8).unwrap_or_default())
}

/// A recovery key and the name that the store knows it by.
#[derive(Debug)]
pub(crate) struct RecoveryKey {
    key: DataKey,
    set: String,
}

impl RecoveryKey {
    /// Makes a new one.
    ///
    /// # Errors
    /// There is no randomness.
    pub(crate) fn generate(random: &dyn Random) -> Result<Self, bulla_crypto::RandomError> {
        Ok(Self::from_key(DataKey::generate(random)?))
    }

    fn from_key(key: DataKey) -> Self {
        let set = set_id(&key);
        Self { key, set }
    }

    /// The set of its shares.
    pub(crate) fn set(&self) -> &str {
        &self.set
    }
}
