//! What the tests of this crate share: Redis servers of their own, and vaults over them.
#![expect(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod oauth_server;
pub(crate) mod redis_server;
pub(crate) mod script;

use std::sync::Arc;

use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_envelope::KeyRing;
use bulla_model::{Clock, SystemClock};
use bulla_testkit::FaultyProvider;
use bulla_tokens::{
    AccessLog, ClientId, KeyTemplate, NewToken, Provider, TokenName, TokenRef, TokenStore, TokenVault, Unrecorded,
    VaultBuilder,
};

/// A provider with a key for each of these clients: `alias/tokens-<client>`.
pub(crate) fn provider(clients: &[&str]) -> Arc<FaultyProvider> {
    let provider = FaultyProvider::in_memory();
    for client in clients {
        provider.rotate_alias(&format!("alias/tokens-{client}"), &format!("key-{client}"));
    }
    provider
}

pub(crate) fn builder(store: Arc<dyn TokenStore>, provider: &Arc<FaultyProvider>) -> VaultBuilder {
    recorded_builder(store, provider, Arc::new(Unrecorded), Arc::new(SystemClock))
}

pub(crate) fn recorded_builder(
    store: Arc<dyn TokenStore>,
    provider: &Arc<FaultyProvider>,
    log: Arc<dyn AccessLog>,
    clock: Arc<dyn Clock>,
) -> VaultBuilder {
    let keys = KeyTemplate::new(Arc::clone(provider) as _, "alias/tokens-{client}", KeyRing::default());
    TokenVault::builder(store, Arc::new(keys.unwrap()), log, clock, Arc::new(SystemRandom))
}

pub(crate) fn token(client: &str, provider: &str) -> TokenRef {
    TokenRef::new(ClientId::new(client).unwrap(), Provider::new(provider).unwrap())
}

pub(crate) fn named(client: &str, provider: &str, name: &str) -> TokenRef {
    token(client, provider).named(TokenName::new(name).unwrap())
}

pub(crate) fn value(text: &str) -> NewToken {
    NewToken::new(SecretBytes::from_vec(text.as_bytes().to_vec()))
}

/// Gets a token's value as text.
pub(crate) async fn get(vault: &TokenVault, token: &TokenRef) -> Option<String> {
    let found = vault.get(token).await.unwrap()?;
    Some(String::from_utf8(found.value.expose_secret().to_vec()).unwrap())
}
