use bulla_service::{Call, DescribeKeyRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{List, Text, parse};
use super::key_metadata::KeyMetadata;
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `DescribeKey`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.describe_key(call, parse::<Input>(body)?.check()?).await?;
    Reply::json(
        &Output {
            key_metadata: KeyMetadata::of(&response.key),
        },
        0,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    grant_tokens: Option<List<Text>>,
}

impl Input {
    fn check(self) -> Result<DescribeKeyRequest, Failure> {
        let mut checks = Checks::default();
        let request = DescribeKeyRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            grant_tokens: checks.grant_tokens(self.grant_tokens),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_metadata: KeyMetadata<'a>,
}
