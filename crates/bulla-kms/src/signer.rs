use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;

use crate::KmsErrorKind::{Invalid, Unavailable, Unsupported};
use crate::known_key::KnownKey;
use crate::public_keys::PublicKeys;
use crate::{KeyProvider, KmsError, Signed, SigningAlgorithm, SigningInput, SigningLimits, Verification};

/// Signs with the keys of any provider, and verifies under their public halves without asking it.
///
/// - **Hashes here.** The provider gets a digest (for ML-DSA the µ), however long the message. `ED25519_SHA_512` has none: its
///   messages go whole, and are as long as the provider takes them; `ED25519_PH_SHA_512` takes any.
/// - **Verifies here.** A key's public half is asked for once, kept for a time, and asked for once only by all who need it at the
///   same time. Every other verification costs no call. That the key can't be had is an error, and never `Invalid`.
/// - **Checks first.** What the key is for, its spec and the algorithm are held against each other before it is asked to sign.
/// - **Checks last.** A signature that does not verify under the key's own public half is not handed out.
///
/// A key is named as its provider takes it: by an alias too, which is followed to where it leads when its public half is asked
/// for, and again when that is no longer kept.
pub struct Signer {
    provider: Arc<dyn KeyProvider>,
    keys: PublicKeys,
    concurrency: usize,
    hashes_digests: AtomicBool,
}

/// How a [`Signer`] keeps public keys, and how many calls it makes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignerSettings {
    /// How long a public key is used from when it was asked for; one hour by default, zero keeps none.
    pub public_key_ttl: Duration,
    /// How many public keys are kept; 1,024 by default.
    pub public_key_capacity: usize,
    /// How many signatures of one batch are asked for at once; 16 by default, at least 1.
    pub concurrency: usize,
}

impl Default for SignerSettings {
    fn default() -> Self {
        Self {
            public_key_ttl: Duration::from_secs(3600),
            public_key_capacity: 1024,
            concurrency: 16,
        }
    }
}

impl Signer {
    /// Makes a signer; asks the provider nothing yet.
    pub fn new(provider: Arc<dyn KeyProvider>, settings: SignerSettings) -> Self {
        Self {
            keys: PublicKeys::new(
                Arc::clone(&provider),
                settings.public_key_ttl,
                settings.public_key_capacity,
            ),
            provider,
            concurrency: settings.concurrency.max(1),
            hashes_digests: AtomicBool::new(false),
        }
    }

    /// Signs a message with `key`, as told or else as is recommended for its spec.
    ///
    /// # Errors
    /// `Invalid`, before the key is asked to sign, where it does not sign, or not so, or not so much; else as
    /// [`KeyProvider::sign`]. `Unavailable` where the signature that was answered does not verify.
    pub async fn sign(
        &self,
        key: &str,
        algorithm: impl Into<Option<SigningAlgorithm>>,
        message: &[u8],
    ) -> Result<Signed, KmsError> {
        let limits = self.limits("sign", key)?;
        let known = self.keys.find(key).await?;
        let algorithm = known.algorithm("sign", key, algorithm.into())?;
        // What the key was resolved to, so that the signature is by the key whose public half is at hand.
        let resolved = &known.description.key;
        let refused = |reason: String| KmsError::new(Invalid, "sign", key).with_source(reason);
        if !self.hashes_digests.load(Ordering::Relaxed) {
            let hashed = known.hashed(algorithm, message);
            algorithm.check_input(hashed.input(), limits).map_err(refused)?;
            let signed = self.provider.sign(resolved, algorithm, hashed.input()).await?;
            if signed.algorithm == algorithm && known.verifies(algorithm, hashed.input(), &signed.signature) {
                return Ok(signed);
            }
            // There are emulators of AWS KMS that know no message type: they hash the digest again. Such a signature verifies as one
            // over the digest as if that were the message, which no other mistake brings about.
            let again = match hashed.input() {
                SigningInput::Digest(digest) => known.hashed(algorithm, digest),
                SigningInput::Message(_) => return Err(wrong_signature(key)),
            };
            if !known.verifies(algorithm, again.input(), &signed.signature) {
                return Err(wrong_signature(key));
            }
            self.hashes_digests.store(true, Ordering::Relaxed);
        }
        let whole = SigningInput::Message(message);
        algorithm.check_input(whole, limits).map_err(refused)?;
        let signed = self.provider.sign(resolved, algorithm, whole).await?;
        if signed.algorithm == algorithm && known.verifies(algorithm, whole, &signed.signature) {
            Ok(signed)
        } else {
            Err(wrong_signature(key))
        }
    }

    /// Signs messages, several at once; the answers are in the order of the messages.
    ///
    /// # Errors
    /// Each message has its own, as [`sign`](Self::sign).
    pub async fn sign_all(
        &self,
        key: &str,
        algorithm: impl Into<Option<SigningAlgorithm>>,
        messages: &[&[u8]],
    ) -> Vec<Result<Signed, KmsError>> {
        let algorithm = algorithm.into();
        let calls = messages.iter().map(|message| self.sign(key, algorithm, message));
        // Boxed: a stream of borrowing futures is more than the compiler can prove to be Send.
        let calls: Vec<_> = calls.map(Box::pin).collect();
        stream::iter(calls).buffered(self.concurrency).collect().await
    }

    /// Tells whether `signature` is `key`'s over `message`, made as told or else as is recommended for its spec.
    ///
    /// # Errors
    /// As [`KeyProvider::public_key`] where the public half is not at hand; `Invalid` where the key does not sign, or not so.
    pub async fn verify(
        &self,
        key: &str,
        algorithm: impl Into<Option<SigningAlgorithm>>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Verification, KmsError> {
        self.limits("verify", key)?;
        let known = self.keys.find(key).await?;
        let algorithm = known.algorithm("verify", key, algorithm.into())?;
        Ok(if known.verifies_message(algorithm, message, signature) {
            Verification::Valid
        } else {
            Verification::Invalid
        })
    }

    /// Verifies messages and their signatures, in their order.
    ///
    /// # Errors
    /// Each has its own, as [`verify`](Self::verify).
    pub async fn verify_all(
        &self,
        key: &str,
        algorithm: impl Into<Option<SigningAlgorithm>>,
        signed: &[(&[u8], &[u8])],
    ) -> Vec<Result<Verification, KmsError>> {
        let algorithm = algorithm.into();
        let mut outcomes = Vec::with_capacity(signed.len());
        for (message, signature) in signed {
            outcomes.push(self.verify(key, algorithm, message, signature).await);
        }
        outcomes
    }

    /// Forgets the public half of `key`, so that an alias is followed anew.
    pub fn forget(&self, key: &str) {
        self.keys.forget(key);
    }

    fn limits(&self, operation: &'static str, key: &str) -> Result<SigningLimits, KmsError> {
        let signing = self.provider.capabilities().signing;
        signing.ok_or_else(|| KmsError::new(Unsupported, operation, key))
    }
}

fn wrong_signature(key: &str) -> KmsError {
    KmsError::new(Unavailable, "sign", key)
        .with_source("the signature that was answered does not verify under the key's public half")
}

impl KnownKey {
    fn algorithm(
        &self,
        operation: &'static str,
        key: &str,
        given: Option<SigningAlgorithm>,
    ) -> Result<SigningAlgorithm, KmsError> {
        let algorithm = self.description.spec.signing_algorithm(self.description.usage, given);
        algorithm.map_err(|error| KmsError::new(Invalid, operation, key).with_source(error))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
