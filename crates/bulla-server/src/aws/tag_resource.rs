use bulla_service::{Call, Service, TagResourceRequest};
use serde::Deserialize;

use super::json::{List, Object, Text, parse};
use super::validation::{Checks, KEY_ID, TagInput};
use super::wire::{Failure, Reply};

/// Answers `TagResource`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service.tag_resource(call, parse::<Input>(body)?.check()?).await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    tags: Option<List<Object<TagInput>>>,
}

impl Input {
    fn check(self) -> Result<TagResourceRequest, Failure> {
        let mut checks = Checks::default();
        let request = TagResourceRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            tags: checks.required_tags(self.tags),
        };
        checks.finish(request)
    }
}
