use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ParseError;

/// The id of one version of a key's material: 32 bytes, shown as 64 hex digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MaterialId(pub [u8; 32]);

impl fmt::Display for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for MaterialId {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<MaterialId> for String {
    fn from(id: MaterialId) -> String {
        id.to_string()
    }
}

impl fmt::Debug for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaterialId({self})")
    }
}

impl FromStr for MaterialId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = ParseError {
            what: "key material id",
        };
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(wrong);
        }
        let digit = |b: u8| match b {
            b'0'..=b'9' => Ok(b - b'0'),
            b'a'..=b'f' => Ok(b - b'a' + 10),
            _ => Err(wrong),
        };
        let mut id = [0; 32];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hex_goes_there_and_back(bytes in any::<[u8; 32]>()) {
            let id = MaterialId(bytes);
            prop_assert_eq!(id.to_string().parse::<MaterialId>(), Ok(id));
        }
    }

    #[test]
    fn upper_case_and_short_ids_are_refused() {
        assert!("AB".repeat(32).parse::<MaterialId>().is_err());
        assert!("ab".repeat(31).parse::<MaterialId>().is_err());
    }
}
