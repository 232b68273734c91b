use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use zeroize::Zeroizing;

/// A JSON string where it lies in the body; copied, and wiped, only where it has escapes.
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Owned(Zeroizing<String>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl<'de> Visitor<'de> for OfText {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text::Borrowed(text))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text::Owned(Zeroizing::new(text.to_owned())))
            }
        }
        deserializer.deserialize_str(OfText)
    }
}

/// Decodes standard or URL-safe base64, padded or not; `None` for anything else: white space, both alphabets at once, padding that does
/// not fit, last bits that are not zero.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let bare = match bytes {
        [bare @ .., b'=', b'='] | [bare @ .., b'='] if bytes.len().is_multiple_of(4) => bare,
        _ => bytes,
    };
    let decoded = base64_simd::STANDARD_NO_PAD.decode_to_vec(bare);
    decoded
        .or_else(|_| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(bare))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_with_padding_and_without() {
        for text in ["+/+/", "-_-_"] {
            assert_eq!(decode_base64(text).unwrap(), [0xfb, 0xff, 0xbf], "{text}");
        }
        for text in ["/w==", "/w", "_w==", "_w"] {
            assert_eq!(decode_base64(text).unwrap(), [0xff], "{text}");
        }
        assert_eq!(decode_base64(""), Some(Vec::new()));
        let long: Vec<u8> = (0..=255).cycle().take(1000).collect();
        assert_eq!(
            decode_base64(&base64_simd::URL_SAFE.encode_to_string(&long)).unwrap(),
            long
        );
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in [
            "=", "==", "a", "a===", "/w=", "/w===", "+_+_", "/x==", "aa a", "aaa\n", "a=aa", "!!!!", "ä",
        ] {
            assert_eq!(decode_base64(text), None, "{text:?}");
        }
    }
}
