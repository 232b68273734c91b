use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_envelope::KeyPattern;
use bulla_kms::KeyProvider;

use crate::{Namespace, SampleKeys};

/// A key of some provider.
#[derive(Debug, Clone)]
pub struct KeyName {
    /// What holds it.
    pub provider: Arc<dyn KeyProvider>,
    /// What follows the scheme of its URI; `{namespace}` in it stands for the namespace.
    pub name: String,
}

/// What a namespace is sealed and opened with.
#[derive(Debug, Clone)]
pub struct NamespaceKeys {
    /// Seals, and opens.
    pub key: KeyName,
    /// Open only: keys that sealed before.
    pub decrypt_only: Vec<KeyName>,
    /// Further resolved keys that [`key`](Self::key)'s provider may be asked to unwrap with; those of its account always.
    pub accept: Vec<KeyPattern>,
    /// Keys of what the SDK samples encrypted.
    pub samples: Arc<SampleKeys>,
    /// What becomes of payloads that something else encrypted and that can't be decoded.
    pub on_undecodable: OnUndecodable,
    /// What becomes of payloads that nothing encrypted, when they are decoded.
    pub on_plaintext: OnPlaintext,
}

/// What becomes of a payload that something else encrypted and that can't be decoded.
///
/// What is sealed in Bulla's own format and does not open is an error, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUndecodable {
    /// The request fails: nobody takes ciphertext for a value.
    #[default]
    Error,
    /// It stays as it is, so that the rest of a history can be read.
    PassThrough,
}

/// What becomes of a payload that nothing encrypted, when it is decoded.
///
/// Who can write the stored histories can put such a one in the place of a sealed one: only [`Error`](Self::Error) makes that fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnPlaintext {
    /// It stays as it is: histories from before are readable.
    #[default]
    PassThrough,
    /// The request fails, unless it is a storage reference, or a payload without data.
    Error,
}

/// Makes the keys of a namespace that nothing was configured for, as in a development mode.
#[async_trait]
pub trait MakeKeys: Send + Sync + fmt::Debug {
    /// Makes keys, or finds those that it made before.
    ///
    /// Called once for each namespace and process, and again where it failed.
    ///
    /// # Errors
    /// [`MakeKeysError`]; then the request fails.
    async fn make_keys(&self, namespace: &Namespace) -> Result<NamespaceKeys, MakeKeysError>;
}

/// The keys of a namespace could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the keys of the namespace can't be made")]
pub struct MakeKeysError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl KeyName {
    /// The name for one namespace.
    pub(crate) fn of(&self, namespace: &Namespace) -> String {
        self.name.replace("{namespace}", namespace.as_str())
    }
}

impl NamespaceKeys {
    /// Seals and opens under one key, and knows no other.
    #[must_use]
    pub fn new(key: KeyName) -> Self {
        Self {
            key,
            decrypt_only: Vec::new(),
            accept: Vec::new(),
            samples: Arc::default(),
            on_undecodable: OnUndecodable::default(),
            on_plaintext: OnPlaintext::default(),
        }
    }
}
