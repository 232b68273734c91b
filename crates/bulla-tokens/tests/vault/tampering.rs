use std::sync::Arc;
use std::time::Duration;

use bulla_testkit::TestClock;
use bulla_tokens::{TokenVault, Unrecorded};

use crate::support::redis_server::RedisServer;
use crate::support::{builder, get, provider, recorded_builder, token, value};

const HEAD: usize = 21;

fn key(client: &str, provider: &str) -> String {
    format!("bulla:tokens:{{{client}}}:t:{provider}:default")
}

/// The code of what is refused; and no part of a value in its words.
async fn refused(vault: &TokenVault, client: &str, provider: &str) -> &'static str {
    let error = vault.get(&token(client, provider)).await.expect_err("it is refused");
    let printed = format!("{error} {error:?}");
    assert!(!printed.contains("hunter2"), "{printed}");
    error.code()
}

#[tokio::test]
async fn a_value_that_was_moved_does_not_open() {
    let (redis, keys) = (RedisServer::start(), provider(&["a", "b"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let places = [("a", "p"), ("a", "q"), ("b", "p")];
    for (client, provider) in places {
        vault.put(&token(client, provider), value("hunter2")).await.unwrap();
    }
    // A fresh reader knows no version: what refuses is the seal.
    for (from, to) in [(0, 1), (0, 2), (2, 0)] {
        let reader = builder(Arc::new(redis.store()), &keys).build();
        let ((client, provider), (of, at)) = (places[to], places[from]);
        let kept = redis.get(&key(client, provider));
        redis.set(&key(client, provider), &redis.get(&key(of, at)));
        let code = refused(&reader, client, provider).await;
        assert!(["TokenNotAuthentic", "ForeignKey"].contains(&code), "{code}");
        redis.set(&key(client, provider), &kept);
        assert!(get(&reader, &token(client, provider)).await.is_some());
    }
}

#[tokio::test]
async fn an_older_value_that_is_put_back_is_refused_by_who_saw_the_newer() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    let reader = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("hunter2-old")).await.unwrap();
    let old = redis.get(&key("a", "p"));
    vault.put(&token("a", "p"), value("new")).await.unwrap();
    assert!(get(&reader, &token("a", "p")).await.is_some());
    redis.set(&key("a", "p"), &old);
    assert_eq!(refused(&vault, "a", "p").await, "TokenReplayed");
    assert_eq!(refused(&reader, "a", "p").await, "TokenReplayed");

    // Under a newer version it is not what was sealed.
    let mut renumbered = old.clone();
    renumbered[1..HEAD].copy_from_slice(b"09000000000000000000");
    redis.set(&key("a", "p"), &renumbered);
    assert_eq!(refused(&vault, "a", "p").await, "TokenNotAuthentic");

    // And a deleted one does not come to life.
    redis.set(&key("a", "p"), &old);
    vault.put(&token("a", "p"), value("newer")).await.unwrap();
    vault.delete(&token("a", "p")).await.unwrap();
    redis.set(&key("a", "p"), &old);
    assert_eq!(refused(&vault, "a", "p").await, "TokenReplayed");
}

#[tokio::test]
async fn an_older_value_that_lives_longer_is_refused_also_after_the_newer_has_expired() {
    let (redis, keys, clock) = (RedisServer::start(), provider(&["a"]), Arc::new(TestClock::default()));
    let vault = || {
        let store = Arc::new(redis.store());
        recorded_builder(store, &keys, Arc::new(Unrecorded), Arc::clone(&clock) as _).build()
    };
    let (writer, reader) = (vault(), vault());
    let minutes = |text: &str, minutes: u64| value(text).with_ttl(Duration::from_secs(60 * minutes));
    writer.put(&token("a", "p"), minutes("hunter2", 60)).await.unwrap();
    let old = redis.get(&key("a", "p"));
    writer.put(&token("a", "p"), minutes("new", 1)).await.unwrap();
    // It never saw the older one, nor how long that lives.
    assert!(get(&reader, &token("a", "p")).await.is_some());
    clock.advance(Duration::from_secs(61));
    redis.set(&key("a", "p"), &old);
    assert_eq!(refused(&reader, "a", "p").await, "TokenReplayed");
    assert_eq!(refused(&writer, "a", "p").await, "TokenReplayed");
}

#[tokio::test]
async fn no_flipped_bit_and_no_missing_byte_goes_unseen() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("hunter2")).await.unwrap();
    let whole = redis.get(&key("a", "p"));
    // A reader of its own: the writer would refuse lower versions before it looks at the seal.
    let reader = builder(Arc::new(redis.store()), &keys).build();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 8);
        redis.set(&key("a", "p"), &changed);
        let code = refused(&reader, "a", "p").await;
        let expected = ["TokenNotAuthentic", "MalformedToken", "ForeignKey"];
        assert!(expected.contains(&code), "byte {at}: {code}");
    }
    for length in 0..whole.len() {
        redis.set(&key("a", "p"), &whole[..length]);
        if length == HEAD {
            // Exactly a tombstone: as if it were deleted.
            assert_eq!(get(&reader, &token("a", "p")).await, None);
            continue;
        }
        let code = refused(&reader, "a", "p").await;
        assert!(
            ["TokenNotAuthentic", "MalformedToken"].contains(&code),
            "length {length}: {code}"
        );
    }
    redis.cli(&["DEL", &key("a", "p")]);
    redis.cli(&["LPUSH", &key("a", "p"), "x"]);
    assert_eq!(refused(&reader, "a", "p").await, "MalformedToken");
}

#[tokio::test]
async fn what_another_key_sealed_is_refused_without_asking_for_it() {
    let (redis, keys) = (RedisServer::start(), provider(&["a"]));
    let vault = builder(Arc::new(redis.store()), &keys).build();
    vault.put(&token("a", "p"), value("x")).await.unwrap();
    assert!(get(&vault, &token("a", "p")).await.is_some());
    // Who can write Redis, and has a key with the same provider, makes a vault of his own.
    let own = provider(&[]);
    own.rotate_alias("alias/tokens-a", "key-of-his-own");
    let his = builder(Arc::new(redis.store()), &own).build();
    his.put(&token("a", "p"), value("hunter2")).await.unwrap();
    let calls = keys.calls().unwrap;
    assert_eq!(refused(&vault, "a", "p").await, "ForeignKey");
    assert_eq!(keys.calls().unwrap, calls);
}
