//! The provider suite over providers that are wrong in one way each: every mistake must break the clause that is about it.

use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::{Context, DataKey};
use bulla_kms::conformance::{self as suite, Broken, Fixture};
use bulla_kms::{
    Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KeyState, KmsError, KmsErrorKind, WrappedKey,
};
use bulla_testkit::FaultyProvider;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    ForgetsTheContext,
    ForgetsContextValues,
    JoinsPairs,
    ForgetsTheKey,
    RepeatsItself,
    ForgetsToResolve,
    ForgetsToCheckState,
    CutsWhatItCanNotRead,
    SaysInvalidOfTheUnknown,
    TellsTheKeyInErrors,
    TellsTheWrappedBytesInErrors,
    ChangesItsMind,
}

#[derive(Debug)]
struct Mutant {
    inner: Arc<FaultyProvider>,
    mistake: Mistake,
    instance: String,
}

use Mistake::*;

impl Mutant {
    fn context(&self, context: &Context) -> Context {
        let pairs: Vec<(String, String)> = match self.mistake {
            ForgetsTheContext => Vec::new(),
            ForgetsContextValues => context.iter().map(|(key, _)| (key.to_owned(), String::new())).collect(),
            JoinsPairs => vec![(
                "joined".to_owned(),
                context.iter().flat_map(|(key, value)| [key, value]).collect(),
            )],
            _ => context
                .iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        };
        Context::from_pairs(pairs).expect("no longer than it was")
    }

    fn told(&self, error: KmsError, secret: &[u8], wrapped: &[u8]) -> KmsError {
        match self.mistake {
            SaysInvalidOfTheUnknown if error.kind == KmsErrorKind::NotFound => KmsError {
                kind: KmsErrorKind::Invalid,
                ..error
            },
            TellsTheKeyInErrors => error.with_source(format!("{secret:?}")),
            TellsTheWrappedBytesInErrors => error.with_source(format!("{wrapped:02x?}").replace(", ", "")),
            _ => error,
        }
    }

    fn resolved(&self, asked: &str, wrapped: WrappedKey) -> WrappedKey {
        if self.mistake == ForgetsToResolve {
            WrappedKey {
                key: format!("memory:{asked}"),
                ..wrapped
            }
        } else {
            wrapped
        }
    }
}

#[async_trait]
impl KeyProvider for Mutant {
    fn instance(&self) -> &str {
        if self.mistake == ChangesItsMind && self.inner.calls().total() > 0 {
            "other"
        } else {
            &self.instance
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn generate_data_key(&self, key: &str, context: &Context) -> Result<GeneratedDataKey, KmsError> {
        let data_key = if self.mistake == RepeatsItself {
            DataKey::from_bytes(&mut [7; 32])
        } else {
            self.inner.generate_data_key("key-a", context).await?.data_key
        };
        let wrapped = self.wrap(key, &data_key, context).await?;
        Ok(GeneratedDataKey { data_key, wrapped })
    }

    async fn wrap(&self, key: &str, data_key: &DataKey, context: &Context) -> Result<WrappedKey, KmsError> {
        let key = if self.mistake == ForgetsTheKey { "key-a" } else { key };
        let outcome = self.inner.wrap(key, data_key, &self.context(context)).await;
        let wrapped = outcome.map_err(|error| self.told(error, data_key.expose_secret(), &[]))?;
        Ok(self.resolved(key, wrapped))
    }

    async fn unwrap(&self, key: &str, wrapped: &[u8], context: &Context) -> Result<DataKey, KmsError> {
        let asked = if self.mistake == ForgetsTheKey { "key-a" } else { key };
        let bytes = if self.mistake == CutsWhatItCanNotRead {
            &wrapped[..wrapped.len().min(184)]
        } else {
            wrapped
        };
        if self.mistake == ForgetsToCheckState {
            self.inner.set_key_state(asked, KeyState::Enabled);
        }
        let outcome = self.inner.unwrap(asked, bytes, &self.context(context)).await;
        outcome.map_err(|error| self.told(error, &[], wrapped))
    }

    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        self.inner
            .describe(key)
            .await
            .map_err(|error| self.told(error, &[], &[]))
    }
}

struct Wrong(Arc<Mutant>);

#[async_trait]
impl Fixture for Wrong {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::clone(&self.0) as _
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
        self.0.inner.rotate_alias("alias/app", "key-b");
    }

    async fn switchable_key(&self) -> Option<String> {
        self.0.inner.set_key_state("key-s", KeyState::Enabled);
        Some("key-s".to_owned())
    }

    async fn set_enabled(&self, key: &str, enabled: bool) {
        self.0
            .inner
            .set_key_state(key, if enabled { KeyState::Enabled } else { KeyState::Disabled });
    }
}

fn wrong(mistake: Mistake) -> Wrong {
    Wrong(Arc::new(Mutant {
        inner: FaultyProvider::in_memory(),
        mistake,
        instance: "memory".to_owned(),
    }))
}

fn assert_broken(mistake: Mistake, outcome: Result<(), Broken>) {
    assert!(outcome.is_err(), "the suite overlooks a provider that {mistake:?}");
}

#[tokio::test]
async fn a_context_that_is_not_bound_is_found() {
    for mistake in [ForgetsTheContext, ForgetsContextValues] {
        let fixture = wrong(mistake);
        assert_broken(
            mistake,
            suite::unwrap_refuses_a_context_that_differs_in_one_byte(&fixture).await,
        );
        assert_broken(mistake, suite::unwrap_refuses_swapped_values(&fixture).await);
        assert_broken(mistake, suite::a_long_context_is_bound(&fixture).await);
    }
    let fixture = wrong(ForgetsTheContext);
    assert_broken(
        ForgetsTheContext,
        suite::the_empty_context_is_a_context_of_its_own(&fixture).await,
    );
    assert_broken(
        ForgetsTheContext,
        suite::unwrap_refuses_a_context_with_a_pair_missing(&fixture).await,
    );
    assert_broken(
        ForgetsTheContext,
        suite::unwrap_refuses_a_context_with_a_pair_more(&fixture).await,
    );
    assert_broken(
        JoinsPairs,
        suite::unwrap_refuses_a_boundary_that_moved(&wrong(JoinsPairs)).await,
    );
}

#[tokio::test]
async fn a_key_that_is_not_bound_is_found() {
    assert_broken(
        ForgetsTheKey,
        suite::unwrap_refuses_another_key(&wrong(ForgetsTheKey)).await,
    );
    assert_broken(
        ForgetsTheKey,
        suite::an_unknown_key_is_not_found(&wrong(ForgetsTheKey)).await,
    );
    assert_broken(
        ForgetsTheKey,
        suite::a_malformed_key_name_is_refused(&wrong(ForgetsTheKey)).await,
    );
    assert_broken(
        ForgetsToResolve,
        suite::an_alias_resolves_and_may_move(&wrong(ForgetsToResolve)).await,
    );
}

#[tokio::test]
async fn keys_that_repeat_and_bytes_that_are_ignored_are_found() {
    assert_broken(
        RepeatsItself,
        suite::fresh_data_keys_differ(&wrong(RepeatsItself)).await,
    );
    assert_broken(
        CutsWhatItCanNotRead,
        suite::unwrap_refuses_appended_bytes(&wrong(CutsWhatItCanNotRead)).await,
    );
    assert_broken(
        CutsWhatItCanNotRead,
        suite::unwrap_refuses_oversized_bytes(&wrong(CutsWhatItCanNotRead)).await,
    );
}

#[tokio::test]
async fn states_kinds_and_instances_that_are_wrong_are_found() {
    assert_broken(
        ForgetsToCheckState,
        suite::a_disabled_key_refuses_every_use(&wrong(ForgetsToCheckState)).await,
    );
    assert_broken(
        SaysInvalidOfTheUnknown,
        suite::an_unknown_key_is_not_found(&wrong(SaysInvalidOfTheUnknown)).await,
    );
    assert_broken(
        ChangesItsMind,
        suite::capabilities_and_instance_do_not_change(&wrong(ChangesItsMind)).await,
    );
}

#[tokio::test]
async fn secrets_in_errors_are_found() {
    assert_broken(
        TellsTheKeyInErrors,
        suite::errors_carry_no_secret(&wrong(TellsTheKeyInErrors)).await,
    );
    assert_broken(
        TellsTheWrappedBytesInErrors,
        suite::errors_carry_no_secret(&wrong(TellsTheWrappedBytesInErrors)).await,
    );
}
