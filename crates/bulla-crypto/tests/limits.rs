//! What is just within a limit works; what is just beyond is refused.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "support/replay.rs"]
mod replay;

use bulla_crypto::blob::{self, Blob, Material};
use bulla_crypto::record::{self, Header, Record, RecordKey};
use bulla_crypto::{Context, ContextError, DataKey, FormatErrorKind, Random, RandomError, SealError, SystemRandom};
use replay::Replay;

fn data_key() -> DataKey {
    DataKey::from_slice(&[5; 32]).unwrap()
}

fn record_key() -> RecordKey {
    RecordKey::derive(&data_key()).unwrap()
}

#[test]
fn a_blob_of_32_bytes_has_the_size_and_the_look_of_the_one_of_aws() {
    let material = Material::new(&data_key(), "key").unwrap();
    let encrypted = material.encrypt(&Context::empty(), &SystemRandom, &[1; 32]).unwrap();
    assert_eq!(encrypted.len(), 184);
    assert!(base64_simd::STANDARD.encode_to_string(&encrypted).starts_with("AQICAH"));
}

#[test]
fn blobs_have_the_sizes_that_the_specification_names() {
    let material = Material::new(&data_key(), "key").unwrap();
    let sizes = [
        (0, 152),
        (1, 153),
        (32, 184),
        (35, 187),
        (36, 189),
        (4096, 4258),
        (65_536, 65_703),
    ];
    for (plaintext_bytes, blob_bytes) in sizes {
        let plaintext = vec![7; plaintext_bytes];
        let encrypted = material.encrypt(&Context::empty(), &SystemRandom, &plaintext).unwrap();
        assert_eq!(encrypted.len(), blob_bytes);
        assert_eq!(encrypted.capacity(), blob_bytes, "one allocation, of the right size");
        let blob = Blob::parse(&encrypted).unwrap();
        assert_eq!(
            material.decrypt(&blob, &Context::empty()).unwrap().expose_secret(),
            plaintext
        );
    }
    assert_eq!(blob::MAX_BLOB_BYTES, 65_703);
    let refused = material.encrypt(&Context::empty(), &SystemRandom, &vec![7; 65_537]);
    assert_eq!(refused, Err(SealError::TooLong));
    assert_eq!(
        Blob::parse(&vec![1; 65_704]).unwrap_err().kind,
        FormatErrorKind::TooLong
    );
}

#[test]
fn a_record_is_at_most_64_mib() {
    let key = record_key();
    let header = Header::new("local:k", b"w", &key).unwrap();
    let most = record::MAX_RECORD_BYTES - header.record_len(0);
    let sealed = key
        .seal(&header, &Context::empty(), b"", &SystemRandom, &vec![0; most])
        .unwrap();
    assert_eq!(
        (sealed.len(), sealed.capacity()),
        (record::MAX_RECORD_BYTES, record::MAX_RECORD_BYTES)
    );
    let record = Record::parse(&sealed).unwrap();
    assert_eq!(key.open(&record, &Context::empty(), b"").unwrap().len(), most);
    assert_eq!(
        record.rewrap("local:kk", b"w").unwrap_err().kind,
        FormatErrorKind::TooLong
    );
    assert_eq!(record::from_text(&record::to_text(&sealed)).unwrap(), sealed);

    let refused = key.seal(&header, &Context::empty(), b"", &SystemRandom, &vec![0; most + 1]);
    assert_eq!(refused, Err(SealError::TooLong));
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(Record::parse(&longer).unwrap_err().kind, FormatErrorKind::TooLong);
    assert_eq!(
        record::from_text(&record::to_text(&longer)).unwrap_err().kind,
        FormatErrorKind::TooLong
    );
}

#[test]
fn header_fields_have_limits() {
    let key = record_key();
    assert!(Header::new(&"k".repeat(512), &[0; 6144], &key).is_ok());
    assert_eq!(
        Header::new(&"k".repeat(513), b"w", &key).unwrap_err().kind,
        FormatErrorKind::TooLong
    );
    assert_eq!(
        Header::new("k", &[0; 6145], &key).unwrap_err().kind,
        FormatErrorKind::TooLong
    );
    assert_eq!(Header::new("", b"w", &key).unwrap_err().kind, FormatErrorKind::Empty);
    assert_eq!(Header::new("k", b"", &key).unwrap_err().kind, FormatErrorKind::Empty);
}

#[test]
fn a_binding_is_at_most_65_536_bytes() {
    let key = record_key();
    let header = Header::new("k", b"w", &key).unwrap();
    let binding = vec![1; 65_537];
    let sealed = key
        .seal(&header, &Context::empty(), &binding[..65_536], &SystemRandom, b"x")
        .unwrap();
    let record = Record::parse(&sealed).unwrap();
    assert!(key.open(&record, &Context::empty(), &binding[..65_536]).is_ok());
    assert!(key.open(&record, &Context::empty(), &binding).is_err());
    let refused = key.seal(&header, &Context::empty(), &binding, &SystemRandom, b"x");
    assert_eq!(refused, Err(SealError::BindingTooLong));
}

#[test]
fn a_context_is_at_most_8192_bytes() {
    let value = "v".repeat(8192 - 2 - 4 - 1);
    assert_eq!(Context::from_pairs([("k", &value)]).unwrap().as_bytes().len(), 8192);
    let longer = value + "v";
    assert_eq!(Context::from_pairs([("k", &longer)]), Err(ContextError::TooLong));
    // Nor can many pairs, or one value of more than a u16, slip by.
    assert_eq!(
        Context::from_pairs((0..2000).map(|n| (n.to_string(), "v"))),
        Err(ContextError::TooLong)
    );
    assert_eq!(
        Context::from_pairs([("k", "v".repeat(70_000))]),
        Err(ContextError::TooLong)
    );
}

#[test]
fn callers_can_not_set_keys_of_bulla_and_bulla_sets_no_others() {
    assert_eq!(
        Context::from_caller_pairs([("bulla:purpose", "x")]),
        Err(ContextError::ReservedKey)
    );
    assert_eq!(
        Context::from_caller_pairs([("a", "1"), ("bulla:", "x")]),
        Err(ContextError::ReservedKey)
    );
    let caller = Context::from_caller_pairs([("bulla", "1"), ("Bulla:a", "2")]).unwrap();
    assert_eq!(caller.with_own("purpose", "x"), Err(ContextError::NotAnOwnKey));
    let own = caller.with_own("bulla:purpose", "column").unwrap();
    assert_eq!(
        own.iter().collect::<Vec<_>>(),
        [("Bulla:a", "2"), ("bulla", "1"), ("bulla:purpose", "column")]
    );
    assert_eq!(own.with_own("bulla:purpose", "other"), Err(ContextError::DuplicateKey));
    assert_eq!(
        Context::from_pairs([("a", "1"), ("a", "1")]),
        Err(ContextError::DuplicateKey)
    );
}

#[test]
fn a_header_of_another_data_key_does_not_seal() {
    let other = RecordKey::derive(&DataKey::from_slice(&[6; 32]).unwrap()).unwrap();
    let header = Header::new("k", b"w", &other).unwrap();
    let refused = record_key().seal(&header, &Context::empty(), b"", &SystemRandom, b"x");
    assert_eq!(refused, Err(SealError::HeaderOfAnotherKey));
}

#[test]
fn nothing_is_sealed_without_randomness() {
    let key = record_key();
    let header = Header::new("k", b"w", &key).unwrap();
    let refused = key.seal(&header, &Context::empty(), b"", &Replay::new(&[0; 11]), b"x");
    assert_eq!(refused, Err(SealError::Random(RandomError)));
    let material = Material::new(&data_key(), "key").unwrap();
    let refused = material.encrypt(&Context::empty(), &Replay::new(&[0; 27]), b"x");
    assert_eq!(refused, Err(SealError::Random(RandomError)));
    assert_eq!(DataKey::generate(&Replay::new(&[0; 31])).unwrap_err(), RandomError);
}

#[test]
fn the_system_generator_does_not_repeat_itself() {
    let draw = || {
        let mut out = [0; 32];
        SystemRandom.fill(&mut out).unwrap();
        out
    };
    assert_ne!(draw(), draw());
}

#[test]
fn debug_of_what_holds_a_key_is_redacted() {
    assert_eq!(format!("{:?}", record_key()), "RecordKey(redacted)");
    assert_eq!(
        format!("{:?}", Material::new(&data_key(), "key").unwrap()),
        "Material(redacted)"
    );
}
