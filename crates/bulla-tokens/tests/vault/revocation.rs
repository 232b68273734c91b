use std::sync::Arc;

use bulla_crypto::SecretBytes;
use bulla_tokens::TokenError;

use crate::support::redis_server::RedisServer;
use crate::support::{builder, get, provider, token, value};

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
