use serde::{Deserialize, Serialize};

/// A tag: key of 1 to 128 characters, value of up to 256.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Why tags were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// A key that is empty or longer than 128 characters, or a value longer than 256.
    #[error("A tag key has 1 to 128 characters and a tag value at most 256")]
    Length,
    /// A key under `aws:`.
    #[error("Tags beginning with aws: are reserved")]
    Reserved,
    /// The same key twice.
    #[error("Duplicate tag keys")]
    Duplicate,
    /// More than 50.
    #[error("Too many tags")]
    TooMany,
}

impl Tag {
    /// Most tags that one key can have.
    pub const MAX_PER_KEY: usize = 50;

    /// Checks a set of tags: duplicates, number, lengths, reserved keys, as recorded answers of AWS have the order.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(tags: &[Tag]) -> Result<(), TagError> {
        let is_repeated = |(at, tag): (usize, &Tag)| tags[..at].iter().any(|other| other.key == tag.key);
        // Of a long list only so much is compared with itself; the rest is too many anyhow.
        if tags.iter().enumerate().take(2 * Self::MAX_PER_KEY).any(is_repeated) {
            return Err(TagError::Duplicate);
        }
        if tags.len() > Self::MAX_PER_KEY {
            return Err(TagError::TooMany);
        }
        for tag in tags {
            if !(1..=128).contains(&tag.key.chars().count()) || tag.value.chars().count() > 256 {
                return Err(TagError::Length);
            }
            if tag
                .key
                .get(..4)
                .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
            {
                return Err(TagError::Reserved);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> Tag {
        Tag {
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }

    #[test]
    fn each_rule_is_kept() {
        assert_eq!(Tag::check(&[tag("a", ""), tag("b", "x")]), Ok(()));
        assert_eq!(Tag::check(&[tag("", "x")]), Err(TagError::Length));
        assert_eq!(Tag::check(&[tag(&"k".repeat(129), "x")]), Err(TagError::Length));
        assert_eq!(Tag::check(&[tag("k", &"v".repeat(257))]), Err(TagError::Length));
        assert_eq!(Tag::check(&[tag("AWS:x", "")]), Err(TagError::Reserved));
        assert_eq!(Tag::check(&[tag("a", "1"), tag("a", "2")]), Err(TagError::Duplicate));
        let many: Vec<Tag> = (0..51).map(|n| tag(&n.to_string(), "")).collect();
        assert_eq!(Tag::check(&many), Err(TagError::TooMany));
        assert_eq!(Tag::check(&many[..50]), Ok(()));
    }
}
