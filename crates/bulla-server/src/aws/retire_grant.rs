use bulla_service::{Call, RetireGrantRequest, Service};
use serde::Deserialize;

use super::json::{Flag, Text, parse};
use super::validation::{Checks, GRANT_ID, GRANT_TOKEN, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `RetireGrant`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service.retire_grant(call, parse::<Input>(body)?.check()?).await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    grant_token: Option<Text>,
    key_id: Option<Text>,
    grant_id: Option<Text>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<RetireGrantRequest, Failure> {
        let mut checks = Checks::default();
        let request = RetireGrantRequest {
            grant_token: checks.text("grantToken", self.grant_token, &GRANT_TOKEN),
            key_id: checks.text("keyId", self.key_id, &KEY_ID),
            grant_id: checks.text("grantId", self.grant_id, &GRANT_ID),
            dry_run: checks.flag(self.dry_run),
        };
        checks.finish(request)
    }
}
