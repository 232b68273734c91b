use bulla_service::{Call, ScheduleKeyDeletionRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Text, parse};
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply, Seconds};

/// Answers `ScheduleKeyDeletion`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .schedule_key_deletion(call, parse::<Input>(body)?.check()?)
        .await?;
    let output = Output {
        key_id: response.key_arn.as_str(),
        deletion_date: response.deletion_date.map(Seconds),
        key_state: response.state.as_str(),
        pending_window_in_days: response.pending_window_in_days,
    };
    Reply::json(&output, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    pending_window_in_days: Option<Number>,
}

impl Input {
    fn check(self) -> Result<ScheduleKeyDeletionRequest, Failure> {
        let mut checks = Checks::default();
        let request = ScheduleKeyDeletionRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            pending_window_in_days: checks.number("pendingWindowInDays", self.pending_window_in_days, 1, 365),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_date: Option<Seconds>,
    key_state: &'a str,
    pending_window_in_days: u32,
}
