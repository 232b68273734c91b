//! What all routes that read the log have in common: the filters of the query, and events as they are.

use bulla_audit::{BusinessHours, EventFilter, Outcome};
use bulla_service::{AuditPage, AuditQuery};
use http::StatusCode;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::query::Query;
use super::route::QueryParameter;
use super::{Problem, Reply, Request, cursor};
use crate::wiping::WipingWriter;

const TEXT: &str = r#"{"type":"string","minLength":1,"maxLength":2048}"#;

const fn parameter(name: &'static str, schema: &'static str, doc: &'static str) -> QueryParameter {
    QueryParameter {
        name,
        repeated: false,
        schema,
        doc,
    }
}

pub(super) const PRINCIPAL: QueryParameter = parameter("principal", TEXT, "The ARN of who asked.");
pub(super) const EVENT: QueryParameter = parameter("event", TEXT, "The event's name, as GetToken or Decrypt.");
pub(super) const KEY: QueryParameter = parameter(
    "key",
    TEXT,
    "The ARN of something that the event is about, or the id of a key.",
);
pub(super) const CONTEXT: QueryParameter = QueryParameter {
    repeated: true,
    ..parameter(
        "context",
        TEXT,
        "A pair of the encryption context, as client_id=a; may be repeated.",
    )
};
pub(super) const CLIENT: QueryParameter = parameter(
    "client",
    TEXT,
    "The client that it was about: client_id in the encryption context, or the parameter client.",
);
pub(super) const ERROR: QueryParameter = parameter(
    "error",
    TEXT,
    "The errorCode; any for whatever failed, none for what did not.",
);
pub(super) const FROM: QueryParameter = parameter(
    "from",
    r#"{"type":"string","format":"date-time"}"#,
    "From this moment on (RFC 3339).",
);
pub(super) const TO: QueryParameter = parameter(
    "to",
    r#"{"type":"string","format":"date-time"}"#,
    "Before this moment (RFC 3339).",
);
pub(super) const OUTSIDE: QueryParameter = parameter(
    "outside",
    r#"{"type":"string","examples":["Mon-Fri 08:00-18:00 +01:00"]}"#,
    "Outside these hours: days, times and an offset, UTC where none is given.",
);
pub(super) const LIMIT: QueryParameter = parameter(
    "limit",
    r#"{"type":"integer","minimum":1,"maximum":1000,"default":100}"#,
    "Events of a page.",
);
pub(super) const CURSOR: QueryParameter = parameter(
    "cursor",
    r#"{"type":"string","maxLength":64}"#,
    "Where the page before ended: its next_cursor.",
);

/// JSON Schema of a page of events.
pub(super) const PAGE: &str = r##"{"type":"object","required":["events","next_cursor"],"additionalProperties":false,"properties":{
    "events":{"type":"array","items":{"$ref":"#/components/schemas/Event"}},
    "next_cursor":{"type":["string","null"],"description":"Absent pages have null. A page may be empty and have a next one."}}}"##;

/// Reads the filters of a query.
pub(super) fn filter(query: &Query) -> Result<EventFilter, Problem> {
    let text = |name: &str| query.one(name).map(str::to_owned);
    let context = query.all("context").map(|pair| {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Problem::invalid("context is written as name=value"))?;
        Ok((name.to_owned(), value.to_owned()))
    });
    Ok(EventFilter {
        principal: text("principal"),
        event: text("event"),
        key: text("key"),
        context: context.collect::<Result<_, Problem>>()?,
        client: text("client"),
        outcome: query.one("error").map(|error| match error {
            "any" => Outcome::Failed,
            "none" => Outcome::Succeeded,
            code => Outcome::Code(code.to_owned()),
        }),
        from_micros: moment(query, "from")?,
        to_micros: moment(query, "to")?,
        outside: query.one("outside").map(hours).transpose()?,
        accesses_only: false,
    })
}

/// Asks for a page and renders it.
pub(super) async fn page(request: &Request<'_>, filter: EventFilter) -> Result<Reply, Problem> {
    let limit = request.query.number("limit", 100)?;
    let query = AuditQuery {
        filter,
        from: cursor::read(request.query.one("cursor"))?,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    };
    let AuditPage { events, next } = request.edge.service.query_audit(request.call, query).await?;
    // Each as it was signed, to the byte.
    let mut page = WipingWriter::with_capacity(64 + events.iter().map(|row| row.event.len() + 1).sum::<usize>());
    page.push(b"{\"events\":[");
    for (at, row) in events.iter().enumerate() {
        if at > 0 {
            page.push(b",");
        }
        page.push(&row.event);
    }
    page.push(b"],\"next_cursor\":");
    page.push(
        next.map_or(Value::Null, |next| cursor::write(next).into())
            .to_string()
            .as_bytes(),
    );
    page.push(b"}");
    Ok(Reply {
        status: StatusCode::OK,
        body: page.into_bytes(),
    })
}

fn moment(query: &Query, name: &str) -> Result<Option<i64>, Problem> {
    let wrong = || Problem::invalid(format!("{name} is no RFC 3339 time"));
    let Some(text) = query.one(name) else {
        return Ok(None);
    };
    let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?;
    i64::try_from(moment.unix_timestamp_nanos().div_euclid(1000))
        .map(Some)
        .map_err(|_| wrong())
}

fn hours(text: &str) -> Result<BusinessHours, Problem> {
    text.parse()
        .map_err(|error: bulla_audit::HoursError| Problem::invalid(error.to_string()))
}
