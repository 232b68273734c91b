use bulla_service::{Call, CancelKeyDeletionRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `CancelKeyDeletion`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service
        .cancel_key_deletion(call, parse::<Input>(body)?.check()?)
        .await?;
    Reply::json(
        &Output {
            key_id: response.key_arn.as_str(),
        },
        0,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<CancelKeyDeletionRequest, Failure> {
        let mut checks = Checks::default();
        let key_id = checks.required_text("keyId", self.key_id, &KEY_ID);
        checks.finish(CancelKeyDeletionRequest { key_id })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    key_id: &'a str,
}
