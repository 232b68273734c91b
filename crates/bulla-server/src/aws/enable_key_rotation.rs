use bulla_service::{Call, EnableKeyRotationRequest, Service};
use serde::Deserialize;

use super::json::{Number, Text, parse};
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `EnableKeyRotation`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .enable_key_rotation(call, parse::<Input>(body)?.check()?)
        .await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    rotation_period_in_days: Option<Number>,
}

impl Input {
    fn check(self) -> Result<EnableKeyRotationRequest, Failure> {
        let mut checks = Checks::default();
        let request = EnableKeyRotationRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            rotation_period_in_days: checks.number("rotationPeriodInDays", self.rotation_period_in_days, 90, 2560),
        };
        checks.finish(request)
    }
}
