//! Answers of providers that have acted, and can't be used or kept: no refresh token is lost, and the provider is left alone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use bulla_testkit::TestClock;
use bulla_tokens::fetch::{Fetched, Fetcher};
use bulla_tokens::{TokenError, TokenVault, Unrecorded};
use tokio::sync::Semaphore;

use crate::support::redis_server::RedisServer;
use crate::support::script::{Answer, Script};
use crate::support::{provider, recorded_builder, token};

fn secret(text: &str) -> SecretBytes {
    SecretBytes::from_vec(text.as_bytes().to_vec())
}

/// A vault with the refresh token `r0`.
async fn authorised(redis: &RedisServer, clock: &Arc<TestClock>) -> TokenVault {
    let keys = provider(&["a"]);
    let store = Arc::new(redis.store());
    let vault = recorded_builder(store, &keys, Arc::new(Unrecorded), Arc::clone(clock) as _).build();
    vault.authorise(&token("a", "p"), secret("r0")).await.unwrap();
    vault
}

fn refreshing(answers: impl IntoIterator<Item = Fetched>) -> Arc<Script> {
    let script = Script {
        refresh: true,
        ..Script::default()
    };
    let answers = answers.into_iter().map(Answer::Exactly);
    Arc::new(answers.fold(script, Script::then))
}

async fn refresh(vault: &TokenVault, script: &Arc<Script>) -> Result<Vec<u8>, TokenError> {
    let fetcher: Arc<dyn Fetcher> = Arc::clone(script) as _;
    let fresh = vault.refresh(&token("a", "p"), &fetcher).await?;
    Ok(fresh.value.expose_secret().to_vec())
}

#[tokio::test]
async fn a_redis_without_memory_when_the_answer_comes_burns_no_grant() {
    let (redis, clock) = (
        RedisServer::start_with(&["--maxmemory-policy", "noeviction"]),
        Arc::default(),
    );
    let vault = authorised(&redis, &clock).await;
    let script = Arc::new(
        Script {
            refresh: true,
            gate: Some(Semaphore::new(0)),
            ..Script::default()
        }
        .then(Answer::Token("t1", Some("r1"))),
    );
    let asking = {
        let (vault, script) = (vault.clone(), Arc::clone(&script));
        tokio::spawn(async move { refresh(&vault, &script).await })
    };
    while script.in_flight.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    redis.cli(&["CONFIG", "RESETSTAT"]);
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    script.gate.as_ref().unwrap().add_permits(10);
    // More than one try: the first is not the last.
    let refused = |redis: &RedisServer| redis.cli(&["INFO", "errorstats"]).contains("errorstat_OOM");
    for _ in 0..2 {
        while !refused(&redis) {
            assert!(!asking.is_finished(), "it gave the new refresh token up");
            tokio::task::yield_now().await;
        }
        redis.cli(&["CONFIG", "RESETSTAT"]);
    }
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(asking.await.unwrap().unwrap(), b"t1");
    refresh(&vault, &script).await.unwrap();
    assert_eq!(script.asked(), ["r0", "r1"]);
}

#[tokio::test]
async fn a_refresh_token_that_came_without_a_token_is_kept() {
    let (redis, clock) = (RedisServer::start(), Arc::<TestClock>::default());
    let vault = authorised(&redis, &clock).await;
    let script = refreshing([Script::fetched("", Some("r1")), Script::fetched("t2", Some("r2"))]);
    let error = refresh(&vault, &script).await.unwrap_err();
    assert_eq!(error.code(), "ProviderAnswerLost", "{error:?}");
    clock.advance(Duration::from_secs(60));
    assert_eq!(refresh(&vault, &script).await.unwrap(), b"t2");
    assert_eq!(script.asked(), ["r0", "r1"]);
}

#[tokio::test]
async fn a_refresh_token_that_is_too_long_or_empty_does_not_replace_the_one_that_is_there() {
    let (redis, clock) = (RedisServer::start(), Arc::<TestClock>::default());
    let vault = authorised(&redis, &clock).await;
    let script = refreshing([
        Script::fetched("t1", Some(&"x".repeat(70_000))),
        Script::fetched("t2", Some("")),
        Script::fetched("t3", None),
    ]);
    let error = refresh(&vault, &script).await.unwrap_err();
    assert_eq!(error.code(), "ProviderAnswerLost", "{error:?}");
    clock.advance(Duration::from_secs(60));
    assert_eq!(refresh(&vault, &script).await.unwrap(), b"t2");
    assert_eq!(refresh(&vault, &script).await.unwrap(), b"t3");
    assert_eq!(script.asked(), ["r0", "r0", "r0"]);
}

#[tokio::test]
async fn an_answer_that_can_not_be_kept_as_a_token_is_not_asked_for_again_at_once() {
    let wrong = [
        Fetched {
            token_type: "x".repeat(257),
            ..Script::fetched("t1", Some("r1"))
        },
        Fetched {
            ttl: Some(Duration::ZERO),
            ..Script::fetched("t1", Some("r1"))
        },
        Script::fetched(&"x".repeat(65_537), Some("r1")),
    ];
    for wrong in wrong {
        let (redis, clock) = (RedisServer::start(), Arc::<TestClock>::default());
        let vault = authorised(&redis, &clock).await;
        let script = refreshing([wrong]);
        let fetcher: Arc<dyn Fetcher> = Arc::clone(&script) as _;
        let error = vault.get_or_fetch(&token("a", "p"), &fetcher).await.unwrap_err();
        assert_eq!(error.code(), "ProviderAnswerLost", "{error:?}");
        let error = vault.get_or_fetch(&token("a", "p"), &fetcher).await.unwrap_err();
        assert_eq!(error.code(), "ProviderBackoff", "{error:?}");
        assert_eq!(script.asked(), ["r0"]);
        assert_eq!(vault.stats().fetch_failures, 1);
        // Its refresh token is there all the same.
        clock.advance(Duration::from_secs(60));
        assert_eq!(refresh(&vault, &script).await.unwrap(), b"token");
        assert_eq!(script.asked(), ["r0", "r1"]);
    }
}

#[tokio::test]
async fn a_client_without_room_for_its_token_does_not_have_the_provider_asked_at_each_get() {
    let (redis, clock) = (RedisServer::start(), Arc::<TestClock>::default());
    let vault = authorised(&redis, &clock).await;
    // As if the client had as many entries as it may, that of how this one is fetched among them.
    let fill = "for i = 1, 9999 do redis.call('ZADD', KEYS[1], '+inf', 't:x' .. i .. ':default') end";
    redis.cli(&["EVAL", fill, "1", "bulla:tokens:{a}:i"]);
    let script = refreshing([Script::fetched("t1", Some("r1"))]);
    let fetcher: Arc<dyn Fetcher> = Arc::clone(&script) as _;
    for code in ["TooManyTokens", "ProviderBackoff"] {
        let error = vault.get_or_fetch(&token("a", "p"), &fetcher).await.unwrap_err();
        assert_eq!(error.code(), code, "{error:?}");
    }
    assert_eq!(script.asked(), ["r0"]);
}
