use bulla_model::Timestamp;
use serde_json::{Map, Value};

use crate::TokenName;
use crate::access::{Access, Outcome};

const PURPOSE: &str = "token";

/// Where in its course an access is.
pub(super) enum Phase<'a> {
    /// About to have its effect.
    Intent,
    Outcome(&'a Outcome),
}

/// One event as a line of JSON, as `POST /v1/audit/events` takes it.
///
/// The principal is the service's to say, and marks all of it as the client's word.
pub(super) fn line(id: &str, time: Timestamp, access: &Access, phase: Phase<'_>) -> Vec<u8> {
    let mut context = Map::new();
    let mut details = Map::new();
    context.insert("client_id".into(), access.client.as_str().into());
    context.insert("bulla:purpose".into(), PURPOSE.into());
    details.insert("accessId".into(), id.into());
    if let Some((provider, name)) = &access.token {
        context.insert("api_provider".into(), provider.as_str().into());
        if *name != TokenName::default() {
            details.insert("tokenName".into(), name.as_str().into());
        }
    }
    let mut event = Map::new();
    match phase {
        Phase::Intent => {
            details.insert("phase".into(), "intent".into());
        }
        Phase::Outcome(outcome) => {
            details.insert("phase".into(), "outcome".into());
            // As text: JSON's numbers end at 2^53 for many readers.
            if let Some(version) = outcome.version {
                details.insert("version".into(), version.to_string().into());
            }
            if let Some(entries) = outcome.count {
                details.insert("entries".into(), entries.to_string().into());
            }
            event.insert("cache_hit".into(), outcome.cache_hit.into());
            if let Some(code) = outcome.failure {
                event.insert("error_code".into(), code.into());
            }
        }
    }
    event.insert("name".into(), access.action.name().into());
    event.insert("time".into(), time.to_string().into());
    event.insert("context".into(), context.into());
    event.insert("purpose".into(), PURPOSE.into());
    event.insert("details".into(), details.into());
    let mut line = Value::from(event).to_string().into_bytes();
    line.push(b'\n');
    line
}
