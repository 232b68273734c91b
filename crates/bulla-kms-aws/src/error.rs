use std::error::Error;
use std::fmt::Write as _;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bulla_kms::KmsErrorKind::{self, *};

/// A setting of [`AwsConfig`](crate::AwsConfig) that can't be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AwsConfigError {
    /// Neither a region nor a replica's ARN.
    #[error("{region:?} is neither a region, as in eu-central-1, nor the ARN of a multi-Region key")]
    Region {
        /// What was given.
        region: String,
    },
    /// Not a URL of a service.
    #[error("{url:?} is no endpoint, as in https://kms.example.com or http://127.0.0.1:4599")]
    Endpoint {
        /// What was given.
        url: String,
    },
    /// A role that can't be assumed as described.
    #[error("role {role_arn}: {what}")]
    Role {
        /// The role as given.
        role_arn: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Times or attempts that contradict each other.
    #[error("timeouts and attempts are above zero, and an attempt is not longer than the operation")]
    Time,
}

/// What AWS, or the way to it, said: text without a secret, in place of the SDK's errors.
///
/// The SDK's errors hold the raw response. One of `GenerateDataKey` that the SDK can't read would hold a data key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{region}: {text}")]
pub struct AwsFault {
    /// The region asked.
    pub region: String,
    /// AWS's error code, where it gave one: `AccessDeniedException`.
    pub code: Option<String>,
    /// AWS's message, or the causes from the outermost in.
    pub text: String,
    /// Where the fault lies.
    pub origin: FaultOrigin,
}

/// Where a fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultOrigin {
    /// KMS (or STS, when it was asked outright) answered with an error.
    Service,
    /// The service was not reached, or its answer was not one.
    Transport,
    /// There are no credentials anywhere in the chain.
    NoCredentials,
    /// Credentials were looked for and could not be had: a role refused, a token rejected, a profile in error.
    Credentials,
}

/// A fault, and what it means for the caller.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: KmsErrorKind,
    pub(crate) fault: AwsFault,
}

impl Failure {
    pub(crate) fn new(kind: KmsErrorKind, region: &str, text: impl Into<String>) -> Self {
        let fault = AwsFault {
            region: region.to_owned(),
            code: None,
            text: text.into(),
            origin: FaultOrigin::Service,
        };
        Self { kind, fault }
    }

    /// Puts another region's failure beside this one, in words; its kind counts if `first`.
    pub(crate) fn beside(self, other: Self, first: bool) -> Self {
        let (mut one, two) = if first { (other, self) } else { (self, other) };
        one.fault.text = format!("{}; {}", one.fault.text, two.fault);
        one
    }

    /// Reads an error of the SDK.
    pub(crate) fn read<E>(region: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let (kind, origin) = match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                (kind_of_code(service.err().code(), status), FaultOrigin::Service)
            }
            SdkError::TimeoutError(_) | SdkError::ResponseError(_) => (Unavailable, FaultOrigin::Transport),
            other => kind_of_causes(other),
        };
        let code = error.code().map(str::to_owned);
        let text = match (error, error.message()) {
            (SdkError::ServiceError(service), message) => format!(
                "{} (HTTP {}): {}",
                code.as_deref().unwrap_or("an error without a code"),
                service.raw().status().as_u16(),
                message.unwrap_or("no message"),
            ),
            // Parsers quote what they could not read.
            (SdkError::ResponseError(_), _) => "the answer could not be read".to_owned(),
            _ => causes(error),
        };
        Self {
            kind,
            fault: AwsFault {
                region: region.to_owned(),
                code,
                text,
                origin,
            },
        }
    }
}

/// What an error code of KMS or STS means: every one of the operations used, then those common to all of AWS.
fn kind_of_code(code: Option<&str>, status: u16) -> KmsErrorKind {
    match code.unwrap_or_default() {
        "NotFoundException" => NotFound,
        "DisabledException" | "KMSInvalidStateException" => KeyDisabled,
        "InvalidCiphertextException" | "IncorrectKeyException" | "KMSInvalidSignatureException" => WrongContext,
        "KeyUnavailableException" | "DependencyTimeoutException" | "KMSInternalException" => Unavailable,
        "InvalidKeyUsageException" | "InvalidGrantTokenException" | "InvalidArnException" => Invalid,
        "DryRunOperationException" | "ValidationException" | "ValidationError" => Invalid,
        "UnsupportedOperationException" => Unsupported,
        "ThrottlingException" | "Throttling" | "ThrottledException" | "RequestThrottledException" => Throttled,
        "TooManyRequestsException" | "RequestLimitExceeded" | "LimitExceededException" | "SlowDown" => Throttled,
        "AccessDeniedException" | "AccessDenied" | "UnrecognizedClientException" | "InvalidClientTokenId" => {
            AccessDenied
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => AccessDenied,
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" | "OptInRequired" => AccessDenied,
        "ExpiredTokenException" | "ExpiredToken" | "RequestExpired" | "InvalidIdentityToken" => AccessDenied,
        "IDPRejectedClaim" | "NotAuthorized" | "AuthFailure" | "InvalidAccessKeyId" => AccessDenied,
        "InternalFailure" | "InternalServerError" | "ServiceUnavailable" | "ServiceUnavailableException" => Unavailable,
        "RequestTimeout" | "RequestTimeoutException" | "IDPCommunicationError" => Unavailable,
        _ => kind_of_status(status),
    }
}

fn kind_of_status(status: u16) -> KmsErrorKind {
    match status {
        429 => Throttled,
        // A success that the SDK can't read is a broken service, or none of AWS's.
        ..=399 | 408 | 500.. => Unavailable,
        401 | 403 => AccessDenied,
        _ => Invalid,
    }
}

/// Reads an error that came before any answer: of credentials, of configuration, of the network.
fn kind_of_causes(error: &(dyn Error + 'static)) -> (KmsErrorKind, FaultOrigin) {
    let mut cause = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref::<CredentialsError>() {
            Some(CredentialsError::CredentialsNotLoaded(_)) => return (AccessDenied, FaultOrigin::NoCredentials),
            Some(CredentialsError::InvalidConfiguration(_)) => return (Invalid, FaultOrigin::Credentials),
            Some(CredentialsError::ProviderTimedOut(_)) => return (Unavailable, FaultOrigin::Credentials),
            Some(_) => return (kind_of_credentials(current), FaultOrigin::Credentials),
            None => {}
        }
        cause = current.source();
    }
    (Unavailable, FaultOrigin::Transport)
}

/// Reads why a provider of credentials failed: STS's answer if it gave one, else it was not reached.
fn kind_of_credentials(error: &(dyn Error + 'static)) -> KmsErrorKind {
    let mut cause = Some(error);
    while let Some(current) = cause {
        if let Some(SdkError::ServiceError(e)) = current.downcast_ref::<SdkError<AssumeRoleError, HttpResponse>>() {
            return kind_of_code(e.err().code(), e.raw().status().as_u16());
        }
        let web = current.downcast_ref::<SdkError<AssumeRoleWithWebIdentityError, HttpResponse>>();
        if let Some(SdkError::ServiceError(e)) = web {
            return kind_of_code(e.err().code(), e.raw().status().as_u16());
        }
        if current
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound)
        {
            // A web identity token file that is not there.
            return AccessDenied;
        }
        cause = current.source();
    }
    Unavailable
}

/// Writes an error and its causes, outermost first, each said once.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut cause = Some(error);
    while let Some(current) = cause {
        let said = current.to_string();
        if !text.ends_with(&said) {
            let _ = write!(text, "{}{said}", if text.is_empty() { "" } else { ": " });
        }
        cause = current.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_operations_used_has_its_kind() {
        // The variants of the SDK's DecryptError, EncryptError, GenerateDataKeyError, GenerateDataKeyWithoutPlaintextError,
        // DescribeKeyError, SignError, VerifyError and GetPublicKeyError, by the codes that they carry.
        for (code, kind) in [
            ("DependencyTimeoutException", Unavailable),
            ("DisabledException", KeyDisabled),
            ("DryRunOperationException", Invalid),
            ("IncorrectKeyException", WrongContext),
            ("InvalidArnException", Invalid),
            ("InvalidCiphertextException", WrongContext),
            ("InvalidGrantTokenException", Invalid),
            ("InvalidKeyUsageException", Invalid),
            ("KMSInvalidSignatureException", WrongContext),
            ("KeyUnavailableException", Unavailable),
            ("KMSInternalException", Unavailable),
            ("KMSInvalidStateException", KeyDisabled),
            ("NotFoundException", NotFound),
        ] {
            assert_eq!(kind_of_code(Some(code), 400), kind, "{code}");
        }
    }

    #[test]
    fn errors_common_to_aws_have_their_kind() {
        for (code, status, kind) in [
            (Some("AccessDeniedException"), 400, AccessDenied),
            (Some("UnrecognizedClientException"), 400, AccessDenied),
            (Some("InvalidSignatureException"), 400, AccessDenied),
            (Some("ExpiredTokenException"), 400, AccessDenied),
            (Some("ThrottlingException"), 400, Throttled),
            (Some("LimitExceededException"), 400, Throttled),
            (Some("SomethingNew"), 503, Unavailable),
            (Some("SomethingNew"), 400, Invalid),
            (None, 500, Unavailable),
            (None, 429, Throttled),
            (None, 403, AccessDenied),
            (None, 404, Invalid),
            (None, 200, Unavailable),
        ] {
            assert_eq!(kind_of_code(code, status), kind, "{code:?} {status}");
        }
    }

    #[test]
    fn credentials_that_are_missing_are_told_from_those_that_fail() {
        let read = |error: CredentialsError| kind_of_causes(&error);
        assert_eq!(
            read(CredentialsError::not_loaded("none")),
            (AccessDenied, FaultOrigin::NoCredentials)
        );
        assert_eq!(
            read(CredentialsError::invalid_configuration("a loop")),
            (Invalid, FaultOrigin::Credentials)
        );
        assert_eq!(
            read(CredentialsError::provider_error("no route")),
            (Unavailable, FaultOrigin::Credentials)
        );
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(
            read(CredentialsError::provider_error(missing)),
            (AccessDenied, FaultOrigin::Credentials)
        );
    }
}
