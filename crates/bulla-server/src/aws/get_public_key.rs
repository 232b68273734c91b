use bulla_service::{Call, GetPublicKeyRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{List, Text, parse};
use super::key_metadata::Algorithms;
use super::validation::{Checks, KEY_ID};
use super::wire::{Base64, Failure, Reply};

/// Answers `GetPublicKey`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.get_public_key(call, parse::<Input>(body)?.check()?).await?;
    let key = &response.key;
    let output = Output {
        key_id: key.arn.as_str(),
        public_key: Base64(&response.public_key),
        customer_master_key_spec: key.spec.as_str(),
        key_spec: key.spec.as_str(),
        key_usage: key.usage.as_str(),
        algorithms: Algorithms::of(key),
    };
    Reply::json(&output, response.public_key.len())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    grant_tokens: Option<List<Text>>,
}

impl Input {
    fn check(self) -> Result<GetPublicKeyRequest, Failure> {
        let mut checks = Checks::default();
        let request = GetPublicKeyRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            grant_tokens: checks.grant_tokens(self.grant_tokens),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
    public_key: Base64<'a>,
    /// Deprecated, and there all the same, with the value of `KeySpec`.
    customer_master_key_spec: &'static str,
    key_spec: &'static str,
    key_usage: &'static str,
    #[serde(flatten)]
    algorithms: Algorithms,
}
