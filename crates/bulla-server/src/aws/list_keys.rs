use bulla_model::{KeyArn, KeyId};
use bulla_service::{Call, ListKeysRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{List, Number, Text, parse};
use super::validation::{Checks, MARKER, RESOURCE_OWNERS};
use super::wire::{Failure, Reply, as_text};

/// Answers `ListKeys`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.list_keys(call, parse::<Input>(body)?.check()?).await?;
    let keys = response
        .keys
        .iter()
        .map(|(key_id, key_arn)| Entry { key_id, key_arn })
        .collect();
    let next_marker = response.next_marker.as_deref();
    Reply::json(
        &Output {
            keys,
            next_marker,
            truncated: next_marker.is_some(),
        },
        response.keys.len() * 128,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    limit: Option<Number>,
    marker: Option<Text>,
    resource_owners: Option<List<Text>>,
}

impl Input {
    fn check(self) -> Result<ListKeysRequest, Failure> {
        let mut checks = Checks::default();
        checks.count("resourceOwners", self.resource_owners.as_ref(), 1, 2);
        checks.choices("resourceOwners", self.resource_owners, RESOURCE_OWNERS);
        let request = ListKeysRequest {
            limit: checks.number("limit", self.limit, 1, 1000),
            marker: checks.text("marker", self.marker, &MARKER),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    keys: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<&'a str>,
    truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(serialize_with = "as_text")]
    key_id: &'a KeyId,
    #[serde(serialize_with = "as_text")]
    key_arn: &'a KeyArn,
}
