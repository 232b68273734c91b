use bulla_service::{Call, Service, UpdatePrimaryRegionRequest};
use serde::Deserialize;

use super::json::{Text, parse};
use super::validation::{Checks, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `UpdatePrimaryRegion`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service
        .update_primary_region(call, parse::<Input>(body)?.check()?)
        .await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    primary_region: Option<Text>,
}

impl Input {
    fn check(self) -> Result<UpdatePrimaryRegionRequest, Failure> {
        let mut checks = Checks::default();
        let key_id = checks.required_text("keyId", self.key_id, &KEY_ID);
        let primary_region = checks.required_region("primaryRegion", self.primary_region);
        checks.finish(())?;
        Ok(UpdatePrimaryRegionRequest {
            key_id,
            primary_region: primary_region?,
        })
    }
}
