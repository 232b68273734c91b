//! The provider suite's clauses on signing over providers that are wrong in one way each: every mistake must break the clause that is
//! about it, and none of them breaks for a provider without one.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey};
use bulla_kms::KmsErrorKind::{Invalid, KeyDisabled, NotFound, Unavailable};
use bulla_kms::conformance::{self as suite, Broken, Fixture};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeySpec, KeyState, KeyUsage, KmsError, KmsErrorKind,
    PublicKeyDescription, Signed, SigningAlgorithm, SigningInput, Verification, WrappedKey,
};
use bulla_testkit::FaultyProvider;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    Nothing,
    SignsSomethingElse,
    SignsTheMessageOnly,
    AnswersAnotherAlgorithm,
    AnswersWhatItWasAsked,
    FindsAllValid,
    FindsNothingValid,
    FailsOverWhatIsInvalid,
    HasOneKeyForAll,
    SaysAnotherSpec,
    SaysAnotherUsage,
    TakesAnyAlgorithm,
    CutsDigests,
    WrapsWithAnyKey,
    SignsWithAnyKey,
    SignsWithKeysThatAreNotThere,
    SignsWithDisabledKeys,
}

use Mistake::*;

#[derive(Debug)]
struct Mutant {
    inner: Arc<FaultyProvider>,
    mistake: Mistake,
}

impl Mutant {
    fn key<'a>(&self, asked: &'a str) -> &'a str {
        match self.mistake {
            HasOneKeyForAll if asked.contains("signing-") => "signing-1",
            _ => asked,
        }
    }

    /// What a mutant puts in the place of an error.
    fn forgives(&self, kind: KmsErrorKind) -> bool {
        matches!(
            (self.mistake, kind),
            (TakesAnyAlgorithm | SignsWithAnyKey, Invalid)
                | (SignsWithKeysThatAreNotThere, NotFound)
                | (SignsWithDisabledKeys, KeyDisabled)
        )
    }
}

#[async_trait]
impl KeyProvider for Mutant {
    fn instance(&self) -> &str {
        self.inner.instance()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        match self.inner.generate_data_key(key, context).await {
            Err(error) if error.kind == Invalid && self.mistake == WrapsWithAnyKey => {
                self.inner.generate_data_key("key-a", context).await
            }
            other => other,
        }
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
        let other = [9; 32];
        let input = match (self.mistake, input) {
            (SignsSomethingElse, SigningInput::Digest(_)) => SigningInput::Digest(&other),
            (SignsTheMessageOnly, SigningInput::Digest(digest)) => SigningInput::Message(digest),
            (CutsDigests, SigningInput::Digest(digest)) if digest.len() > 32 => SigningInput::Digest(&digest[..32]),
            (_, input) => input,
        };
        let signed = match self.inner.sign(self.key(key), algorithm, input).await {
            Err(error) if self.forgives(error.kind) => Signed {
                signature: vec![0x30; 70],
                key_id: key.to_owned(),
                algorithm,
            },
            outcome => outcome?,
        };
        Ok(Signed {
            key_id: match self.mistake {
                AnswersWhatItWasAsked => key.to_owned(),
                HasOneKeyForAll => format!("memory:{key}"),
                _ => signed.key_id,
            },
            algorithm: match self.mistake {
                AnswersAnotherAlgorithm => SigningAlgorithm::EcdsaSha512,
                _ => signed.algorithm,
            },
            ..signed
        })
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SigningAlgorithm,
        input: SigningInput<'_>,
        signature: &[u8],
    ) -> Result<Verification, KmsError> {
        let found = self.inner.verify(key, algorithm, input, signature).await?;
        match (self.mistake, found) {
            (FindsAllValid, _) => Ok(Verification::Valid),
            (FindsNothingValid, _) => Ok(Verification::Invalid),
            (FailsOverWhatIsInvalid, Verification::Invalid) => Err(KmsError::new(Unavailable, "verify", key)),
            (_, found) => Ok(found),
        }
    }

    async fn public_key(&self, key: &str) -> Result<PublicKeyDescription, KmsError> {
        let described = self.inner.public_key(self.key(key)).await?;
        Ok(match self.mistake {
            HasOneKeyForAll => PublicKeyDescription {
                key: format!("memory:{key}"),
                ..described
            },
            SaysAnotherSpec => PublicKeyDescription {
                spec: KeySpec::EccNistP384,
                ..described
            },
            SaysAnotherUsage => PublicKeyDescription {
                usage: KeyUsage::EncryptDecrypt,
                ..described
            },
            _ => described,
        })
    }
}

struct Wrong {
    mutant: Arc<Mutant>,
    made: AtomicU64,
}

#[async_trait]
impl Fixture for Wrong {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::clone(&self.mutant) as _
    }

    fn key(&self) -> String {
        "key-a".to_owned()
    }

    fn other_key(&self) -> String {
        "key-b".to_owned()
    }

    fn unknown_key(&self) -> String {
        "key-z".to_owned()
    }

    async fn alias(&self) -> Option<String> {
        Some("alias/app".to_owned())
    }

    async fn move_alias(&self) {
        self.mutant.inner.rotate_alias("alias/app", "key-b");
    }

    async fn switchable_key(&self) -> Option<String> {
        Some("key-a".to_owned())
    }

    async fn set_enabled(&self, key: &str, enabled: bool) {
        let state = if enabled { KeyState::Enabled } else { KeyState::Disabled };
        self.mutant.inner.set_key_state(key, state);
    }

    /// Another key at each call.
    async fn signing_key(&self, spec: KeySpec) -> Option<String> {
        if spec != KeySpec::EccNistP256 {
            return None;
        }
        let name = format!("signing-{}", self.made.fetch_add(1, Ordering::SeqCst) + 1);
        self.mutant.inner.add_signing_key(&name, spec);
        Some(name)
    }
}

fn wrong(mistake: Mistake) -> Wrong {
    Wrong {
        mutant: Arc::new(Mutant {
            inner: FaultyProvider::in_memory(),
            mistake,
        }),
        made: AtomicU64::new(0),
    }
}

/// The clause holds without the mistakes, and breaks by each of them.
async fn found<Outcome: Future<Output = Result<(), Broken>>>(
    mistakes: &[Mistake],
    clause: impl Fn(Arc<Wrong>) -> Outcome,
) {
    let right = clause(Arc::new(wrong(Nothing))).await;
    assert!(right.is_ok(), "{right:?} of a provider without a mistake");
    for mistake in mistakes {
        let outcome = clause(Arc::new(wrong(*mistake))).await;
        assert!(outcome.is_err(), "the suite overlooks a provider that {mistake:?}");
    }
}

#[tokio::test]
async fn a_signature_of_something_else_is_found() {
    let mistakes = [SignsSomethingElse, AnswersAnotherAlgorithm, AnswersWhatItWasAsked];
    found(&mistakes, |fixture| async move {
        suite::a_signature_verifies_under_the_public_key(&*fixture).await
    })
    .await;
    found(&[SignsTheMessageOnly], |fixture| async move {
        suite::a_signature_of_a_digest_is_one_of_its_message(&*fixture).await
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_is_wrong_about_what_is_valid_is_found() {
    let mistakes = [FindsAllValid, FindsNothingValid, FailsOverWhatIsInvalid];
    found(&mistakes, |fixture| async move {
        suite::who_holds_the_key_agrees_on_what_is_valid(&*fixture).await
    })
    .await;
}

#[tokio::test]
async fn keys_that_are_one_or_say_something_else_of_themselves_are_found() {
    found(&[HasOneKeyForAll], |fixture| async move {
        suite::a_signature_is_of_its_message_and_its_key(&*fixture).await
    })
    .await;
    found(&[SaysAnotherSpec, SaysAnotherUsage], |fixture| async move {
        suite::the_public_key_is_that_of_the_resolved_key(&*fixture).await
    })
    .await;
}

#[tokio::test]
async fn algorithms_forms_and_lengths_that_are_not_checked_are_found() {
    found(&[TakesAnyAlgorithm], |fixture| async move {
        suite::sign_refuses_an_algorithm_of_another_spec(&*fixture).await
    })
    .await;
    found(&[CutsDigests], |fixture| async move {
        suite::sign_refuses_forms_and_lengths_that_are_not_the_algorithms(&*fixture).await
    })
    .await;
}

#[tokio::test]
async fn keys_that_are_used_for_what_they_are_not_are_found() {
    let mistakes = [WrapsWithAnyKey, SignsWithAnyKey];
    found(&mistakes, |fixture| async move {
        suite::a_key_is_for_one_thing(&*fixture).await
    })
    .await;
    found(&[SignsWithKeysThatAreNotThere], |fixture| async move {
        suite::an_unknown_key_signs_nothing(&*fixture).await
    })
    .await;
    found(&[SignsWithDisabledKeys], |fixture| async move {
        suite::a_disabled_key_signs_nothing(&*fixture).await
    })
    .await;
}
