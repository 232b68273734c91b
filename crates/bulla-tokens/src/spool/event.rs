use bulla_model::Timestamp;
use serde_json::{Map, Value, json};

use crate::access::{Access, Outcome};

/// Where in its course an access is.
pub(super) enum Phase<'a> {
    /// About to have its effect.
    Intent,
    Outcome(&'a Outcome),
}

/// One event as a line of JSON.
pub(super) fn line(id: &str, time: Timestamp, access: &Access, phase: Phase<'_>) -> Vec<u8> {
    let mut parameters = Map::new();
    parameters.insert("clientId".into(), access.client.as_str().into());
    if let Some((provider, name)) = &access.token {
        parameters.insert("apiProvider".into(), provider.as_str().into());
        parameters.insert("tokenName".into(), name.as_str().into());
        parameters.insert(
            "encryptionContext".into(),
            json!({ "client_id": access.client.as_str(), "api_provider": provider.as_str(), "bulla:purpose": "token" }),
        );
    }
    let mut event = Map::new();
    let mut add = |name: &str, value: Value| event.insert(name.to_owned(), value);
    add("accessId", id.into());
    add("eventTime", time.to_string().into());
    add("eventName", access.action.name().into());
    add("readOnly", (!access.action.has_effect()).into());
    add("requestParameters", parameters.into());
    add("purpose", "token".into());
    match phase {
        Phase::Intent => {
            add("phase", "intent".into());
        }
        Phase::Outcome(outcome) => {
            add("phase", "outcome".into());
            add("cacheHit", outcome.cache_hit.into());
            if let Some(version) = outcome.version {
                // As text: JSON's numbers end at 2^53 for many readers.
                add("version", version.to_string().into());
            }
            if let Some(count) = outcome.count {
                add("count", count.into());
            }
            if let Some(code) = outcome.failure {
                add("errorCode", code.into());
            }
        }
    }
    let mut line = Value::from(event).to_string().into_bytes();
    line.push(b'\n');
    line
}
