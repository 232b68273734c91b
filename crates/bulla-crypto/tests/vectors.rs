//! Opens the frozen vectors of `spec/vectors/`, byte for byte.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/replay.rs"]
mod replay;
#[path = "support/vectors.rs"]
mod vectors;

use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::record::{self, Header, Record, RecordKey};
use bulla_crypto::{Context, DataKey};
use replay::Replay;
use serde::Serialize;
use vectors::{BlobVectors, ContextVectors, Pairs, RecordVectors};

const CONTEXT: &str = include_str!("../../../spec/vectors/context.json");
const RECORD: &str = include_str!("../../../spec/vectors/record.json");
const BLOB: &str = include_str!("../../../spec/vectors/ciphertext-blob.json");

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

fn data_key(hex: &str) -> DataKey {
    DataKey::from_slice(&bytes(hex)).unwrap()
}

fn context(pairs: &Pairs) -> Context {
    Context::from_pairs(pairs.iter().map(|(key, value)| (key, value))).unwrap()
}

fn pretty(vectors: &impl Serialize) -> String {
    serde_json::to_string_pretty(vectors).unwrap() + "\n"
}

#[test]
fn the_generator_reproduces_the_frozen_files() {
    assert!(
        CONTEXT == pretty(&vectors::contexts()),
        "spec/vectors/context.json differs"
    );
    assert!(
        RECORD == pretty(&vectors::records()),
        "spec/vectors/record.json differs"
    );
    assert!(
        BLOB == pretty(&vectors::blobs()),
        "spec/vectors/ciphertext-blob.json differs"
    );
}

#[test]
fn contexts_have_their_canonical_bytes() {
    let vectors: ContextVectors = serde_json::from_str(CONTEXT).unwrap();
    for valid in &vectors.valid {
        let made = context(&valid.pairs);
        assert_eq!(hex::encode(made.as_bytes()), valid.canonical);
        let parsed = Context::parse(&bytes(&valid.canonical)).unwrap();
        assert_eq!(parsed, made);
        assert_eq!(parsed.len(), valid.pairs.len());
        for (key, value) in &valid.pairs {
            assert_eq!(parsed.get(key), Some(value.as_str()));
        }
    }
    for invalid in &vectors.invalid {
        assert!(Context::parse(&bytes(&invalid.bytes)).is_err(), "{}", invalid.reason);
    }
    assert!(vectors.valid.len() >= 8 && vectors.invalid.len() >= 16);
}

#[test]
fn records_seal_to_their_bytes_and_open() {
    let vectors: RecordVectors = serde_json::from_str(RECORD).unwrap();
    for valid in &vectors.valid {
        let key = RecordKey::derive(&data_key(&valid.data_key)).unwrap();
        assert_eq!(hex::encode(key.commitment()), valid.commitment);
        let header = Header::new(&valid.key, &bytes(&valid.wrapped_key), &key).unwrap();
        let (context, binding, plaintext) = (context(&valid.context), bytes(&valid.binding), bytes(&valid.plaintext));
        let sealed = key
            .seal(
                &header,
                &context,
                &binding,
                &Replay::new(&bytes(&valid.nonce)),
                &plaintext,
            )
            .unwrap();
        assert_eq!(hex::encode(&sealed), valid.record);
        assert_eq!(sealed.len(), header.record_len(plaintext.len()));

        let record = Record::parse(&sealed).unwrap();
        assert_eq!(record.key(), valid.key);
        assert_eq!(hex::encode(record.wrapped_key()), valid.wrapped_key);
        assert_eq!(record.plaintext_len(), plaintext.len());
        assert_eq!(
            key.open(&record, &context, &binding).unwrap().expose_secret(),
            plaintext
        );

        assert_eq!(record::to_text(&sealed), valid.text);
        assert_eq!(record::from_text(&valid.text).unwrap(), sealed);
        assert_eq!(record::to_json(&record), valid.json);
        assert_eq!(record::from_json(&valid.json).unwrap(), sealed);
    }
    for invalid in &vectors.invalid {
        assert!(Record::parse(&bytes(&invalid.bytes)).is_err(), "{}", invalid.reason);
        assert!(
            record::from_text(&record::to_text(&bytes(&invalid.bytes))).is_err(),
            "{}",
            invalid.reason
        );
    }
    for refused in &vectors.refused {
        let key = RecordKey::derive(&data_key(&refused.data_key)).unwrap();
        let sealed = bytes(&refused.record);
        let record = Record::parse(&sealed).unwrap();
        let opened = key.open(&record, &context(&refused.context), &bytes(&refused.binding));
        assert!(opened.is_err(), "{}", refused.reason);
    }
    assert!(vectors.valid.len() >= 6 && vectors.invalid.len() >= 13 && vectors.refused.len() >= 12);
}

#[test]
fn blobs_encrypt_to_their_bytes_and_decrypt() {
    let vectors: BlobVectors = serde_json::from_str(BLOB).unwrap();
    for valid in &vectors.valid {
        let material = Material::new(&data_key(&valid.material), &valid.key_id).unwrap();
        assert_eq!(hex::encode(material.id()), valid.material_id);
        let (context, plaintext) = (context(&valid.context), bytes(&valid.plaintext));
        let random = Replay::new(&[bytes(&valid.salt), bytes(&valid.nonce)].concat());
        let encrypted = material.encrypt(&context, &random, &plaintext).unwrap();
        assert_eq!(hex::encode(&encrypted), valid.blob);
        let blob = Blob::parse(&encrypted).unwrap();
        assert_eq!(blob.material_id(), material.id());
        assert_eq!(blob.plaintext_len(), plaintext.len());
        assert_eq!(material.decrypt(&blob, &context).unwrap().expose_secret(), plaintext);
    }
    for invalid in &vectors.invalid {
        assert!(Blob::parse(&bytes(&invalid.bytes)).is_err(), "{}", invalid.reason);
    }
    for refused in &vectors.refused {
        let material = Material::new(&data_key(&refused.material), &refused.key_id).unwrap();
        let encrypted = bytes(&refused.blob);
        let opened = material.decrypt(&Blob::parse(&encrypted).unwrap(), &context(&refused.context));
        assert!(opened.is_err(), "{}", refused.reason);
    }
    assert!(vectors.valid.len() >= 17 && vectors.invalid.len() >= 23 && vectors.refused.len() >= 12);
}
