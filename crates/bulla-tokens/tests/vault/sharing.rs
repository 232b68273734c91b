use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::{Context, SecretBytes};
use bulla_testkit::TestClock;
use bulla_tokens::{NewToken, TokenError, Unrecorded};

use crate::support::redis_server::RedisServer;
use crate::support::{builder, get, named, provider, recorded_builder, token, value};

#[tokio::test]
async fn what_one_instance_put_another_gets() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let a = builder(Arc::new(redis.store()), &keys).build();
    let b = builder(Arc::new(redis.store()), &keys).build();
    let stored = a.put(&token("acme", "stripe"), value("sk_1")).await.unwrap();
    let found = b.get(&token("acme", "stripe")).await.unwrap().unwrap();
    assert_eq!(found.value.expose_secret(), b"sk_1");
    assert_eq!((found.version, found.about.expires), (stored.version, None));

    let next = b.put(&token("acme", "stripe"), value("sk_2")).await.unwrap();
    assert!(next.version > stored.version);
    assert_eq!(get(&a, &token("acme", "stripe")).await.as_deref(), Some("sk_2"));
}

#[tokio::test]
async fn a_token_comes_back_with_all_that_was_put() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let binary: Vec<u8> = (0..=255).cycle().take(65_536).collect();
    let new = NewToken {
        value: SecretBytes::from_vec(binary.clone()),
        ttl: Some(Duration::from_secs(900)),
        token_type: "Bearer".into(),
        scopes: vec!["read".into(), "write".into()],
        metadata: Context::from_pairs([("account", "acct_1"), ("bulla:x", "any key")]).unwrap(),
    };
    let stored = vault.put(&token("acme", "stripe"), new).await.unwrap();
    let found = vault.get(&token("acme", "stripe")).await.unwrap().unwrap();
    assert!(found.value.expose_secret() == binary);
    assert_eq!(found.about.expires, stored.expires);
    assert_eq!(found.about.token_type, "Bearer");
    assert_eq!(found.about.scopes, ["read", "write"]);
    assert_eq!(found.about.metadata.get("account"), Some("acct_1"));

    let too_long = NewToken::new(SecretBytes::from_vec(vec![0; 65_537]));
    let error = vault.put(&token("acme", "stripe"), too_long).await.unwrap_err();
    assert_eq!(error.code(), "ValidationError");
}

#[tokio::test]
async fn providers_and_names_of_one_client_are_apart_and_odd_names_too() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let long = "n".repeat(1024);
    let odd = [
        "stripe",
        "adyen",
        "a:b",
        "a/b",
        "{a}",
        "a}:t:b",
        "naïve ☃",
        "%",
        "\u{0}\n",
        &long,
    ];
    for provider in odd {
        for name in odd {
            let text = format!("{provider}|{name}");
            vault.put(&named("acme", provider, name), value(&text)).await.unwrap();
        }
    }
    for provider in odd {
        for name in odd {
            let found = get(&vault, &named("acme", provider, name)).await;
            assert_eq!(found, Some(format!("{provider}|{name}")));
        }
    }
}

#[tokio::test]
async fn the_sealed_expiry_is_believed_whatever_the_store_says() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let clock = Arc::new(TestClock::default());
    let vault = recorded_builder(
        Arc::new(redis.store()),
        &keys,
        Arc::new(Unrecorded),
        Arc::clone(&clock) as _,
    )
    .build();
    let short = value("short").with_ttl(Duration::from_secs(900));
    vault.put(&token("acme", "stripe"), short).await.unwrap();
    let ttl: i64 = redis
        .cli(&["PTTL", "bulla:tokens:{acme}:t:stripe:default"])
        .parse()
        .unwrap();
    // Never earlier than the sealed expiry, and at most 60 s later.
    assert!((895_000..=960_000).contains(&ttl), "{ttl}");
    clock.advance(Duration::from_micros(899_999_999));
    assert!(vault.get(&token("acme", "stripe")).await.unwrap().is_some());
    clock.advance(Duration::from_micros(1));
    // Redis still has it.
    assert_eq!(redis.cli(&["EXISTS", "bulla:tokens:{acme}:t:stripe:default"]), "1");
    assert!(vault.get(&token("acme", "stripe")).await.unwrap().is_none());
}

#[tokio::test]
async fn redis_forgets_what_has_expired() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let short = value("short").with_ttl(Duration::from_millis(200));
    vault.put(&token("acme", "stripe"), short).await.unwrap();
    let begin = std::time::Instant::now();
    while redis.cli(&["EXISTS", "bulla:tokens:{acme}:t:stripe:default"]) != "0" {
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
    assert!(vault.get(&token("acme", "stripe")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_clock_that_was_ahead_does_not_stop_later_writes() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let ahead = Arc::new(TestClock::default());
    ahead.advance(Duration::from_secs(3600));
    let behind = Arc::new(TestClock::default());
    let make = |clock: &Arc<TestClock>| {
        recorded_builder(
            Arc::new(redis.store()),
            &keys,
            Arc::new(Unrecorded),
            Arc::clone(clock) as _,
        )
        .build()
    };
    let (ahead, behind) = (make(&ahead), make(&behind));
    let first = ahead.put(&token("acme", "p"), value("1")).await.unwrap();
    let second = behind.put(&token("acme", "p"), value("2")).await.unwrap();
    assert_eq!(second.version, first.version + 1);
    assert_eq!(get(&ahead, &token("acme", "p")).await.as_deref(), Some("2"));
    assert!(behind.delete(&token("acme", "p")).await.unwrap());
    let third = behind.put(&token("acme", "p"), value("3")).await.unwrap();
    assert!(third.version > second.version + 1);
    assert_eq!(get(&ahead, &token("acme", "p")).await.as_deref(), Some("3"));
}

#[tokio::test]
async fn a_listing_has_everything_but_the_values() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme", "other"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    for i in 0..5 {
        vault
            .put(&token("acme", &format!("p{i}")), value("hunter2"))
            .await
            .unwrap();
    }
    vault.put(&token("other", "x"), value("x")).await.unwrap();
    let client = token("acme", "x").client;
    let first = vault.list(&client, None, 3).await.unwrap();
    let rest = vault.list(&client, first.next.as_deref(), 3).await.unwrap();
    assert_eq!((first.tokens.len(), rest.tokens.len(), rest.next), (3, 2, None));
    let names: Vec<_> = first
        .tokens
        .iter()
        .chain(&rest.tokens)
        .map(|listed| listed.token.to_string())
        .collect();
    assert_eq!(names, ["acme/p0", "acme/p1", "acme/p2", "acme/p3", "acme/p4"]);
    assert!(!format!("{:?}", first.tokens).contains("hunter2"));
}

#[tokio::test]
async fn a_client_without_a_key_has_no_tokens() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let error = vault.put(&token("nobody", "p"), value("x")).await.unwrap_err();
    assert_eq!(error.code(), "KeyNotFound");
    let error = vault.put(&token("a client", "p"), value("x")).await.unwrap_err();
    assert_eq!(error.code(), "NoKeyForClient");
    assert!(matches!(error, TokenError::ClientKey(_)));
    assert_eq!(redis.cli(&["DBSIZE"]), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_get_beside_puts_never_takes_what_was_just_replaced_for_a_replay() {
    let (redis, keys) = (RedisServer::start(), provider(&["acme"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("acme", "p"), value("x")).await.unwrap();
    let putting = {
        let vault = vault.clone();
        tokio::spawn(async move {
            for _ in 0..300 {
                vault.put(&token("acme", "p"), value("x")).await.unwrap();
            }
        })
    };
    while !putting.is_finished() {
        assert_eq!(get(&vault, &token("acme", "p")).await.as_deref(), Some("x"));
    }
    putting.await.unwrap();
}
