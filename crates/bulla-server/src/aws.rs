//! The AWS façade: KMS as `POST /` with an `X-Amz-Target`, JSON 1.1, Signature Version 4.
//!
//! One file per operation reads that operation's members and renders its answer; everything else is here, once.

#[cfg(any(test, fuzzing))]
mod any_body;
mod authenticate;
mod cancel_key_deletion;
mod connect_custom_key_store;
mod create_alias;
mod create_custom_key_store;
mod create_grant;
mod create_key;
mod decapsulate;
mod decrypt;
mod delete_alias;
mod delete_custom_key_store;
mod delete_imported_key_material;
mod derive_shared_secret;
mod describe_custom_key_stores;
mod describe_key;
mod disable_key;
mod disable_key_rotation;
mod disconnect_custom_key_store;
mod enable_key;
mod enable_key_rotation;
mod encapsulate;
mod encrypt;
mod generate_data_key;
mod generate_data_key_pair;
mod generate_data_key_pair_without_plaintext;
mod generate_data_key_without_plaintext;
mod generate_mac;
mod generate_random;
mod get_key_last_usage;
mod get_key_policy;
mod get_key_rotation_status;
mod get_parameters_for_import;
mod get_public_key;
mod import_key_material;
mod json;
mod key_metadata;
mod list_aliases;
mod list_grants;
mod list_key_policies;
mod list_key_rotations;
mod list_keys;
mod list_resource_tags;
mod list_retirable_grants;
mod operation;
mod put_key_policy;
mod re_encrypt;
mod replicate_key;
mod retire_grant;
mod revoke_grant;
mod rotate_key_on_demand;
mod schedule_key_deletion;
mod sign;
mod sts;
mod tag_resource;
mod untag_resource;
mod update_alias;
mod update_custom_key_store;
mod update_key_description;
mod update_primary_region;
mod validation;
mod verify;
mod verify_mac;
mod wire;

use std::error::Error;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bulla_service::{Call, Refusal};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderValue, PRAGMA, USER_AGENT};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;

use self::wire::Reply;
use crate::body::{BodyError, read_body};
use crate::edge::{Edge, Origin};
use crate::sigv4::SignedParts;

#[cfg(any(test, fuzzing))]
pub(crate) use self::any_body::read_any_body;
pub(crate) use self::authenticate::authenticate;
pub(crate) use self::operation::Operation;
pub use self::operation::{ROUTES, Route};
pub(crate) use self::sts::STS_ACTIONS;
#[cfg(any(test, fuzzing))]
pub(crate) use self::sts::read_any_form;
pub use self::validation::{CHOICES, Choices, RULES, Rule};
pub(crate) use self::wire::Failure;

/// Who asks, in the program's own log, where nobody was authenticated.
const NOBODY: &str = "-";

const JSON_1_1: &str = "application/x-amz-json-1.1";

/// Answers one request to the façade, counts it and logs it.
pub(crate) async fn answer(edge: &Edge, head: &Parts, body: Incoming, origin: Origin) -> Response<Full<Bytes>> {
    if sts::is_query(head) {
        return sts::answer(edge, head, body, origin).await;
    }
    let began = Instant::now();
    let request_id = edge.request_ids.next();
    let target = head.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = target.and_then(Operation::of_target);
    if !is_json_1_1(head) {
        edge.service
            .record_authentication_failure("UnknownOperationException", &origin.source_ip);
        edge.metrics
            .count(operation, "UnknownOperationException", began.elapsed());
        return without_json(operation.is_some() || target.is_some(), &request_id);
    }
    let mut principal = None;
    let result = serve(edge, head, body, origin, &request_id, operation, &mut principal).await;
    let outcome = result.as_ref().map_or_else(|failure| failure.code, |_| "ok");
    edge.metrics.count(operation, outcome, began.elapsed());
    let name = operation.map_or("unknown", |operation| operation.route().name);
    let principal = principal
        .as_ref()
        .map_or(NOBODY, |principal: &bulla_model::PrincipalArn| principal.as_str());
    match result {
        Ok(Reply(body)) => {
            tracing::debug!(
                request_id = &*request_id,
                operation = name,
                principal,
                outcome,
                "answered"
            );
            respond(StatusCode::OK, body, &request_id)
        }
        Err(failure) => {
            log(&failure, &request_id, name, principal);
            respond(failure.status, failure.body(&request_id), &request_id)
        }
    }
}

async fn serve(
    edge: &Edge,
    head: &Parts,
    body: Incoming,
    origin: Origin,
    request_id: &Arc<str>,
    operation: Option<Operation>,
    principal: &mut Option<bulla_model::PrincipalArn>,
) -> Result<Reply, Failure> {
    let limits = &edge.limits;
    let Origin {
        source_ip,
        secure_transport,
    } = origin;
    let client = source_ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let body = read_body(body, limits.body_bytes, limits.body_read, &edge.body_memory, client)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge => Failure::too_large(limits.body_bytes),
            BodyError::Incomplete => Failure::incomplete_body(),
        })
        // Without the whole body nobody is authenticated.
        .inspect_err(|failure| edge.service.record_authentication_failure(failure.code, &source_ip))?;
    let parts = SignedParts {
        method: &head.method,
        uri: &head.uri,
        headers: &head.headers,
    };
    let user_agent = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    // Kept outside of what is given up when the time is over: then it is known whose request it was.
    let authenticated = OnceLock::new();
    let answer = async {
        let (caller, region) = match authenticate::authenticate(edge, &parts, &body, &source_ip, "kms").await {
            Ok(authenticated) => authenticated,
            // As AWS does: which operations there are is told to everybody.
            Err(failure) if operation.is_none() && !failure.is_internal() => return Err(Failure::unknown_operation()),
            Err(failure) => return Err(failure),
        };
        *principal = Some(caller.arn().clone());
        let call = authenticated.get_or_init(|| Call {
            caller,
            region,
            request_id: request_id.clone(),
            source_ip,
            user_agent: user_agent.unwrap_or_default().into(),
            secure_transport,
        });
        let result = match operation {
            Some(operation) => operation.answer(&edge.service, call, &body).await,
            None => Err(Failure::unknown_operation()),
        };
        match result {
            Err(failure) if failure.is_of_the_edge() => {
                edge.service
                    .record_refusal(call, refusal_of(operation, &failure))
                    .await?;
                Err(failure)
            }
            // The service has recorded it.
            result => result,
        }
    };
    match tokio::time::timeout(limits.request, answer).await {
        Ok(answered) => answered,
        Err(_) => {
            let failure = Failure::timed_out();
            if let Some(call) = authenticated.into_inner() {
                record_timeout(edge, call, refusal_of(operation, &failure)).await;
            }
            Err(failure)
        }
    }
}

fn refusal_of(operation: Option<Operation>, failure: &Failure) -> Refusal {
    Refusal {
        event_source: "kms.amazonaws.com",
        operation: operation.map_or("UnknownOperation", |operation| operation.route().name),
        read_only: operation.is_none_or(Operation::is_read_only),
        code: failure.code,
    }
}

/// How long the answer to a request whose time is over still waits for its event.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

/// Records that a caller was answered nothing in time. The recording goes on when the answer waits for it no more; what the operation
/// itself comes to is an event of its own.
pub(crate) async fn record_timeout(edge: &Edge, call: Call, refusal: Refusal) {
    let service = edge.service.clone();
    let recording = tokio::spawn(async move {
        if let Err(error) = service.record_refusal(&call, refusal).await {
            let error: &dyn Error = &error;
            tracing::error!(
                error,
                request_id = &*call.request_id,
                "a request that took too long was not recorded"
            );
        }
    });
    let _ = tokio::time::timeout(RECORD_TIMEOUT, recording).await;
}

fn is_json_1_1(head: &Parts) -> bool {
    let content_type = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    content_type
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON_1_1))
}

fn respond(status: StatusCode, body: Bytes, request_id: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(5);
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", value);
    }
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-store, must-revalidate, private"),
    );
    headers.insert(EXPIRES, HeaderValue::from_static("0"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_1_1));
    response
}

/// What AWS's front end answers where it can't tell which protocol is spoken: XML.
fn without_json(has_target: bool, request_id: &str) -> Response<Full<Bytes>> {
    let (status, body) = if has_target {
        (StatusCode::NOT_FOUND, "<UnknownOperationException/>\n")
    } else {
        (
            StatusCode::FORBIDDEN,
            "<AccessDeniedException>\n  <Message>Unable to determine service/operation name to be authorized</Message>\n\
             </AccessDeniedException>\n",
        )
    };
    let mut response = respond(status, Bytes::from_static(body.as_bytes()), request_id);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// One line for each failure: what happened and to whom, never what was sent.
fn log(failure: &Failure, request_id: &str, operation: &str, principal: &str) {
    let mut causes = String::new();
    let mut cause: Option<&dyn Error> = failure.cause.as_ref().map(|error| error as &dyn Error);
    while failure.is_internal()
        && let Some(error) = cause
    {
        let _ = write!(causes, "{}{error}", if causes.is_empty() { "" } else { ": " });
        cause = error.source();
    }
    let status = failure.status.as_u16();
    if failure.is_internal() {
        tracing::error!(
            request_id,
            operation,
            principal,
            outcome = failure.code,
            status,
            causes,
            "failed"
        );
    } else if principal == NOBODY {
        // Anybody can cause these, as many as he likes: the audit log counts them.
        tracing::debug!(request_id, operation, outcome = failure.code, status, "refused");
    } else {
        tracing::info!(
            request_id,
            operation,
            principal,
            outcome = failure.code,
            status,
            "refused"
        );
    }
}
