//! The rules of `spec/temporal-codec.md`, over a provider that fails as it is told to.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod foreign;
mod keys;
mod outages;
mod rotation;
mod round_trips;

use std::sync::Arc;

use bulla_crypto::SystemRandom;
use bulla_envelope::Settings;
use bulla_temporal::{KeyName, Namespace, NamespaceKeys, Namespaces, Payload, PayloadCodec, Unknown};
use bulla_testkit::FaultyProvider;

fn key(provider: &Arc<FaultyProvider>, name: &str) -> KeyName {
    KeyName {
        provider: Arc::clone(provider) as _,
        name: name.to_owned(),
    }
}

/// Keys under `alias/app` that accept what any key of the provider sealed.
fn app_keys(provider: &Arc<FaultyProvider>) -> NamespaceKeys {
    let mut keys = NamespaceKeys::new(key(provider, "alias/app"));
    keys.accept = vec![bulla_envelope::KeyPattern::new("memory:key-*").unwrap()];
    keys
}

fn codec_of(keys: NamespaceKeys, settings: Settings) -> PayloadCodec {
    let namespaces = Namespaces::new(Vec::new(), Unknown::Use(Box::new(keys)));
    PayloadCodec::new(namespaces, settings, Arc::new(SystemRandom))
}

fn codec(provider: &Arc<FaultyProvider>) -> PayloadCodec {
    codec_of(app_keys(provider), PayloadCodec::default_settings())
}

fn namespace(name: &str) -> Namespace {
    name.parse().unwrap()
}

fn default() -> Namespace {
    namespace("default")
}

fn plain(text: &str) -> Payload {
    Payload::new("json/plain", text.into())
}

async fn encode_one(codec: &PayloadCodec, payload: &Payload) -> Payload {
    codec.encode(&default(), vec![payload.clone()]).await.unwrap().remove(0)
}

async fn decodes(codec: &PayloadCodec, sealed: &Payload, payload: &Payload) -> bool {
    let decoded = codec.decode(&default(), vec![sealed.clone()]).await;
    decoded.is_ok_and(|decoded| decoded == [payload.clone()])
}
