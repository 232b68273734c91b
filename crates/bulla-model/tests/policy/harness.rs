use std::collections::BTreeMap;

use bulla_model::policy::{Asker, Policy, PolicyKind, Request, RequestContext, Values};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
pub(crate) const KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Condition keys, in lower case, with their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys(pub(crate) BTreeMap<String, Vec<String>>);

impl RequestContext for Keys {
    fn values(&self, key: &str) -> Values<'_> {
        let values = self.0.get(key);
        Values::Many(values.into_iter().flatten().map(Into::into).collect())
    }
}

/// `keys(&[("aws:username", &["alice"])])`.
pub(crate) fn keys(pairs: &[(&str, &[&str])]) -> Keys {
    let pairs = pairs.iter().map(|(key, values)| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        (key.to_lowercase(), values)
    });
    Keys(pairs.collect())
}

pub(crate) fn user(arn: &str) -> Asker<'_> {
    Asker {
        account: &arn[13..25],
        arn,
        role: None,
        federated: None,
    }
}

/// `AWS`'s examples name roles; their sessions ask.
pub(crate) fn session<'a>(session: &'a str, role: &'a str) -> Asker<'a> {
    Asker {
        account: &session[13..25],
        arn: session,
        role: Some(role),
        federated: None,
    }
}

pub(crate) fn request<'a>(asker: Asker<'a>, action: &'a str, resource: &'a str, keys: &'a Keys) -> Request<'a> {
    Request::new(asker, action, resource, keys)
}

pub(crate) fn key_policy(statements: &str) -> Policy {
    parse(PolicyKind::Key, statements)
}

pub(crate) fn identity_policy(statements: &str) -> Policy {
    parse(PolicyKind::Identity, statements)
}

fn parse(kind: PolicyKind, statements: &str) -> Policy {
    let document = format!(r#"{{"Version":"2012-10-17","Statement":{statements}}}"#);
    Policy::parse(kind, &document).expect(&document)
}
