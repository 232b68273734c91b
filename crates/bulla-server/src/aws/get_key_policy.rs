use bulla_service::{Call, GetKeyPolicyRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID, POLICY_NAME};
use super::wire::{Failure, Reply};

/// Answers `GetKeyPolicy`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.get_key_policy(call, parse::<Input>(body)?.check()?).await?;
    let output = Output {
        policy: &response.policy,
        policy_name: response.policy_name,
    };
    Reply::json(&output, response.policy.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    policy_name: Option<Text>,
}

impl Input {
    fn check(self) -> Result<GetKeyPolicyRequest, Failure> {
        let mut checks = Checks::default();
        let request = GetKeyPolicyRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            policy_name: checks.text("policyName", self.policy_name, &POLICY_NAME),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    policy: &'a str,
    policy_name: &'a str,
}
