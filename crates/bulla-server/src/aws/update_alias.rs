use bulla_service::{Call, Service, UpdateAliasRequest};
use serde::Deserialize;

use super::json::{Text, parse};
use super::validation::{ALIAS_NAME, Checks, KEY_ID};
use super::wire::{Failure, Reply};

/// Answers `UpdateAlias`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service.update_alias(call, parse::<Input>(body)?.check()?).await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    alias_name: Option<Text>,
    target_key_id: Option<Text>,
}

impl Input {
    fn check(self) -> Result<UpdateAliasRequest, Failure> {
        let mut checks = Checks::default();
        let request = UpdateAliasRequest {
            alias_name: checks.required_text("aliasName", self.alias_name, &ALIAS_NAME),
            target_key_id: checks.required_text("targetKeyId", self.target_key_id, &KEY_ID),
        };
        checks.finish(request)
    }
}
