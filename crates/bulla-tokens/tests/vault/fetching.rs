use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use bulla_model::Clock as _;
use bulla_testkit::{FaultyProvider, TestClock};
use bulla_tokens::fetch::{FetchError, Fetcher};
use bulla_tokens::{TokenError, TokenVault, Unrecorded, VaultSettings};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::support::redis_server::RedisServer;
use crate::support::script::{Answer, Script};
use crate::support::{get, provider, recorded_builder, token, value};

/// A Redis, keys of client `a`, a clock that a test moves.
struct Setting {
    redis: RedisServer,
    keys: Arc<FaultyProvider>,
    clock: Arc<TestClock>,
}

impl Setting {
    fn new() -> Self {
        Self {
            redis: RedisServer::start(),
            keys: provider(&["a"]),
            clock: Arc::default(),
        }
    }

    fn vault(&self) -> TokenVault {
        self.vault_with(VaultSettings::default())
    }

    fn vault_with(&self, settings: VaultSettings) -> TokenVault {
        let store = Arc::new(self.redis.store());
        recorded_builder(store, &self.keys, Arc::new(Unrecorded), Arc::clone(&self.clock) as _)
            .settings(settings)
            .build()
    }
}

fn fetcher(script: &Arc<Script>) -> Arc<dyn Fetcher> {
    Arc::clone(script) as _
}

async fn authorise(vault: &TokenVault, refresh_token: &str) {
    let refresh_token = SecretBytes::from_vec(refresh_token.as_bytes().to_vec());
    vault.authorise(&token("a", "p"), refresh_token).await.unwrap();
}

fn refreshing() -> Script {
    Script {
        refresh: true,
        ..Script::default()
    }
}

/// A fetch whose provider has been asked, and answers `late` with the refresh token `r1` once it is let.
async fn held_at_the_provider(vault: &TokenVault) -> (Arc<Script>, JoinHandle<Result<String, TokenError>>) {
    let script = Script {
        gate: Some(Semaphore::new(0)),
        ..refreshing()
    };
    let script = Arc::new(script.then(Answer::Token("late", Some("r1"))));
    let asking = {
        let (vault, script) = (vault.clone(), Arc::clone(&script));
        tokio::spawn(async move { fetch(&vault, &script).await })
    };
    while script.in_flight.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    (script, asking)
}

async fn fetch(vault: &TokenVault, script: &Arc<Script>) -> Result<String, TokenError> {
    let found = vault.get_or_fetch(&token("a", "p"), &fetcher(script)).await?;
    Ok(String::from_utf8(found.value.expose_secret().to_vec()).unwrap())
}

#[tokio::test]
async fn many_who_ask_at_once_cause_one_fetch() {
    let setting = Setting::new();
    let script = Arc::new(Script {
        gate: Some(Semaphore::new(0)),
        ..Script::default()
    });
    let vaults = [setting.vault(), setting.vault()];
    let tasks: Vec<_> = (0..100)
        .map(|i: usize| {
            let (vault, script) = (vaults[i % 2].clone(), Arc::clone(&script));
            tokio::spawn(async move { fetch(&vault, &script).await.unwrap() })
        })
        .collect();
    script.gate.as_ref().unwrap().add_permits(10);
    for task in tasks {
        assert_eq!(task.await.unwrap(), "token");
    }
    assert_eq!(script.asked().len(), 1);
    let found = vaults[0].get(&token("a", "p")).await.unwrap().unwrap();
    assert_eq!(found.about.token_type, "Bearer");
    let left = found.about.remaining(setting.clock.now()).unwrap();
    assert_eq!(left, Duration::from_secs(3600));
}

#[tokio::test]
async fn a_client_secret_is_a_token_of_the_vault() {
    let setting = Setting::new();
    let vault = setting.vault();
    let script = Arc::new(Script {
        secret: Some(token("a", "secret")),
        ..Script::default()
    });
    let error = fetch(&vault, &script).await.unwrap_err();
    assert_eq!(error.code(), "NoClientSecret");
    vault.put(&token("a", "secret"), value("s3cret")).await.unwrap();
    fetch(&vault, &script).await.unwrap();
    assert_eq!(script.asked(), ["s3cret"]);
}

#[tokio::test]
async fn a_refresh_comes_before_the_expiry_in_the_background_and_once() {
    let setting = Setting::new();
    let vaults = [setting.vault(), setting.vault()];
    let script = Arc::new(
        Script::default()
            .then(Answer::Token("first", None))
            .then(Answer::Token("second", None)),
    );
    assert_eq!(fetch(&vaults[0], &script).await.unwrap(), "first");
    setting.clock.advance(Duration::from_secs(3539));
    assert_eq!(fetch(&vaults[0], &script).await.unwrap(), "first");
    assert_eq!(script.asked().len(), 1, "not due yet");
    setting.clock.advance(Duration::from_secs(2));
    for vault in &vaults {
        assert!(["first", "second"].contains(&fetch(vault, &script).await.unwrap().as_str()));
    }
    while get(&vaults[1], &token("a", "p")).await.as_deref() != Some("second") {
        tokio::task::yield_now().await;
    }
    for vault in &vaults {
        assert_eq!(fetch(vault, &script).await.unwrap(), "second");
    }
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn an_outage_of_the_provider_serves_the_token_that_is_still_valid() {
    let setting = Setting::new();
    let vault = setting.vault();
    let script = Script::default().then(Answer::Token("first", None));
    let script = (0..9).fold(script, |script, _| script.then(Answer::Fails(Script::unreachable())));
    let script = Arc::new(script);
    fetch(&vault, &script).await.unwrap();
    setting.clock.advance(Duration::from_secs(3590));
    assert_eq!(fetch(&vault, &script).await.unwrap(), "first");
    // The background tries three times, and leaves the provider alone then.
    while script.asked().len() < 4 || vault.stats().fetch_failures < 1 {
        assert_eq!(fetch(&vault, &script).await.unwrap(), "first");
        tokio::task::yield_now().await;
    }
    setting.clock.advance(Duration::from_secs(9));
    assert_eq!(fetch(&vault, &script).await.unwrap(), "first");
    setting.clock.advance(Duration::from_secs(1));
    let error = fetch(&vault, &script).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(
        ["ProviderUnreachable", "ProviderBackoff"].contains(&error.code()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_provider_that_limits_its_rate_is_left_alone_by_everybody_until_then() {
    let setting = Setting::new();
    let limited = FetchError::RateLimited {
        retry_after: Some(Duration::from_secs(120)),
    };
    let script = Arc::new(Script::default().then(Answer::Fails(limited)));
    let vaults = [setting.vault(), setting.vault()];
    assert_eq!(
        fetch(&vaults[0], &script).await.unwrap_err().code(),
        "ProviderRateLimited"
    );
    for vault in &vaults {
        assert_eq!(fetch(vault, &script).await.unwrap_err().code(), "ProviderBackoff");
    }
    setting.clock.advance(Duration::from_secs(119));
    assert_eq!(fetch(&vaults[1], &script).await.unwrap_err().code(), "ProviderBackoff");
    assert_eq!(script.asked().len(), 1);
    setting.clock.advance(Duration::from_secs(1));
    assert_eq!(fetch(&vaults[1], &script).await.unwrap(), "token");
}

#[tokio::test]
async fn refresh_tokens_are_replaced_one_generation_a_refresh() {
    let setting = Setting::new();
    let vault = setting.vault();
    let script = Arc::new(
        refreshing()
            .then(Answer::Token("t1", Some("r1")))
            .then(Answer::Token("t2", Some("r2")))
            .then(Answer::Token("t3", None)),
    );
    assert_eq!(fetch(&vault, &script).await.unwrap_err().code(), "NeedsAuthorisation");
    authorise(&vault, "r0").await;
    for expected in ["t1", "t2", "t3"] {
        let fresh = vault.refresh(&token("a", "p"), &fetcher(&script)).await.unwrap();
        assert_eq!(fresh.value.expose_secret(), expected.as_bytes());
    }
    assert_eq!(script.asked(), ["r0", "r1", "r2"]);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_refresh_token() {
    let setting = Setting::new();
    let vault = setting.vault();
    let script = Arc::new(
        refreshing()
            .then(Answer::Fails(Script::lost()))
            .then(Answer::Token("t1", Some("r1"))),
    );
    authorise(&vault, "r0").await;
    assert_eq!(fetch(&vault, &script).await.unwrap(), "t1");
    assert_eq!(script.asked(), ["r0", "r0"]);
}

#[tokio::test]
async fn a_refused_grant_is_marked_and_deletes_nothing() {
    let setting = Setting::new();
    let vault = setting.vault();
    let script = Arc::new(
        refreshing()
            .then(Answer::Token("t1", Some("r1")))
            .then(Answer::Fails(FetchError::InvalidGrant))
            .then(Answer::Fails(FetchError::InvalidGrant)),
    );
    authorise(&vault, "r0").await;
    fetch(&vault, &script).await.unwrap();
    let error = vault.refresh(&token("a", "p"), &fetcher(&script)).await.unwrap_err();
    assert_eq!(error.code(), "NeedsAuthorisation");
    // The one before was tried as well; nobody asks again until somebody authorises.
    assert_eq!(script.asked(), ["r0", "r1", "r0"]);
    assert!(vault.refresh(&token("a", "p"), &fetcher(&script)).await.is_err());
    assert_eq!(script.asked().len(), 3);
    // The token that is still valid is there, and so is what is kept of the grant.
    assert_eq!(fetch(&vault, &script).await.unwrap(), "t1");
    assert_eq!(setting.redis.cli(&["EXISTS", "bulla:tokens:{a}:s:p:default"]), "1");
    authorise(&vault, "r9").await;
    vault.refresh(&token("a", "p"), &fetcher(&script)).await.unwrap();
    assert_eq!(script.asked().last().unwrap(), "r9");
}

#[tokio::test]
async fn a_new_refresh_token_that_does_not_work_falls_back_on_the_one_before() {
    let setting = Setting::new();
    let vault = setting.vault();
    let script = Arc::new(
        refreshing()
            .then(Answer::Token("t1", Some("r1")))
            .then(Answer::Fails(FetchError::InvalidGrant))
            .then(Answer::Token("t2", Some("r2"))),
    );
    authorise(&vault, "r0").await;
    fetch(&vault, &script).await.unwrap();
    let fresh = vault.refresh(&token("a", "p"), &fetcher(&script)).await.unwrap();
    assert_eq!(fresh.value.expose_secret(), b"t2");
    assert_eq!(script.asked(), ["r0", "r1", "r0"]);
}

#[tokio::test]
async fn a_holder_whose_lease_ended_keeps_the_refresh_token_and_nothing_else() {
    let setting = Setting::new();
    let short = VaultSettings {
        lease: Duration::from_secs(20),
        fetch_timeout: Duration::from_secs(10),
        ..VaultSettings::default()
    };
    let vault = setting.vault_with(short);
    authorise(&vault, "r0").await;
    let (script, asking) = held_at_the_provider(&vault).await;
    // As if the holder had slept beyond its lease.
    setting.redis.cli(&["DEL", "bulla:tokens:{a}:l:p:default"]);
    script.gate.as_ref().unwrap().add_permits(100);
    assert_eq!(asking.await.unwrap().unwrap(), "token");
    // The late answer's refresh token was used for the next one; the late token itself was not stored.
    assert_eq!(script.asked(), ["r0", "r1"]);
}

#[tokio::test]
async fn a_revocation_during_a_fetch_lets_nothing_of_it_be_stored() {
    let setting = Setting::new();
    let vault = setting.vault();
    authorise(&vault, "r0").await;
    let (script, asking) = held_at_the_provider(&vault).await;
    vault.revoke_client(&token("a", "p").client).await.unwrap();
    script.gate.as_ref().unwrap().add_permits(100);
    assert_eq!(asking.await.unwrap().unwrap_err().code(), "NeedsAuthorisation");
    assert_eq!(get(&vault, &token("a", "p")).await, None);
    assert_eq!(setting.redis.cli(&["EXISTS", "bulla:tokens:{a}:s:p:default"]), "0");
}

#[tokio::test]
async fn a_token_that_is_too_old_to_be_believed_is_fetched_anew() {
    let setting = Setting::new();
    let vault = setting.vault();
    let script = Arc::new(
        Script::default()
            .then(Answer::Token("t1", None))
            .then(Answer::Token("t2", None))
            .then(Answer::Token("t3", None)),
    );
    fetch(&vault, &script).await.unwrap();
    let place = "bulla:tokens:{a}:t:p:default";
    let old = setting.redis.get(place);
    vault.refresh(&token("a", "p"), &fetcher(&script)).await.unwrap();
    setting.redis.set(place, &old);
    assert_eq!(vault.get(&token("a", "p")).await.unwrap_err().code(), "TokenReplayed");
    assert_eq!(fetch(&vault, &script).await.unwrap(), "t3");
    assert_eq!(get(&vault, &token("a", "p")).await.as_deref(), Some("t3"));
}
