//! What the fuzz targets check, shared by `fuzz/` (libFuzzer) and `tests/fuzz_targets.rs` (replay on stable).
//!
//! A parser never panics, and accepts only what would be written again the same.

use bulla_crypto::blob::Blob;
use bulla_crypto::keys::{KeySpec, Message, PrivateKey, PublicKey};
use bulla_crypto::record::{self, Record};
use bulla_crypto::{Context, SecretBytes};

/// Canonical contexts: what parses is what its pairs encode to.
pub fn context(data: &[u8]) {
    if let Ok(parsed) = Context::parse(data) {
        assert_eq!(parsed.as_bytes(), data);
        assert_eq!(parsed.iter().count(), parsed.len());
        let again = Context::from_pairs(parsed.iter()).expect("pairs of a context make a context");
        assert_eq!(again.as_bytes(), data);
    }
}

/// Binary records: what parses is what its fields encode to, and goes through text and JSON unchanged.
pub fn record_binary(data: &[u8]) {
    if let Ok(record) = Record::parse(data) {
        let again = record
            .rewrap(record.key(), record.wrapped_key())
            .expect("fields of a record are within limits");
        assert_eq!(again, data);
        assert_eq!(
            record::from_text(&record::to_text(data)).expect("text of a record reads"),
            data
        );
        assert_eq!(
            record::from_json(&record::to_json(&record)).expect("JSON of a record reads"),
            data
        );
    }
}

/// Records as text: one spelling each.
pub fn record_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(bytes) = record::from_text(text) {
        assert_eq!(record::to_text(&bytes), text);
        record_binary(&bytes);
    }
}

/// Records as JSON: many spellings of one record.
pub fn record_json(data: &[u8]) {
    let Ok(json) = std::str::from_utf8(data) else { return };
    if let Ok(bytes) = record::from_json(json) {
        record_binary(&bytes);
    }
}

/// Ciphertext blobs: what parses is what its fields encode to, by another encoder.
pub fn blob(data: &[u8]) {
    if let Ok(blob) = Blob::parse(data) {
        let content = &data[data.len() - blob.plaintext_len() - 27..];
        let header_len = element(0x80, content).len() - content.len();
        let nonce_end = data.len() - content.len() - header_len - 3;
        let nonce = &data[nonce_end - 12..nonce_end];
        let oid = |last: u8| element(0x06, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, last]);
        let gcm = element(0x06, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2e]);
        let parameters = element(0x30, &[element(0x04, nonce), element(0x02, &[16])].concat());
        let algorithm = element(0x30, &[gcm, parameters].concat());
        let info = element(0x30, &[oid(1), algorithm, element(0x80, content)].concat());
        let inner = element(0xa0, &element(0x30, &[element(0x02, &[0]), info].concat()));
        let der = element(0x30, &[oid(6), inner].concat());
        let length = (der.len() as u32).to_be_bytes();
        let again = [
            &[1, 2, 2, 0, 0x78],
            &blob.material_id()[..],
            &[1],
            &data[38..54],
            &length,
            &der,
        ]
        .concat();
        assert_eq!(again, data);
    }
}

/// Public keys: what parses keeps its bytes, and judges any signature without an error.
pub fn public_key(data: &[u8]) {
    if let Ok(key) = PublicKey::from_spki_der(data) {
        assert_eq!(key.spki_der(), data);
        for algorithm in key.spec().signing_algorithms() {
            let message = match algorithm.digest(b"a message") {
                Some(digest) => key.verify(*algorithm, Message::Digest(&digest), data),
                None => key.verify(*algorithm, Message::Raw(b"a message"), data),
            };
            assert!(!message.expect("the key has the algorithm").is_valid());
        }
    }
}

/// Imported private keys, the first byte saying of which spec: what is taken has one stored form, which makes the same key again.
pub fn key_import(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else {
        return;
    };
    let Some(&spec) = KeySpec::ALL.get(usize::from(*which)) else {
        return;
    };
    if let Ok(key) = PrivateKey::from_imported(spec, &SecretBytes::from_vec(bytes.to_vec())) {
        let stored = key.stored_bytes().expose_secret();
        let again = PrivateKey::from_stored_bytes(spec, stored).expect("the stored form is read");
        assert_eq!(again.stored_bytes().expose_secret(), stored);
        assert_eq!(again.public_key_der(), key.public_key_der());
        if let Some(written) = key.pkcs8_der() {
            let again = PrivateKey::from_imported(spec, &written).expect("what is written is read");
            assert_eq!(again.stored_bytes().expose_secret(), stored);
            assert_eq!(
                again.pkcs8_der().expect("still a pair").expose_secret(),
                written.expose_secret()
            );
        }
    }
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let octets: Vec<u8> = contents
        .len()
        .to_be_bytes()
        .into_iter()
        .skip_while(|octet| *octet == 0)
        .collect();
    let mut out = vec![tag];
    if contents.len() >= 128 {
        out.push(0x80 | octets.len() as u8);
        out.extend(octets);
    } else {
        out.push(contents.len() as u8);
    }
    out.extend_from_slice(contents);
    out
}
