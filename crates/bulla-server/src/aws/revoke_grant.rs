use bulla_service::{Call, RevokeGrantRequest, Service};
use serde::Deserialize;

use super::json::{Flag, Text, parse};
use super::validation::{Checks, GRANT_ID, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `RevokeGrant`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service.revoke_grant(call, parse::<Input>(body)?.check()?).await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    grant_id: Option<Text>,
    dry_run: Option<Flag>,
}

impl Input {
    fn check(self) -> Result<RevokeGrantRequest, Failure> {
        let mut checks = Checks::default();
        let request = RevokeGrantRequest {
            key_id: checks.required_text("keyId", self.key_id, &KEY_ID),
            grant_id: checks.required_text("grantId", self.grant_id, &GRANT_ID),
            dry_run: checks.flag(self.dry_run),
        };
        checks.finish(request)
    }
}
