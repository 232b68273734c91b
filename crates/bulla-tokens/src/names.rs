use std::fmt;
use std::sync::Arc;

/// The longest client, provider or token name, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// A name that is empty or longer than 1,024 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {what} is 1 to 1,024 bytes long")]
pub struct NameError {
    what: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// A clone is cheap.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes 1 to 1,024 bytes of any characters.
            ///
            /// # Errors
            /// [`NameError`].
            pub fn new(name: impl Into<Box<str>>) -> Result<Self, NameError> {
                let name = name.into();
                if name.is_empty() || name.len() > MAX_NAME_BYTES {
                    return Err(NameError { what: $what });
                }
                Ok(Self(name.into()))
            }

            /// Gives the name as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Gives the name percent-encoded: for keys, paths, ARNs and logs.
            pub fn encoded(&self) -> String {
                let mut out = String::with_capacity(self.0.len());
                self.encode_into(&mut out);
                out
            }

            pub(crate) fn encode_into(&self, out: &mut String) {
                encode(&self.0, out);
            }

            /// Reads what [`encoded`](Self::encoded) gives, and nothing else.
            pub fn from_encoded(encoded: &str) -> Option<Self> {
                decode(encoded).and_then(|name| Self::new(name).ok())
            }
        }

        /// Percent-encoded, so that it stands on one line and is one word.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.encoded())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.encoded())
            }
        }
    };
}

name! {
    /// Whose token it is: the tenant, merchant or application under whose key it is sealed.
    ClientId, "client id"
}
name! {
    /// Who issued the token: the third-party API.
    Provider, "provider"
}
name! {
    /// Which of a provider's tokens it is; `default` where there is one.
    TokenName, "token name"
}

impl Default for TokenName {
    fn default() -> Self {
        Self("default".into())
    }
}

/// Names one token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenRef {
    /// Whose it is.
    pub client: ClientId,
    /// Who issued it.
    pub provider: Provider,
    /// Which one it is.
    pub name: TokenName,
}

impl TokenRef {
    /// Names a provider's only token.
    pub fn new(client: ClientId, provider: Provider) -> Self {
        Self {
            client,
            provider,
            name: TokenName::default(),
        }
    }

    /// Names another token of the same client and provider.
    #[must_use]
    pub fn named(mut self, name: TokenName) -> Self {
        self.name = name;
        self
    }
}

/// `client/provider`, and `#name` where it is not the default; each part percent-encoded.
impl fmt::Display for TokenRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.client, self.provider)?;
        if self.name != TokenName::default() {
            write!(f, "#{}", self.name)?;
        }
        Ok(())
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// "`A-Z a-z 0-9 - . _ ~` stand for themselves, every other octet is `%` and two upper-case hexadecimal digits".
fn encode(name: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if name.bytes().all(is_plain) {
        out.push_str(name);
        return;
    }
    for byte in name.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// Reads what [`encode`] writes, and nothing else.
fn decode(encoded: &str) -> Option<String> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let upper = |digit: &u8| digit.is_ascii_digit() || (b'A'..=b'F').contains(digit);
                let byte = hex_byte(digits).filter(|byte| digits.iter().all(upper) && !is_plain(*byte))?;
                out.push(byte);
            }
            plain if is_plain(plain) => out.push(plain),
            _ => return None,
        }
    }
    String::from_utf8(out).ok()
}

fn hex_byte(digits: [u8; 2]) -> Option<u8> {
    let mut out = [0];
    hex::decode_to_slice(digits, &mut out).ok()?;
    Some(out[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_1_to_1024_bytes() {
        assert!(ClientId::new("").is_err());
        assert!(ClientId::new("a".repeat(1024)).is_ok());
        assert_eq!(
            Provider::new("é".repeat(513)).unwrap_err().to_string(),
            "a provider is 1 to 1,024 bytes long"
        );
    }

    #[test]
    fn an_encoded_name_is_one_plain_word_and_comes_back() {
        for name in ["acme", "a:b/c{d}e", "naïve ☃", "%", "\u{0}\n\u{1b}", "a-b.c_d~e"] {
            let encoded = ClientId::new(name).unwrap().encoded();
            assert!(encoded.bytes().all(|byte| is_plain(byte) || byte == b'%'), "{encoded}");
            assert_eq!(ClientId::from_encoded(&encoded).unwrap().as_str(), name);
        }
    }

    #[test]
    fn only_what_is_written_is_read() {
        for wrong in ["%41", "%2f", "%", "%2", "%zz", "a b", "a:b", "%FF", ""] {
            assert_eq!(ClientId::from_encoded(wrong), None, "{wrong}");
        }
    }
}
