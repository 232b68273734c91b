//! Reads a body into a member of every kind there is; for the fuzz target.

use serde::Deserialize;

use super::json::{Blob, Flag, List, Moment, Number, Object, Pairs, Text, parse};
use super::validation::{Checks, KEY_ID, MAX_PLAINTEXT};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    plaintext: Option<Blob>,
    number_of_bytes: Option<Number>,
    dry_run: Option<Flag>,
    valid_to: Option<Moment>,
    encryption_context: Option<Pairs>,
    grant_tokens: Option<List<Text>>,
    tags: Option<List<Object<Tag>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Tag {
    tag_key: Option<Text>,
}

/// Never a panic; a refusal is one of AWS's, and that of a form quotes nothing.
pub(crate) fn read_any_body(body: &[u8]) {
    let input: Input = match parse(body) {
        Ok(input) => input,
        Err(failure) => {
            assert_eq!(failure.code, "SerializationException");
            let message = failure.message.as_deref().unwrap_or_default();
            assert!(
                message.len() < 200 && message.bytes().all(|byte| matches!(byte, b' '..=b'~')),
                "{message}"
            );
            return;
        }
    };
    let mut checks = Checks::default();
    let key_id = checks.text("keyId", input.key_id, &KEY_ID);
    let plaintext = checks.blob("plaintext", input.plaintext, MAX_PLAINTEXT);
    let number = checks.number("numberOfBytes", input.number_of_bytes, 1, 1024);
    checks.flag(input.dry_run);
    checks.context("encryptionContext", input.encryption_context);
    checks.grant_tokens(input.grant_tokens);
    for tag in input.tags.into_iter().flat_map(|List(tags)| tags).flatten() {
        checks.text("tagKey", tag.0.tag_key, &KEY_ID);
    }
    let _any_moment = input.valid_to.map(|Moment(milliseconds)| milliseconds);
    if checks.finish(()).is_ok() {
        assert!(key_id.is_none_or(|id| !id.is_empty() && id.chars().count() <= 2048));
        assert!(plaintext.is_none_or(|bytes| (1..=MAX_PLAINTEXT).contains(&bytes.len())));
        assert!(number.is_none_or(|number| (1..=1024).contains(&number)));
    }
}
