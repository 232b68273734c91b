//! IAM JSON policies as AWS documents them: key policies, identity policies and role trust policies, compiled once and evaluated often.
//!
//! [`Policy::parse`] is strict: what it does not know it refuses, with the place. [`decide`] combines what the policies of a request
//! say with roles and grants. Nothing here reads a clock, a store or a network; what a condition asks for comes from a
//! [`RequestContext`], and only when a condition asks.
//!
//! Where AWS's pages leave a case open, it is read against the asker, and said so where it is decided:
//! - An operator without a set operator that meets several values needs all of them in an `Allow` and one of them in a `Deny`.
//! - A variable that has no value equals nothing, and makes a negated comparison in an `Allow` false.
//! - `ForAnyValue:` is false without values, with or without `IfExists`.
//!
//! Sources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html> and the pages beside it,
//! <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html>.

mod condition;
mod context;
mod decide;
mod defaults;
mod error;
mod evaluation;
mod json;
mod operator;
mod parse;
mod pattern;
mod principal;
mod resource;
mod scalar;
mod statement;

pub use context::{Asker, Request, RequestContext, Values, same_key};
pub use decide::{Decision, Outcome, Reason, Side, Sides, decide};
pub use defaults::default_key_policy;
pub use error::PolicyError;
pub use statement::{Effect, Verdict};

use self::evaluation::Evaluation;
use self::pattern::Template;
use self::statement::Statement;

/// Most bytes of a document: 32 KiB, as AWS has it for key policies.
pub const MAX_DOCUMENT_BYTES: usize = 32_768;

/// Most statements of a document: more than the largest that are in use, and few enough to look at for every request.
pub const MAX_STATEMENTS: usize = 256;

/// What a document is attached to; its grammar differs a little.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// To a key: statements name principals; a statement without `Resource` applies to nothing.
    Key,
    /// To a user, group or role: statements name resources and no principals.
    Identity,
    /// To a role, saying who may assume it: statements name principals and no resources.
    Trust,
}

/// A policy document, parsed and compiled; evaluating it allocates next to nothing.
#[derive(Debug)]
pub struct Policy {
    statements: Box<[Statement]>,
    /// The condition keys that its conditions ask for, in lower case.
    keys: Box<[Box<str>]>,
    /// The lists of actions that its statements name, in lower case.
    actions: Box<[Box<[Template]>]>,
}

impl Policy {
    /// Parses and compiles a document.
    ///
    /// # Errors
    /// [`PolicyError`] with the place, for anything that the grammar of `kind` does not have, for duplicate members, and for documents
    /// beyond the limits (32 KiB, 16 levels, 256 statements, wildcards whose matching would be slow).
    pub fn parse(kind: PolicyKind, document: &str) -> Result<Self, PolicyError> {
        parse::parse(kind, document)
    }

    /// What the policy says of a request. Every statement that denies is found before any that allows.
    pub fn evaluate(&self, request: &Request<'_>) -> Verdict {
        let evaluation = Evaluation::new(self, request);
        let mut verdict = Verdict::default();
        for (at, statement) in self.statements.iter().enumerate() {
            statement.judge(at, &evaluation, &mut verdict);
            if verdict.denied.is_some() {
                break;
            }
        }
        verdict
    }

    /// Every statement that applies to a request, by its index; for explanations, where [`evaluate`](Self::evaluate) stops early.
    pub fn applying(&self, request: &Request<'_>) -> Vec<(usize, Effect)> {
        let evaluation = Evaluation::new(self, request);
        let applying = self.statements.iter().enumerate();
        applying
            .filter(|(at, statement)| {
                let mut verdict = Verdict::default();
                statement.judge(*at, &evaluation, &mut verdict);
                verdict != Verdict::default()
            })
            .map(|(at, statement)| (at, statement.effect))
            .collect()
    }

    /// Whether a condition asks for `key`, in lower case: for keys whose values take more than memory to find. Variables need one value,
    /// so they are no way to ask for a key that may have several.
    pub fn asks_for(&self, key: &str) -> bool {
        self.keys.iter().any(|asked| **asked == *key)
    }

    /// The `Sid` of a statement.
    pub fn sid(&self, statement: usize) -> Option<&str> {
        self.statements.get(statement)?.sid.as_deref()
    }

    /// How many statements it has.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it has no statement.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }
}
