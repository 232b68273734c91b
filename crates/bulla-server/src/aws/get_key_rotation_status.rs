use bulla_service::{Call, GetKeyRotationStatusRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply, Seconds};

/// Answers `GetKeyRotationStatus`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .get_key_rotation_status(call, parse::<Input>(body)?.check()?)
        .await?;
    let output = Output {
        key_rotation_enabled: response.enabled,
        key_id: response.key_arn.as_str(),
        rotation_period_in_days: response.rotation_period_in_days,
        next_rotation_date: response.next_rotation.map(Seconds),
        on_demand_rotation_start_date: response.on_demand_rotation_start.map(Seconds),
    };
    Reply::json(&output, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<GetKeyRotationStatusRequest, Failure> {
        let mut checks = Checks::default();
        let key_id = checks.required_text("keyId", self.key_id, &KEY_ID);
        checks.finish(GetKeyRotationStatusRequest { key_id })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_rotation_enabled: bool,
    key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotation_period_in_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_rotation_date: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_demand_rotation_start_date: Option<Seconds>,
}
