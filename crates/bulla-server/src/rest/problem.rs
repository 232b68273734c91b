use std::error::Error;
use std::fmt::Write;

use bulla_service::ServiceError;
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use crate::aws::Failure;

/// An error as the client sees it (RFC 9457), with what only the log sees.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// Stable; what programs decide by.
    pub(crate) code: &'static str,
    /// For people; nothing of what the client sent as a secret.
    pub(crate) detail: Option<String>,
    /// Whether the audit log has it.
    is_recorded: bool,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: Some(detail.into()),
            is_recorded: false,
            cause: None,
        }
    }

    /// What went wrong below the edge, which has written its event where it could.
    pub(super) fn caused(
        status: StatusCode,
        code: &'static str,
        detail: Option<String>,
        is_recorded: bool,
        cause: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            status,
            code,
            detail,
            is_recorded,
            cause: Some(Box::new(cause)),
        }
    }

    /// The same, known to be in the audit log.
    pub(super) fn recorded(self) -> Self {
        Self {
            is_recorded: true,
            ..self
        }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
    }

    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "no credential of this service, or none that is valid",
        )
    }

    pub(crate) fn wrong_region() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_region",
            "no region that is served here",
        )
    }

    pub(crate) fn no_such_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no_such_route",
            "see /v1/openapi.json for what there is",
        )
    }

    pub(crate) fn malformed_path() -> Self {
        Self::invalid("a part of the path is not percent-encoded UTF-8 of at most 1,024 bytes")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "not with this method",
        )
    }

    pub(crate) fn body_too_large(limit_bytes: usize) -> Self {
        let detail = format!("a body of at most {limit_bytes} bytes is taken here");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
    }

    pub(crate) fn incomplete_body() -> Self {
        let detail = "the body did not come in time or not whole";
        Self::new(StatusCode::REQUEST_TIMEOUT, "incomplete_body", detail)
    }

    /// No answer within the request's time; whether it was done, the audit log says.
    pub(crate) fn timed_out() -> Self {
        ServiceError::Internal("the operation took too long").into()
    }

    /// Whether nobody has written its event: the request was refused before the service heard of it.
    pub(super) fn is_unrecorded(&self) -> bool {
        !self.is_recorded
    }

    /// Whether the same request may succeed a little later.
    pub(super) fn is_for_later(&self) -> bool {
        matches!(
            self.status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        )
    }

    /// The body; of what is ours, it says nothing but where to look.
    pub(super) fn body(&self, request_id: &str) -> Bytes {
        let detail = match &self.detail {
            Some(detail) if !self.status.is_server_error() => detail.as_str(),
            _ => "an internal error occurred; the log has more under the request's id",
        };
        json!({
            "type": format!("urn:bulla:problem:{}", self.code),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": detail,
            "request_id": request_id,
        })
        .to_string()
        .into()
    }

    /// One line: what happened, never what was sent.
    pub(super) fn log(&self, request_id: &str, operation: &str) {
        let status = self.status.as_u16();
        if !self.status.is_server_error() {
            tracing::info!(request_id, operation, outcome = self.code, status, "refused");
            return;
        }
        let mut causes = String::new();
        let mut cause: Option<&dyn Error> = self.cause.as_deref().map(|error| error as &dyn Error);
        while let Some(error) = cause {
            let _ = write!(causes, "{}{error}", if causes.is_empty() { "" } else { ": " });
            cause = error.source();
        }
        tracing::error!(request_id, operation, outcome = self.code, status, causes, "failed");
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        use ServiceError as E;
        let (status, code) = match &error {
            E::AccessDenied(_) => (StatusCode::FORBIDDEN, "access_denied"),
            E::UnrecognizedClient | E::ExpiredToken => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            E::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            E::AlreadyExists(_) => (StatusCode::CONFLICT, "already_exists"),
            E::Disabled(_) => (StatusCode::CONFLICT, "key_disabled"),
            E::InvalidState(_) => (StatusCode::CONFLICT, "key_state"),
            E::InvalidKeyUsage(_) => (StatusCode::CONFLICT, "key_usage"),
            E::LimitExceeded(_) => (StatusCode::CONFLICT, "limit_exceeded"),
            E::Throttled => (StatusCode::TOO_MANY_REQUESTS, "throttled"),
            E::Unsupported(_) => (StatusCode::BAD_REQUEST, "unsupported"),
            E::InvalidMarker => (StatusCode::BAD_REQUEST, "invalid_cursor"),
            // The caller's issuer did not answer: the same token may be good a little later.
            E::IdpCommunication(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            E::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            error if error.is_internal() => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            _ => (StatusCode::BAD_REQUEST, "invalid_request"),
        };
        Self::caused(status, code, error.message(), true, error)
    }
}

/// Who could not be authenticated by a signature is told why, as over AWS.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure.cause {
            Some(error) => error.into(),
            None => Self {
                status: StatusCode::UNAUTHORIZED,
                code: "unauthenticated",
                detail: failure.message.map(Into::into),
                is_recorded: false,
                cause: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_that_does_not_answer_is_no_fault_of_the_caller() {
        let problem = Problem::from(ServiceError::IdpCommunication("down".to_owned()));
        assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(problem.is_for_later());
    }
}
