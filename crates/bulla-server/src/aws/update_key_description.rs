use bulla_service::{Call, Service, UpdateKeyDescriptionRequest};
use serde::Deserialize;

use super::json::{Text, parse};
use super::validation::{Checks, DESCRIPTION, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `UpdateKeyDescription`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .update_key_description(call, parse::<Input>(body)?.check()?)
        .await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    description: Option<Text>,
}

impl Input {
    fn check(self) -> Result<UpdateKeyDescriptionRequest, Failure> {
        let mut checks = Checks::default();
        let request = UpdateKeyDescriptionRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            description: checks.required_text("description", self.description, &DESCRIPTION),
        };
        checks.finish(request)
    }
}
