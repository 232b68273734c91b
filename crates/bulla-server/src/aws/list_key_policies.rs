use bulla_service::{Call, ListKeyPoliciesRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Text, parse};
use super::validation::{Checks, KEY_ID, MARKER};
use super::wire::{Failure, Reply};

/// Answers `ListKeyPolicies`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.list_key_policies(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        policy_names: &response.policy_names,
        truncated: false,
    };
    Reply::json(&output, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    limit: Option<Number>,
    marker: Option<Text>,
}

impl Input {
    fn check(self) -> Result<ListKeyPoliciesRequest, Failure> {
        let mut checks = Checks::default();
        let request = ListKeyPoliciesRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            limit: checks.number("limit", self.limit, 1, 1000),
            marker: checks.text("marker", self.marker, &MARKER),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    policy_names: &'a [&'a str],
    truncated: bool,
}
