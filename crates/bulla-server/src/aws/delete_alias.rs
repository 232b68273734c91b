use bulla_service::{Call, DeleteAliasRequest, Service};
use serde::Deserialize;

use super::json::{Text, parse};
use super::validation::{ALIAS_NAME, Checks};
use super::wire::{Failure, Reply};

/// Answers `DeleteAlias`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    service.delete_alias(call, parse::<Input>(body)?.check()?).await?;
    Ok(Reply::empty())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    alias_name: Option<Text>,
}

impl Input {
    fn check(self) -> Result<DeleteAliasRequest, Failure> {
        let mut checks = Checks::default();
        let alias_name = checks.required_text("aliasName", self.alias_name, &ALIAS_NAME);
        checks.finish(DeleteAliasRequest { alias_name })
    }
}
