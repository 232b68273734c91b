use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use bulla_testkit::TestClock;
use bulla_tokens::{TokenError, Unrecorded};

use crate::support::redis_server::RedisServer;
use crate::support::{builder, get, provider, recorded_builder, token, value};

#[tokio::test]
async fn a_revoked_client_has_nothing_left_and_its_old_values_are_refused() {
    let (redis, keys) = (RedisServer::start(), provider(&["a", "b"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let elsewhere = builder(Arc::new(redis.store()), &keys).build();
    for client in ["a", "b"] {
        vault.put(&token(client, "p"), value("x")).await.unwrap();
        vault.put(&token(client, "q"), value("x")).await.unwrap();
        let refresh = SecretBytes::from_vec(b"refresh".to_vec());
        vault.authorise(&token(client, "p"), refresh).await.unwrap();
        assert!(get(&vault, &token(client, "p")).await.is_some());
        assert!(get(&elsewhere, &token(client, "p")).await.is_some());
    }
    let place = "bulla:tokens:{a}:t:p:default";
    let old = redis.get(place);
    assert_eq!(vault.revoke_client(&token("a", "p").client).await.unwrap(), 3);
    for vault in [&vault, &elsewhere] {
        assert_eq!(get(vault, &token("a", "p")).await, None);
        assert_eq!(get(vault, &token("a", "q")).await, None);
        assert!(get(vault, &token("b", "p")).await.is_some());
    }
    assert_eq!(redis.cli(&["EXISTS", "bulla:tokens:{a}:s:p:default"]), "0");

    // Somebody brings a copy back.
    redis.set(place, &old);
    let error = vault.get(&token("a", "p")).await.unwrap_err();
    assert!(matches!(error, TokenError::Replayed));
    // And the client may start anew.
    vault.put(&token("a", "p"), value("new")).await.unwrap();
    assert_eq!(get(&elsewhere, &token("a", "p")).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_revocation_drops_the_clients_cached_keys_at_once() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("x")).await.unwrap();
    assert!(get(&vault, &token("a", "p")).await.is_some());
    vault.revoke_client(&token("a", "p").client).await.unwrap();
    keys.set_down(true);
    let error = vault.put(&token("a", "p"), value("y")).await.unwrap_err();
    assert_eq!(error.code(), "KeyUnavailable");
}

#[tokio::test]
async fn what_somebody_planted_does_not_hold_a_revocation_up() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let elsewhere = builder(Arc::new(redis.store()), &keys).build();
    for provider in ["p", "q", "r", "s"] {
        vault.put(&token("a", provider), value("x")).await.unwrap();
    }
    redis.set("bulla:tokens:{a}:t:p:default", b"x");
    redis.cli(&["DEL", "bulla:tokens:{a}:t:q:default"]);
    redis.cli(&["LPUSH", "bulla:tokens:{a}:t:q:default", "x"]);
    redis.set("bulla:tokens:{a}:t:r:default", b"109223372036854775807planted");
    redis.set("bulla:tokens:{a}:e", b"09223372036854775807");
    vault.revoke_client(&token("a", "p").client).await.unwrap();
    for provider in ["p", "q", "r", "s"] {
        assert_eq!(get(&elsewhere, &token("a", provider)).await, None);
        // And the client may start anew, in every process.
        for vault in [&vault, &elsewhere] {
            vault.put(&token("a", provider), value("new")).await.unwrap();
            assert_eq!(get(vault, &token("a", provider)).await.as_deref(), Some("new"));
        }
    }
    vault.revoke_client(&token("a", "p").client).await.unwrap();
    assert_eq!(get(&elsewhere, &token("a", "s")).await, None);
}

#[tokio::test]
async fn a_writer_whose_clock_is_far_ahead_is_revoked_with_all_others() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let clock = Arc::new(TestClock::default());
    let of = |clock: &Arc<TestClock>| {
        recorded_builder(
            Arc::new(redis.store()),
            &keys,
            Arc::new(Unrecorded),
            Arc::clone(clock) as _,
        )
        .build()
    };
    let ahead = Arc::new(TestClock::default());
    ahead.advance(Duration::from_secs(3 * 24 * 3600));
    of(&ahead).put(&token("a", "p"), value("x")).await.unwrap();
    let old = redis.get("bulla:tokens:{a}:t:p:default");
    // It opens: who writes after it goes beyond it, and so does who revokes.
    of(&clock).put(&token("a", "p"), value("y")).await.unwrap();
    let newer = redis.get("bulla:tokens:{a}:t:p:default");
    let vault = of(&clock);
    assert_eq!(vault.revoke_client(&token("a", "p").client).await.unwrap(), 1);
    for planted in [&old, &newer] {
        redis.set("bulla:tokens:{a}:t:p:default", planted);
        let error = vault.get(&token("a", "p")).await.unwrap_err();
        assert!(matches!(error, TokenError::Replayed), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_written_over_and_deleted() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let place = "bulla:tokens:{a}:t:p:default";
    let plant = |what: &str| {
        redis.cli(&["DEL", place]);
        match what {
            "list" => drop(redis.cli(&["LPUSH", place, "x"])),
            other => redis.set(place, other.as_bytes()),
        }
    };
    for garbage in ["x", "list", "109223372036854775807", "109223372036854775807planted"] {
        plant(garbage);
        vault.put(&token("a", "p"), value("x")).await.unwrap();
        assert_eq!(get(&vault, &token("a", "p")).await.as_deref(), Some("x"), "{garbage}");
        plant(garbage);
        vault.delete(&token("a", "p")).await.unwrap();
        assert_eq!(get(&vault, &token("a", "p")).await, None, "{garbage}");
    }
}
