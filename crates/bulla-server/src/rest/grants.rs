//! What the routes of grants have in common: how a grant is written, and how its key is named.

use std::collections::BTreeMap;

use bulla_crypto::Context;
use bulla_model::GrantConstraints;
use bulla_service::GivenGrant;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Problem;
use super::route::QueryParameter;

/// The resource of the actions on every key; what is asked of one key is on that key, by the actions of KMS.
pub(super) const RESOURCE: &str = "arn:aws:kms:{region}:{account}:key/*";

pub(super) const KEY: QueryParameter = QueryParameter {
    name: "key",
    repeated: false,
    schema: r#"{"type":"string","minLength":1,"maxLength":2048,"default":"*"}"#,
    doc: "A key's id or ARN, or * for every key.",
};

/// JSON Schema of a grant.
pub(super) const GRANT: &str = r##"{"type":"object","required":["grant_id","key","principal","operations","constraints","created"],
    "additionalProperties":false,"properties":{
    "grant_id":{"type":"string","pattern":"^[0-9a-f]{64}$"},
    "key":{"type":"string","description":"The key's ARN, or * for every key."},
    "principal":{"type":"string"},
    "operations":{"type":"array","items":{"type":"string"}},
    "constraints":{"type":"object","additionalProperties":false,"properties":{
        "context_equals":{"type":"object","additionalProperties":{"type":"string"}},
        "context_subset":{"type":"object","additionalProperties":{"type":"string"}}}},
    "created":{"type":"string","format":"date-time"}}}"##;

/// The constraints of a grant, as they are written in REST.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Constraints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context_equals: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context_subset: Option<BTreeMap<String, String>>,
}

impl Constraints {
    /// Takes them as the service has them, each within the limits of an encryption context.
    pub(super) fn check(self) -> Result<GrantConstraints, Problem> {
        for pairs in [&self.context_equals, &self.context_subset].into_iter().flatten() {
            Context::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
                .map_err(|_| Problem::invalid("a constraint is too large or no encryption context"))?;
        }
        Ok(GrantConstraints {
            equals: self.context_equals,
            subset: self.context_subset,
        })
    }
}

/// A grant as it is answered.
#[derive(Serialize)]
pub(super) struct Grant {
    grant_id: String,
    key: String,
    principal: String,
    operations: Vec<&'static str>,
    constraints: Constraints,
    created: String,
}

impl Grant {
    pub(super) fn of(grant: GivenGrant) -> Self {
        let created = OffsetDateTime::from_unix_timestamp_nanos(i128::from(grant.created.as_micros()) * 1000);
        Self {
            grant_id: grant.grant_id.to_string(),
            key: grant.key_arn.map_or_else(|| "*".to_owned(), |arn| arn.to_string()),
            principal: grant.grantee_principal,
            operations: grant.operations.iter().map(|operation| operation.as_str()).collect(),
            constraints: Constraints {
                context_equals: grant.constraints.equals,
                context_subset: grant.constraints.subset,
            },
            created: created
                .ok()
                .and_then(|moment| moment.format(&Rfc3339).ok())
                .unwrap_or_default(),
        }
    }
}
