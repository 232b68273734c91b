use bulla_service::{AliasEntry, Call, ListAliasesRequest, Service};
use serde::{Deserialize, Serialize};

use super::json::{Number, Text, parse};
use super::validation::{Checks, KEY_ID, MARKER};
use super::wire::{Failure, Reply, Seconds};

/// Answers `ListAliases`.
pub(super) async fn handle(service: &Service, call: &Call, body: &[u8]) -> Result<Reply, Failure> {
    let response = service.list_aliases(call, parse::<Input>(body)?.check()?).await?;
    let aliases = response.aliases.iter().map(Entry::of).collect();
    let next_marker = response.next_marker.as_deref();
    Reply::json(
        &Output {
            aliases,
            next_marker,
            truncated: next_marker.is_some(),
        },
        response.aliases.len() * 192,
    )
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Input {
    key_id: Option<Text>,
    limit: Option<Number>,
    marker: Option<Text>,
}

impl Input {
    fn check(self) -> Result<ListAliasesRequest, Failure> {
        let mut checks = Checks::default();
        let request = ListAliasesRequest {
            key_id: checks.text("keyId", self.key_id, &KEY_ID),
            limit: checks.number("limit", self.limit, 1, 1000),
            marker: checks.text("marker", self.marker, &MARKER),
        };
        checks.finish(request)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Output<'a> {
    aliases: Vec<Entry<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<&'a str>,
    truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    alias_name: &'a str,
    alias_arn: &'a str,
    target_key_id: &'a str,
    creation_date: Seconds,
    last_updated_date: Seconds,
}

impl<'a> Entry<'a> {
    fn of(alias: &'a AliasEntry) -> Self {
        Self {
            alias_name: alias.name.as_str(),
            alias_arn: alias.arn.as_str(),
            target_key_id: alias.target_key_id.as_str(),
            creation_date: Seconds(alias.created),
            last_updated_date: Seconds(alias.updated),
        }
    }
}
