use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::account::text_type;
use crate::key::aws_enum;
use crate::{AccountId, ParseError};

/// The name of a user: 1 to 64 of `[A-Za-z0-9+=,.@_-]`, as IAM has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrincipalName(Arc<str>);

/// `arn:aws:iam::<account>:user/<name>`, or `arn:aws:iam::<account>:root`; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PrincipalArn(Arc<str>);

impl PrincipalName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PrincipalName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(ParseError {
                what: "user name of 1 to 64 letters, digits and +=,.@_-",
            })
        }
    }
}

impl PrincipalArn {
    /// Builds the ARN of a user.
    pub fn user(account: &AccountId, name: &PrincipalName) -> Self {
        Self(format!("arn:aws:iam::{account}:user/{name}").into())
    }

    /// Builds the ARN of an account's root.
    pub fn root(account: &AccountId) -> Self {
        Self(format!("arn:aws:iam::{account}:root").into())
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user's name; `root` for an account's root.
    pub fn name(&self) -> &str {
        let resource = self.0.rsplit(':').next().unwrap_or_default();
        resource.strip_prefix("user/").unwrap_or(resource)
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        self.0
            .split(':')
            .nth(4)
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| AccountId::from_number(0))
    }
}

impl FromStr for PrincipalArn {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = ParseError { what: "user ARN" };
        let (account, resource) = text
            .strip_prefix("arn:aws:iam::")
            .and_then(|rest| rest.split_once(':'))
            .ok_or(wrong)?;
        account.parse::<AccountId>().map_err(|_| wrong)?;
        match resource.strip_prefix("user/") {
            Some(name) => name.parse::<PrincipalName>().map(drop).map_err(|_| wrong)?,
            None if resource == "root" => {}
            None => return Err(wrong),
        }
        Ok(Self(text.into()))
    }
}

text_type!(PrincipalName, PrincipalArn);

aws_enum! {
    /// What a principal may do before any policy says more.
    Role, "role" {
        /// Everything.
        Admin = "admin",
        /// Reads metadata and the audit log; uses no key.
        Auditor = "auditor",
        /// Nothing, until a policy or grant says so.
        User = "user",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_arns_parse_into_their_parts() {
        let account: AccountId = "111122223333".parse().expect("an account");
        let arn = PrincipalArn::user(&account, &"ann".parse().expect("a name"));
        assert_eq!(arn.as_str(), "arn:aws:iam::111122223333:user/ann");
        assert_eq!(arn.as_str().parse(), Ok(arn.clone()));
        assert_eq!((arn.name(), arn.account()), ("ann", account));
    }

    #[test]
    fn other_arns_are_not_users() {
        for wrong in [
            "",
            "arn:aws:iam::1:user/ann",
            "arn:aws:iam::111122223333:role/x",
            "arn:aws:iam::111122223333:user/",
        ] {
            assert!(wrong.parse::<PrincipalArn>().is_err(), "{wrong}");
        }
    }
}
