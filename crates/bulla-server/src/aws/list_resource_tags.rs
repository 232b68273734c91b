use bulla_model::Tag;
use bulla_service::{Call, ListResourceTagsRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Text, parse};
use super::validation::{Checks, KEY_ID, MARKER};
use super::wire::{Failure, Reply};

/// Answers `ListResourceTags`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.list_resource_tags(call, parse::<Input>(body)?.check()?).await?;
    let next_marker = response.next_marker.as_deref();
    Reply::json(
        &Output {
            tags: response.tags.iter().map(Entry::of).collect(),
            next_marker,
            truncated: next_marker.is_some(),
        },
        response.tags.len() * 128,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    limit: Option<Number>,
    marker: Option<Text>,
}

impl Input {
    fn check(self) -> Result<ListResourceTagsRequest, Failure> {
        let mut checks = Checks::default();
        let request = ListResourceTagsRequest {
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
    tags: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<&'a str>,
    truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    tag_key: &'a str,
    tag_value: &'a str,
}

impl<'a> Entry<'a> {
    fn of(tag: &'a Tag) -> Self {
        Self {
            tag_key: &tag.key,
            tag_value: &tag.value,
        }
    }
}
