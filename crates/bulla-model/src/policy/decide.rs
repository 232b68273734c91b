use super::{Policy, Request};

/// What decides besides the request: the policies of both sides, the role, the grants.
#[derive(Default)]
pub struct Sides<'a> {
    /// The account that the resource belongs to.
    pub resource_account: &'a str,
    /// The resource's policy; `None` where the action is on no resource that has one.
    pub resource_policy: Option<&'a Policy>,
    /// The asker's identity policies, each with its name.
    pub identity: &'a [(&'a str, &'a Policy)],
    /// The policy of the asker's session: what it does not allow, too, is not allowed.
    pub session: Option<&'a Policy>,
    /// The asker's role, where it allows the action: what an identity policy of that role would say.
    pub role: Option<&'static str>,
    /// The id of a grant of the resource to the asker that permits the request; asked only where nothing else allows.
    pub grant: Option<&'a dyn Fn() -> Option<String>>,
}

/// What was decided, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Allowed or not.
    pub outcome: Outcome,
    /// What decided it: for an allowance, one of each side that had to allow.
    pub by: Vec<Reason>,
}

/// Allowed or not; where not, which side did not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Allowed.
    Allowed,
    /// A statement denies.
    Denied(Side),
    /// Nothing allows; the side is the one that would have to.
    NotAllowed(Side),
}

/// A kind of policy, as AWS's texts of denials name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `identity-based policy`
    Identity,
    /// `resource-based policy`
    Resource,
    /// `session policy`
    Session,
}

/// A statement, a role or a grant that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A statement of the resource's policy.
    ResourcePolicy {
        /// Its index.
        statement: usize,
        /// Its `Sid`.
        sid: Option<String>,
    },
    /// A statement of one of the asker's policies.
    IdentityPolicy {
        /// The policy's name.
        policy: String,
        /// Its index.
        statement: usize,
        /// Its `Sid`.
        sid: Option<String>,
    },
    /// A statement of the session policy.
    SessionPolicy {
        /// Its index.
        statement: usize,
        /// Its `Sid`.
        sid: Option<String>,
    },
    /// The asker's role.
    Role(&'static str),
    /// A grant, by its id.
    Grant(String),
}

impl Decision {
    /// Whether it is allowed.
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allowed
    }

    /// The denial in AWS's words; `None` where it is allowed.
    ///
    /// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>.
    pub fn denial(&self, asker: &str, action: &str, resource: &str) -> Option<String> {
        let user = format!("User: {asker} is not authorized to perform: {action} on resource: {resource}");
        match self.outcome {
            Outcome::Allowed => None,
            Outcome::Denied(Side::Identity) => {
                Some(format!("{user} with an explicit deny in an identity-based policy"))
            }
            Outcome::Denied(Side::Resource) => Some(format!("{user} with an explicit deny in a resource-based policy")),
            Outcome::Denied(Side::Session) => Some(format!("{user} with an explicit deny in a session policy")),
            Outcome::NotAllowed(Side::Session) => {
                Some(format!("{user} because no session policy allows the {action} action"))
            }
            Outcome::NotAllowed(Side::Identity) => Some(format!(
                "{user} because no identity-based policy allows the {action} action"
            )),
            Outcome::NotAllowed(Side::Resource) => Some(format!(
                "{user} because no resource-based policy allows the {action} action"
            )),
        }
    }
}

/// Decides a request: an explicit deny first; then the key policy, identity policies where the key policy leaves it to the account, and
/// grants; else not. Across accounts the key policy and an identity policy must both allow, or a grant. What a session policy does
/// not allow, too, none of them does, but for a statement of the key policy that names the session itself, in its own account.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>,
/// <https://docs.aws.amazon.com/kms/latest/developerguide/policy-evaluation.html>.
pub fn decide(request: &Request<'_>, sides: &Sides<'_>) -> Decision {
    let resource = sides.resource_policy.map(|policy| (policy, policy.evaluate(request)));
    if let Some((policy, verdict)) = &resource
        && let Some(statement) = verdict.denied
    {
        return decision(Outcome::Denied(Side::Resource), vec![of_resource(policy, statement)]);
    }
    let session = sides.session.map(|policy| (policy, policy.evaluate(request)));
    if let Some((policy, verdict)) = &session
        && let Some(statement) = verdict.denied
    {
        return decision(Outcome::Denied(Side::Session), vec![of_session(policy, statement)]);
    }
    let mut by_identity = None;
    for (name, policy) in sides.identity {
        let verdict = policy.evaluate(request);
        if let Some(statement) = verdict.denied {
            return decision(
                Outcome::Denied(Side::Identity),
                vec![of_identity(name, policy, statement)],
            );
        }
        if by_identity.is_none() {
            by_identity = verdict.allowed.map(|statement| of_identity(name, policy, statement));
        }
    }
    let by_identity = sides.role.map(Reason::Role).or(by_identity);
    let names_session = resource.as_ref().is_some_and(|(_, verdict)| verdict.session.is_some());
    let narrowed = session.as_ref().is_some_and(|(_, verdict)| verdict.allowed.is_none());
    if narrowed && !(names_session && request.asker.account == sides.resource_account) {
        return decision(Outcome::NotAllowed(Side::Session), Vec::new());
    }
    let Some((policy, verdict)) = resource else {
        return match by_identity {
            Some(reason) => decision(Outcome::Allowed, vec![reason]),
            None => decision(Outcome::NotAllowed(Side::Identity), Vec::new()),
        };
    };
    let same_account = request.asker.account == sides.resource_account;
    let missing = match (verdict.allowed, verdict.delegated, by_identity) {
        (Some(statement), _, _) if same_account => {
            return decision(Outcome::Allowed, vec![of_resource(policy, statement)]);
        }
        (Some(statement), _, Some(identity)) | (None, Some(statement), Some(identity)) => {
            return decision(Outcome::Allowed, vec![of_resource(policy, statement), identity]);
        }
        (Some(_), _, None) | (None, Some(_), None) => Side::Identity,
        (None, None, _) => Side::Resource,
    };
    match sides.grant.and_then(|grant| grant()) {
        Some(grant) => decision(Outcome::Allowed, vec![Reason::Grant(grant)]),
        None => decision(Outcome::NotAllowed(missing), Vec::new()),
    }
}

fn decision(outcome: Outcome, by: Vec<Reason>) -> Decision {
    Decision { outcome, by }
}

fn of_resource(policy: &Policy, statement: usize) -> Reason {
    Reason::ResourcePolicy {
        statement,
        sid: policy.sid(statement).map(str::to_owned),
    }
}

fn of_session(policy: &Policy, statement: usize) -> Reason {
    Reason::SessionPolicy {
        statement,
        sid: policy.sid(statement).map(str::to_owned),
    }
}

fn of_identity(name: &str, policy: &Policy, statement: usize) -> Reason {
    Reason::IdentityPolicy {
        policy: name.to_owned(),
        statement,
        sid: policy.sid(statement).map(str::to_owned),
    }
}
