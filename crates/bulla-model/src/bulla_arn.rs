use std::fmt::{self, Write};
use std::sync::Arc;

use crate::{AccountId, Region};

/// `arn:aws:bulla:<region>:<account>:<kind>/<name>[/<name>…]`: what actions outside KMS are on; cheap to clone.
///
/// A token is `token/<client>/<provider>`, a codec's namespace `codec/<namespace>`, the audit log `audit/log`. Each name is one part,
/// whatever it contains: all but letters, digits and `._-+=@` is percent-encoded, so that a policy's `token/a/*` is about client `a` and
/// nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BullaArn {
    text: Arc<str>,
    kind: &'static str,
}

impl BullaArn {
    /// Builds the ARN of a resource; `kind` is a lower-case word.
    pub fn new(region: &Region, account: &AccountId, kind: &'static str, names: &[&str]) -> Self {
        let mut text = format!("arn:aws:bulla:{region}:{account}:{kind}");
        for name in names {
            text.push('/');
            for byte in name.bytes() {
                if byte.is_ascii_alphanumeric() || b"._-+=@".contains(&byte) {
                    text.push(char::from(byte));
                } else {
                    // Writing to a text does not fail.
                    let _ = write!(text, "%{byte:02X}");
                }
            }
        }
        Self {
            text: text.into(),
            kind,
        }
    }

    /// The ARN.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The ARN, shared.
    pub fn shared(&self) -> Arc<str> {
        self.text.clone()
    }

    /// The word before the first name: `token`, `codec`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Display for BullaArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_reaches_into_another() {
        let (region, account) = (
            "eu-west-1".parse().expect("a region"),
            "111122223333".parse().expect("an account"),
        );
        let arn = |names: &[&str]| BullaArn::new(&region, &account, "token", names).to_string();
        assert_eq!(
            arn(&["client_123", "stripe"]),
            "arn:aws:bulla:eu-west-1:111122223333:token/client_123/stripe"
        );
        assert_eq!(
            arn(&["a/b", "*:ü"]),
            "arn:aws:bulla:eu-west-1:111122223333:token/a%2Fb/%2A%3A%C3%BC"
        );
        assert_ne!(arn(&["a", "b/c"]), arn(&["a/b", "c"]));
        assert_ne!(arn(&["a%2F"]), arn(&["a/"]));
    }
}
