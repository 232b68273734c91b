use std::sync::Arc;
use std::time::Duration;

use bulla_envelope::Settings;
use bulla_kms::{KeyState, KmsErrorKind};
use bulla_tokens::VaultSettings;

use crate::support::redis_server::RedisServer;
use crate::support::{builder, get, provider, token, value};

#[tokio::test]
async fn ten_thousand_gets_of_a_hundred_clients_ask_once_for_each_client_and_then_not_at_all() {
    let redis = RedisServer::start();
    let clients: Vec<_> = (0..100).map(|i| format!("c{i}")).collect();
    let keys = provider(&clients.iter().map(String::as_str).collect::<Vec<_>>());
    let writer = builder(Arc::new(redis.store()), &keys).build();
    for client in &clients {
        writer.put(&token(client, "p"), value(client)).await.unwrap();
    }
    let reader = builder(Arc::new(redis.store()), &keys).build();
    let before = keys.calls();
    for round in 0..100 {
        for client in &clients {
            assert_eq!(
                get(&reader, &token(client, "p")).await.as_deref(),
                Some(client.as_str())
            );
        }
        let cold = keys.calls().total() - before.total();
        assert_eq!(cold, 100, "round {round}");
    }
    let stats = reader.stats();
    assert_eq!((stats.hits, stats.clients), (10_000, 100));
    assert_eq!(stats.kms_calls_saved, 9_900);
}

#[tokio::test]
async fn a_key_that_is_disabled_ends_its_clients_tokens_within_the_poll() {
    let (redis, keys) = (RedisServer::start(), provider(&["a", "b"]));
    let settings = VaultSettings {
        sealing: Settings {
            poll_interval: Duration::from_millis(50),
            ..Settings::default()
        },
        ..VaultSettings::default()
    };
    let vault = builder(Arc::new(redis.store()), &keys).settings(settings).build();
    for client in ["a", "b"] {
        vault.put(&token(client, "p"), value("x")).await.unwrap();
        assert!(get(&vault, &token(client, "p")).await.is_some());
    }
    keys.set_key_state("key-a", KeyState::Disabled);
    let begin = std::time::Instant::now();
    let error = loop {
        match vault.get(&token("a", "p")).await {
            Ok(_) => assert!(begin.elapsed() < Duration::from_secs(20)),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "KeyDisabled");
    assert!(get(&vault, &token("b", "p")).await.is_some());
}

#[tokio::test]
async fn what_the_key_service_says_reaches_the_caller_by_name() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let writer = builder(Arc::new(redis.store()), &keys).build();
    writer.put(&token("a", "p"), value("x")).await.unwrap();
    let quick = VaultSettings {
        sealing: Settings {
            attempts: 1,
            breaker_threshold: 100,
            ..Settings::default()
        },
        ..VaultSettings::default()
    };
    for (kind, code, retryable) in [
        (KmsErrorKind::AccessDenied, "KeyAccessDenied", false),
        (KmsErrorKind::Throttled, "KeyThrottled", true),
        (KmsErrorKind::Unavailable, "KeyUnavailable", true),
        (KmsErrorKind::KeyDisabled, "KeyDisabled", false),
    ] {
        let reader = builder(Arc::new(redis.store()), &keys).settings(quick.clone()).build();
        keys.fail_next(1, kind);
        let error = reader.get(&token("a", "p")).await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), (code, retryable));
        assert!(get(&reader, &token("a", "p")).await.is_some(), "later it works");
    }
}

#[tokio::test]
async fn while_the_key_service_is_down_what_is_cached_goes_on() {
    let (redis, keys) = (RedisServer::start(), provider(&["a", "b"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("1")).await.unwrap();
    vault.put(&token("b", "p"), value("1")).await.unwrap();
    assert!(get(&vault, &token("a", "p")).await.is_some());
    keys.set_down(true);
    assert!(get(&vault, &token("a", "p")).await.is_some());
    vault.put(&token("a", "p"), value("2")).await.unwrap();
    assert_eq!(vault.get(&token("b", "p")).await.unwrap_err().code(), "KeyUnavailable");
    keys.set_down(false);
}

#[tokio::test]
async fn a_rewrap_puts_everything_under_the_key_of_now() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    for provider in ["p", "q"] {
        let kept = value(provider).with_ttl(Duration::from_secs(600));
        vault.put(&token("a", provider), kept).await.unwrap();
    }
    let before = vault.get(&token("a", "p")).await.unwrap().unwrap();
    keys.rotate_alias("alias/tokens-a", "key-new");
    assert_eq!(vault.rewrap(&token("a", "p").client).await.unwrap(), 2);
    keys.set_key_state("key-a", KeyState::Disabled);
    let reader = builder(Arc::new(redis.store()), &keys).build();
    for provider in ["p", "q"] {
        assert_eq!(get(&reader, &token("a", provider)).await.as_deref(), Some(provider));
    }
    let after = reader.get(&token("a", "p")).await.unwrap().unwrap();
    assert_eq!(after.about, before.about);
    assert!(after.version > before.version);
}
