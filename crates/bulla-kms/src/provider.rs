use std::fmt;

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey};

use crate::{
    KeySpec, KeyUsage, KmsError, KmsErrorKind, PublicKeyDescription, Signed, SigningAlgorithm, SigningInput,
    SigningLimits, Verification,
};

/// Holds keys, wraps data keys under them, and signs with them.
///
/// # Contract
/// - **Context.** What was wrapped under one context unwraps under exactly that context, byte for byte of its canonical
///   form, and under no other. A provider that cannot bind a context natively binds it in its own wrapping, or refuses a
///   context that is not empty with [`KmsErrorKind::Invalid`](crate::KmsErrorKind::Invalid).
/// - **Keys.** `key` is what follows the scheme of a [`KeyUri`](crate::KeyUri): an id, an ARN, an alias, a path. Answers name
///   the *resolved* key, in a form that later finds the same key wherever an alias points by then.
/// - **Unwrap names the key.** An unwrap under another key than the one that wrapped fails; a provider never looks for
///   "whatever key the blob says".
/// - **Concurrency.** All methods may be called at once from any number of tasks. None holds a lock across a call to a
///   remote service.
/// - **Idempotence.** `wrap`, `unwrap`, `describe`, `sign`, `verify` and `public_key` may be repeated freely; a repeated
///   `generate_data_key` makes another key, a repeated `rotate` another material.
/// - **Usage.** A key is for one thing. One that signs wraps nothing, and the reverse: `Invalid` (or `WrongContext`, to unwrap).
/// - **What a provider can't do** it answers with [`Unsupported`](crate::KmsErrorKind::Unsupported), and says so in its
///   [`Capabilities`]; a provider that does not sign need not write the methods for it.
/// - **Time.** A remote provider bounds each attempt itself and answers [`Unavailable`](crate::KmsErrorKind::Unavailable) at the end.
#[async_trait]
pub trait KeyProvider: Send + Sync + fmt::Debug {
    /// Names this provider and its endpoint, account and credentials as far as they decide what a key name means.
    ///
    /// Two providers with equal instances are interchangeable; caches are keyed by it. Holds no secret.
    fn instance(&self) -> &str;

    /// Says what this provider can do; differences between providers are data, not branches.
    fn capabilities(&self) -> Capabilities;

    /// Makes a data key of 32 bytes and wraps it under `key` and `context`.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `KeyDisabled`, `Throttled`, `Unavailable`, `Invalid`.
    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError>;

    /// Wraps an existing data key under `key` and `context`.
    ///
    /// # Errors
    /// As [`generate_data_key`](Self::generate_data_key).
    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError>;

    /// Unwraps what was wrapped under `key` and `context`.
    ///
    /// # Errors
    /// As [`generate_data_key`](Self::generate_data_key), and `WrongContext` where the wrapped bytes do not authenticate under
    /// this key and context. A provider that can tell a wrong key from a wrong context does not say so.
    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError>;

    /// Resolves `key` and tells its state.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `Throttled`, `Unavailable`, `Invalid`. A disabled key is described, not an error.
    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError>;

    /// Signs `input` with `key`.
    ///
    /// A signature over a [`Digest`](SigningInput::Digest) is one over the message of that digest. Signatures may be randomised.
    ///
    /// # Errors
    /// `NotFound`, `AccessDenied`, `KeyDisabled`, `Throttled`, `Unavailable`; `Invalid` for a key that does not sign, an
    /// algorithm that is not the key's, and an `input` that is too long or of a wrong form or length.
    async fn sign(
        &self,
        key: &str,
        _algorithm: SigningAlgorithm,
        _input: SigningInput<'_>,
    ) -> Result<Signed, KmsError> {
        Err(KmsError::new(KmsErrorKind::Unsupported, "sign", key))
    }

    /// Tells whether `signature` is `key`'s over `input`, by asking who holds the key.
    ///
    /// [`Signer`](crate::Signer) verifies under the public key instead, without a call.
    ///
    /// # Errors
    /// As [`sign`](Self::sign). A signature of any form that does not verify is `Invalid` of [`Verification`], and no error; that it
    /// could not be found out is an error.
    async fn verify(
        &self,
        key: &str,
        _algorithm: SigningAlgorithm,
        _input: SigningInput<'_>,
        _signature: &[u8],
    ) -> Result<Verification, KmsError> {
        Err(KmsError::new(KmsErrorKind::Unsupported, "verify", key))
    }

    /// Gives the public half of `key`; it never changes for a resolved key.
    ///
    /// # Errors
    /// As [`describe`](Self::describe); `Invalid` for a key without a public half. Whether a disabled key still shows its public
    /// half is the provider's to decide: `KeyDisabled` where not.
    async fn public_key(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        Err(KmsError::new(KmsErrorKind::Unsupported, "public key", key))
    }

    /// Gives `key` new material now. What was wrapped before unwraps as before; what is wrapped from now on is under the new.
    ///
    /// # Errors
    /// As [`generate_data_key`](Self::generate_data_key); `Invalid` for a key that has one material for ever, as one that signs.
    async fn rotate(&self, key: &str) -> Result<(), KmsError> {
        Err(KmsError::new(KmsErrorKind::Unsupported, "rotate", key))
    }
}

/// A data key under the key that wraps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The resolved key, with its scheme (`aws-kms://arn:aws:kms:…:key/…`, `local:<root key id>`), at most 512 bytes.
    pub key: String,
    /// The wrapped bytes, in the provider's own format, at most 6,144 bytes.
    pub bytes: Vec<u8>,
}

/// A fresh data key, in the clear and wrapped.
#[derive(Debug)]
pub struct GeneratedDataKey {
    /// The key in the clear; 32 bytes, wiped on drop.
    pub data_key: DataKey,
    /// The same key, wrapped.
    pub wrapped: WrappedKey,
}

/// What a provider can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Scheme of this provider's resolved keys, without the colon: `local`, `aws-kms`.
    pub scheme: &'static str,
    /// Whether the provider itself checks the context (`true` for AWS KMS); else its wrapping does.
    pub native_context: bool,
    /// Whether calls leave the process; caches and retries matter only then.
    pub remote: bool,
    /// Whether a key's state can be polled with `describe`, so that a disabled key can be dropped from caches.
    pub key_state: bool,
    /// What the provider can sign; `None` where it does not.
    pub signing: Option<SigningLimits>,
    /// Whether keys can be rotated with `rotate`.
    pub rotation: bool,
}

/// A key as its provider describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// The resolved key, with its scheme, as in [`WrappedKey::key`].
    pub key: String,
    /// Whether the key may be used now.
    pub state: KeyState,
    /// What kind of material it has; `None` where that has no name here.
    pub spec: Option<KeySpec>,
    /// What it is for; `None` where that has no name here.
    pub usage: Option<KeyUsage>,
}

impl KeyDescription {
    /// Describes a key that wraps data keys.
    pub fn symmetric(key: impl Into<String>, state: KeyState) -> Self {
        Self {
            key: key.into(),
            state,
            spec: Some(KeySpec::SymmetricDefault),
            usage: Some(KeyUsage::EncryptDecrypt),
        }
    }
}

/// Whether a key may be used now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Wraps and unwraps.
    Enabled,
    /// Exists, refuses every use; may be enabled again.
    Disabled,
    /// Exists, refuses every use, and will be gone.
    PendingDeletion,
    /// Exists, and can't be used for a reason that the provider gives no more of.
    Unavailable,
}
