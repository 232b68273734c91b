//! What goes onto the wire: answers, and the one mapping of errors.

use std::borrow::Cow;

use bulla_crypto::SecretBytes;
use bulla_model::Timestamp;
use bulla_service::ServiceError;
use bytes::Bytes;
use http::StatusCode;
use serde::{Serialize, Serializer};

use crate::sigv4::SignatureError;
use crate::wiping::{Wiped, WipingWriter};

/// The body of an answer; wiped when the connection has sent it.
#[derive(Debug)]
pub(super) struct Reply(pub(super) Bytes);

impl Reply {
    /// Answers nothing: operations without output have an empty body.
    pub(super) fn empty() -> Self {
        Self(Bytes::new())
    }

    /// Writes `output` as JSON; `size_hint_bytes` is what its blobs have.
    ///
    /// # Errors
    /// A defect: none of the outputs can fail to serialise.
    pub(super) fn json<T: Serialize>(output: &T, size_hint_bytes: usize) -> Result<Self, Failure> {
        let mut writer = WipingWriter::with_capacity(512 + size_hint_bytes.div_ceil(3) * 4);
        match serde_json::to_writer(&mut writer, output) {
            Ok(()) => Ok(Self(writer.into_bytes())),
            Err(_) => Err(ServiceError::Internal("an output that does not serialise").into()),
        }
    }
}

/// Bytes, written as base64. The text is wiped: it may be that of a plaintext.
pub(super) struct Base64<'a>(pub(super) &'a [u8]);

impl<'a> From<&'a SecretBytes> for Base64<'a> {
    fn from(secret: &'a SecretBytes) -> Self {
        Self(secret.expose_secret())
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Wiped::new(base64_simd::STANDARD.encode_to_string(self.0).into_bytes());
        serializer.serialize_str(std::str::from_utf8(text.as_ref()).unwrap_or_default())
    }
}

/// A moment, written as seconds since 1970 with milliseconds.
pub(super) struct Seconds(pub(super) Timestamp);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_seconds_f64())
    }
}

/// What serialises as its `Display`, as ids and ARNs do.
pub(super) fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// [`as_text`] for what may be absent.
pub(super) fn as_text_if_any<T: std::fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

/// An error as the client sees it, with what only the log sees.
#[derive(Debug)]
pub(crate) struct Failure {
    /// 400, or 500 for what is our fault, or 413.
    pub(crate) status: StatusCode,
    /// AWS's name, without namespace.
    pub(crate) code: &'static str,
    /// AWS's text, where it has one.
    pub(crate) message: Option<Cow<'static, str>>,
    /// What failed inside; for the log.
    pub(crate) cause: Option<ServiceError>,
}

impl Failure {
    fn client(code: &'static str, message: Option<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message,
            cause: None,
        }
    }

    /// A body that is not of the operation's form.
    pub(super) fn serialization(message: Option<String>) -> Self {
        Self::client("SerializationException", message.map(Cow::Owned))
    }

    /// Members out of their constraints.
    pub(super) fn validation(message: String) -> Self {
        Self::client("ValidationException", Some(Cow::Owned(message)))
    }

    /// A target that names no operation.
    pub(super) fn unknown_operation() -> Self {
        Self::client("UnknownOperationException", None)
    }

    /// An action that STS does not have.
    pub(super) fn no_such_action(action: &str, version: &str) -> Self {
        let shown = |text: &str| text.chars().take(64).collect::<String>();
        let message = format!(
            "Could not find operation {} for version {}",
            shown(action),
            shown(version)
        );
        Self::client("InvalidAction", Some(Cow::Owned(message)))
    }

    /// An operation or a member that AWS has and this service not yet.
    pub(super) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::client("UnsupportedOperationException", Some(message.into()))
    }

    /// A body above the limit.
    pub(super) fn too_large(limit_bytes: usize) -> Self {
        let message = format!("The request exceeds the limit of {limit_bytes} bytes.");
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Self::client("RequestEntityTooLargeException", Some(Cow::Owned(message)))
        }
    }

    /// A body that did not come in time, or not whole.
    pub(super) fn incomplete_body() -> Self {
        Self {
            status: StatusCode::REQUEST_TIMEOUT,
            ..Self::client("RequestTimeoutException", None)
        }
    }

    /// No answer from the service within the request's time; whether it was done, the audit log says.
    pub(super) fn timed_out() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            cause: Some(ServiceError::Internal("the operation took too long")),
            ..Self::client("DependencyTimeoutException", None)
        }
    }

    /// Whether the request was refused before the service heard of it.
    pub(super) fn is_of_the_edge(&self) -> bool {
        self.cause.is_none()
    }

    /// Whether it is ours and not the caller's.
    pub(super) fn is_internal(&self) -> bool {
        self.status.is_server_error()
    }

    /// The body: `{"__type":…}` with the message, if there is one. AWS writes `Message` where its parser refuses.
    pub(super) fn body(&self, request_id: &str) -> Bytes {
        let internal = self
            .is_internal()
            .then(|| format!("An internal error occurred. Request id: {request_id}"));
        let message = internal.as_deref().or(self.message.as_deref());
        let capital = self.code == "SerializationException";
        let body = ErrorBody {
            code: self.code,
            message: message.filter(|_| !capital),
            message_of_the_parser: message.filter(|_| capital),
        };
        serde_json::to_vec(&body).unwrap_or_default().into()
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "__type")]
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(rename = "Message", skip_serializing_if = "Option::is_none")]
    message_of_the_parser: Option<&'a str>,
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Self {
        Self::client(error.code(), Some(Cow::Owned(error.to_string())))
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        use ServiceError as E;
        let (internal, code, silent) = match &error {
            E::Validation(_) => (false, "ValidationException", false),
            E::NotFound(_) => (false, "NotFoundException", false),
            E::CustomKeyStoreNotFound(_) => (false, "CustomKeyStoreNotFoundException", false),
            E::InvalidArn(_) => (false, "InvalidArnException", false),
            E::AccessDenied(_) => (false, "AccessDeniedException", false),
            E::UnrecognizedClient => (false, "UnrecognizedClientException", false),
            E::ExpiredToken => (false, "ExpiredTokenException", false),
            E::Disabled(_) => (false, "DisabledException", false),
            E::InvalidState(_) => (false, "KMSInvalidStateException", false),
            E::InvalidKeyUsage(_) => (false, "InvalidKeyUsageException", false),
            E::InvalidCiphertext { .. } => (false, "InvalidCiphertextException", true),
            E::InvalidSignature => (false, "KMSInvalidSignatureException", true),
            E::InvalidMac => (false, "KMSInvalidMacException", true),
            E::IncorrectKey(_) => (false, "IncorrectKeyException", false),
            E::IncorrectKeyMaterial { .. } => (false, "IncorrectKeyMaterialException", true),
            E::InvalidImportToken => (false, "InvalidImportTokenException", true),
            E::ExpiredImportToken => (false, "ExpiredImportTokenException", true),
            E::AlreadyExists(_) => (false, "AlreadyExistsException", false),
            E::InvalidAliasName(_) => (false, "InvalidAliasNameException", false),
            E::LimitExceeded(_) => (false, "LimitExceededException", false),
            E::MalformedPolicyDocument(_) => (false, "MalformedPolicyDocumentException", false),
            E::InvalidIdentityToken(_) => (false, "InvalidIdentityToken", false),
            E::ExpiredIdentityToken(_) => (false, "ExpiredIdentityToken", false),
            E::IdpCommunication(_) => (false, "IDPCommunicationError", false),
            E::PackedPolicyTooLarge(_) => (false, "PackedPolicyTooLargeException", false),
            E::InvalidGrantToken => (false, "InvalidGrantTokenException", true),
            E::InvalidGrantId(_) => (false, "InvalidGrantIdException", false),
            E::InvalidMarker => (false, "InvalidMarkerException", true),
            E::Tag(_) => (false, "TagException", false),
            E::UnsupportedSpec(_) => (false, "UnsupportedOperationException", true),
            E::Unsupported(_) => (false, "UnsupportedOperationException", false),
            E::DryRun => (false, "DryRunOperationException", false),
            E::Throttled => (false, "ThrottlingException", false),
            E::Tampered { .. } | E::Store(_) | E::Root(_) | E::ShuttingDown | E::Internal(_) => {
                (true, "KMSInternalException", true)
            }
        };
        Self {
            status: if internal {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::BAD_REQUEST
            },
            code,
            message: (!silent).then(|| Cow::Owned(error.to_string())),
            cause: Some(error),
        }
    }
}

#[cfg(test)]
mod tests;
