//! `spec/vectors/temporal-codec.json`: sealed payloads that open for ever, bodies that read as they always did.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::record::{Header, RecordKey};
use bulla_crypto::{Context, DataKey, Random, RandomError, SystemRandom};
use bulla_kms::{Capabilities, GeneratedDataKey, KeyDescription, KeyProvider, KmsError, KmsErrorKind, WrappedKey};
use bulla_temporal::json::{self, Shape};
use bulla_temporal::{KeyName, Namespace, NamespaceKeys, Namespaces, PayloadCodec, Unknown};
use prost::Message;
use serde::{Deserialize, Serialize};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors/temporal-codec.json");
const KEY: &str = "vector://key";
const WRAPPED: &[u8] = b"a wrapped key of a provider";

#[derive(Serialize, Deserialize)]
struct Vectors {
    sealed: Vec<Sealed>,
    bodies: Vec<Body>,
    refused: Vec<String>,
}

/// A payload, its namespace, and what it is sealed into with a data key and a nonce.
#[derive(Serialize, Deserialize)]
struct Sealed {
    namespace: String,
    data_key: String,
    nonce: String,
    /// The inner payload, as proto3 JSON.
    payload: serde_json::Value,
    /// The inner payload in binary form.
    binary: String,
    /// The sealed payload, as proto3 JSON.
    sealed: serde_json::Value,
}

/// A body, and the same as it is written.
#[derive(Serialize, Deserialize)]
struct Body {
    shape: String,
    body: String,
    written: serde_json::Value,
}

fn vectors() -> Vectors {
    serde_json::from_str(&std::fs::read_to_string(PATH).unwrap()).unwrap()
}

fn payload(json: &serde_json::Value) -> bulla_temporal::Payload {
    let body = serde_json::json!({ "payloads": [json] }).to_string();
    json::read(body.as_bytes()).unwrap().payloads.remove(0)
}

/// Unwraps one wrapped key to one data key.
#[derive(Debug)]
struct OneKey(Vec<u8>);

#[async_trait]
impl KeyProvider for OneKey {
    fn instance(&self) -> &str {
        "vector"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            scheme: "vector",
            native_context: true,
            remote: false,
            key_state: false,
            signing: None,
            rotation: false,
        }
    }
    async fn generate_data_key(&self, key: &str, _: &Context) -> Result<GeneratedDataKey, KmsError> {
        Err(KmsError::new(KmsErrorKind::Unsupported, "generate data key", key))
    }
    async fn wrap(&self, key: &str, _: &DataKey, _: &Context) -> Result<WrappedKey, KmsError> {
        Err(KmsError::new(KmsErrorKind::Unsupported, "wrap", key))
    }
    async fn unwrap(&self, key: &str, wrapped: &[u8], _: &Context) -> Result<DataKey, KmsError> {
        assert_eq!((key, wrapped), (KEY, WRAPPED));
        Ok(DataKey::from_slice(&self.0).unwrap())
    }
    async fn describe(&self, key: &str) -> Result<KeyDescription, KmsError> {
        Err(KmsError::new(KmsErrorKind::Unsupported, "describe", key))
    }
}

struct Fixed(Vec<u8>);

impl Random for Fixed {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

/// Seals as the specification says, by hand.
fn seal(vector: &Sealed) -> serde_json::Value {
    let data_key = DataKey::from_slice(&hex::decode(&vector.data_key).unwrap()).unwrap();
    let record_key = RecordKey::derive(&data_key).unwrap();
    let header = Header::new(KEY, WRAPPED, &record_key).unwrap();
    let context = Context::from_pairs([
        ("namespace", vector.namespace.as_str()),
        ("bulla:purpose", "temporal-payload"),
    ])
    .unwrap();
    let random = Fixed(hex::decode(&vector.nonce).unwrap());
    let plaintext = payload(&vector.payload).encode_to_vec();
    let record = record_key.seal(&header, &context, b"", &random, &plaintext).unwrap();
    let base64 = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
    serde_json::json!({
        "metadata": {
            "encoding": base64(b"binary/bulla-v1"),
            "bulla-format": base64(b"record-1"),
            "bulla-key-id": base64(KEY.as_bytes()),
        },
        "data": base64(&record),
    })
}

#[test]
fn sealed_payloads_are_what_the_specification_says() {
    for vector in vectors().sealed {
        assert_eq!(hex::encode(payload(&vector.payload).encode_to_vec()), vector.binary);
        assert_eq!(seal(&vector), vector.sealed);
    }
}

#[tokio::test]
async fn sealed_payloads_of_this_version_open_for_ever() {
    for vector in vectors().sealed {
        let provider: Arc<dyn KeyProvider> = Arc::new(OneKey(hex::decode(&vector.data_key).unwrap()));
        let mut keys = NamespaceKeys::new(KeyName {
            provider,
            name: "key".to_owned(),
        });
        keys.accept = vec![bulla_envelope::KeyPattern::new(KEY).unwrap()];
        let namespaces = Namespaces::new(Vec::new(), Unknown::Use(Box::new(keys)));
        let codec = PayloadCodec::new(namespaces, PayloadCodec::default_settings(), Arc::new(SystemRandom));
        let namespace: Namespace = vector.namespace.parse().unwrap();
        let decoded = codec.decode(&namespace, vec![payload(&vector.sealed)]).await.unwrap();
        assert_eq!(decoded, [payload(&vector.payload)]);
    }
}

#[test]
fn bodies_read_and_are_written_as_the_vectors_say() {
    for vector in vectors().bodies {
        let request = json::read(vector.body.as_bytes()).expect(&vector.body);
        let shape = match request.shape {
            Shape::Proto => "proto",
            Shape::Replaced => "replaced",
        };
        assert_eq!(shape, vector.shape, "{}", vector.body);
        let written = json::write(request.shape, &request.payloads).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written, vector.written, "{}", vector.body);
    }
    for body in vectors().refused {
        assert!(json::read(body.as_bytes()).is_err(), "{body}");
    }
}

/// Fills in what follows from the inputs, where `BULLA_UPDATE_VECTORS` is set: for a new version of the format only.
#[test]
fn the_vectors_are_whole() {
    let mut all = vectors();
    if std::env::var_os("BULLA_UPDATE_VECTORS").is_some() {
        for vector in &mut all.sealed {
            vector.binary = hex::encode(payload(&vector.payload).encode_to_vec());
            vector.sealed = seal(vector);
        }
        for vector in &mut all.bodies {
            let request = json::read(vector.body.as_bytes()).unwrap();
            let written = json::write(request.shape, &request.payloads).unwrap();
            vector.written = serde_json::from_slice(&written).unwrap();
        }
        std::fs::write(PATH, serde_json::to_string_pretty(&all).unwrap() + "\n").unwrap();
    }
    assert!(all.sealed.len() >= 3 && all.bodies.len() >= 5 && all.refused.len() >= 5);
}
