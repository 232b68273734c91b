//! What the fuzz targets of this crate check; built for tests and for `cargo fuzz` only.

use crate::api_token::ApiToken;

/// API tokens: never a panic, one spelling for each, and a checksum that another last character breaks.
pub fn api_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(token) = ApiToken::parse(text) else { return };
    assert_eq!((text.len(), token.id().len()), (81, 22));
    assert!(text.starts_with(token.id()));
    let other = if text.ends_with('a') { "b" } else { "a" };
    assert!(ApiToken::parse(&format!("{}{other}", &text[..80])).is_none());
    assert!(!token.is_of(text) && !token.is_of(""));
}

/// Session tokens: never a panic, and nothing opens that the store key did not seal; what such a token says is read in one way.
pub fn session_token(data: &[u8]) {
    crate::session::read_any(data);
}

/// JWTs, and the claims of one that was verified: never a panic, and nobody whose claims are not in order.
pub fn web_identity(data: &[u8]) {
    crate::oidc::read_any(data);
}

#[cfg(test)]
mod tests {
    use bulla_testkit::replay_corpus;

    #[test]
    fn the_corpus_of_api_tokens_replays() {
        replay_corpus("api_token", 100, super::api_token);
    }

    #[test]
    fn the_corpus_of_session_tokens_replays() {
        replay_corpus("session_token", 200, super::session_token);
    }

    #[test]
    fn the_corpus_of_web_identities_replays() {
        replay_corpus("web_identity", 300, super::web_identity);
    }
}
