use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// An AWS account id: exactly 12 digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(Arc<str>);

/// An AWS region: 1 to 32 lower-case letters, digits and hyphens.
///
/// Any such word is a region; `us-east-1` and `moon-base-7` are equally good names for a namespace of keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(Arc<str>);

impl AccountId {
    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes an account id of a number below 10^12, as `init` does from random bytes.
    pub fn from_number(number: u64) -> Self {
        Self(format!("{:012}", number % 1_000_000_000_000).into())
    }
}

impl Region {
    /// The region's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for AccountId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(ParseError {
                what: "12-digit account id",
            })
        }
    }
}

impl FromStr for Region {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(ParseError { what: "region" })
        }
    }
}

macro_rules! text_type {
    ($($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = ParseError;
            fn try_from(text: String) -> Result<Self, ParseError> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.as_str().to_owned()
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
pub(crate) use text_type;

text_type!(AccountId, Region);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits() {
        assert!("000000000000".parse::<AccountId>().is_ok());
        for wrong in [
            "",
            "00000000000",
            "0000000000000",
            "00000000000a",
            "0000000000 0",
            "٠٠٠٠٠٠",
        ] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
        assert_eq!(AccountId::from_number(7).as_str(), "000000000007");
        assert_eq!(AccountId::from_number(u64::MAX).as_str().len(), 12);
    }

    #[test]
    fn a_region_holds_no_separator_of_ids() {
        assert!("us-east-1".parse::<Region>().is_ok());
        for wrong in ["", "us/east", "us:east", "US-EAST-1", "a\u{0}", &"a".repeat(33)] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }
}
