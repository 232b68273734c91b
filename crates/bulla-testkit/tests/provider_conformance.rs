//! The provider suite over keys in memory behind a provider without faults: what tests lean on keeps the contract itself.

use std::sync::Arc;

use async_trait::async_trait;
use bulla_kms::conformance::Fixture;
use bulla_kms::{KeyProvider, KeySpec, KeyState};
use bulla_testkit::FaultyProvider;

struct InMemory(Arc<FaultyProvider>);

#[async_trait]
impl Fixture for InMemory {
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
        self.0.rotate_alias("alias/app", "key-b");
    }

    async fn switchable_key(&self) -> Option<String> {
        self.0.set_key_state("key-s", KeyState::Enabled);
        Some("key-s".to_owned())
    }

    async fn set_enabled(&self, key: &str, enabled: bool) {
        self.0
            .set_key_state(key, if enabled { KeyState::Enabled } else { KeyState::Disabled });
    }

    async fn signing_key(&self, spec: KeySpec) -> Option<String> {
        // RSA keys of the longer kinds take their time, and differ in nothing.
        if matches!(spec, KeySpec::Rsa3072 | KeySpec::Rsa4096) {
            return None;
        }
        let name = format!("signing-{spec}");
        self.0.add_signing_key(&name, spec);
        Some(name)
    }
}

bulla_kms::provider_conformance!(InMemory(FaultyProvider::in_memory()));
