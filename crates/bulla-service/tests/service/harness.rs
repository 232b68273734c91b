//! A service on a store in memory, with a clock that a test moves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bulla_audit::{ActualRow, KeyChain, LogHead, LogVerifier, VerifierKey, row_digest};
use bulla_crypto::{Context, SecretBytes, SystemRandom};
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_model::{DataKeySpec, EncryptionAlgorithm, PrincipalArn, Role, Timestamp};
use bulla_service::*;
use bulla_store::Store;
use bulla_testkit::{SeededRandom, TestClock};
use serde_json::Value;

use crate::memory_store::MemoryStore;

pub(crate) struct Harness {
    pub(crate) store: MemoryStore,
    pub(crate) root: Root,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) initialised: Initialised,
    pub(crate) service: Service,
}

pub(crate) const REGION: &str = "us-east-1";

pub(crate) fn random(seed: u64) -> Arc<SeededRandom> {
    Arc::new(SeededRandom::new(seed))
}

/// A root key of its own.
pub(crate) fn root() -> Root {
    let directory = tempfile::tempdir().expect("a directory");
    let file = RootKeyFile::create(&directory.path().join("root.key"), &SystemRandom).expect("a root key");
    let key = file.id().as_str().to_owned();
    Root {
        provider: Arc::new(LocalProvider::new([file], Arc::new(SystemRandom)).expect("a provider")),
        key,
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        sweep: false,
        ..Settings::new(Mode::Production)
    }
}

pub(crate) fn initialise_settings() -> InitialiseSettings {
    InitialiseSettings {
        mode: Mode::Production,
        account: Some("111122223333".parse().expect("an account")),
        administrator: "admin".parse().expect("a name"),
        origin: Some("bulla.test/log".to_owned()),
        region: REGION.parse().expect("a region"),
    }
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::on(MemoryStore::new()).await
    }

    pub(crate) async fn on(store: MemoryStore) -> Self {
        let (root, clock) = (root(), Arc::new(TestClock::default()));
        let roots = [root.clone()];
        let initialised = Service::initialise(
            Arc::new(store.clone()),
            &roots,
            clock.clone(),
            random(1),
            initialise_settings(),
        )
        .await
        .expect("initialises");
        let service = Service::open(Arc::new(store.clone()), &roots, clock.clone(), random(2), settings())
            .await
            .expect("opens");
        Self {
            store,
            root,
            clock,
            initialised,
            service,
        }
    }

    /// Another node on the same database.
    pub(crate) async fn node(&self, seed: u64) -> (MemoryStore, Service) {
        let store = self.store.another();
        let service = self.open(&store, seed).await.expect("opens");
        (store, service)
    }

    pub(crate) async fn open(&self, store: &MemoryStore, seed: u64) -> Result<Service, OpenError> {
        Service::open(
            Arc::new(store.clone()),
            std::slice::from_ref(&self.root),
            self.clock.clone(),
            random(seed),
            settings(),
        )
        .await
    }

    /// The administrator, by his access key.
    pub(crate) async fn admin(&self) -> Call {
        self.call(&self.initialised.credentials.access_key_id).await
    }

    pub(crate) async fn call(&self, access_key_id: &str) -> Call {
        let credential = self
            .service
            .credential(access_key_id)
            .await
            .expect("reads")
            .expect("an access key");
        call(Caller::signed(credential))
    }

    pub(crate) fn operator(&self) -> Call {
        call(Caller::operator(self.initialised.account.clone()))
    }

    /// A new user with a role, and a call of his.
    pub(crate) async fn user(&self, name: &str, role: Role) -> (PrincipalArn, Call) {
        let made = self
            .service
            .create_principal(&self.operator(), name.parse().expect("a name"), role)
            .await
            .expect("creates");
        (made.principal.arn, self.call(&made.credentials.access_key_id).await)
    }

    pub(crate) async fn key(&self) -> KeyMetadata {
        create_key(&self.service, &self.operator()).await
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.store)
    }

    pub(crate) fn last_event(&self) -> Value {
        self.events().pop().expect("an event")
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.read())
    }

    pub(crate) fn days(&self, days: u32) {
        self.clock.advance(Duration::from_secs(86_400 * u64::from(days)));
    }

    /// Verifies the whole log and compares every row with it, as `bulla audit verify` does.
    pub(crate) fn verify(&self) {
        verify(&self.store, self.service.verifier_key());
    }
}

pub(crate) fn call(caller: Caller) -> Call {
    Call {
        caller,
        region: REGION.parse().expect("a region"),
        request_id: "7a4f6c1e-0000-4000-8000-000000000001".into(),
        source_ip: "192.0.2.7".into(),
        user_agent: "test/1".into(),
        secure_transport: true,
    }
}

pub(crate) fn events(store: &MemoryStore) -> Vec<Value> {
    store
        .edit()
        .events
        .iter()
        .map(|row| serde_json::from_slice(&row.event).expect("JSON"))
        .collect()
}

pub(crate) fn verify(store: &MemoryStore, verifier_key: &str) {
    let data = store.edit();
    let head = data.head.clone().expect("a head");
    let keys = KeyChain::new(VerifierKey::parse(verifier_key).expect("a key"));
    let head = LogHead {
        size: head.size,
        metadata_revision: head.metadata_revision,
        state: head.state,
        checkpoint: head.checkpoint,
    };
    let mut verifier = LogVerifier::new(keys, head);
    for checkpoint in &data.checkpoints {
        verifier.push_checkpoint(checkpoint.size, &checkpoint.note);
    }
    for event in &data.events {
        verifier.push_event(event.sequence, &event.event);
    }
    let report = verifier.finish();
    assert!(report.is_consistent(), "{:?}", report.findings);
    let deciding = data.rows.iter().filter(|((table, _), _)| table.decides());
    let actual = deciding.map(|((table, id), row)| ActualRow {
        table: table.name(),
        id,
        revision: row.revision,
        digest: row_digest(table.name(), id, &row.owner, row.revision, &row.body),
    });
    assert_eq!(report.expected_rows.compare(actual), Vec::new());
}

pub(crate) async fn create_key(service: &Service, call: &Call) -> KeyMetadata {
    service
        .create_key(call, create_key_request())
        .await
        .expect("creates")
        .key
}

pub(crate) fn create_key_request() -> CreateKeyRequest {
    CreateKeyRequest {
        description: "a key".to_owned(),
        ..CreateKeyRequest::default()
    }
}

pub(crate) fn context(pairs: &[(&str, &str)]) -> Context {
    Context::from_pairs(pairs.iter().copied()).expect("a context")
}

pub(crate) fn encrypt_request(key_id: &str) -> EncryptRequest {
    EncryptRequest {
        key_id: key_id.to_owned(),
        plaintext: SecretBytes::from_vec(b"the plaintext".to_vec()),
        encryption_context: context(&[("tenant", "a")]),
        encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn decrypt_request(blob: &[u8]) -> DecryptRequest {
    DecryptRequest {
        key_id: None,
        ciphertext_blob: blob.to_vec(),
        encryption_context: context(&[("tenant", "a")]),
        encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) fn data_key_request(key_id: &str) -> GenerateDataKeyRequest {
    GenerateDataKeyRequest {
        key_id: key_id.to_owned(),
        encryption_context: context(&[("tenant", "a")]),
        key_spec: Some(DataKeySpec::Aes256),
        number_of_bytes: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

pub(crate) async fn encrypt(service: &Service, call: &Call, key_id: &str) -> Vec<u8> {
    service
        .encrypt(call, encrypt_request(key_id))
        .await
        .expect("encrypts")
        .ciphertext_blob
}

/// What went wrong, as the wire shows it.
pub(crate) fn refusal<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (&'static str, String) {
    let error = result.expect_err("refused");
    (error.code(), error.message().unwrap_or_default())
}

/// Counts events by name.
pub(crate) fn by_name(events: &[Value]) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for event in events {
        *names
            .entry(event["eventName"].as_str().expect("a name").to_owned())
            .or_default() += 1;
    }
    names
}

pub(crate) fn arc(store: &MemoryStore) -> Arc<dyn Store> {
    Arc::new(store.clone())
}
