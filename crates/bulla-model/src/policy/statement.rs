use super::Request;
use super::condition::Condition;
use super::evaluation::Evaluation;
use super::principal::{Principals, Standing};
use super::resource::Resources;

/// What a statement does where it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Allows.
    Allow,
    /// Denies, whatever else allows.
    Deny,
}

/// What one policy says of a request: the first statement of each kind, by its index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Denies.
    pub denied: Option<usize>,
    /// Allows the asker himself; for identity policies, whoever has the policy.
    pub allowed: Option<usize>,
    /// Allows the asker's account, which may pass it on by identity policies.
    pub delegated: Option<usize>,
    /// Allows the asker's session by its own ARN, whatever its session policy says.
    pub session: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<Box<str>>,
    pub(super) effect: Effect,
    /// None in identity policies.
    pub(super) principals: Option<Principals>,
    /// Whether it is `NotAction`.
    pub(super) not_actions: bool,
    /// Index of its list of actions among the policy's.
    pub(super) actions: usize,
    pub(super) resources: About,
    pub(super) conditions: Box<[Condition]>,
}

#[derive(Debug)]
pub(super) enum About {
    /// A trust policy's statements are about the role.
    Everything,
    /// A key policy's statement without `Resource` is about nothing.
    Nothing,
    Resources(Resources),
}

impl Statement {
    /// Notes in `verdict` what the statement, the one at `at`, says.
    pub(super) fn judge(&self, at: usize, evaluation: &Evaluation<'_>, verdict: &mut Verdict) {
        let standing = self.standing(evaluation.request);
        let place = match (self.effect, standing) {
            (_, Standing::Unnamed) => return,
            (Effect::Deny, _) => &mut verdict.denied,
            (Effect::Allow, Standing::ByAccount) => &mut verdict.delegated,
            (Effect::Allow, Standing::Session) if verdict.session.is_none() => &mut verdict.session,
            (Effect::Allow, Standing::Himself | Standing::Session) => &mut verdict.allowed,
        };
        if place.is_none() && self.applies(evaluation) {
            *place = Some(at);
            if standing == Standing::Session && verdict.allowed.is_none() && verdict.denied.is_none() {
                verdict.allowed = Some(at);
            }
        }
    }

    fn standing(&self, request: &Request<'_>) -> Standing {
        match &self.principals {
            None => Standing::Himself,
            Some(principals) => match self.effect {
                Effect::Allow if principals.excepts_even_his_account(&request.asker) => Standing::Unnamed,
                // Everybody are the principals of accounts. Who has no more than a token of an issuer is let in where that is named.
                Effect::Allow if !principals.name_the_issuer_of(&request.asker) => Standing::Unnamed,
                _ => principals.standing(&request.asker),
            },
        }
    }

    fn applies(&self, evaluation: &Evaluation<'_>) -> bool {
        if evaluation.names_action(self.actions) == self.not_actions {
            return false;
        }
        let about = match &self.resources {
            About::Everything => true,
            About::Nothing => false,
            About::Resources(resources) => resources
                .include(evaluation.request)
                .unwrap_or(self.effect == Effect::Deny),
        };
        about
            && self
                .conditions
                .iter()
                .all(|condition| condition.is_met(self.effect, evaluation))
    }
}
