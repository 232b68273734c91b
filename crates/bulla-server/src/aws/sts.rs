//! AWS STS over the same endpoint: the query protocol (a form in, XML out), Signature Version 4 for the service `sts`.
//!
//! Source: <https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>.

mod assume_role;
mod assume_role_with_web_identity;
mod form;
mod get_caller_identity;
mod xml;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use bulla_service::{Call, Refusal, Unsigned};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;

use self::form::Form;
#[cfg(any(test, fuzzing))]
pub(crate) use self::form::read_any_form;
use self::xml::Xml;
use super::authenticate::authenticate;
use super::wire::Failure;
use crate::body::{BodyError, read_body};
use crate::edge::{Edge, Origin};
use crate::metrics::Counted;
use crate::sigv4::SignedParts;

const FORM: &str = "application/x-www-form-urlencoded";
const SERVICE: &str = "sts";

/// The operations' names, in the order of [`Action`].
pub(crate) const STS_ACTIONS: [&str; 3] = ["AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"];

/// The operations there are, with what reads and answers each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    AssumeRole,
    AssumeRoleWithWebIdentity,
    GetCallerIdentity,
}

impl Action {
    const ALL: [Action; 3] = [
        Action::AssumeRole,
        Action::AssumeRoleWithWebIdentity,
        Action::GetCallerIdentity,
    ];

    fn name(self) -> &'static str {
        STS_ACTIONS[self as usize]
    }
}

/// Whether a request speaks the query protocol.
pub(super) fn is_query(head: &Parts) -> bool {
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default();
    kind.trim().eq_ignore_ascii_case(FORM) && !head.headers.contains_key("x-amz-target")
}

/// Answers one request, counts it and logs it.
pub(super) async fn answer(edge: &Edge, head: &Parts, body: Incoming, origin: Origin) -> Response<Full<Bytes>> {
    let began = Instant::now();
    let request_id = edge.request_ids.next();
    let mut action = None;
    let result = serve(edge, head, body, origin, &request_id, &mut action).await;
    let outcome = result.as_ref().map_or_else(|failure| failure.code, |_| "ok");
    let counted = action.map_or(Counted::Unknown, |action| Counted::Sts(action as usize));
    edge.metrics.count(counted, outcome, began.elapsed());
    let name = action.map_or("unknown", Action::name);
    match result {
        Ok(body) => {
            tracing::debug!(request_id = &*request_id, operation = name, outcome, "answered");
            respond(StatusCode::OK, body, &request_id)
        }
        Err(failure) => {
            super::log(&failure, &request_id, name, "-");
            let (status, code) = on_the_wire(&failure);
            respond(status, xml::error(&failure, code, &request_id), &request_id)
        }
    }
}

async fn serve(
    edge: &Edge,
    head: &Parts,
    body: Incoming,
    origin: Origin,
    request_id: &Arc<str>,
    found: &mut Option<Action>,
) -> Result<Bytes, Failure> {
    let Origin {
        source_ip,
        secure_transport,
    } = origin;
    let limits = &edge.limits;
    let count = |failure: &Failure| {
        edge.service.record_authentication_failure(failure.code, &source_ip);
    };
    let client = source_ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let body = read_body(body, limits.body_bytes, limits.body_read, &edge.body_memory, client)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge => Failure::too_large(limits.body_bytes),
            BodyError::Incomplete => Failure::incomplete_body(),
        })
        .inspect_err(count)?;
    let form = Form::parse(&body).inspect_err(count)?;
    let named = form.get("Action").unwrap_or_default();
    let version = form.get("Version").unwrap_or("2011-06-15");
    let action = Action::ALL.into_iter().find(|action| action.name() == named);
    let action = action.filter(|_| version == "2011-06-15");
    *found = action;
    let user_agent = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent: Arc<str> = user_agent.unwrap_or_default().into();
    // Kept outside of what is given up when the time is over: then it is known whose request it was.
    let authenticated = OnceLock::new();
    let answer = async {
        if action == Some(Action::AssumeRoleWithWebIdentity) {
            let from = Unsigned {
                region: "us-east-1".parse().map_err(|_| Failure::unknown_operation())?,
                request_id: request_id.clone(),
                source_ip: source_ip.clone(),
                user_agent,
                secure_transport,
            };
            return assume_role_with_web_identity::answer(&edge.service, from, &form)
                .await
                // Nobody is known yet who asks.
                .inspect_err(|failure| {
                    if failure.is_of_the_edge() {
                        count(failure)
                    }
                });
        }
        let parts = SignedParts {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
        };
        let known = authenticate(edge, &parts, &body, &source_ip, SERVICE).await;
        let Some(action) = action else {
            return Err(Failure::no_such_action(named, version));
        };
        let (caller, region) = known?;
        let call = authenticated.get_or_init(|| Call {
            caller,
            region,
            request_id: request_id.clone(),
            source_ip: source_ip.clone(),
            user_agent,
            secure_transport,
        });
        let result = match action {
            Action::AssumeRole => assume_role::answer(&edge.service, call, &form).await,
            _ => get_caller_identity::answer(&edge.service, call).await,
        };
        match result {
            Err(failure) if failure.is_of_the_edge() => {
                edge.service.record_refusal(call, refusal_of(action, &failure)).await?;
                Err(failure)
            }
            // The service has recorded it.
            result => result,
        }
    };
    let answered = match tokio::time::timeout(limits.request, answer).await {
        Ok(answered) => answered,
        Err(_) => {
            let failure = Failure::timed_out();
            match (authenticated.into_inner(), action) {
                (Some(call), Some(action)) => super::record_timeout(edge, call, refusal_of(action, &failure)).await,
                _ => count(&failure),
            }
            Err(failure)
        }
    };
    answered.map(|result| xml::response(action.map_or("", Action::name), result.0, request_id))
}

fn refusal_of(action: Action, failure: &Failure) -> Refusal {
    Refusal {
        operation: action.name(),
        event_source: "sts.amazonaws.com",
        read_only: true,
        code: failure.code,
    }
}

/// STS's names of what the service and the signature's check call as KMS does.
fn on_the_wire(failure: &Failure) -> (StatusCode, &'static str) {
    let (forbidden, wrong) = (StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST);
    match failure.code {
        _ if failure.is_internal() => (failure.status, "InternalFailure"),
        "MissingAuthenticationTokenException" => (forbidden, "MissingAuthenticationToken"),
        "UnrecognizedClientException" => (forbidden, "InvalidClientTokenId"),
        "InvalidSignatureException" => (forbidden, "SignatureDoesNotMatch"),
        "ExpiredTokenException" => (forbidden, "ExpiredToken"),
        "ExpiredIdentityToken" => (wrong, "ExpiredTokenException"),
        "AccessDeniedException" => (forbidden, "AccessDenied"),
        "IncompleteSignatureException" => (wrong, "IncompleteSignature"),
        "MalformedPolicyDocumentException" => (wrong, "MalformedPolicyDocument"),
        "PackedPolicyTooLargeException" => (wrong, "PackedPolicyTooLarge"),
        "ThrottlingException" => (wrong, "Throttling"),
        "InvalidIdentityToken" => (wrong, "InvalidIdentityToken"),
        "IDPCommunicationError" => (wrong, "IDPCommunicationError"),
        "InvalidAction" => (wrong, "InvalidAction"),
        "RequestEntityTooLargeException" => (failure.status, "RequestEntityTooLarge"),
        "RequestTimeoutException" => (failure.status, "RequestTimeout"),
        _ => (wrong, "ValidationError"),
    }
}

fn respond(status: StatusCode, body: Bytes, request_id: &str) -> Response<Full<Bytes>> {
    let mut response = super::respond(status, body, request_id);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// What an operation answers: it writes its members into the envelope.
struct Members(Box<dyn FnOnce(Xml) -> Xml + Send>);

impl Members {
    fn new(write: impl FnOnce(Xml) -> Xml + Send + 'static) -> Self {
        Self(Box::new(write))
    }
}
