//! The text and JSON forms of a record have one spelling each, or are refused.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bulla_crypto::record::{self, Header, Record, RecordKey};
use bulla_crypto::{Context, DataKey, SystemRandom};

/// A record whose length leaves `remainder` octets over a multiple of three.
fn record_with_remainder(remainder: usize) -> Vec<u8> {
    let key = RecordKey::derive(&DataKey::from_slice(&[5; 32]).unwrap()).unwrap();
    let header = Header::new("local:k", b"w", &key).unwrap();
    let plaintext = vec![0; (3 + remainder - header.record_len(0) % 3) % 3];
    let record = key
        .seal(&header, &Context::empty(), b"", &SystemRandom, &plaintext)
        .unwrap();
    assert_eq!(record.len() % 3, remainder);
    record
}

#[test]
fn text_has_no_padding_and_no_stray_characters() {
    for remainder in 0..3 {
        let record = record_with_remainder(remainder);
        let text = record::to_text(&record);
        assert_eq!(record::from_text(&text).unwrap(), record);
        let encoded = text.strip_prefix("bulla.1.").unwrap();
        let refused = [
            format!("{text}="),
            format!("{text}=="),
            format!("{text}\n"),
            format!(" {text}"),
            format!("bulla.1.{}\n{}", &encoded[..8], &encoded[8..]),
            format!("bulla.1.+{}", &encoded[1..]),
            format!("bulla.1./{}", &encoded[1..]),
            format!("bulla.2.{encoded}"),
            format!("Bulla.1.{encoded}"),
            format!("bulla.1{encoded}"),
            encoded.to_owned(),
            "bulla.1.".to_owned(),
            String::new(),
        ];
        for text in refused {
            assert!(record::from_text(&text).is_err(), "{text}");
        }
        // One character more is another record (an octet longer, so it does not open), or no encoding of octets at all.
        if let Ok(longer) = record::from_text(&format!("{text}A")) {
            assert_ne!(remainder, 0);
            assert_eq!(longer, [&record[..], &[0]].concat());
        }
    }
}

#[test]
fn text_whose_last_character_has_bits_to_spare_has_them_zero() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (remainder, spare_bits) in [(1, 4), (2, 2)] {
        let text = record::to_text(&record_with_remainder(remainder));
        let (front, last) = text.split_at(text.len() - 1);
        let value = ALPHABET.iter().position(|c| *c == last.as_bytes()[0]).unwrap();
        assert_eq!(value % (1 << spare_bits), 0);
        for spare in 1..1 << spare_bits {
            let changed = format!("{front}{}", ALPHABET[value + spare] as char);
            assert!(record::from_text(&changed).is_err(), "{changed}");
        }
    }
}

#[test]
fn json_members_may_come_in_any_order_but_only_once_and_no_others() {
    let bytes = record_with_remainder(0);
    let record = Record::parse(&bytes).unwrap();
    let json = record::to_json(&record);
    assert_eq!(record::from_json(&json).unwrap(), bytes);

    let members: Vec<&str> = json.trim_matches(['{', '}']).split(',').collect();
    let names: Vec<&str> = members.iter().map(|member| member.split('"').nth(1).unwrap()).collect();
    assert_eq!(
        names,
        [
            "version",
            "algorithm",
            "keyId",
            "encryptedDataKey",
            "commitment",
            "iv",
            "encrypted",
            "authTag"
        ]
    );
    let reversed: Vec<&str> = members.iter().rev().copied().collect();
    assert_eq!(
        record::from_json(&format!("{{ {} }}", reversed.join(" , "))).unwrap(),
        bytes
    );

    for at in 0..members.len() {
        let mut fewer = members.clone();
        let member = fewer.remove(at);
        assert!(
            record::from_json(&format!("{{{}}}", fewer.join(","))).is_err(),
            "without {member}"
        );
        assert!(
            record::from_json(&format!("{{{},{member}}}", members.join(","))).is_err(),
            "twice {member}"
        );
    }
    assert!(record::from_json(&format!(r#"{{{},"more":1}}"#, members.join(","))).is_err());
    assert!(record::from_json(&format!("{json} x")).is_err());
    assert!(record::from_json(&format!("[{json}]")).is_err());
}

#[test]
fn json_of_another_version_algorithm_length_or_base64_is_refused() {
    let bytes = record_with_remainder(0);
    let json = record::to_json(&Record::parse(&bytes).unwrap());
    assert!(json.contains(r#""encryptedDataKey":"dw==""#));
    let refused = [
        (r#""version":1"#, r#""version":2"#),
        (r#""version":1"#, r#""version":"1""#),
        (r#""version":1"#, r#""version":1.0"#),
        ("AES-256-GCM", "AES-128-GCM"),
        ("AES-256-GCM", "aes-256-gcm"),
        ("dw==", "dw"),
        ("dw==", "dx=="),
        ("dw==", "dw== "),
        ("dw==", ""),
        ("local:k", ""),
        (r#""iv":""#, r#""iv":"AAAA"#),
        (r#""authTag":""#, r#""authTag":"AAAA"#),
        (r#""commitment":""#, r#""commitment":"AAAA"#),
    ];
    for (from, to) in refused {
        assert!(json.contains(from), "{from}");
        assert!(record::from_json(&json.replacen(from, to, 1)).is_err(), "{from} → {to}");
    }
}
