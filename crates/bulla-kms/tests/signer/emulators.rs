//! Providers that sign something else than they were asked to.

use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KmsError, KmsErrorKind, PublicKeyDescription, Signed,
    Signer, SignerSettings, SigningAlgorithm, SigningInput, Verification, WrappedKey,
};
use bulla_testkit::FaultyProvider;

use crate::{P256, provider};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Habit {
    /// Takes every digest for a message, as moto does.
    HashesDigests,
    /// Answers a signature of something else.
    SignsSomethingElse,
    /// Says another algorithm than it was asked for.
    SaysAnotherAlgorithm,
    /// Answers a public key that is none.
    GarblesPublicKeys,
}

#[derive(Debug)]
struct Emulator {
    inner: Arc<FaultyProvider>,
    habit: Habit,
}

#[async_trait]
impl KeyProvider for Emulator {
    fn instance(&self) -> &str {
        "emulator"
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        self.inner.generate_data_key(key, context).await
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        self.inner.wrap(key, data_key, context).await
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        self.inner.unwrap(key, wrapped, context).await
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        self.inner.describe(key).await
    }

    async fn sign(&self, key: &str, algorithm: SigningAlgorithm, input: SigningInput<'_>) -> Result<Signed, KmsError> {
        let (SigningInput::Message(given) | SigningInput::Digest(given)) = input;
        let input = match self.habit {
            Habit::HashesDigests => SigningInput::Message(given),
            Habit::SignsSomethingElse => SigningInput::Message(b"something else"),
            Habit::SaysAnotherAlgorithm | Habit::GarblesPublicKeys => input,
        };
        let signed = self.inner.sign(key, algorithm, input).await?;
        if self.habit == Habit::SaysAnotherAlgorithm {
            let algorithm = SigningAlgorithm::EcdsaSha512;
            return Ok(Signed { algorithm, ..signed });
        }
        Ok(signed)
    }

    async fn public_key(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        let mut described = self.inner.public_key(key).await?;
        if self.habit == Habit::GarblesPublicKeys {
            described.spki_der.truncate(40);
        }
        Ok(described)
    }
}

fn with(habit: Habit) -> (Arc<FaultyProvider>, Signer) {
    let inner = provider();
    let emulator = Emulator {
        inner: Arc::clone(&inner),
        habit,
    };
    let signer = Signer::new(Arc::new(emulator), SignerSettings::default());
    (inner, signer)
}

#[tokio::test]
async fn an_emulator_that_hashes_digests_again_gets_the_message_from_then_on() {
    let (provider, signer) = with(Habit::HashesDigests);
    for calls in [2, 3, 4] {
        let signature = signer.sign(P256, None, b"message").await.unwrap().signature;
        assert_eq!(
            signer.verify(P256, None, b"message", &signature).await.unwrap(),
            Verification::Valid
        );
        assert_eq!(provider.calls().sign, calls, "only the first costs a call more");
    }
    let error = signer.sign(P256, None, &[0; 4097]).await.unwrap_err();
    assert_eq!(
        error.kind,
        KmsErrorKind::Invalid,
        "a message that is too long for it is not signed"
    );
}

#[tokio::test]
async fn a_signature_of_something_else_is_not_handed_out() {
    for habit in [Habit::SignsSomethingElse, Habit::SaysAnotherAlgorithm] {
        let (_, signer) = with(habit);
        let error = signer.sign(P256, None, b"message").await.unwrap_err();
        assert_eq!(error.kind, KmsErrorKind::Unavailable, "{habit:?}");
    }
}

#[tokio::test]
async fn a_public_key_that_is_none_is_an_error_and_never_invalid() {
    let (_, signer) = with(Habit::GarblesPublicKeys);
    let error = signer.verify(P256, None, b"message", b"signature").await.unwrap_err();
    assert_eq!(error.kind, KmsErrorKind::Unavailable);
}
