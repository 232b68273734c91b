use std::fmt;
use std::str::FromStr;

/// A key as a caller configures it: a scheme, and a name that the scheme's provider understands.
///
/// `bulla:///alias/app` · `aws-kms://arn:aws:kms:eu-west-1:…:key/…` · `aws-kms:///alias/app` · `local:///path/to/root.key`.
/// At most 2,048 bytes, printable ASCII or UTF-8, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyUri {
    scheme: String,
    name: String,
}

/// A key URI that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyUriError {
    /// No `scheme://` at its start.
    #[error("a key URI begins with its provider, as in aws-kms:///alias/app")]
    NoScheme,
    /// Nothing after the scheme.
    #[error("a key URI names a key after its provider, as in aws-kms:///alias/app")]
    NoName,
    /// Longer than 2,048 bytes, or with control characters.
    #[error("a key URI is at most 2,048 bytes without control characters")]
    Malformed,
}

impl KeyUri {
    /// The provider: `aws-kms`, `local`, `bulla`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What the provider is asked for: `arn:…`, `alias/app`, `/path/to/root.key` (a path keeps its leading slash for `local`).
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for KeyUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, KeyUriError> {
        if text.len() > 2048 || text.chars().any(char::is_control) {
            return Err(KeyUriError::Malformed);
        }
        let (scheme, rest) = text.split_once("://").ok_or(KeyUriError::NoScheme)?;
        if scheme.is_empty()
            || !scheme
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            return Err(KeyUriError::NoScheme);
        }
        let name = if scheme == "local" {
            rest
        } else {
            rest.strip_prefix('/').unwrap_or(rest)
        };
        if name.is_empty() || name == "/" {
            return Err(KeyUriError::NoName);
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.scheme == "local" || self.name.starts_with("arn:") {
            ""
        } else {
            "/"
        };
        write!(f, "{}://{slash}{}", self.scheme, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_uri_names_its_provider_and_a_key() {
        for (text, scheme, name) in [
            ("bulla:///alias/app", "bulla", "alias/app"),
            ("aws-kms:///alias/app", "aws-kms", "alias/app"),
            (
                "aws-kms://arn:aws:kms:eu-west-1:1:key/a",
                "aws-kms",
                "arn:aws:kms:eu-west-1:1:key/a",
            ),
            ("local:///path/to/root.key", "local", "/path/to/root.key"),
        ] {
            let uri: KeyUri = text.parse().expect(text);
            assert_eq!((uri.scheme(), uri.name()), (scheme, name));
            assert_eq!(uri.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_key_uri_is_refused_with_its_reason() {
        for (text, error) in [
            ("", KeyUriError::NoScheme),
            ("alias/app", KeyUriError::NoScheme),
            ("://x", KeyUriError::NoScheme),
            ("AWS://x", KeyUriError::NoScheme),
            ("local:", KeyUriError::NoScheme),
            ("local://", KeyUriError::NoName),
            ("local:///", KeyUriError::NoName),
            ("aws-kms:///", KeyUriError::NoName),
            ("aws-kms:///a\nb", KeyUriError::Malformed),
        ] {
            assert_eq!(text.parse::<KeyUri>(), Err(error), "{text}");
        }
        assert_eq!(
            format!("local:///{}", "a".repeat(2048)).parse::<KeyUri>(),
            Err(KeyUriError::Malformed)
        );
    }
}
