use std::collections::BTreeMap;

use bulla_crypto::Context;
use bulla_service::{AssertedBatch, AssertedEvent};
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::route::{RequestBody, RestRoute};
use super::{Problem, Reply, Request};

pub(super) const ROUTE: RestRoute = RestRoute {
    name: "PutAuditEvents",
    method: "POST",
    path: "/v1/audit/events",
    action: Some("bulla:WriteAudit"),
    resource: "arn:aws:bulla::{account}:audit/log",
    read_only: false,
    summary: "Takes events into the log that a library or a vault elsewhere recorded.",
    description: "The principal and the time are the service's; what the client says is marked as asserted by it. Durable when it answers. A \
                  batch of a name that the caller used in the last 30 days is answered and not taken again; another one of that name is refused.",
    query: &[],
    body: Some(RequestBody {
        max_bytes: 256 * 1024,
        schema: r#"{"type":"object","required":["batch_id","events"],"additionalProperties":false,"properties":{
            "batch_id":{"type":"string","pattern":"^[A-Za-z0-9._-]{1,64}$"},
            "events":{"type":"array","minItems":1,"maxItems":100,"items":{"type":"object","required":["name","time"],
                "additionalProperties":false,"properties":{
                "name":{"type":"string","pattern":"^[A-Z][A-Za-z0-9]{0,63}$"},
                "time":{"type":"string","format":"date-time"},
                "context":{"type":"object","additionalProperties":{"type":"string"}},
                "resource":{"type":"string","maxLength":512},
                "count":{"type":"integer","minimum":1,"default":1},
                "cache_hit":{"type":"boolean"},
                "purpose":{"type":"string","maxLength":128},
                "error_code":{"type":"string","maxLength":128},
                "details":{"type":"object","maxProperties":16,"additionalProperties":{"type":"string","maxLength":1024}}}}}}}"#,
    }),
    answer: r#"{"type":"object","required":["events","replayed"],"additionalProperties":false,"properties":{
        "events":{"type":"integer","description":"Events of the batch that are in the log."},
        "replayed":{"type":"boolean","description":"Whether they were there already."}}}"#,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    batch_id: String,
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    name: String,
    time: String,
    #[serde(default)]
    context: BTreeMap<String, String>,
    resource: Option<String>,
    #[serde(default = "one")]
    count: u64,
    cache_hit: Option<bool>,
    purpose: Option<String>,
    error_code: Option<String>,
    #[serde(default)]
    details: BTreeMap<String, String>,
}

fn one() -> u64 {
    1
}

pub(super) async fn handle(request: &Request<'_>) -> Result<Reply, Problem> {
    let input: Input = request.json()?;
    let batch = AssertedBatch {
        id: input.batch_id,
        events: input.events.into_iter().map(asserted).collect::<Result<_, _>>()?,
    };
    let recorded = request.edge.service.record_asserted(request.call, batch).await?;
    Reply::json(&json!({"events": recorded.events, "replayed": recorded.replayed}))
}

fn asserted(event: Event) -> Result<AssertedEvent, Problem> {
    let wrong = || Problem::invalid("the time of an event is no RFC 3339 time");
    let time = OffsetDateTime::parse(&event.time, &Rfc3339).map_err(|_| wrong())?;
    let pairs = event.context.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Ok(AssertedEvent {
        name: event.name,
        time_micros: i64::try_from(time.unix_timestamp_nanos().div_euclid(1000)).map_err(|_| wrong())?,
        context: Context::from_pairs(pairs)
            .map_err(|_| Problem::invalid("the context of an event is too large or not one"))?,
        resource: event.resource,
        count: event.count,
        cache_hit: event.cache_hit,
        purpose: event.purpose,
        error_code: event.error_code,
        details: event.details,
    })
}
