use std::borrow::Cow;

/// A key as AWS names it: a key or alias ARN, a key id, or an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyName<'a> {
    text: &'a str,
    form: Form<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form<'a> {
    KeyArn {
        before_region: &'a str,
        region: &'a str,
        after_region: &'a str,
        id: &'a str,
    },
    AliasArn {
        region: &'a str,
    },
    Alias,
    Id,
}

impl<'a> KeyName<'a> {
    /// Reads a key's name, with or without the scheme `aws-kms`.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        let text = name.strip_prefix("aws-kms:").unwrap_or(name);
        let text = text.strip_prefix("//").unwrap_or(text);
        let text = text.strip_prefix('/').unwrap_or(text);
        if text.is_empty() || text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        if text == "arn" || text.starts_with("arn:") {
            return Self::parse_arn(text);
        }
        let form = if text.starts_with("alias/") {
            Form::Alias
        } else {
            Form::Id
        };
        Some(Self { text, form })
    }

    fn parse_arn(text: &'a str) -> Option<Self> {
        let fields: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", _, "kms", region, _, resource] = fields[..] else {
            return None;
        };
        let form = match resource.split_once('/')? {
            ("key", id) if !id.is_empty() => {
                let at = fields[..3].iter().map(|field| field.len() + 1).sum::<usize>();
                let (before_region, rest) = text.split_at(at);
                Form::KeyArn {
                    before_region,
                    region,
                    after_region: &rest[region.len()..],
                    id,
                }
            }
            ("alias", alias) if !alias.is_empty() => Form::AliasArn { region },
            _ => return None,
        };
        is_region(region).then_some(Self { text, form })
    }

    /// The region that the name says itself.
    pub(crate) fn region(&self) -> Option<&'a str> {
        match self.form {
            Form::KeyArn { region, .. } | Form::AliasArn { region } => Some(region),
            Form::Alias | Form::Id => None,
        }
    }

    /// The alias, if that is all that the name says.
    pub(crate) fn alias(&self) -> Option<&'a str> {
        (self.form == Form::Alias).then_some(self.text)
    }

    /// Tells whether the same key may be asked for in another region: not a single-Region key, nor an alias ARN.
    pub(crate) fn may_have_replicas(&self) -> bool {
        match self.form {
            Form::KeyArn { id, .. } => id.starts_with("mrk-"),
            Form::Id => self.text.starts_with("mrk-"),
            Form::Alias => true,
            Form::AliasArn { .. } => false,
        }
    }

    /// The name of the same key in another region.
    pub(crate) fn in_region(&self, other: &str) -> Cow<'a, str> {
        match self.form {
            Form::KeyArn {
                before_region,
                region,
                after_region,
                ..
            } if region != other => Cow::Owned(format!("{before_region}{other}{after_region}")),
            _ => Cow::Borrowed(self.text),
        }
    }

    /// Tells whether `arn`, which a region answered, is the key that was asked for there.
    pub(crate) fn is_answered_by(&self, arn: &str, region: &str) -> bool {
        match self.form {
            Form::KeyArn { .. } => self.in_region(region) == arn,
            Form::Id => arn.rsplit_once(":key/").is_some_and(|(_, id)| id == self.text),
            Form::Alias | Form::AliasArn { .. } => arn.contains(":key/"),
        }
    }
}

/// Tells whether `name` can name a region: one label of a host's name, so that it leads to no other host.
pub(crate) fn is_region(name: &str) -> bool {
    let is_label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MRK: &str = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    const SINGLE: &str = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn a_replica_has_the_same_arn_but_for_its_region() {
        let name = KeyName::parse(MRK).expect("an ARN");
        assert_eq!(name.region(), Some("eu-west-1"));
        assert!(name.may_have_replicas());
        assert_eq!(name.in_region("us-east-1"), MRK.replace("eu-west-1", "us-east-1"));
        assert!(name.is_answered_by(&MRK.replace("eu-west-1", "us-east-1"), "us-east-1"));
        assert!(!name.is_answered_by(MRK, "us-east-1"));
    }

    #[test]
    fn a_region_that_is_also_elsewhere_in_the_arn_is_replaced_once() {
        let name = KeyName::parse("arn:kms:kms:kms:123456789012:key/mrk-kms").expect("an ARN");
        assert_eq!(name.in_region("x"), "arn:kms:kms:x:123456789012:key/mrk-kms");
    }

    #[test]
    fn a_single_region_key_stays_in_its_region() {
        let name = KeyName::parse(SINGLE).expect("an ARN");
        assert!(!name.may_have_replicas());
        assert!(name.is_answered_by(SINGLE, "eu-west-1"));
        assert!(!name.is_answered_by(MRK, "eu-west-1"));
    }

    #[test]
    fn the_scheme_may_stand_before_any_form() {
        for (name, text) in [
            (format!("aws-kms://{SINGLE}"), SINGLE),
            ("aws-kms:///alias/app".to_owned(), "alias/app"),
            ("alias/app".to_owned(), "alias/app"),
        ] {
            assert_eq!(KeyName::parse(&name).expect(&name).in_region("eu-west-1"), text);
        }
        assert!(
            KeyName::parse("alias/app")
                .expect("an alias")
                .is_answered_by(SINGLE, "eu-west-1")
        );
        assert!(
            KeyName::parse("1234abcd-12ab-34cd-56ef-1234567890ab")
                .expect("id")
                .is_answered_by(SINGLE, "eu-west-1")
        );
        assert!(!KeyName::parse("ab").expect("an id").is_answered_by(SINGLE, "eu-west-1"));
    }

    #[test]
    fn what_can_not_be_a_name_is_refused() {
        for name in [
            "",
            "/",
            "aws-kms://",
            "a b",
            "a\nb",
            "\0",
            "ключ",
            "arn:",
            "arn:aws:kms",
            "arn:aws:s3:::key/x",
        ] {
            assert_eq!(KeyName::parse(name), None, "{name:?}");
        }
        for name in [
            "arn:aws:kms::1:key/x",
            "arn:aws:kms:r:1:key/",
            "arn:aws:kms:r:1:grant/x",
            "arn:aws:kms:eu.evil.example:1:key/x",
            "arn:aws:kms:evil.example/#:1:key/x",
            "arn:aws:kms:EU-WEST-1:1:alias/x",
            "arn:aws:kms:r:1:key",
        ] {
            assert_eq!(KeyName::parse(name), None, "{name:?}");
        }
        assert_eq!(KeyName::parse(&"k".repeat(2049)), None);
    }
}
