use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::account::text_type;

/// The name of an alias, with its prefix: `alias/app`, at most 256 bytes, `[a-zA-Z0-9:/_-]` after the prefix.
///
/// Names under `alias/aws/` are AWS's own: they parse, and [`is_reserved`](Self::is_reserved) tells them.
/// Source: <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html>.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AliasName(Arc<str>);

/// Why a text is not the name of an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AliasNameError {
    /// It does not begin with `alias/`.
    #[error("an alias begins with alias/")]
    NoPrefix,
    /// Nothing follows the prefix, or it is longer than 256 bytes.
    #[error("an alias is 7 to 256 bytes")]
    Length,
    /// A character that aliases can't have.
    #[error("an alias is made of letters, digits and :/_-")]
    Character,
}

impl AliasName {
    /// The name with its prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether the name is one of those that only AWS makes (`alias/aws/…`).
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("alias/aws/")
    }
}

impl FromStr for AliasName {
    type Err = AliasNameError;

    fn from_str(text: &str) -> Result<Self, AliasNameError> {
        let rest = text.strip_prefix("alias/").ok_or(AliasNameError::NoPrefix)?;
        if rest.is_empty() || text.len() > 256 {
            return Err(AliasNameError::Length);
        }
        if !rest.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b)) {
            return Err(AliasNameError::Character);
        }
        Ok(Self(text.into()))
    }
}

use AliasNameError as ParseError;
text_type!(AliasName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_prefix_alone_is_no_alias() {
        assert_eq!("alias/".parse::<AliasName>(), Err(AliasNameError::Length));
        assert_eq!("app".parse::<AliasName>(), Err(AliasNameError::NoPrefix));
        assert_eq!("alias/a b".parse::<AliasName>(), Err(AliasNameError::Character));
        assert_eq!(
            format!("alias/{}", "a".repeat(251)).parse::<AliasName>(),
            Err(AliasNameError::Length)
        );
        assert!(format!("alias/{}", "a".repeat(250)).parse::<AliasName>().is_ok());
    }

    #[test]
    fn names_under_alias_aws_are_reserved() {
        assert!("alias/aws/s3".parse::<AliasName>().expect("parses").is_reserved());
        assert!(!"alias/awsome".parse::<AliasName>().expect("parses").is_reserved());
    }

    proptest! {
        #[test]
        fn what_parses_prints_as_it_was(text in "alias/[a-zA-Z0-9:/_-]{1,250}") {
            prop_assert_eq!(text.parse::<AliasName>().expect("legal").to_string(), text);
        }

        #[test]
        fn any_text_parses_or_is_refused_without_panic(text in ".*") {
            let _ = text.parse::<AliasName>();
        }
    }
}
