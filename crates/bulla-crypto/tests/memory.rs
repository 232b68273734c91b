//! Scans this process's own memory: after use and drop no copy of a key is left.
//!
//! One test alone in its binary, so that no other thread holds secrets meanwhile.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::hint::black_box;

use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::mac::{Domain, MacKey};
use bulla_crypto::record::{Header, Record, RecordKey};
use bulla_crypto::signature::SigningKey;
use bulla_crypto::{Context, DataKey, SecretBytes, SystemRandom, kdf};

/// The key's bytes, one at a time: nowhere does the test itself hold them in a row.
#[inline(never)]
fn key_byte(at: usize) -> u8 {
    black_box(at as u8).wrapping_mul(37).wrapping_add(91) ^ 0xc3
}

fn make_key() -> DataKey {
    let mut source = Box::new([0; 32]);
    for (at, byte) in source.iter_mut().enumerate() {
        *byte = key_byte(at);
    }
    DataKey::from_bytes(&mut source)
}

fn copies() -> usize {
    bulla_testkit::memory::copies(key_byte).unwrap()
}

struct Rows;
impl Domain for Rows {
    const DOMAIN: &'static str = "bulla/test/memory";
}

#[test]
fn after_use_and_drop_no_copy_of_a_key_is_left() {
    let key = make_key();
    assert!(copies() >= 2, "the scan sees a key that is there: both its halves");

    let record_key = RecordKey::derive(&key).unwrap();
    let material = Material::new(&key, "key").unwrap();
    let mac = MacKey::<Rows>::derive(&key);
    let signer = SigningKey::from_seed(&kdf::derive_key(&key, "bulla/test/memory", b"")).unwrap();
    assert_eq!(copies(), 2, "deriving from a key leaves no further copy of it");
    drop(key);
    assert_eq!(
        copies(),
        0,
        "with the key dropped, none of what is derived from it holds a copy"
    );

    let header = Header::new("local:k", b"w", &record_key).unwrap();
    let context = Context::from_pairs([("k", "v")]).unwrap();
    let key = make_key();
    let sealed = record_key
        .seal(&header, &context, b"row", &SystemRandom, key.expose_secret())
        .unwrap();
    let wrapped = material.encrypt(&context, &SystemRandom, key.expose_secret()).unwrap();
    drop(key);
    assert_eq!(copies(), 0, "sealing and wrapping leave no copy of what was sealed");

    let opened = record_key
        .open(&Record::parse(&sealed).unwrap(), &context, b"row")
        .unwrap();
    let unwrapped: SecretBytes = material.decrypt(&Blob::parse(&wrapped).unwrap(), &context).unwrap();
    assert_eq!(copies(), 4, "two opened values, two halves each");
    let again = DataKey::from_slice(unwrapped.expose_secret()).unwrap();
    assert_eq!(copies(), 6);
    drop((opened, unwrapped, again));
    assert_eq!(copies(), 0, "opened and dropped, nothing is left");

    assert!(
        material
            .decrypt(&Blob::parse(&wrapped).unwrap(), &Context::empty())
            .is_err()
    );
    assert_eq!(copies(), 0, "nor does a refusal leave any");
    black_box((record_key, material, mac, signer));
}
