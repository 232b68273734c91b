use bulla_service::{Call, PutKeyPolicyRequest, Service};
use serde::Deserialize;

use super::json::{Flag, Text, parse};
use super::validation::{Checks, KEY_ID, POLICY, POLICY_NAME};
use super::wire::{Failure, Reply};

/// Answers `PutKeyPolicy`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service.put_key_policy(call, parse::<Input>(body)?.check()?).await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    policy_name: Option<Text>,
    policy: Option<Text>,
    bypass_policy_lockout_safety_check: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<PutKeyPolicyRequest, Failure> {
        let mut checks = Checks::default();
        let request = PutKeyPolicyRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            policy_name: checks.text("policyName", self.policy_name, &POLICY_NAME),
            policy: checks.required_text("policy", self.policy, &POLICY),
            bypass_policy_lockout_safety_check: checks.flag(self.bypass_policy_lockout_safety_check),
        };
        checks.finish(request)
    }
}
