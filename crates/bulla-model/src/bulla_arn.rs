use std::fmt::{self, Write};
use std::str::FromStr;
use std::sync::Arc;

use crate::{AccountId, Region};

/// `arn:aws:bulla:<region>:<account>:<kind>/<name>[/<name>…]`: what actions outside KMS are on; cheap to clone.
///
/// A token is `token/<client>/<provider>`, a codec's namespace `codec/<namespace>`, the audit log `audit/log`, which has no region. Each name is one part,
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
        Self::build(region.as_str(), account, kind, names)
    }

    /// Builds the ARN of what is one for all regions, `arn:aws:bulla::<account>:…`: a caller's region is no part of it.
    pub fn of_all_regions(account: &AccountId, kind: &'static str, names: &[&str]) -> Self {
        Self::build("", account, kind, names)
    }

    fn build(region: &str, account: &AccountId, kind: &'static str, names: &[&str]) -> Self {
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

/// The words that resources begin with.
const KINDS: [&str; 5] = ["audit", "changes", "codec", "column", "token"];

/// A text that is no ARN of a resource outside KMS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not arn:aws:bulla:<region>:<account>:<kind>/<name>, where the kind is audit, changes, codec, column or token"
)]
pub struct BullaArnError;

impl FromStr for BullaArn {
    type Err = BullaArnError;

    /// Reads an ARN as [`new`](Self::new) writes it: at least one name, each with what must be encoded encoded.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.strip_prefix("arn:aws:bulla:").ok_or(BullaArnError)?.splitn(3, ':');
        let mut part = || parts.next().ok_or(BullaArnError);
        let region: Region = part()?.parse().map_err(|_| BullaArnError)?;
        let account: AccountId = part()?.parse().map_err(|_| BullaArnError)?;
        let (kind, names) = part()?.split_once('/').ok_or(BullaArnError)?;
        let kind = KINDS.into_iter().find(|known| *known == kind).ok_or(BullaArnError)?;
        let names: Option<Vec<String>> = names.split('/').map(decoded).collect();
        let names = names.ok_or(BullaArnError)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arn = Self::new(&region, &account, kind, &names);
        if arn.as_str() == text {
            Ok(arn)
        } else {
            Err(BullaArnError)
        }
    }
}

/// What a part of an ARN stands for; `None` for what stands for nothing.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
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

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        for names in [&["client_123", "stripe"][..], &["a/b", "*:ü", "%"], &["feed"]] {
            let (region, account) = (
                "eu-west-1".parse().expect("a region"),
                "111122223333".parse().expect("an account"),
            );
            let arn = BullaArn::new(&region, &account, "token", names);
            let read: BullaArn = arn.as_str().parse().expect("an ARN");
            assert_eq!((read.kind(), &read), ("token", &arn));
        }
        for wrong in [
            "",
            "arn:aws:kms:eu-west-1:111122223333:key/a",
            "arn:aws:bulla:eu-west-1:111122223333:token",
            "arn:aws:bulla:eu-west-1:111122223333:token/",
            "arn:aws:bulla:eu-west-1:111122223333:token/a/",
            "arn:aws:bulla:eu-west-1:111122223333:cheese/a",
            "arn:aws:bulla:eu-west-1:1111:token/a",
            "arn:aws:bulla::111122223333:token/a",
            "arn:aws:bulla:eu-west-1:111122223333:token/a*",
            "arn:aws:bulla:eu-west-1:111122223333:token/%61",
            "arn:aws:bulla:eu-west-1:111122223333:token/%2",
            "arn:aws:bulla:eu-west-1:111122223333:token/%2f",
            "arn:aws:bulla:eu-west-1:111122223333:token/%FF",
        ] {
            assert_eq!(wrong.parse::<BullaArn>(), Err(BullaArnError), "{wrong}");
        }
    }
}
