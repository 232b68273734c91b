use std::sync::Arc;

use crate::{MakeKeys, Namespace, NamespaceKeys, NamespacePattern};

/// Says under which keys each namespace is: rules in order, and what holds for the rest. A caller never chooses.
#[derive(Debug, Clone)]
pub struct Namespaces {
    rules: Vec<(NamespacePattern, NamespaceKeys)>,
    unknown: Unknown,
}

/// What holds for a namespace that no rule names; there is no default answer.
#[derive(Debug, Clone)]
pub enum Unknown {
    /// It is refused.
    Deny,
    /// It has these keys; its name still separates it from every other namespace.
    Use(Box<NamespaceKeys>),
    /// Its keys are made.
    Make(Arc<dyn MakeKeys>),
}

/// Where a namespace's keys come from.
pub(crate) enum Found {
    Keys(NamespaceKeys),
    Make(Arc<dyn MakeKeys>),
}

impl Namespaces {
    /// Takes rules, of which the first that matches decides, and the answer for the rest.
    #[must_use]
    pub fn new(rules: Vec<(NamespacePattern, NamespaceKeys)>, unknown: Unknown) -> Self {
        Self { rules, unknown }
    }

    pub(crate) fn find(&self, namespace: &Namespace) -> Option<Found> {
        let rule = self.rules.iter().find(|(pattern, _)| pattern.matches(namespace));
        match (rule, &self.unknown) {
            (Some((_, keys)), _) => Some(Found::Keys(keys.clone())),
            (None, Unknown::Use(keys)) => Some(Found::Keys(keys.as_ref().clone())),
            (None, Unknown::Make(maker)) => Some(Found::Make(Arc::clone(maker))),
            (None, Unknown::Deny) => None,
        }
    }
}
