//! The REST façade: everything under `/v1`, JSON in and out, errors as RFC 9457 problems with a stable `code`.
//!
//! One file per resource reads its requests and renders its answers; the table in `route.rs` says which there are, and drives dispatch, the
//! OpenAPI document and the tests that hold each of them to authorisation, audit and documentation.

mod audit_query;
mod authorise_token;
mod changes;
mod client_report;
mod cursor;
mod delete_token;
mod denied_report;
mod get_token;
mod get_tokens;
mod give_grant;
mod grants;
mod list_given_grants;
mod list_tokens;
mod openapi;
mod outside_hours_report;
mod principals_report;
mod problem;
mod put_audit_events;
mod put_token;
mod query;
mod query_audit;
mod refresh_token;
mod request;
mod revoke_tokens;
mod route;
mod take_grant;
mod token_body;
mod token_stats;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use bulla_model::Region;
use bulla_service::{Call, Caller, Refusal};
use bytes::Bytes;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

pub use self::openapi::openapi;
pub(crate) use self::problem::Problem;
pub(crate) use self::request::{Reply, Request};
use self::route::{Found, find};
pub use self::route::{QueryParameter, REST_ROUTES, RequestBody, RestRoute};
use crate::aws;
use crate::body::{BodyError, read_body};
use crate::edge::{Edge, Origin};
use crate::sigv4::SignedParts;

const DEFAULT_REGION: &str = "us-east-1";
const PROBLEM_JSON: &str = "application/problem+json";

/// Answers one request under `/v1`, and logs it.
pub(crate) async fn answer(edge: &Edge, head: &Parts, body: Incoming, origin: Origin) -> Response<Full<Bytes>> {
    let request_id = request_id(edge, head);
    let (name, result) = match find(head.method.as_str(), head.uri.path()) {
        Found::Route(route, parameters) => {
            // Kept outside of what is given up when the time is over: then it is known whose request it was.
            let authenticated = OnceLock::new();
            let served = serve(
                edge,
                head,
                body,
                origin,
                &request_id,
                (route, parameters),
                &authenticated,
            );
            let result = match tokio::time::timeout(edge.limits.request, served).await {
                Ok(result) => result,
                Err(_) => {
                    let problem = Problem::timed_out();
                    if let Some(call) = authenticated.into_inner() {
                        aws::record_timeout(edge, call, refusal_of(route, &problem)).await;
                    }
                    Err(problem)
                }
            };
            (route.name, result)
        }
        Found::OtherMethods(methods) => {
            let mut response = respond(Err(Problem::method_not_allowed()), &request_id);
            if let Ok(methods) = HeaderValue::from_str(&methods) {
                response.headers_mut().insert(ALLOW, methods);
            }
            return response;
        }
        Found::Malformed => ("unknown", Err(Problem::malformed_path())),
        Found::Nothing => ("unknown", Err(Problem::no_such_route())),
    };
    match &result {
        Ok(_) => tracing::debug!(request_id = &*request_id, operation = name, "answered"),
        Err(problem) => problem.log(&request_id, name),
    }
    respond(result, &request_id)
}

async fn serve(
    edge: &Edge,
    head: &Parts,
    body: Incoming,
    origin: Origin,
    request_id: &Arc<str>,
    (route, parameters): (&'static RestRoute, Vec<(&'static str, String)>),
    authenticated: &OnceLock<Call>,
) -> Result<Reply, Problem> {
    if route.action.is_none() {
        return Ok(openapi::page());
    }
    let Origin {
        source_ip,
        secure_transport,
    } = origin;
    let limit_bytes = route.body.map_or(0, |body| body.max_bytes).min(edge.limits.body_bytes);
    let client = source_ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let body = read_body(body, limit_bytes, edge.limits.body_read, &edge.body_memory, client).await;
    let body = body
        .map_err(|error| match error {
            BodyError::TooLarge => Problem::body_too_large(limit_bytes),
            BodyError::Incomplete => Problem::incomplete_body(),
        })
        // Without the whole body nobody is authenticated.
        .inspect_err(|problem| edge.service.record_authentication_failure(problem.code, &source_ip))?;
    let (caller, region) = authenticate(edge, head, &body, &source_ip).await?;
    let user_agent = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let (region, wrong) = match region {
        Ok(region) => (region, None),
        // Of a known caller, so it is an event, of the region that is usual here.
        Err(problem) => (usual_region(edge)?, Some(problem)),
    };
    let call = authenticated.get_or_init(|| Call {
        caller,
        region,
        request_id: request_id.clone(),
        source_ip,
        user_agent: user_agent.unwrap_or_default().into(),
        secure_transport,
    });
    let read = match wrong {
        Some(problem) => Err(problem),
        None => Request::read(edge, call, head, route, parameters, &body),
    };
    let outcome = match read {
        Ok(request) => route::answer(route, &request).await,
        Err(problem) => Err(problem),
    };
    match outcome {
        Err(problem) => {
            record(edge, call, route, &problem).await?;
            Err(problem)
        }
        outcome => outcome,
    }
}

/// Records a problem that nobody has recorded yet.
async fn record(edge: &Edge, call: &Call, route: &RestRoute, problem: &Problem) -> Result<(), Problem> {
    if problem.is_unrecorded() {
        edge.service.record_refusal(call, refusal_of(route, problem)).await?;
    }
    Ok(())
}

fn refusal_of(route: &RestRoute, problem: &Problem) -> Refusal {
    Refusal {
        operation: route.name,
        event_source: "bulla",
        read_only: route.read_only,
        code: problem.code,
    }
}

/// Finds who asks: by a bearer credential, or as in the AWS façade by a signature (for the service `bulla`), or anybody in the dev mode.
///
/// Tells the region apart: a wrong one is refused once it is known whose request it is.
async fn authenticate(
    edge: &Edge,
    head: &Parts,
    body: &[u8],
    source_ip: &str,
) -> Result<(Caller, Result<Region, Problem>), Problem> {
    let header = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = header.and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let Some(token) = bearer.filter(|_| !edge.is_dev()) else {
        let parts = SignedParts {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
        };
        let (caller, region) = aws::authenticate(edge, &parts, body, source_ip, "bulla").await?;
        return Ok((caller, Ok(region)));
    };
    if head.headers.get_all(AUTHORIZATION).iter().count() > 1 {
        edge.service
            .record_authentication_failure("UnrecognizedClientException", source_ip);
        return Err(Problem::unauthenticated());
    }
    let caller = edge.service.authenticate_bearer(token, source_ip).await?;
    Ok((caller, region(edge, head)))
}

/// The region of requests that are not signed for one: what the header says, else the first that is served.
fn region(edge: &Edge, head: &Parts) -> Result<Region, Problem> {
    let asked = head
        .headers
        .get("bulla-region")
        .map(|value| value.to_str().unwrap_or(""));
    let Some(asked) = asked else {
        return usual_region(edge);
    };
    let region: Region = asked.parse().map_err(|_| Problem::wrong_region())?;
    if edge.regions.is_empty() || edge.regions.contains(&region) {
        Ok(region)
    } else {
        Err(Problem::wrong_region())
    }
}

fn usual_region(edge: &Edge) -> Result<Region, Problem> {
    match edge.regions.first() {
        Some(first) => Ok(first.clone()),
        None => DEFAULT_REGION.parse().map_err(|_| Problem::wrong_region()),
    }
}

/// The client's request id where it is 1 to 64 letters, digits, `.`, `_` and `-`; else one of ours.
fn request_id(edge: &Edge, head: &Parts) -> Arc<str> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let given = head.headers.get("x-request-id").and_then(|value| value.to_str().ok());
    match given {
        Some(id) if (1..=64).contains(&id.len()) && id.bytes().all(legal) => id.into(),
        _ => edge.request_ids.next(),
    }
}

fn respond(result: Result<Reply, Problem>, request_id: &str) -> Response<Full<Bytes>> {
    let (status, content_type, body, retry) = match result {
        Ok(reply) => (reply.status, "application/json", reply.body, false),
        Err(problem) => (
            problem.status,
            PROBLEM_JSON,
            problem.body(request_id),
            problem.is_for_later(),
        ),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bulla\""));
    }
    if retry {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
