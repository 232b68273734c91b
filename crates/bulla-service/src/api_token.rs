//! The text of an API token, and what is stored of it (`spec/api-token.md`).

use bulla_crypto::{Random, SecretBytes, constant_time_eq, sha256};
use zeroize::Zeroizing;

use crate::ServiceError;

pub(crate) const PREFIX: &str = "bulla_";
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const ID_CHARACTERS: usize = 16;
const SECRET_CHARACTERS: usize = 52;
const CHECKSUM_CHARACTERS: usize = 7;
const ID_END: usize = PREFIX.len() + ID_CHARACTERS;
const SECRET_END: usize = ID_END + SECRET_CHARACTERS;
const LENGTH: usize = SECRET_END + CHECKSUM_CHARACTERS;
const HASH_DOMAIN: &[u8] = b"bulla/api-token/1\0";

/// A text of the form of an API token; whose it is, or whether anybody's, a row says.
pub(crate) struct ApiToken<'a>(&'a str);

impl<'a> ApiToken<'a> {
    /// Reads a token; `None` for any other text, without a look at the store.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let legal = text.len() == LENGTH && rest.bytes().all(|byte| ALPHABET.contains(&byte));
        if !legal {
            return None;
        }
        let (content, checksum) = text.split_at(SECRET_END);
        constant_time_eq(&checksum_of(content.as_bytes()), checksum.as_bytes()).then_some(Self(text))
    }

    /// `bulla_` and 16 characters: the id of the token's row.
    pub(crate) fn id(&self) -> &'a str {
        &self.0[..ID_END]
    }

    /// Whether the hash of a row is this token's.
    pub(crate) fn is_of(&self, hash: &str) -> bool {
        constant_time_eq(hash_of(self.0).as_bytes(), hash.as_bytes())
    }
}

/// A token that was just drawn.
pub(crate) struct DrawnToken {
    pub(crate) id: String,
    pub(crate) text: SecretBytes,
    pub(crate) hash: String,
}

/// Draws a token.
pub(crate) fn draw(random: &dyn Random) -> Result<DrawnToken, ServiceError> {
    let mut drawn = Zeroizing::new([0; ID_CHARACTERS + SECRET_CHARACTERS]);
    random
        .fill(&mut *drawn)
        .map_err(|_| ServiceError::Internal("the random generator failed"))?;
    // Never grown, so that nothing of it is left where it was.
    let mut text = Zeroizing::new(String::with_capacity(LENGTH));
    text.push_str(PREFIX);
    text.extend(drawn.iter().map(|byte| character(*byte)));
    let checksum = checksum_of(text.as_bytes());
    text.extend(checksum.iter().map(|byte| char::from(*byte)));
    Ok(DrawnToken {
        id: text[..ID_END].to_owned(),
        hash: hash_of(&text),
        text: SecretBytes::from_vec(text.as_bytes().to_vec()),
    })
}

fn hash_of(text: &str) -> String {
    let mut input = Zeroizing::new(Vec::with_capacity(HASH_DOMAIN.len() + text.len()));
    input.extend_from_slice(HASH_DOMAIN);
    input.extend_from_slice(text.as_bytes());
    hex::encode(sha256(&input))
}

fn checksum_of(content: &[u8]) -> [u8; CHECKSUM_CHARACTERS] {
    let digest = sha256(content);
    std::array::from_fn(|at| ALPHABET[usize::from(digest[at] & 31)])
}

fn character(byte: u8) -> char {
    char::from(ALPHABET[usize::from(byte & 31)])
}

#[cfg(test)]
mod tests {
    use bulla_testkit::SeededRandom;

    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_drawn() {
        let drawn = draw(&SeededRandom::new(1)).expect("draws");
        let text = std::str::from_utf8(drawn.text.expose_secret()).expect("ASCII");
        assert_eq!(text.len(), 81);
        let token = ApiToken::parse(text).expect("a token");
        assert_eq!((token.id(), token.id().len()), (drawn.id.as_str(), 22));
        assert!(token.is_of(&drawn.hash));
        assert!(!token.is_of(&hash_of("another")));
        assert!(!drawn.hash.contains(&text[ID_END..]));
    }

    /// Computed apart from this code, with Python's hashlib.
    #[test]
    fn the_format_is_as_it_is_specified() {
        let content = format!("bulla_{}{}", "a".repeat(16), "b".repeat(52));
        let token = format!("{content}c2kipwb");
        let token = ApiToken::parse(&token).expect("a token");
        assert!(token.is_of("722c2edab96974ac7f33c60942264db71ce21b5330c713dec41b448c48c2e59a"));
    }

    #[test]
    fn what_differs_in_one_character_is_no_token() {
        let drawn = draw(&SeededRandom::new(1)).expect("draws");
        let text = std::str::from_utf8(drawn.text.expose_secret()).expect("ASCII");
        for at in 0..text.len() {
            let mut other = text.to_owned().into_bytes();
            other[at] = if other[at] == b'a' { b'b' } else { b'a' };
            let other = String::from_utf8(other).expect("ASCII");
            assert!(ApiToken::parse(&other).is_none(), "{at}");
        }
        for wrong in [
            "",
            "bulla_",
            &text[..80],
            &format!("{text}a"),
            &text.to_uppercase(),
            "bulla_\u{e9}",
        ] {
            assert!(ApiToken::parse(wrong).is_none(), "{wrong}");
        }
    }
}
