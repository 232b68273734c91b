//! Looks for a secret in all that a store holds, in whatever form it may have come there.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::memory_store::Data;

/// Tells in which form `secret` lies in the rows, events, changes, checkpoints and the head, if in any.
///
/// Forms: its bytes; hexadecimal in small and large letters; Base64 in both alphabets, wherever in a longer value it may begin; and its bytes as
/// numbers in a list.
pub(crate) fn find(data: &Data, secret: &[u8]) -> Option<String> {
    assert!(secret.len() >= 16, "shorter ones are found by chance");
    // The whole in words besides, where bytes are numbers: what holds a secret may be a field that this list does not know.
    let told = format!("{data:?}").into_bytes();
    let bodies = data.rows.values().map(|row| row.body.as_slice());
    let events = data.events.iter().map(|event| event.event.as_slice());
    let places: Vec<&[u8]> = bodies.chain(events).chain([told.as_slice()]).collect();
    forms(secret)
        .into_iter()
        .find_map(|(name, form)| places.iter().any(|place| contains(place, &form)).then_some(name))
}

fn contains(place: &[u8], form: &[u8]) -> bool {
    place.windows(form.len()).any(|window| window == form)
}

fn forms(secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let numbers = |between: &str| {
        let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
        numbers.join(between).into_bytes()
    };
    let mut forms = vec![
        ("bytes".to_owned(), secret.to_vec()),
        ("hexadecimal".to_owned(), hex::encode(secret).into_bytes()),
        ("large hexadecimal".to_owned(), hex::encode_upper(secret).into_bytes()),
        ("numbers".to_owned(), numbers(",")),
        ("numbers with spaces".to_owned(), numbers(", ")),
    ];
    for before in 0..3 {
        let longer = [&[0].repeat(before), secret].concat();
        // The characters that come of the secret's bits alone.
        let own = (before * 8).div_ceil(6)..longer.len() * 8 / 6;
        for (alphabet, encoded) in [
            ("Base64", STANDARD_NO_PAD.encode(&longer)),
            ("Base64url", URL_SAFE_NO_PAD.encode(&longer)),
        ] {
            forms.push((
                format!("{alphabet} after {before}"),
                encoded[own.clone()].as_bytes().to_vec(),
            ));
        }
    }
    forms
}

/// Shows that [`find`] sees `secret` in a store that keeps it unwrapped, in each form and at each alignment.
pub(crate) fn sees_what_is_not_wrapped(data: &Data, secret: &[u8]) {
    let (place, row) = data.rows.iter().next().expect("a row");
    // A small store, which is looked through quickly.
    let data = Data {
        rows: [(place.clone(), row.clone())].into(),
        events: data.events.last().cloned().into_iter().collect(),
        ..Data::default()
    };
    for before in 0..4 {
        let longer = [&[0x5a].repeat(before), secret, b"more"].concat();
        for kept in [
            longer.clone(),
            hex::encode(&longer).into_bytes(),
            hex::encode_upper(&longer).into_bytes(),
            STANDARD_NO_PAD.encode(&longer).into_bytes(),
            URL_SAFE_NO_PAD.encode(&longer).into_bytes(),
            serde_json::to_vec(&longer).expect("a list"),
        ] {
            let mut unwrapped = data.clone();
            let mut row = row.clone();
            row.body = [b"{\"material\":\"", &kept[..], b"\"}"].concat();
            unwrapped.rows.insert(place.clone(), row);
            assert!(find(&unwrapped, secret).is_some(), "{}", String::from_utf8_lossy(&kept));
            let mut told = data.clone();
            let mut event = told.events.last().expect("an event").clone();
            event.event = kept;
            told.events.push(event);
            assert!(find(&told, secret).is_some(), "in an event");
        }
    }
}

/// A secret that no text has by chance.
pub(crate) fn secret(length: usize, salt: u8) -> Vec<u8> {
    (0..length)
        .map(|at| (at as u8).wrapping_mul(73).wrapping_add(salt) ^ 0xa7)
        .collect()
}
