//! Makes the frozen vectors of `spec/vectors/` from the text of the specifications.
//!
//! The bytes are put together here a second time, from primitives and by hand, and not by the crate: so that the tests compare two
//! readings of the specification.

#[path = "vectors/files.rs"]
mod files;
#[path = "vectors/primitives.rs"]
mod primitives;

use aws_lc_rs::hmac;
pub(crate) use files::*;
use primitives::{base64, canonical, element, expand, hmac_sha512, pairs, seal, stream};

/// Makes the vectors of `spec/context.md`.
pub(crate) fn contexts() -> ContextVectors {
    let long = "x".repeat(8192 - 2 - 4 - 1);
    let sets: Vec<Pairs> = vec![
        vec![],
        pairs(&[("tenant", "42"), ("bulla:purpose", "column")]),
        pairs(&[("", "")]),
        pairs(&[("b", "2"), ("a", "1"), ("ab", "3"), ("", "0")]),
        pairs(&[
            ("é", "composed"),
            ("e\u{301}", "decomposed"),
            ("z", "after e, before é"),
        ]),
        pairs(&[("k", "線\u{10FFFF}\u{0}\n")]),
        pairs(&[
            ("aws:s3:arn", "arn:aws:s3:::bucket/object"),
            ("Aws:s3:arn", "case matters"),
        ]),
        pairs(&[("l", &long)]),
    ];
    let valid = sets
        .into_iter()
        .map(|set| ValidContext {
            canonical: hex::encode(canonical(&set)),
            pairs: set,
        })
        .collect();
    let invalid = [
        ("empty", ""),
        ("ends within the count", "00"),
        ("ends before the first pair", "0001"),
        ("ends within a key", "0001 0002 61"),
        ("ends before the value", "0001 0001 61"),
        ("ends within a value", "0001 0001 61 0002 62"),
        ("octets after the last pair", "0000 00"),
        ("a pair more than the count says", "0001 0001 61 0000 0001 62 0000"),
        ("one key twice", "0002 0001 61 0001 31 0001 61 0001 32"),
        ("keys descending", "0002 0001 62 0000 0001 61 0000"),
        ("a prefix after what it begins", "0002 0002 6162 0000 0001 61 0000"),
        ("a key that is not UTF-8", "0001 0001 ff 0000"),
        ("a value that is not UTF-8", "0001 0001 61 0002 c328"),
        ("an overlong UTF-8 form", "0001 0001 61 0002 c080"),
        ("a surrogate in UTF-8", "0001 0001 61 0003 eda080"),
    ];
    let mut invalid: Vec<Invalid> = invalid
        .iter()
        .map(|(reason, hex)| Invalid {
            reason: (*reason).to_owned(),
            bytes: hex.replace(' ', ""),
        })
        .collect();
    let too_long = canonical(&pairs(&[("l", &format!("{long}x"))]));
    invalid.push(Invalid {
        reason: "longer than 8,192 octets".to_owned(),
        bytes: hex::encode(too_long),
    });
    ContextVectors { valid, invalid }
}

/// Makes the vectors of `spec/record.md`.
pub(crate) fn records() -> RecordVectors {
    let arn = "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let valid = vec![
        record(
            "1",
            arn,
            184,
            &pairs(&[("bulla:purpose", "column"), ("tenant", "42")]),
            b"users/email/12345",
            b"alice@example.com",
        ),
        record("2", "local:0123456789abcdef", 60, &vec![], b"", b""),
        record("3", "local:k", 1, &pairs(&[("k", "v")]), b"", &[0; 16]),
        record(
            "4",
            "bulla:é",
            48,
            &pairs(&[("é", "線")]),
            &[0, 255, 128],
            "grün".as_bytes(),
        ),
        record(
            "5",
            &"k".repeat(512),
            6144,
            &vec![],
            &[7; 300],
            &(0..=255).collect::<Vec<u8>>(),
        ),
        record(
            "6",
            arn,
            184,
            &pairs(&[("long", &"v".repeat(1000))]),
            &[1; 2000],
            b"associated data on the heap",
        ),
    ];
    let first = hex::decode(&valid[0].record).expect("hex");
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = first.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        hex::encode(bytes)
    };
    let head = |key: &[u8], wrapped: &[u8]| {
        let lengths = [(key.len() as u16).to_be_bytes(), (wrapped.len() as u16).to_be_bytes()];
        hex::encode([&[1, 1], &lengths[0][..], key, &lengths[1][..], wrapped, &[0; 60]].concat())
    };
    let invalid = [
        ("empty", String::new()),
        ("version 0", changed(0, &[0])),
        ("version 2", changed(0, &[2])),
        ("suite 0", changed(1, &[0])),
        ("suite 2", changed(1, &[2])),
        ("no key", head(b"", b"w")),
        ("a key longer than 512 octets", head(&[b'k'; 513], b"w")),
        ("a key that is not UTF-8", head(b"\xff", b"w")),
        ("no wrapped key", head(b"k", b"")),
        ("a wrapped key longer than 6,144 octets", head(b"k", &[0; 6145])),
        ("ends within the key", hex::encode(&first[..40])),
        ("ends within the wrapped key", hex::encode(&first[..150])),
        (
            "ends within the tag",
            head(b"k", b"w")[..2 * (2 + 3 + 3 + 59)].to_owned(),
        ),
    ];
    let invalid = invalid
        .into_iter()
        .map(|(reason, bytes)| Invalid {
            reason: reason.to_owned(),
            bytes,
        })
        .collect();
    let refused = |reason: &str, change: &dyn Fn(&mut RefusedRecord)| {
        let valid = &valid[0];
        let mut refused = RefusedRecord {
            reason: reason.to_owned(),
            data_key: valid.data_key.clone(),
            context: valid.context.clone(),
            binding: valid.binding.clone(),
            record: valid.record.clone(),
        };
        change(&mut refused);
        refused
    };
    let commitment_at = 2 + 2 + arn.len() + 2 + 184;
    let end = first.len();
    let refused = vec![
        refused("another data key", &|r| {
            r.data_key = hex::encode(stream("record data key 2", 32))
        }),
        refused("a missing context", &|r| r.context.clear()),
        refused("a context with another value", &|r| r.context[1].1 = "43".to_owned()),
        refused("a context with a pair more", &|r| {
            r.context.push(("x".to_owned(), "y".to_owned()))
        }),
        refused("another binding", &|r| r.binding = hex::encode("users/email/12346")),
        refused("no binding", &|r| r.binding.clear()),
        refused("a changed commitment", &|r| {
            r.record = changed(commitment_at, &[first[commitment_at] ^ 1])
        }),
        refused("a changed nonce", &|r| {
            r.record = changed(commitment_at + 32, &[first[commitment_at + 32] ^ 1])
        }),
        refused("a changed ciphertext", &|r| {
            r.record = changed(end - 17, &[first[end - 17] ^ 1])
        }),
        refused("a changed tag", &|r| {
            r.record = changed(end - 1, &[first[end - 1] ^ 0x80])
        }),
        refused("an octet less", &|r| r.record = hex::encode(&first[..end - 1])),
        refused("an octet more", &|r| {
            r.record = hex::encode([&first[..], &[0]].concat())
        }),
    ];
    RecordVectors {
        valid,
        invalid,
        refused,
    }
}

fn record(name: &str, key: &str, wrapped_len: usize, context: &Pairs, binding: &[u8], plaintext: &[u8]) -> ValidRecord {
    let data_key = stream(&format!("record data key {name}"), 32);
    let wrapped_key = stream(&format!("record wrapped key {name}"), wrapped_len);
    let nonce = stream(&format!("record nonce {name}"), 12);
    let prk = hmac_sha512(b"bulla/record/1", &data_key);
    let encryption_key = expand(&prk, b"encrypt\x01", 32);
    let commitment = expand(&prk, b"commit\x01", 32);
    let binding_length = (binding.len() as u32).to_be_bytes();
    let aad = [&[1, 1], &commitment[..], &canonical(context), &binding_length, binding].concat();
    let sealed = seal(&encryption_key, &nonce, &aad, plaintext);
    let (key_length, wrapped_length) = ((key.len() as u16).to_be_bytes(), (wrapped_len as u16).to_be_bytes());
    let record = [
        &[1, 1],
        &key_length[..],
        key.as_bytes(),
        &wrapped_length,
        &wrapped_key,
        &commitment,
        &nonce,
        &sealed,
    ]
    .concat();
    let (ciphertext, tag) = sealed.split_at(plaintext.len());
    let json = format!(
        r#"{{"version":1,"algorithm":"AES-256-GCM","keyId":"{key}","encryptedDataKey":"{}","commitment":"{}","iv":"{}","encrypted":"{}","authTag":"{}"}}"#,
        base64(&wrapped_key),
        base64(&commitment),
        base64(&nonce),
        base64(ciphertext),
        base64(tag),
    );
    let text = base64(&record).replace('+', "-").replace('/', "_");
    ValidRecord {
        data_key: hex::encode(data_key),
        key: key.to_owned(),
        wrapped_key: hex::encode(wrapped_key),
        context: context.clone(),
        binding: hex::encode(binding),
        nonce: hex::encode(nonce),
        plaintext: hex::encode(plaintext),
        encryption_key: hex::encode(encryption_key),
        commitment: hex::encode(commitment),
        aad: hex::encode(aad),
        record: hex::encode(record),
        text: format!("bulla.1.{}", text.trim_end_matches('=')),
        json,
    }
}

/// Makes the vectors of `spec/ciphertext-blob.md`.
pub(crate) fn blobs() -> BlobVectors {
    let key_id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    let tenant = pairs(&[("tenant", "42")]);
    let mut valid = vec![
        blob("1", key_id, &tenant, &stream("a data key", 32)),
        blob("2", key_id, &vec![], b"a"),
        blob("3", "mrk-1234abcd12ab34cd56ef1234567890ab", &tenant, b""),
        blob("4", "", &pairs(&[("long", &"v".repeat(1000))]), "grün".as_bytes()),
    ];
    // Lengths at which one of the five DER lengths grows by an octet.
    for len in [35, 36, 38, 39, 84, 85, 100, 101, 163, 164, 228, 229, 4096] {
        valid.push(blob(&format!("of {len}"), key_id, &tenant, &stream("plaintext", len)));
    }
    let first = hex::decode(&valid[0].blob).expect("hex");
    let changed = |at: usize, to: u8| {
        let mut bytes = first.clone();
        bytes[at] = to;
        hex::encode(bytes)
    };
    // 58: 30 7c, 60: OID (11), 71: a0 6f, 73: 30 6d, 75: 02 01 00, 78: 30 68, 80: OID (11), 91: 30 1e, 93: OID (11), 104: 30 11, 106: 04 0c,
    // 108: nonce, 120: 02 01 10, 123: 80 3b, 125: content.
    let long_form = [&first[..54], &127u32.to_be_bytes(), &[0x30, 0x81, 0x7c], &first[60..]].concat();
    let short = [
        &first[..54],
        &93u32.to_be_bytes(),
        &[0x30, 0x5b],
        &first[60..71],
        &[0xa0, 0x4e, 0x30, 0x4c, 2, 1, 0, 0x30, 0x47],
        &first[80..123],
        &[0x80, 26],
        &first[125..151],
    ]
    .concat();
    let invalid = [
        ("empty", String::new()),
        ("another first octet", changed(0, 2)),
        ("another fifth octet", changed(4, 0x79)),
        ("another salt mark", changed(37, 2)),
        ("a length that is too small", changed(57, 0x7d)),
        ("a length that is too large", changed(57, 0x7f)),
        ("an octet more", hex::encode([&first[..], &[0]].concat())),
        ("an octet less", hex::encode(&first[..183])),
        ("ends within the prefix", hex::encode(&first[..50])),
        ("not a SEQUENCE", changed(58, 0x31)),
        ("a length in a form that is longer than needed", hex::encode(long_form)),
        ("the indefinite length", changed(59, 0x80)),
        ("another content type", changed(70, 0x03)),
        ("not [0]", changed(71, 0xa1)),
        ("another version", changed(77, 2)),
        ("an inner element that ends too early", changed(74, 0x6c)),
        ("an inner element that ends too late", changed(79, 0x69)),
        ("another inner content type", changed(90, 0x02)),
        ("another algorithm", changed(103, 0x06)),
        ("another nonce length", changed(107, 0x0b)),
        ("another tag length", changed(122, 0x0c)),
        ("content that is not [0]", changed(123, 0xa0)),
        ("content shorter than inner header and tag", hex::encode(short)),
    ];
    let invalid = invalid
        .into_iter()
        .map(|(reason, bytes)| Invalid {
            reason: reason.to_owned(),
            bytes,
        })
        .collect();
    let refused = |reason: &str, change: &dyn Fn(&mut RefusedBlob)| {
        let valid = &valid[0];
        let mut refused = RefusedBlob {
            reason: reason.to_owned(),
            material: valid.material.clone(),
            key_id: valid.key_id.clone(),
            context: valid.context.clone(),
            blob: valid.blob.clone(),
        };
        change(&mut refused);
        refused
    };
    let inner_header =
        |bytes: [u8; 11]| blob_with_inner_header("1", key_id, &tenant, &bytes, &stream("a data key", 32)).blob;
    let refused = vec![
        refused("other material", &|b| {
            b.material = hex::encode(stream("blob material 2", 32))
        }),
        refused("the material of another key", &|b| b.key_id = "another".to_owned()),
        refused("a missing context", &|b| b.context.clear()),
        refused("a context with another value", &|b| b.context[0].1 = "43".to_owned()),
        refused("a context with a pair more", &|b| {
            b.context.push(("x".to_owned(), "y".to_owned()))
        }),
        refused("a changed material id", &|b| b.blob = changed(5, first[5] ^ 1)),
        refused("a changed salt", &|b| b.blob = changed(53, first[53] ^ 1)),
        refused("a changed nonce", &|b| b.blob = changed(108, first[108] ^ 1)),
        refused("a changed ciphertext", &|b| b.blob = changed(125, first[125] ^ 1)),
        refused("a changed tag", &|b| b.blob = changed(183, first[183] ^ 0x80)),
        refused("inner header of version 2", &|b| {
            b.blob = inner_header([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        }),
        refused("inner header with a one at its end", &|b| {
            b.blob = inner_header([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
        }),
    ];
    BlobVectors {
        valid,
        invalid,
        refused,
    }
}

fn blob(name: &str, key_id: &str, context: &Pairs, plaintext: &[u8]) -> ValidBlob {
    blob_with_inner_header(name, key_id, context, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], plaintext)
}

fn blob_with_inner_header(name: &str, key_id: &str, context: &Pairs, inner: &[u8; 11], plaintext: &[u8]) -> ValidBlob {
    let material = stream(&format!("blob material {name}"), 32);
    let salt = stream(&format!("blob salt {name}"), 16);
    let nonce = stream(&format!("blob nonce {name}"), 12);
    let domain = b"bulla/material-id/1";
    let id_input = [
        &[0, 19],
        &domain[..],
        &(key_id.len() as u32).to_be_bytes(),
        key_id.as_bytes(),
    ]
    .concat();
    let material_id = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &material), &id_input)
        .as_ref()
        .to_vec();
    let prk = hmac_sha512(b"bulla/blob/1", &material);
    let message_key = expand(&prk, &[&material_id[..], &salt].concat(), 32);
    let prefix = [&[1, 2, 2, 0, 0x78], &material_id[..], &[1], &salt].concat();
    let aad = [prefix.clone(), canonical(context)].concat();
    let content = seal(&message_key, &nonce, &aad, &[inner, plaintext].concat());
    let oid = |hex: &str| element(0x06, &hex::decode(hex).expect("hex"));
    let parameters = element(0x30, &[element(0x04, &nonce), element(0x02, &[16])].concat());
    let algorithm = element(0x30, &[oid("60864801650304012e"), parameters].concat());
    let info = element(
        0x30,
        &[oid("2a864886f70d010701"), algorithm, element(0x80, &content)].concat(),
    );
    let data = element(0xa0, &element(0x30, &[element(0x02, &[0]), info].concat()));
    let der = element(0x30, &[oid("2a864886f70d010706"), data].concat());
    ValidBlob {
        material: hex::encode(material),
        key_id: key_id.to_owned(),
        context: context.clone(),
        salt: hex::encode(salt),
        nonce: hex::encode(nonce),
        plaintext: hex::encode(plaintext),
        material_id: hex::encode(material_id),
        prk: hex::encode(prk),
        message_key: hex::encode(message_key),
        aad: hex::encode(aad),
        blob: hex::encode([&prefix[..], &(der.len() as u32).to_be_bytes(), &der].concat()),
    }
}
