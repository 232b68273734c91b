//! What the fuzz targets of this crate check; built for tests and for `cargo fuzz` only.

use std::sync::LazyLock;

use bulla_crypto::SecretBytes;
use bulla_model::Timestamp;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::fetch::OAuthClient;
use crate::fetch::http::Answer;
use crate::fetch::state::FetchState;
use crate::place::Prefix;
use crate::store::{Condition, Write, entry_bytes, read_entry};
use crate::{About, ClientId, MAX_VALUE_BYTES, content};

/// What is sealed, tokens and states of fetching: never a panic, and one spelling for each.
pub fn token_record(data: &[u8]) {
    let sealed = SecretBytes::from_vec(data.to_vec());
    if let Some((about, value)) = content::decode(&sealed) {
        assert!((1..=MAX_VALUE_BYTES).contains(&value.len()));
        let about = About {
            // Before 1970, and at its beginning, is 1: 0 means never elsewhere.
            created: about.created.max(Timestamp::from_micros(1)),
            ..about
        };
        let written = content::encode(&about, value.expose_secret()).expect("what is read is within the limits");
        let (again, same) = content::decode(&written).expect("what is written is read");
        assert_eq!((again, same.expose_secret()), (about, value.expose_secret()));
    }
    if let Some(state) = FetchState::decode(&sealed) {
        assert_eq!(state.encode().expose_secret(), data);
    }
}

/// Values and index members of a store that is not trusted: never a panic, and one spelling for each.
pub fn redis_value(data: &[u8]) {
    if let Ok(entry) = read_entry(data.to_vec()) {
        let write = Write {
            version: entry.version,
            record: entry.record.as_deref(),
            keep: None,
            condition: Condition::Any,
            lease: None,
            unbelieved: None,
        };
        assert_eq!(entry_bytes(&write), data);
    }
    let client = ClientId::new("c").expect("a client");
    let places = Prefix::default().client(&client);
    if let Some(place) = std::str::from_utf8(data).ok().and_then(|member| places.member(member)) {
        let (kind, provider, name) = place.parts().expect("the parts of a place");
        assert_eq!(places.place(kind, &provider, &name), place);
    }
}

/// Made once: it reads the certificates of the system.
static CLIENT: LazyLock<OAuthClient> =
    LazyLock::new(|| OAuthClient::new("https://auth.example.com/token", "id").expect("a client"));

/// Answers of token endpoints, the first line being status and `Retry-After`: never a panic, never nothing at all, nor an endless life.
pub fn oauth_answer(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (head, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let (status, retry_after) = head.split_at(head.len().min(3));
    let Ok(status) = StatusCode::from_bytes(status) else {
        return;
    };
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(retry_after.trim_ascii()) {
        headers.insert(RETRY_AFTER, value);
    }
    let answer = Answer {
        status,
        headers,
        body: SecretBytes::from_vec(body.to_vec()),
    };
    if let Ok(fetched) = CLIENT.read(answer) {
        assert!(status.is_success());
        assert!(!fetched.value.is_empty() || fetched.refresh_token.is_some());
        assert!(fetched.ttl.is_some_and(|ttl| ttl.as_secs() <= 1_000_000_000));
        assert!(fetched.refresh_token.is_none_or(|token| !token.is_empty()));
    }
}

#[cfg(test)]
mod tests {
    use bulla_testkit::replay_corpus;

    #[test]
    fn the_corpus_of_what_is_sealed_replays() {
        replay_corpus("token_record", 200, super::token_record);
    }

    #[test]
    fn the_corpus_of_store_values_replays() {
        replay_corpus("redis_value", 200, super::redis_value);
    }

    #[test]
    fn the_corpus_of_oauth_answers_replays() {
        replay_corpus("oauth_answer", 100, super::oauth_answer);
    }
}
