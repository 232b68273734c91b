use std::fmt;

/// The keys whose records a [`Sealer`](crate::Sealer) opens; any other is refused before the provider is asked.
///
/// So who can write a stored value can't have it replaced by one that was sealed under a key of their own. The sealing key always
/// belongs to the ring, and a multi-Region key (`mrk-…`) with its replicas is one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    same_account: bool,
    accepted: Vec<KeyPattern>,
}

/// Names one key, or several by `*`, which stands for any run of characters within one part of a name.
///
/// `aws-kms://arn:aws:kms:*:111122223333:key/*` are the keys of one account in every region. `*` never crosses a `:` or a `/`: a key
/// id that contains another account's ARN does not match.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPattern(String);

/// A pattern that names no resolved key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyPatternError {
    /// Does not begin with the provider's scheme.
    #[error("a key pattern begins with its provider, as in aws-kms://arn:aws:kms:*:111122223333:key/*")]
    NoScheme,
    /// Names an alias: records hold resolved keys only.
    #[error("a key pattern names keys, not aliases")]
    Alias,
    /// Longer than 512 bytes, or with control characters.
    #[error("a key pattern is at most 512 bytes without control characters")]
    Malformed,
}

impl KeyRing {
    /// Accepts the sealing key, and the keys of its account in any region.
    ///
    /// For providers whose keys are not named by ARNs, this is the sealing key alone.
    pub fn same_account() -> Self {
        Self {
            same_account: true,
            accepted: Vec::new(),
        }
    }

    /// Accepts the sealing key alone.
    pub fn sealing_key() -> Self {
        Self {
            same_account: false,
            accepted: Vec::new(),
        }
    }

    /// Accepts no key for being of the sealing key's account: the sealing key is left, and what patterns name.
    #[must_use]
    pub fn without_account(self) -> Self {
        Self {
            same_account: false,
            ..self
        }
    }

    /// Accepts what a pattern names, too.
    #[must_use]
    pub fn accept(mut self, pattern: KeyPattern) -> Self {
        self.accepted.push(pattern);
        self
    }

    /// Tells whether `key` is accepted without knowing the sealing key.
    pub(crate) fn names(&self, key: &str) -> bool {
        self.accepted.iter().any(|pattern| pattern.matches(key))
    }

    /// Tells whether `key` is accepted beside `anchor`, a name of the sealing key.
    pub(crate) fn admits(&self, key: &str, anchor: &str) -> bool {
        same_key(key, anchor) || (self.same_account && same_account(key, anchor))
    }

    /// Makes an anchor of the configured name, if that says enough: then the provider need not be asked to resolve it.
    pub(crate) fn anchor(&self, scheme: &str, name: &str) -> Option<String> {
        let full = format!("{scheme}://{name}");
        let arn = Arn::parse(&full)?;
        (self.same_account || arn.resource.starts_with("key/")).then_some(full)
    }
}

impl Default for KeyRing {
    fn default() -> Self {
        Self::same_account()
    }
}

impl KeyPattern {
    /// Reads a pattern: a resolved key with its scheme, in which `*` may stand for parts.
    ///
    /// # Errors
    /// [`KeyPatternError`].
    pub fn new(pattern: impl Into<String>) -> Result<Self, KeyPatternError> {
        let pattern = pattern.into();
        if pattern.len() > 512 || pattern.chars().any(char::is_control) {
            return Err(KeyPatternError::Malformed);
        }
        let (scheme, name) = pattern.split_once(':').ok_or(KeyPatternError::NoScheme)?;
        if scheme.is_empty() || scheme == "arn" || scheme.contains('*') || name.trim_start_matches('/').is_empty() {
            return Err(KeyPatternError::NoScheme);
        }
        if name.trim_start_matches('/').starts_with("alias/") || name.contains(":alias/") {
            return Err(KeyPatternError::Alias);
        }
        Ok(Self(pattern))
    }

    fn matches(&self, key: &str) -> bool {
        if is_arn(key) && Arn::parse(key).is_none() {
            return false;
        }
        if self.0.contains('*') {
            glob(self.0.as_bytes(), key.as_bytes())
        } else {
            same_key(&self.0, key)
        }
    }
}

impl fmt::Debug for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Matches with one point of return: on a mismatch the last `*` takes one character more.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p) == Some(&text[t]) {
            p += 1;
            t += 1;
        } else {
            // The character that the last star would take ends its part of the name. Earlier stars can't help: what came
            // between them and this one already matched as early as it could, and none of them crosses a part either.
            match star {
                Some((after, from)) if !matches!(text[from], b':' | b'/') => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                _ => return false,
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

struct Arn<'a> {
    scheme: &'a str,
    partition: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads `scheme://arn:partition:kms:region:account:resource`, the slashes optional; nothing else.
    fn parse(key: &'a str) -> Option<Self> {
        let (scheme, name) = key.split_once(':')?;
        let mut parts = name.trim_start_matches('/').split(':');
        let mut next = || parts.next();
        let (arn, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        // A region becomes part of a host's name: anything but a label is no region.
        let is_label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_region = (1..=63).contains(&region.len()) && region.bytes().all(is_label);
        let whole = next().is_none() && is_region && ![partition, account, resource].contains(&"");
        (whole && arn == "arn" && service == "kms").then_some(Self {
            scheme,
            partition,
            account,
            resource,
        })
    }
}

fn is_arn(key: &str) -> bool {
    key.split_once(':')
        .is_some_and(|(_, name)| name.trim_start_matches('/').starts_with("arn:"))
}

fn same_account(key: &str, anchor: &str) -> bool {
    match (Arn::parse(key), Arn::parse(anchor)) {
        (Some(key), Some(anchor)) => {
            key.scheme == anchor.scheme
                && key.partition == anchor.partition
                && key.account == anchor.account
                && key.resource.starts_with("key/")
        }
        _ => false,
    }
}

fn same_key(key: &str, anchor: &str) -> bool {
    let replica = |key: &str| Arn::parse(key).is_some_and(|arn| arn.resource.starts_with("key/mrk-"));
    let resource = |key| Arn::parse(key).map(|arn| arn.resource);
    key == anchor || (replica(key) && same_account(key, anchor) && resource(key) == resource(anchor))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/1234";
    const MRK: &str = "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/mrk-1";

    #[test]
    fn the_default_ring_accepts_the_account_and_no_other() {
        let ring = KeyRing::default();
        assert!(ring.admits("aws-kms://arn:aws:kms:us-east-1:111122223333:key/5678", KEY));
        for foreign in [
            "aws-kms://arn:aws:kms:eu-west-1:999999999999:key/1234",
            "aws-kms://arn:aws-cn:kms:eu-west-1:111122223333:key/1234",
            "bulla://arn:aws:kms:eu-west-1:111122223333:key/1234",
            "aws-kms://arn:aws:s3:eu-west-1:111122223333:key/1234",
            "aws-kms://arn:aws:kms:eu-west-1:111122223333:alias/app",
            "aws-kms://arn:aws:kms:eu-west-1:999999999999:key/1:111122223333:key/1234",
            "local:1234",
            "aws-kms://arn:aws:kms:evil.example:111122223333:key/1234",
            "aws-kms://arn:aws:kms:evil/#:111122223333:key/1234",
            "",
        ] {
            assert!(!ring.admits(foreign, KEY), "{foreign}");
        }
    }

    #[test]
    fn a_ring_without_its_account_accepts_what_it_names() {
        let former = "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/5678";
        let ring = KeyRing::same_account().accept(KeyPattern::new(former).unwrap());
        let ring = ring.without_account();
        assert!(ring.admits(KEY, KEY) && ring.names(former));
        let other = "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/9999";
        assert!(!ring.admits(other, KEY) && !ring.names(other));
    }

    #[test]
    fn keys_without_an_account_are_accepted_one_by_one() {
        assert!(KeyRing::default().admits("local:a", "local:a"));
        assert!(!KeyRing::default().admits("local:b", "local:a"));
    }

    #[test]
    fn replicas_of_a_multi_region_key_are_one_key() {
        let replica = "aws-kms://arn:aws:kms:us-east-1:111122223333:key/mrk-1";
        assert!(KeyRing::sealing_key().admits(replica, MRK));
        assert!(!KeyRing::sealing_key().admits("aws-kms://arn:aws:kms:us-east-1:111122223333:key/1234", KEY));
        assert!(!KeyRing::sealing_key().admits("aws-kms://arn:aws:kms:us-east-1:999999999999:key/mrk-1", MRK));
        assert!(
            KeyRing::sealing_key()
                .accept(KeyPattern::new(MRK).unwrap())
                .names(replica)
        );
    }

    #[test]
    fn a_star_stays_within_its_part_of_the_name() {
        let pattern = KeyPattern::new("aws-kms://arn:aws:kms:*:111122223333:key/*").unwrap();
        assert!(pattern.matches(KEY) && pattern.matches(MRK));
        for foreign in [
            "aws-kms://arn:aws:kms:eu-west-1:999999999999:key/1",
            "aws-kms://arn:aws:kms:eu-west-1:999999999999:key/x:111122223333:key/1",
            "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/1/2",
            "aws-kms://arn:aws:kms:eu-west-1:111122223333:key",
            "aws-kms://arn:aws:kms:evil.example:111122223333:key/1",
        ] {
            assert!(!pattern.matches(foreign), "{foreign}");
        }
        assert!(KeyPattern::new("local:*a*c").unwrap().matches("local:xabcabc"));
        assert!(!KeyPattern::new("local:*a*c").unwrap().matches("local:xabcabd"));
    }

    #[test]
    fn patterns_name_resolved_keys() {
        assert_eq!(KeyPattern::new("alias/app"), Err(KeyPatternError::NoScheme));
        assert_eq!(KeyPattern::new("arn:aws:kms:a:b:key/c"), Err(KeyPatternError::NoScheme));
        assert_eq!(KeyPattern::new("aws-kms:///alias/app"), Err(KeyPatternError::Alias));
        assert_eq!(KeyPattern::new("*:x"), Err(KeyPatternError::NoScheme));
    }

    #[test]
    fn an_arn_says_which_account_it_is_of_and_an_alias_does_not() {
        let ring = KeyRing::same_account();
        let alias = "arn:aws:kms:eu-west-1:111122223333:alias/app";
        assert!(ring.admits(KEY, &ring.anchor("aws-kms", alias).unwrap()));
        assert_eq!(ring.anchor("aws-kms", "alias/app"), None);
        assert_eq!(KeyRing::sealing_key().anchor("aws-kms", alias), None);
    }
}
