use std::fmt;
use std::str::FromStr;

/// The name of a Temporal namespace: 1 to 255 letters, digits, `.`, `_` and `-`, of which the first is a letter or a digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(String);

/// A text that is no namespace, or no pattern of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a namespace is 1 to 255 letters, digits, dots, underscores and hyphens, and begins with a letter or a digit")]
pub struct NamespaceError;

/// Names namespaces; `*` stands for any run of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespacePattern(String);

const MAX_BYTES: usize = 255;

impl Namespace {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if begins && text.len() <= MAX_BYTES && text.bytes().all(is_of_a_name) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NamespaceError)
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NamespacePattern {
    /// Tells whether the pattern names every namespace.
    #[must_use]
    pub fn matches_all(&self) -> bool {
        self.0.bytes().all(|byte| byte == b'*')
    }

    /// Tells whether the pattern names this namespace.
    #[must_use]
    pub fn matches(&self, namespace: &Namespace) -> bool {
        let (pattern, text) = (self.0.as_bytes(), namespace.0.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go on after a mismatch: behind the last star, which then takes one character more.
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            if pattern.get(p) == Some(&b'*') {
                retry = Some((p + 1, t));
                p += 1;
            } else if pattern.get(p) == Some(&text[t]) {
                (p, t) = (p + 1, t + 1);
            } else if let Some((after, from)) = retry {
                retry = Some((after, from + 1));
                (p, t) = (after, from + 1);
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

impl FromStr for NamespacePattern {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        let whole = (1..=MAX_BYTES).contains(&text.len());
        if whole && text.bytes().all(|byte| byte == b'*' || is_of_a_name(byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NamespaceError)
        }
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_temporal_takes_and_no_path() {
        for name in ["default", "payments.a8x72", "a", "1-2_3", &"n".repeat(255)] {
            assert!(name.parse::<Namespace>().is_ok(), "{name}");
        }
        for name in ["", ".", "..", "-a", "a/b", "a b", "ü", "a\n", "*", &"n".repeat(256)] {
            assert!(name.parse::<Namespace>().is_err(), "{name}");
        }
    }

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        let matches = |pattern: &str, name: &str| {
            pattern
                .parse::<NamespacePattern>()
                .unwrap()
                .matches(&name.parse().unwrap())
        };
        for (pattern, name) in [
            ("*", "x"),
            ("prod-*", "prod-"),
            ("*.a1", "b.a1"),
            ("a*b*c", "aXbbYc"),
            ("x", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("prod-*", "prod"),
            ("*.a1", "b.a1x"),
            ("a*b*c", "acb"),
            ("x", "X"),
            ("x", "xx"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
