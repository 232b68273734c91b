use super::Asker;

/// Whom a statement names.
#[derive(Debug)]
pub(super) enum Principals {
    /// `Principal`
    These(Box<[Named]>),
    /// `NotPrincipal`
    AllBut(Box<[Named]>),
}

#[derive(Debug, PartialEq)]
pub(super) enum Named {
    /// `*`
    Everyone,
    /// An account, by its id or its root's ARN.
    Account(Box<str>),
    /// A user, a role, a role's session.
    Arn(Box<str>),
    /// An identity provider, `Federated`.
    Federated(Box<str>),
    /// A service of AWS; nobody here is one.
    Service,
    /// An id that AWS shows for a principal that was deleted, or a canonical user: nobody here is one.
    Nobody,
}

/// How a statement names an asker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Not.
    Unnamed,
    /// By his account, which may pass on what it was given.
    ByAccount,
    /// Himself.
    Himself,
    /// The session by its own ARN, which needs no leave of a session policy.
    Session,
}

impl Principals {
    pub(super) fn standing(&self, asker: &Asker<'_>) -> Standing {
        match self {
            Self::These(named) => named
                .iter()
                .map(|named| named.standing(asker))
                .max()
                .unwrap_or(Standing::Unnamed),
            // An account in NotPrincipal excepts the account; a user is excepted only where he is named himself and his account, too.
            // Source: reference_policies_elements_notprincipal: "you must also specify the account ARN of the not-denied principal".
            Self::AllBut(named) => {
                let best = named.iter().map(|named| named.standing(asker)).max();
                let himself = best >= Some(Standing::Himself);
                let account = asker.is_root()
                    || named.iter().any(|named| {
                        matches!(named, Named::Everyone)
                            || matches!(named, Named::Account(id) if **id == *asker.account)
                    });
                if himself && account {
                    Standing::Unnamed
                } else {
                    Standing::Himself
                }
            }
        }
    }

    /// Whether `Principal` names the issuer of an asker who has a token and is nobody else; true of any other asker.
    pub(super) fn name_the_issuer_of(&self, asker: &Asker<'_>) -> bool {
        let is_of_asker = |named: &Named| matches!(named, Named::Federated(issuer) if asker.federated == Some(issuer));
        match self {
            _ if asker.federated.is_none() => true,
            Self::These(named) => named.iter().any(is_of_asker),
            Self::AllBut(_) => false,
        }
    }

    /// Whether any of `NotPrincipal` is the asker or his account.
    pub(super) fn excepts_even_his_account(&self, asker: &Asker<'_>) -> bool {
        match self {
            Self::These(_) => false,
            Self::AllBut(named) => named.iter().any(|named| named.standing(asker) != Standing::Unnamed),
        }
    }
}

impl Named {
    fn standing(&self, asker: &Asker<'_>) -> Standing {
        let himself = |yes: bool| if yes { Standing::Himself } else { Standing::Unnamed };
        match self {
            Self::Everyone => Standing::Himself,
            Self::Account(id) if **id != *asker.account => Standing::Unnamed,
            Self::Account(_) if asker.is_root() => Standing::Himself,
            Self::Account(_) => Standing::ByAccount,
            Self::Arn(arn) if asker.role.is_some() && **arn == *asker.arn => Standing::Session,
            Self::Arn(arn) => himself(**arn == *asker.arn || asker.role == Some(arn)),
            Self::Federated(issuer) => himself(asker.federated == Some(issuer)),
            Self::Service | Self::Nobody => Standing::Unnamed,
        }
    }

    /// Reads a member of `{"AWS": …}` and its like; `None` for what is no principal.
    pub(super) fn parse(kind: &str, text: &str) -> Option<Self> {
        let printable = !text.is_empty() && text.len() <= 2048 && !text.contains(|c: char| c.is_control() || c == ' ');
        if !printable {
            return None;
        }
        match kind {
            "AWS" => parse_aws(text),
            "Federated" if !text.contains(['*', '?']) => Some(Self::Federated(text.into())),
            "Service" if text.contains('.') && !text.contains(['*', '?', '/']) => Some(Self::Service),
            "CanonicalUser" => Some(Self::Nobody),
            _ => None,
        }
    }
}

fn parse_aws(text: &str) -> Option<Named> {
    if text == "*" {
        return Some(Named::Everyone);
    }
    if is_account(text) {
        return Some(Named::Account(text.into()));
    }
    let Some(rest) = text.strip_prefix("arn:aws:") else {
        // AIDA…, AROA…: what is left of a principal that was deleted.
        let unique_id =
            (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        return unique_id.then_some(Named::Nobody);
    };
    if rest.contains(['*', '?']) {
        return None;
    }
    let (service, rest) = rest.split_once("::")?;
    let (account, resource) = rest.split_once(':')?;
    if !is_account(account) {
        return None;
    }
    let named = |prefix: &str| resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    match service {
        "iam" if resource == "root" => Some(Named::Account(account.into())),
        "iam" if named("user/") || named("role/") => Some(Named::Arn(text.into())),
        "sts" if named("assumed-role/") || named("federated-user/") => Some(Named::Arn(text.into())),
        _ => None,
    }
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}
