use bulla_service::{Call, GetKeyLastUsageRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply, Seconds};

/// Answers `GetKeyLastUsage`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.get_key_last_usage(call, parse::<Input>(body)?.check()?).await?;
    let last_use = response.last_use.as_ref();
    let output = Output {
        key_id: response.key_id.as_str(),
        key_last_usage: LastUsage {
            operation: last_use.map(|used| used.operation.as_str()),
            timestamp: last_use.map(|used| Seconds(used.time)),
            cloud_trail_event_id: last_use.map(|used| used.event_id.as_str()),
            kms_request_id: last_use.map(|used| used.request_id.as_str()),
        },
        tracking_start_date: Seconds(response.tracking_start),
        key_creation_date: Seconds(response.created),
    };
    Reply::json(&output, 0)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<GetKeyLastUsageRequest, Failure> {
        let mut checks = Checks::default();
        let request = GetKeyLastUsageRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
    /// "If the key has not been used since tracking began, this response element is an empty object."
    key_last_usage: LastUsage<'a>,
    tracking_start_date: Seconds,
    key_creation_date: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastUsage<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_trail_event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_request_id: Option<&'a str>,
}
