//! Killed while material is imported and deleted: each import is there whole or not at all, as the log says, and what was acknowledged is.

#[path = "../../bulla-store-sql/tests/support/raw.rs"]
mod raw;
#[path = "../../bulla-store-sql/tests/support/server.rs"]
mod server;
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bulla_crypto::blob::Material;
use bulla_crypto::keys::{PublicKey, WrappingAlgorithm, wrap_for_import};
use bulla_crypto::{DataKey, SystemRandom};
use bulla_model::MaterialId;
use bulla_testkit::load::Connection;
use bulla_testkit::{BullaProcess, Signer};
use serde_json::{Value, json};
use support::{BULLA, Credentials, bulla, init, socket_address};
use tokio::task::JoinSet;

const KEYS: usize = 12;

/// The two materials of a key.
const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];

/// What a client does with its key, over and over; all but the first time beginning with the second step.
const STEPS: [&str; 5] = [
    "import first",
    "import second",
    "delete first",
    "import first",
    "delete second",
];

/// Which materials a key lists, and whether each is there: before any step, and after each of them.
fn listed_after(step: Option<usize>) -> &'static [(&'static str, bool)] {
    match step {
        None => &[],
        Some(0 | 4) => &[("first", true)],
        Some(2) => &[("first", false), ("second", true)],
        Some(_) => &[("first", true), ("second", true)],
    }
}

/// One key, and what its client knows of it.
#[derive(Clone)]
struct Key {
    id: String,
    token: String,
    first: String,
    second: String,
    /// The last step that was acknowledged, or that was found done.
    done: Option<usize>,
    /// Steps that were acknowledged or found done, ever.
    steps: u64,
    /// The step that was asked and not answered.
    asked: Option<usize>,
}

impl Key {
    fn next(&self) -> usize {
        match self.done {
            None => 0,
            Some(4) => 1,
            Some(step) => step + 1,
        }
    }

    fn material_id(&self, material: &[u8; 32]) -> String {
        let secret = DataKey::from_slice(material).expect("32 bytes");
        MaterialId(*Material::new(&secret, &self.id).expect("material").id()).to_string()
    }

    fn expected_after(&self, step: Option<usize>) -> BTreeMap<String, bool> {
        let of = |name: &str| self.material_id(if name == "first" { &FIRST } else { &SECOND });
        let listed = listed_after(step).iter();
        listed.map(|(name, there)| (of(name), *there)).collect()
    }

    fn request(&self, step: usize) -> (&'static str, Value) {
        let import = |wrapped: &str, more: Value| {
            let mut body = json!({"KeyId": self.id, "ImportToken": self.token, "EncryptedKeyMaterial": wrapped,
                "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"});
            if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
                body.extend(more.clone());
            }
            ("ImportKeyMaterial", body)
        };
        match STEPS[step] {
            "import first" => import(&self.first, json!({})),
            "import second" => import(&self.second, json!({"ImportType": "NEW_KEY_MATERIAL"})),
            "delete first" => (
                "DeleteImportedKeyMaterial",
                json!({"KeyId": self.id, "KeyMaterialId": self.material_id(&FIRST)}),
            ),
            _ => (
                "DeleteImportedKeyMaterial",
                json!({"KeyId": self.id, "KeyMaterialId": self.material_id(&SECOND)}),
            ),
        }
    }
}

#[test]
fn an_import_that_is_killed_is_there_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    kill_and_check(&data, &credentials);
}

#[test]
fn the_same_on_postgresql() {
    let runtime = runtime();
    let database = runtime.block_on(server::Database::create("BULLA_TEST_POSTGRES_URL"));
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[("BULLA_STORE__DATABASE", &database.url)]);
    kill_and_check(&data, &credentials);
    runtime.block_on(database.destroy());
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().expect("a runtime")
}

fn kill_and_check(data: &Path, credentials: &Credentials) {
    let rounds = if std::env::var_os("BULLA_TEST_FULL").is_some() {
        60
    } else {
        8
    };
    let runtime = runtime();
    let start = || BullaProcess::production(BULLA, data).expect("it starts");
    let server = start();
    let mut keys = runtime.block_on(make_keys(&server, credentials));
    server.stop().expect("it stops by itself");
    let (mut applied, mut lost) = (0, 0);
    for round in 0..rounds {
        let server = start();
        // Later rounds let more through before the kill.
        keys = runtime.block_on(work_until_killed(server, credentials, keys, 5 + 7 * round));
        let verified = bulla([
            "audit".as_ref(),
            "verify".as_ref(),
            "--data-dir".as_ref(),
            data.as_os_str(),
        ]);
        assert!(verified.succeeded(), "round {round}: {verified:?}");
        let server = start();
        runtime.block_on(async {
            let mut client = Client::new(&server, credentials).await;
            for key in &mut keys {
                let listed = listing(&mut client, key).await;
                let asked = key.asked.take();
                match asked {
                    Some(step) if listed == key.expected_after(Some(step)) => {
                        (key.done, key.steps, applied) = (Some(step), key.steps + 1, applied + 1);
                    }
                    asked => {
                        let expected = key.expected_after(key.done);
                        assert_eq!(listed, expected, "{} after {:?}, asked {asked:?}", key.id, key.done);
                        lost += u64::from(asked.is_some());
                    }
                }
                let enabled = !listed.is_empty() && key.done != Some(2);
                let used = client
                    .ask("Encrypt", &json!({"KeyId": key.id, "Plaintext": "AAAA"}))
                    .await
                    .expect("an answer");
                assert_eq!(used.0 == 200, enabled, "{used:?}");
            }
        });
        server.stop().expect("it stops by itself");
        assert_eq!(
            steps_in_log(data),
            keys.iter().map(|key| (key.id.clone(), key.steps)).collect()
        );
    }
    assert!(
        applied + lost > 0,
        "something was asked and not answered when the process was killed"
    );
}

struct Client {
    signer: Signer,
    connection: Connection,
    request: Vec<u8>,
}

impl Client {
    async fn new(server: &BullaProcess, credentials: &Credentials) -> Self {
        Self {
            signer: credentials.signer(server),
            connection: Connection::open(socket_address(server)).await.expect("it accepts"),
            request: Vec::new(),
        }
    }

    /// The status and the body, unless the server is gone.
    async fn ask(&mut self, operation: &str, body: &Value) -> Option<(u16, Value)> {
        self.signer
            .request_now(&mut self.request, operation, body.to_string().as_bytes());
        let answer = self.connection.exchange(&self.request).await.ok()?;
        Some((answer.status, serde_json::from_slice(answer.body).unwrap_or_default()))
    }

    async fn done(&mut self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.ask(operation, &body).await.expect("an answer");
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }
}

/// Keys without material, and both materials of each wrapped for it.
async fn make_keys(server: &BullaProcess, credentials: &Credentials) -> Vec<Key> {
    let mut client = Client::new(server, credentials).await;
    let mut keys = Vec::new();
    for _ in 0..KEYS {
        let made = client.done("CreateKey", json!({"Origin": "EXTERNAL"})).await;
        let id = made["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned();
        let request = json!({"KeyId": id, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"});
        let parameters = client.done("GetParametersForImport", request).await;
        let text = |name: &str| parameters[name].as_str().expect("a text").to_owned();
        let public = BASE64.decode(text("PublicKey")).expect("base64");
        let public = PublicKey::from_spki_der(&public).expect("a public key");
        let wrap = |material: &[u8]| {
            let wrapped = wrap_for_import(&public, WrappingAlgorithm::RsaesOaepSha256, &SystemRandom, material);
            BASE64.encode(wrapped.expect("wraps"))
        };
        keys.push(Key {
            token: text("ImportToken"),
            first: wrap(&FIRST),
            second: wrap(&SECOND),
            id,
            done: None,
            steps: 0,
            asked: None,
        });
    }
    keys
}

/// A client for each key, until so many steps were acknowledged; then the server is killed.
async fn work_until_killed(server: BullaProcess, credentials: &Credentials, keys: Vec<Key>, enough: u64) -> Vec<Key> {
    let (answered, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for mut key in keys {
        let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
        let mut client = Client::new(&server, credentials).await;
        clients.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let step = key.next();
                let (operation, body) = key.request(step);
                key.asked = Some(step);
                let Some((status, answer)) = client.ask(operation, &body).await else {
                    break;
                };
                assert_eq!(status, 200, "{}: {answer}", STEPS[step]);
                (key.done, key.steps, key.asked) = (Some(step), key.steps + 1, None);
                answered.fetch_add(1, Ordering::Relaxed);
            }
            key
        });
    }
    tokio::time::timeout(Duration::from_secs(120), async {
        while answered.load(Ordering::Relaxed) < enough {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the server answers");
    server.kill9();
    stop.store(true, Ordering::Relaxed);
    let mut keys = Vec::new();
    while let Some(key) = clients.join_next().await {
        keys.push(key.expect("a client ends"));
    }
    keys
}

/// The materials of a key, and whether each is there; its state says the same.
async fn listing(client: &mut Client, key: &Key) -> BTreeMap<String, bool> {
    let request = json!({"KeyId": key.id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"});
    let listed = client.done("ListKeyRotations", request).await;
    let described = client.done("DescribeKey", json!({"KeyId": key.id})).await;
    let first = key.material_id(&FIRST);
    let mut materials = BTreeMap::new();
    for entry in listed["Rotations"].as_array().expect("a list") {
        let id = entry["KeyMaterialId"].as_str().expect("an id").to_owned();
        materials.insert(id, entry["ImportState"] == "IMPORTED");
    }
    let state = if materials.get(&first) == Some(&true) {
        "Enabled"
    } else {
        "PendingImport"
    };
    assert_eq!(described["KeyMetadata"]["KeyState"], state, "{listed}");
    materials
}

/// How many imports and deletions of each key the log says were done.
fn steps_in_log(data: &Path) -> BTreeMap<String, u64> {
    let exported = bulla([
        "audit".as_ref(),
        "export".as_ref(),
        "--data-dir".as_ref(),
        data.as_os_str(),
    ]);
    assert!(exported.succeeded(), "{}", exported.stderr);
    let mut steps = BTreeMap::new();
    for line in exported.stdout_text().lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let name = event["eventName"].as_str().expect("a name");
        let id = event["requestParameters"]["keyId"].as_str();
        match (name, id) {
            ("GetParametersForImport", Some(id)) => drop(steps.entry(id.to_owned()).or_insert(0)),
            ("ImportKeyMaterial" | "DeleteImportedKeyMaterial", Some(id)) => {
                assert!(event.get("errorCode").is_none_or(Value::is_null), "{event}");
                *steps.entry(id.to_owned()).or_default() += 1;
            }
            _ => {}
        }
    }
    steps
}
