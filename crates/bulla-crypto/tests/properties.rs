//! What holds for all values: round trips, refusal of every changed bit, one encoding for each context.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use bulla_crypto::blob::{Blob, Material};
use bulla_crypto::mac::{Domain, MacKey};
use bulla_crypto::record::{self, Header, Record, RecordKey};
use bulla_crypto::{Context, DataKey, SystemRandom, kdf};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

type Map = BTreeMap<String, String>;

fn map() -> impl Strategy<Value = Map> {
    btree_map(".{0,12}", ".{0,20}", 0..6)
}

fn key() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>()
}

fn data_key(bytes: &[u8; 32]) -> DataKey {
    DataKey::from_slice(bytes).unwrap()
}

fn context(map: &Map) -> Context {
    Context::from_pairs(map).unwrap()
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn seal(key: &RecordKey, map: &Map, binding: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let header = Header::new("local:root", b"wrapped", key).unwrap();
    key.seal(&header, &context(map), binding, &SystemRandom, plaintext)
        .unwrap()
}

/// Tells whether the bytes are a record and open; also through the text form, which must agree.
fn opens(key: &RecordKey, bytes: &[u8], context: &Context, binding: &[u8]) -> bool {
    let opened = Record::parse(bytes).is_ok_and(|record| key.open(&record, context, binding).is_ok());
    assert_eq!(
        record::from_text(&record::to_text(bytes)).is_ok(),
        Record::parse(bytes).is_ok()
    );
    opened
}

proptest! {
    #[test]
    fn a_context_parses_to_what_was_encoded(map in map()) {
        let context = context(&map);
        let parsed = Context::parse(context.as_bytes()).unwrap();
        prop_assert_eq!(&parsed, &context);
        let pairs: Map = parsed.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(pairs, map);
    }

    #[test]
    fn a_context_does_not_depend_on_the_order_of_its_pairs(pairs in map().prop_flat_map(|map| Just(map.into_iter().collect::<Vec<_>>()).prop_shuffle())) {
        let map: Map = pairs.iter().cloned().collect();
        prop_assert_eq!(Context::from_pairs(pairs).unwrap(), context(&map));
    }

    #[test]
    fn different_pairs_have_different_encodings(a in btree_map("[ab]{0,3}", "[ab]{0,3}", 0..4), b in btree_map("[ab]{0,3}", "[ab]{0,3}", 0..4)) {
        prop_assert_eq!(context(&a) == context(&b), a == b);
    }

    #[test]
    fn a_context_parser_accepts_only_what_it_writes(bytes in vec(prop_oneof![Just(0u8), Just(1), Just(2), 0x61u8..0x64, any::<u8>()], 0..40)) {
        if let Ok(parsed) = Context::parse(&bytes) {
            let pairs: Vec<_> = parsed.iter().collect();
            let again = Context::from_pairs(pairs).unwrap();
            prop_assert_eq!(again.as_bytes(), bytes);
        }
    }

    #[test]
    fn a_record_opens_to_what_was_sealed(bytes in key(), map in map(), binding in vec(any::<u8>(), 0..600), plaintext in vec(any::<u8>(), 0..2000)) {
        let key = RecordKey::derive(&data_key(&bytes)).unwrap();
        let sealed = seal(&key, &map, &binding, &plaintext);
        // The one that opens derives its key anew, as another process does.
        let opener = RecordKey::derive(&data_key(&bytes)).unwrap();
        let record = Record::parse(&sealed).unwrap();
        let opened = opener.open(&record, &context(&map), &binding).unwrap();
        prop_assert_eq!(opened.expose_secret(), &plaintext[..]);
        prop_assert_eq!(record::from_json(&record::to_json(&record)).unwrap(), sealed);
    }

    #[test]
    fn a_rewrapped_record_still_opens_and_only_key_and_wrapped_key_changed(bytes in key(), new_key in ".{1,40}", wrapped in vec(any::<u8>(), 1..300)) {
        let key = RecordKey::derive(&data_key(&bytes)).unwrap();
        let sealed = seal(&key, &Map::new(), b"row", b"value");
        let rewrapped = Record::parse(&sealed).unwrap().rewrap(&new_key, &wrapped).unwrap();
        let record = Record::parse(&rewrapped).unwrap();
        prop_assert_eq!((record.key(), record.wrapped_key()), (&new_key[..], &wrapped[..]));
        let opened = key.open(&record, &Context::empty(), b"row").unwrap();
        prop_assert_eq!(opened.expose_secret(), b"value");
        prop_assert_eq!(record.rewrap("local:root", b"wrapped").unwrap(), sealed);
    }

    #[test]
    fn no_other_key_context_or_binding_opens_a_record(a in key(), b in key(), map in map(), other in map(), binding in vec(any::<u8>(), 0..20), other_binding in vec(any::<u8>(), 0..20), bit in 0usize..256) {
        let key = RecordKey::derive(&data_key(&a)).unwrap();
        let sealed = seal(&key, &map, &binding, b"value");
        let record = Record::parse(&sealed).unwrap();
        if a != b {
            prop_assert!(RecordKey::derive(&data_key(&b)).unwrap().open(&record, &context(&map), &binding).is_err());
        }
        let near: [u8; 32] = flip(&a, bit).try_into().unwrap();
        prop_assert!(RecordKey::derive(&data_key(&near)).unwrap().open(&record, &context(&map), &binding).is_err());
        prop_assert_eq!(key.open(&record, &context(&other), &binding).is_ok(), other == map);
        prop_assert_eq!(key.open(&record, &context(&map), &other_binding).is_ok(), other_binding == binding);
    }

    #[test]
    fn octets_do_not_move_between_context_and_binding(text in "[a-c]{2,6}", cut in 1usize..5) {
        let cut = cut.min(text.len() - 1);
        let key = RecordKey::derive(&data_key(&[1; 32])).unwrap();
        let whole = Map::from([("k".to_owned(), text.clone())]);
        let part = Map::from([("k".to_owned(), text[..cut].to_owned())]);
        let sealed = seal(&key, &whole, b"", b"value");
        prop_assert!(!opens(&key, &sealed, &context(&part), &text.as_bytes()[cut..]));
    }

    #[test]
    fn a_blob_decrypts_to_what_was_encrypted(bytes in key(), id in ".{0,40}", map in map(), plaintext in vec(any::<u8>(), 0..5000)) {
        let material = Material::new(&data_key(&bytes), &id).unwrap();
        let encrypted = material.encrypt(&context(&map), &SystemRandom, &plaintext).unwrap();
        let again = Material::new(&data_key(&bytes), &id).unwrap();
        let decrypted = again.decrypt(&Blob::parse(&encrypted).unwrap(), &context(&map)).unwrap();
        prop_assert_eq!(decrypted.expose_secret(), &plaintext[..]);
    }

    #[test]
    fn no_other_material_key_id_or_context_decrypts_a_blob(a in key(), bit in 0usize..256, id in ".{0,9}", other_id in ".{0,9}", map in map(), other in map()) {
        let material = Material::new(&data_key(&a), &id).unwrap();
        let encrypted = material.encrypt(&context(&map), &SystemRandom, b"value").unwrap();
        let blob = Blob::parse(&encrypted).unwrap();
        let near: [u8; 32] = flip(&a, bit).try_into().unwrap();
        prop_assert!(Material::new(&data_key(&near), &id).unwrap().decrypt(&blob, &context(&map)).is_err());
        let renamed = Material::new(&data_key(&a), &other_id).unwrap();
        prop_assert_eq!(renamed.decrypt(&blob, &context(&map)).is_ok(), other_id == id);
        prop_assert_eq!(material.decrypt(&blob, &context(&other)).is_ok(), other == map);
    }

    #[test]
    fn a_mac_tells_lists_of_parts_apart(a in vec(vec(0u8..3, 0..4), 0..4), b in vec(vec(0u8..3, 0..4), 0..4)) {
        struct Test;
        impl Domain for Test {
            const DOMAIN: &'static str = "bulla/test/properties";
        }
        let key = MacKey::<Test>::derive(&data_key(&[1; 32]));
        let (parts_a, parts_b): (Vec<&[u8]>, Vec<&[u8]>) = (a.iter().map(|p| &p[..]).collect(), b.iter().map(|p| &p[..]).collect());
        prop_assert_eq!(key.verify(&parts_a, &key.tag(&parts_b)), a == b);
    }

    #[test]
    fn derived_keys_differ_where_secret_or_info_does(a in key(), b in key(), info in vec(any::<u8>(), 0..40), other in vec(any::<u8>(), 0..40)) {
        let derive = |secret: &[u8; 32], info: &[u8]| *kdf::derive_key(&data_key(secret), "bulla/test/properties", info).expose_secret();
        prop_assert_eq!(derive(&a, &info) == derive(&b, &info), a == b);
        prop_assert_eq!(derive(&a, &info) == derive(&a, &other), info == other);
    }
}

#[test]
fn every_changed_bit_of_a_record_refuses_or_is_in_key_and_wrapped_key_only() {
    let key = RecordKey::derive(&data_key(&[9; 32])).unwrap();
    let map = Map::from([("tenant".to_owned(), "42".to_owned())]);
    let sealed = seal(&key, &map, b"row 1", b"a value of some length");
    assert!(opens(&key, &sealed, &context(&map), b"row 1"));
    // The names of the wrapping key and the wrapped key are for whoever unwraps, and change in a rewrap.
    let outside = [4..4 + "local:root".len(), 16..16 + "wrapped".len()];
    for bit in 0..sealed.len() * 8 {
        let changed = flip(&sealed, bit);
        if outside.iter().any(|range| range.contains(&(bit / 8))) {
            if let Ok(record) = Record::parse(&changed) {
                let original = Record::parse(&sealed).unwrap();
                assert_ne!(
                    (record.key(), record.wrapped_key()),
                    (original.key(), original.wrapped_key())
                );
            }
        } else {
            assert!(!opens(&key, &changed, &context(&map), b"row 1"), "bit {bit}");
        }
    }
    for end in 0..sealed.len() {
        assert!(
            !opens(&key, &sealed[..end], &context(&map), b"row 1"),
            "first {end} octets"
        );
    }
}

#[test]
fn every_changed_bit_of_context_and_binding_refuses() {
    let key = RecordKey::derive(&data_key(&[9; 32])).unwrap();
    let material = Material::new(&data_key(&[9; 32]), "key").unwrap();
    let map = Map::from([
        ("tenant".to_owned(), "42".to_owned()),
        ("user".to_owned(), "é".to_owned()),
    ]);
    let original = context(&map);
    let sealed = seal(&key, &map, b"row 1", b"value");
    let encrypted = material.encrypt(&original, &SystemRandom, b"value").unwrap();
    let mut changed_contexts = 0;
    for bit in 0..original.as_bytes().len() * 8 {
        if let Ok(changed) = Context::parse(&flip(original.as_bytes(), bit)) {
            changed_contexts += 1;
            assert!(!opens(&key, &sealed, &changed, b"row 1"), "context bit {bit}");
            assert!(
                material.decrypt(&Blob::parse(&encrypted).unwrap(), &changed).is_err(),
                "context bit {bit}"
            );
        }
    }
    assert!(changed_contexts > 50);
    for bit in 0..5 * 8 {
        assert!(
            !opens(&key, &sealed, &original, &flip(b"row 1", bit)),
            "binding bit {bit}"
        );
    }
}

#[test]
fn every_changed_bit_of_a_blob_refuses() {
    let material = Material::new(&data_key(&[9; 32]), "key").unwrap();
    for plaintext in [&b"value"[..], &[3; 300]] {
        let encrypted = material.encrypt(&Context::empty(), &SystemRandom, plaintext).unwrap();
        let decrypts =
            |bytes: &[u8]| Blob::parse(bytes).is_ok_and(|blob| material.decrypt(&blob, &Context::empty()).is_ok());
        assert!(decrypts(&encrypted));
        for bit in 0..encrypted.len() * 8 {
            assert!(!decrypts(&flip(&encrypted, bit)), "bit {bit}");
        }
        for end in 0..encrypted.len() {
            assert!(!decrypts(&encrypted[..end]), "first {end} octets");
        }
    }
}
