//! What is sealed: the bytes of a token, as `spec/token-vault.md` draws them.

use bulla_crypto::{Context, SecretBytes};
use bulla_model::Timestamp;
use zeroize::Zeroize as _;

use crate::token::{About, MAX_VALUE_BYTES};

const FORMAT: u8 = 1;
const MAX_TYPE_BYTES: usize = 256;
const MAX_SCOPES: usize = 256;
const MAX_SCOPE_BYTES: usize = 1024;

/// A part of a token that is beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token's {what} is {limit}")]
pub struct LimitError {
    what: &'static str,
    limit: &'static str,
}

impl LimitError {
    pub(crate) const REFRESH_TOKEN: Self = Self {
        what: "refresh token",
        limit: "1 to 65,536 bytes",
    };
}

/// Writes a token's content.
pub(crate) fn encode(about: &About, value: &[u8]) -> Result<SecretBytes, LimitError> {
    require(
        !value.is_empty() && value.len() <= MAX_VALUE_BYTES,
        "value",
        "1 to 65,536 bytes",
    )?;
    require(about.token_type.len() <= MAX_TYPE_BYTES, "type", "at most 256 bytes")?;
    require(about.scopes.len() <= MAX_SCOPES, "list of scopes", "at most 256 long")?;
    let good = |scope: &String| (1..=MAX_SCOPE_BYTES).contains(&scope.len());
    require(about.scopes.iter().all(good), "scope", "1 to 1,024 bytes")?;
    let texts = about.token_type.len() + about.scopes.iter().map(|scope| 2 + scope.len()).sum::<usize>();
    // Reserved whole: a vector that grows leaves copies of the value behind.
    let mut out = Vec::with_capacity(21 + texts + about.metadata.as_bytes().len() + value.len());
    out.push(FORMAT);
    out.extend_from_slice(&micros(Some(about.created)).to_be_bytes());
    out.extend_from_slice(&micros(about.expires).to_be_bytes());
    put_text(&mut out, &about.token_type);
    out.extend_from_slice(&(about.scopes.len() as u16).to_be_bytes());
    for scope in &about.scopes {
        put_text(&mut out, scope);
    }
    out.extend_from_slice(about.metadata.as_bytes());
    out.extend_from_slice(value);
    Ok(SecretBytes::from_vec(out))
}

/// Reads a token's content; `None` for anything that [`encode`] does not write.
pub(crate) fn decode(content: &SecretBytes) -> Option<(About, SecretBytes)> {
    let mut reader = Reader(content.expose_secret());
    if reader.u8()? != FORMAT {
        return None;
    }
    let created = Timestamp::from_micros(i64::try_from(reader.u64()?).ok()?);
    let expires = match i64::try_from(reader.u64()?).ok()? {
        0 => None,
        expires => Some(Timestamp::from_micros(expires)),
    };
    let token_type = reader.text(0, MAX_TYPE_BYTES)?;
    let count = usize::from(reader.u16()?);
    if count > MAX_SCOPES {
        return None;
    }
    let scopes = (0..count)
        .map(|_| reader.text(1, MAX_SCOPE_BYTES))
        .collect::<Option<Vec<_>>>()?;
    let metadata = reader.context()?;
    let value = reader.0;
    if value.is_empty() || value.len() > MAX_VALUE_BYTES {
        return None;
    }
    let about = About {
        created,
        expires,
        token_type,
        scopes,
        metadata,
    };
    Some((about, SecretBytes::from_vec(value.to_vec())))
}

/// Takes fields from the front of bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    fn text(&mut self, least: usize, most: usize) -> Option<String> {
        let length = usize::from(self.u16()?);
        if !(least..=most).contains(&length) {
            return None;
        }
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    /// Takes a context off the front: it delimits itself.
    fn context(&mut self) -> Option<Context> {
        let whole = self.0;
        let count = self.u16()?;
        for _ in 0..2 * u32::from(count) {
            let length = usize::from(self.u16()?);
            self.take(length)?;
        }
        Context::parse(whole.get(..whole.len() - self.0.len())?).ok()
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Limits were checked: no text here is longer than 1,024 bytes.
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Microseconds as they are stored; what lies before 1970 is 1, since 0 means never.
pub(crate) fn micros(time: Option<Timestamp>) -> u64 {
    time.map_or(0, |time| u64::try_from(time.as_micros()).unwrap_or(0).max(1))
}

fn require(holds: bool, what: &'static str, limit: &'static str) -> Result<(), LimitError> {
    if holds { Ok(()) } else { Err(LimitError { what, limit }) }
}

/// Copies secret text into bytes of its own and wipes the original.
pub(crate) fn secret_from(mut text: String) -> SecretBytes {
    let bytes = text.as_bytes().to_vec();
    text.zeroize();
    SecretBytes::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            created: Timestamp::from_micros(5),
            expires: Some(Timestamp::from_micros(9)),
            token_type: "Bearer".into(),
            scopes: vec!["read".into(), "write".into()],
            metadata: Context::from_pairs([("account", "42")]).unwrap(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (read, value) = decode(&encode(&about(), b"s3cret").unwrap()).unwrap();
        assert_eq!((read, value.expose_secret()), (about(), &b"s3cret"[..]));
    }

    #[test]
    fn content_that_ends_early_is_refused() {
        let whole = encode(&about(), b"s").unwrap();
        for length in 0..whole.len() {
            let cut = SecretBytes::from_vec(whole.expose_secret()[..length].to_vec());
            assert!(decode(&cut).is_none(), "{length}");
        }
        let mut other = whole.expose_secret().to_vec();
        other[0] = 2;
        assert!(decode(&SecretBytes::from_vec(other)).is_none());
    }

    #[test]
    fn each_part_has_its_limit() {
        assert!(encode(&about(), &[0; MAX_VALUE_BYTES]).is_ok());
        assert_eq!(
            encode(&about(), &[0; MAX_VALUE_BYTES + 1]).unwrap_err().to_string(),
            "a token's value is 1 to 65,536 bytes"
        );
        assert!(encode(&about(), b"").is_err());
        for wrong in [
            About {
                token_type: "x".repeat(257),
                ..about()
            },
            About {
                scopes: vec!["x".into(); 257],
                ..about()
            },
            About {
                scopes: vec![String::new()],
                ..about()
            },
            About {
                scopes: vec!["x".repeat(1025)],
                ..about()
            },
        ] {
            assert!(encode(&wrong, b"v").is_err());
        }
    }
}
