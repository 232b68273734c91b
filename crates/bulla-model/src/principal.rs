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

/// `arn:aws:iam::<account>:user/<name>`, `role/<name>`, `group/<name>` or `root`, or a role's session,
/// `arn:aws:sts::<account>:assumed-role/<role>/<session>`; cheap to clone.
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

    /// Builds the ARN of a role.
    pub fn role(account: &AccountId, name: &PrincipalName) -> Self {
        Self(format!("arn:aws:iam::{account}:role/{name}").into())
    }

    /// Builds the ARN of a group.
    pub fn group(account: &AccountId, name: &PrincipalName) -> Self {
        Self(format!("arn:aws:iam::{account}:group/{name}").into())
    }

    /// Builds the ARN of a session of `role`; `None` where that is no role's or `name` is not 2 to 64 letters, digits and `_+=,.@-`.
    pub fn session(role: &PrincipalArn, name: &str) -> Option<Self> {
        let legal = is_session_name(name) && role.is_role();
        legal.then(|| Self(format!("arn:aws:sts::{}:assumed-role/{}/{name}", role.account(), role.name()).into()))
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a role's; a session is none.
    pub fn is_role(&self) -> bool {
        self.resource().starts_with("role/")
    }

    /// Whether it is a group's.
    pub fn is_group(&self) -> bool {
        self.resource().starts_with("group/")
    }

    /// The name of a user, role or group; `root` for an account's root; `<role>/<session>` for a session.
    pub fn name(&self) -> &str {
        let resource = self.resource();
        resource.split_once('/').map_or(resource, |(_, name)| name)
    }

    fn resource(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
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
        let wrong = ParseError { what: "principal ARN" };
        let rest = text.strip_prefix("arn:aws:").ok_or(wrong)?;
        let (service, rest) = rest.split_once("::").ok_or(wrong)?;
        let (account, resource) = rest.split_once(':').ok_or(wrong)?;
        account.parse::<AccountId>().map_err(|_| wrong)?;
        let named = |name: &str| name.parse::<PrincipalName>().is_ok();
        let legal = match (service, resource.split_once('/')) {
            ("iam", None) => resource == "root",
            ("iam", Some(("user" | "role" | "group", name))) => named(name),
            ("sts", Some(("assumed-role", rest))) => rest
                .split_once('/')
                .is_some_and(|(role, session)| named(role) && is_session_name(session)),
            _ => false,
        };
        if !legal {
            return Err(wrong);
        }
        Ok(Self(text.into()))
    }
}

/// 2 to 64 of `[A-Za-z0-9_+=,.@-]`.
fn is_session_name(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    (2..=64).contains(&text.len()) && text.bytes().all(legal)
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
    fn roles_groups_and_sessions_have_arns_of_their_own() {
        let account: AccountId = "111122223333".parse().expect("an account");
        let name: PrincipalName = "app".parse().expect("a name");
        let (role, group) = (
            PrincipalArn::role(&account, &name),
            PrincipalArn::group(&account, &name),
        );
        assert!(role.is_role() && !role.is_group() && group.is_group());
        let session = PrincipalArn::session(&role, "pod-1").expect("a session");
        assert_eq!(session.as_str(), "arn:aws:sts::111122223333:assumed-role/app/pod-1");
        assert_eq!(
            (session.name(), session.is_role(), session.account()),
            ("app/pod-1", false, account)
        );
        for arn in [&role, &group, &session] {
            assert_eq!(arn.as_str().parse().as_ref(), Ok(arn));
        }
        assert_eq!(PrincipalArn::session(&group, "pod-1"), None);
        assert_eq!(PrincipalArn::session(&role, "p"), None);
        assert_eq!(PrincipalArn::session(&role, "a/b"), None);
    }

    #[test]
    fn other_arns_are_no_principals() {
        for wrong in [
            "",
            "arn:aws:iam::1:user/ann",
            "arn:aws:iam::111122223333:policy/x",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:assumed-role/app/pod",
            "arn:aws:sts::111122223333:user/ann",
            "arn:aws:sts::111122223333:assumed-role/app",
            "arn:aws:sts::111122223333:assumed-role/app/a/b",
        ] {
            assert!(wrong.parse::<PrincipalArn>().is_err(), "{wrong}");
        }
    }
}
