//! What tests of other programs need of a throw-away service: a clock that they move, and a fresh start. Only in the dev mode.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bulla_model::{AccountId, Clock, Timestamp};
use bulla_service::{Call, Caller, ServiceError};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::body::read_body;
use crate::edge::{Edge, Peer, json_page, not_allowed};

const MICROS: i64 = 1_000_000;
const BODY_BYTES: usize = 4096;
/// No test looks further ahead than 100 years.
const MAX_AHEAD_SECONDS: i64 = 100 * 366 * 86_400;

/// A clock that runs with another, ahead of it by as much as a test has said.
#[derive(Debug)]
pub struct DevClock {
    machine: Arc<dyn Clock>,
    ahead_micros: AtomicI64,
}

impl DevClock {
    /// Runs with `machine`.
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self {
            machine,
            ahead_micros: AtomicI64::new(0),
        }
    }

    /// How far it is ahead, in microseconds.
    fn ahead(&self) -> i64 {
        self.ahead_micros.load(Ordering::SeqCst)
    }

    /// Moves it on by so many microseconds; `false` where that is too far.
    fn advance(&self, micros: i64) -> bool {
        let moved = |ahead: i64| {
            ahead
                .checked_add(micros)
                .filter(|ahead| (0..=MAX_AHEAD_SECONDS * MICROS).contains(ahead))
        };
        self.ahead_micros
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved)
            .is_ok()
    }
}

impl Clock for DevClock {
    fn now(&self) -> Timestamp {
        self.machine.now().plus_micros(self.ahead())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Move {
    AdvanceSeconds(u32),
    Now(String),
}

/// Answers `/dev/clock` and `/dev/reset`; `None` for any other page.
pub(crate) async fn answer(
    edge: &Edge,
    clock: &DevClock,
    head: &Parts,
    body: Incoming,
    peer: &Peer,
) -> Option<Response<Full<Bytes>>> {
    let post = head.method == Method::POST;
    let result = match head.uri.path() {
        "/dev/clock" if head.method == Method::GET => Ok(shown(clock)),
        "/dev/clock" if post && !is_json(head) => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send application/json, which no page of another origin can send unasked".to_owned(),
        )),
        "/dev/clock" if post => set_clock(edge, clock, body, peer).await,
        "/dev/reset" if post => reset(edge, clock, peer).await,
        "/dev/clock" => return Some(not_allowed("GET, POST")),
        "/dev/reset" => return Some(not_allowed("POST")),
        _ => return None,
    };
    Some(match result {
        Ok(value) => json_page(StatusCode::OK, &value),
        Err((status, message)) => json_page(status, &json!({"message": message})),
    })
}

fn is_json(head: &Parts) -> bool {
    let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn shown(clock: &DevClock) -> Value {
    json!({"now": clock.now().to_string(), "aheadSeconds": clock.ahead() as f64 / MICROS as f64})
}

/// Moves the clock, then does what has become due, so that the next request meets it done.
async fn set_clock(edge: &Edge, clock: &DevClock, body: Incoming, peer: &Peer) -> Result<Value, (StatusCode, String)> {
    let refused = |message: &str| (StatusCode::BAD_REQUEST, message.to_owned());
    let body = read_body(body, BODY_BYTES, edge.limits.body_read, &edge.body_memory, peer.address)
        .await
        .map_err(|_| refused("the body is too large or not whole"))?;
    let micros = match serde_json::from_slice(&body) {
        Ok(Move::AdvanceSeconds(seconds)) => i64::from(seconds) * MICROS,
        Ok(Move::Now(text)) => {
            let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| refused("now is no RFC 3339 time"))?;
            let micros = i64::try_from(moment.unix_timestamp_nanos() / 1000).map_err(|_| refused("now is too far"))?;
            micros.saturating_sub(clock.now().as_micros())
        }
        Err(_) => return Err(refused(r#"say {"advanceSeconds": N} or {"now": "<RFC 3339>"}"#)),
    };
    if micros < 0 {
        return Err(refused("the clock only moves forward; a reset puts it back"));
    }
    if !clock.advance(micros) {
        return Err(refused("the clock moves 100 years ahead at most"));
    }
    let sweep = edge.service.sweep().await.map_err(failed)?;
    let mut value = shown(clock);
    value["rotated"] = sweep.rotated.into();
    value["deleted"] = sweep.deleted.into();
    Ok(value)
}

async fn reset(edge: &Edge, clock: &DevClock, peer: &Peer) -> Result<Value, (StatusCode, String)> {
    let call = Call {
        caller: Caller::dev_admin(AccountId::from_number(0)),
        region: "us-east-1"
            .parse()
            .map_err(|_| failed(ServiceError::Internal("a region")))?,
        request_id: edge.request_ids.next(),
        source_ip: peer.text.clone(),
        user_agent: "".into(),
        secure_transport: peer.tls,
    };
    edge.service.reset(&call).await.map_err(failed)?;
    clock.ahead_micros.store(0, Ordering::SeqCst);
    Ok(shown(clock))
}

fn failed(error: ServiceError) -> (StatusCode, String) {
    let error: &dyn std::error::Error = &error;
    tracing::error!(error, "a page of the dev mode failed");
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "an internal error occurred".to_owned(),
    )
}
