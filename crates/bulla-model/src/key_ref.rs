use crate::{AccountId, AliasName, KeyId, Region};

/// How a caller names a key: a key id, a key ARN, an alias name or an alias ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRef {
    /// The account of an ARN; `None` means the caller's own.
    pub account: Option<AccountId>,
    /// What is named.
    pub named: NamedKey,
}

/// The last part of a [`KeyRef`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedKey {
    /// A key.
    Key(KeyId),
    /// An alias.
    Alias(AliasName),
}

/// Why a text names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefError {
    /// Neither an id, nor an alias, nor an ARN; the message is AWS's.
    #[error("Invalid keyId '{0}'")]
    Malformed(String),
    /// An ARN whose last part is no key id; the message is AWS's.
    #[error("Invalid keyId {0}")]
    MalformedInArn(String),
    /// An ARN of another region; the message is AWS's.
    #[error("Invalid arn {0}")]
    OtherRegion(String),
    /// An ARN that is not of a KMS key or alias; the message is AWS's.
    #[error("{0} is not a valid KMS ARN")]
    NotKms(String),
}

impl KeyRef {
    /// Reads what a caller in `region` sent as `KeyId`.
    ///
    /// # Errors
    /// [`KeyRefError`], whose messages are AWS's.
    pub fn parse(text: &str, region: &Region) -> Result<Self, KeyRefError> {
        let malformed = || KeyRefError::Malformed(text.to_owned());
        if text.starts_with("arn:") {
            let mut parts = text.splitn(6, ':').skip(1);
            let mut next = || parts.next().ok_or_else(malformed);
            let (partition, service, arn_region, account, resource) = (next()?, next()?, next()?, next()?, next()?);
            if partition != "aws" || service != "kms" {
                return Err(KeyRefError::NotKms(text.to_owned()));
            }
            if arn_region != region.as_str() {
                return Err(KeyRefError::OtherRegion(arn_region.to_owned()));
            }
            let account = account.parse().map_err(|_| malformed())?;
            let named = match resource.strip_prefix("key/") {
                Some(id) => NamedKey::Key(id.parse().map_err(|_| KeyRefError::MalformedInArn(id.to_owned()))?),
                None => NamedKey::Alias(resource.parse().map_err(|_| malformed())?),
            };
            return Ok(Self {
                account: Some(account),
                named,
            });
        }
        let named = if text.starts_with("alias/") {
            NamedKey::Alias(text.parse().map_err(|_| malformed())?)
        } else {
            NamedKey::Key(text.parse().map_err(|_| malformed())?)
        };
        Ok(Self { account: None, named })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    fn parse(text: &str) -> Result<KeyRef, KeyRefError> {
        KeyRef::parse(text, &"us-east-1".parse().expect("a region"))
    }

    #[test]
    fn all_four_forms_name_a_key() {
        let account: AccountId = "111122223333".parse().expect("an account");
        let key = NamedKey::Key(ID.parse().expect("an id"));
        let alias = NamedKey::Alias("alias/app".parse().expect("an alias"));
        assert_eq!(
            parse(ID),
            Ok(KeyRef {
                account: None,
                named: key.clone()
            })
        );
        assert_eq!(
            parse("alias/app"),
            Ok(KeyRef {
                account: None,
                named: alias.clone()
            })
        );
        let arn = format!("arn:aws:kms:us-east-1:111122223333:key/{ID}");
        assert_eq!(
            parse(&arn),
            Ok(KeyRef {
                account: Some(account.clone()),
                named: key
            })
        );
        let arn = "arn:aws:kms:us-east-1:111122223333:alias/app";
        assert_eq!(
            parse(arn),
            Ok(KeyRef {
                account: Some(account),
                named: alias
            })
        );
    }

    #[test]
    fn refusals_speak_as_aws_does() {
        assert_eq!(parse("x").expect_err("refused").to_string(), "Invalid keyId 'x'");
        let arn = format!("arn:aws:kms:eu-west-1:111122223333:key/{ID}");
        assert_eq!(parse(&arn).expect_err("refused").to_string(), "Invalid arn eu-west-1");
        for wrong in [
            "arn:",
            "arn:aws:kms",
            "arn:aws:kms:us-east-1:1:key/x",
            "arn:aws:kms:us-east-1:111122223333:x",
        ] {
            assert!(matches!(parse(wrong), Err(KeyRefError::Malformed(_))), "{wrong}");
        }
        assert!(matches!(parse("arn:aws:s3:::bucket"), Err(KeyRefError::NotKms(_))));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_without_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
