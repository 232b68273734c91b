use bulla_service::{Call, DisableKeyRotationRequest, Service};
use serde::Deserialize;

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `DisableKeyRotation`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .disable_key_rotation(call, parse::<Input>(body)?.check()?)
        .await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<DisableKeyRotationRequest, Failure> {
        let mut checks = Checks::default();
        let key_id = checks.required_text("keyId", self.key_id, &KEY_ID);
        checks.finish(DisableKeyRotationRequest { key_id })
    }
}
