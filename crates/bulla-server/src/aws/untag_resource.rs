use bulla_service::{Call, Service, UntagResourceRequest};
use serde::Deserialize;

use super::json::{List, Text, parse};
use super::validation::{Checks, KEY_ID, TAG_KEY};
use super::wire::{Failure, Reply};

/// Answers `UntagResource`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service.untag_resource(call, parse::<Input>(body)?.check()?).await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    tag_keys: Option<List<Text>>,
}

impl Input {
    fn check(self) -> Result<UntagResourceRequest, Failure> {
        let mut checks = Checks::default();
        let request = UntagResourceRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            tag_keys: checks.required_texts("tagKeys", self.tag_keys, &TAG_KEY),
        };
        checks.finish(request)
    }
}
