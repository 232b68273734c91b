use std::cell::{Cell, OnceCell};

use super::pattern::Template;
use super::{MAX_STATEMENTS, Policy, Request, Values};

/// One look of a policy at a request. Statements that ask for the same condition key, or name the same actions, ask once.
pub(super) struct Evaluation<'r> {
    pub(super) request: &'r Request<'r>,
    keys: &'r [Box<str>],
    values: Box<[OnceCell<Values<'r>>]>,
    actions: &'r [Box<[Template]>],
    named: Cell<Bits>,
    unnamed: Cell<Bits>,
}

/// A bit for each list of actions, of which a statement has one.
type Bits = [u64; MAX_STATEMENTS / 64];

impl<'r> Evaluation<'r> {
    pub(super) fn new(policy: &'r Policy, request: &'r Request<'r>) -> Self {
        Self {
            request,
            keys: &policy.keys,
            values: policy.keys.iter().map(|_| OnceCell::new()).collect(),
            actions: &policy.actions,
            named: Cell::default(),
            unnamed: Cell::default(),
        }
    }

    /// The request's values of the policy's condition key at `key`.
    pub(super) fn values(&self, key: usize) -> &Values<'r> {
        self.values[key].get_or_init(|| self.request.context.values(&self.keys[key]))
    }

    /// Whether the policy's list of actions at `list` has the request's.
    pub(super) fn names_action(&self, list: usize) -> bool {
        let (word, bit) = (list / 64, 1 << (list % 64));
        let is_in = |bits: &Cell<Bits>| bits.get()[word] & bit != 0;
        if is_in(&self.named) || is_in(&self.unnamed) {
            return is_in(&self.named);
        }
        let matches = |action: &Template| action.matches(&self.request.action, self.request.context) == Some(true);
        let found = self.actions[list].iter().any(matches);
        let bits = if found { &self.named } else { &self.unnamed };
        let mut all = bits.get();
        all[word] |= bit;
        bits.set(all);
        found
    }
}
