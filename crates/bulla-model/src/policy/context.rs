use std::borrow::Cow;

use super::pattern::arn_components;

/// Tells what conditions and variables ask of a request; nothing is computed that no policy asks for.
pub trait RequestContext {
    /// The values of a condition key, whose name is in lower case (`kms:encryptioncontext:appname`); none where the request has no
    /// such key.
    fn values(&self, key: &str) -> Values<'_>;
}

/// The values of one condition key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Values<'a> {
    /// The key is not there.
    #[default]
    None,
    /// One value.
    One([Cow<'a, str>; 1]),
    /// Any number; an empty set is no key.
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Values<'a> {
    /// One value.
    pub fn one(value: impl Into<Cow<'a, str>>) -> Self {
        Self::One([value.into()])
    }

    /// One value or none.
    pub fn optional<T: Into<Cow<'a, str>>>(value: Option<T>) -> Self {
        value.map_or(Self::None, Self::one)
    }

    /// `true` or `false`.
    pub fn bool(value: bool) -> Self {
        Self::one(if value { "true" } else { "false" })
    }

    /// The values as a slice.
    pub fn as_slice(&self) -> &[Cow<'a, str>] {
        match self {
            Self::None => &[],
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }
}

/// Whether a name is the same as one in lower case, as condition keys are compared.
pub fn same_key(lower: &str, name: &str) -> bool {
    if lower.is_ascii() && name.is_ascii() {
        return lower.eq_ignore_ascii_case(name);
    }
    lower.chars().eq(name.chars().flat_map(char::to_lowercase))
}

/// Who asks, as policies name principals.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The 12 digits of the asker's account.
    pub account: &'a str,
    /// The user's ARN, the account's root, or the session's (`arn:aws:sts::…:assumed-role/…`).
    pub arn: &'a str,
    /// For a role's session, the role's ARN.
    pub role: Option<&'a str>,
    /// For web identities, the issuer that a trust policy names as `Federated`.
    pub federated: Option<&'a str>,
}

impl Asker<'_> {
    /// Whether it is the account itself.
    pub(super) fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }
}

/// A request as policies see it.
pub struct Request<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    pub(super) action: Cow<'a, str>,
    pub(super) components: Option<[&'a str; 6]>,
    pub(super) second: Option<[&'a str; 6]>,
    /// The condition keys.
    pub context: &'a dyn RequestContext,
}

impl<'a> Request<'a> {
    /// `asker` wants to do `action` (`kms:Encrypt`) to `resource` (an ARN; `*` where the action is on none).
    pub fn new(asker: Asker<'a>, action: &'a str, resource: &'a str, context: &'a dyn RequestContext) -> Self {
        let lower = if action.bytes().any(|b| b.is_ascii_uppercase()) {
            Cow::Owned(action.to_ascii_lowercase())
        } else {
            Cow::Borrowed(action)
        };
        Self {
            asker,
            action: lower,
            components: arn_components(resource),
            second: None,
            context,
        }
    }

    /// The same on something that is known by another ARN as well, as a token is by its own and by that of its key: a statement is
    /// about it where it names either.
    #[must_use]
    pub fn and_on(self, resource: &'a str) -> Self {
        Self {
            second: arn_components(resource),
            ..self
        }
    }

    /// The ARNs that statements are held against; none where the action is on no resource.
    pub(super) fn arns(&self) -> impl Iterator<Item = &[&'a str; 6]> {
        self.components.iter().chain(&self.second)
    }
}
