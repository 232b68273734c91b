//! The provider suite over root keys and signing keys from files.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::SystemRandom;
use bulla_kms::conformance::Fixture;
use bulla_kms::{KeyProvider, KeySpec};
use bulla_kms_local::{LocalConfig, LocalProvider, RootKeyFile, SigningKeyFile};
use tempfile::TempDir;

const SIGNING: [(KeySpec, &str); 2] = [
    (KeySpec::EccNistP256, "p256.key"),
    (KeySpec::EccNistEdwards25519, "ed25519.key"),
];

struct Local {
    provider: Arc<LocalProvider>,
    directory: TempDir,
    other_id: String,
}

impl Local {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let paths = [directory.path().join("root.key"), directory.path().join("next.key")];
        let files: Vec<_> = paths
            .iter()
            .map(|path| RootKeyFile::create(path, &SystemRandom).unwrap())
            .collect();
        let signing_key_files = SIGNING.map(|(spec, name)| {
            let path = directory.path().join(name);
            SigningKeyFile::create(&path, spec, &SystemRandom).unwrap();
            path
        });
        let config = LocalConfig {
            root_key_files: paths.to_vec(),
            signing_key_files: signing_key_files.to_vec(),
        };
        let provider = Arc::new(LocalProvider::open(&config, Arc::new(SystemRandom)).unwrap());
        Self {
            provider,
            other_id: files[1].id().to_string(),
            directory,
        }
    }
}

#[async_trait]
impl Fixture for Local {
    fn provider(&self) -> Arc<dyn KeyProvider> {
        Arc::clone(&self.provider) as _
    }

    fn key(&self) -> String {
        self.directory.path().join("root.key").to_str().unwrap().to_owned()
    }

    fn other_key(&self) -> String {
        self.other_id.clone()
    }

    fn unknown_key(&self) -> String {
        "local:00000000000000000000000000000000".to_owned()
    }

    async fn signing_key(&self, spec: KeySpec) -> Option<String> {
        let (_, name) = SIGNING.into_iter().find(|(held, _)| *held == spec)?;
        Some(self.directory.path().join(name).to_str().unwrap().to_owned())
    }
}

bulla_kms::provider_conformance!(Local::new());
