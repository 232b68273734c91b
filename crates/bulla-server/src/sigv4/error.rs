use super::{SKEW_SECONDS, date};

/// Why a request is not believed to come from who it says. `Display` is AWS's text, and safe to send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    /// No `Authorization` header at all.
    #[error("Missing Authentication Token")]
    MissingToken,
    /// A part of the header is no `key=value`.
    #[error(
        "'{part}' not a valid key=value pair (missing equal-sign) in Authorization header \
         (hashed with SHA-256 and encoded with Base64): '{header_hash}'."
    )]
    NotKeyValue { part: String, header_hash: String },
    /// Parameters that the header must have are not there.
    #[error("{}", missing(*.credential, *.signature, *.signed_headers, *.date, .header_hash))]
    MissingParameters {
        credential: bool,
        signature: bool,
        signed_headers: bool,
        date: bool,
        header_hash: String,
    },
    /// Another algorithm of the family, as SigV4A.
    #[error("Unsupported AWS 'algorithm': '{0}'.")]
    UnsupportedAlgorithm(String),
    /// A credential without its five parts.
    #[error("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{0}'")]
    BadCredential(String),
    /// A date that is no `YYYYMMDDTHHMMSSZ`.
    #[error("Date must be in ISO-8601 'basic format'. Got '{0}'. See http://en.wikipedia.org/wiki/ISO_8601")]
    BadDate(String),
    /// The credential's day is not the request's.
    #[error(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
         '{scope}' != '{}', from '{header}'.", .header.get(..8).unwrap_or_default()
    )]
    WrongDate { scope: String, header: String },
    /// Signed for another region than this service answers for, or for none.
    #[error("Credential should be scoped to a valid region, not '{0}'. ")]
    WrongRegion(String),
    /// Signed for another service.
    #[error("Credential should be scoped to correct service: '{0}'. ")]
    WrongService(&'static str),
    /// The scope does not end in `aws4_request`.
    #[error("Credential should be scoped with a valid terminator: 'aws4_request', not '{0}'.")]
    WrongTerminator(String),
    /// A header that must be signed is not.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    NotSigned(String),
    /// Signed too long ago.
    #[error(
        "Signature expired: {} is now earlier than {} ({} - 5 min.)",
        date::format(*.signed_at), date::format(.now - SKEW_SECONDS), date::format(*.now)
    )]
    Expired { signed_at: i64, now: i64 },
    /// Signed in the future.
    #[error(
        "Signature not yet current: {} is still later than {} ({} + 5 min.)",
        date::format(*.signed_at), date::format(.now + SKEW_SECONDS), date::format(*.now)
    )]
    NotYetCurrent { signed_at: i64, now: i64 },
    /// The signature is in the URL.
    #[error("Presigned requests are not accepted: sign the request in its Authorization header.")]
    Presigned,
    /// The body is not part of what was signed.
    #[error("Requests with an unsigned or streaming payload are not accepted: sign the SHA-256 of the body.")]
    UnsignedPayload,
    /// No such access key, an inactive one, or a session token that is not its.
    #[error("The security token included in the request is invalid.")]
    UnknownAccessKey,
    /// The signature is not the one of this request under this key.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl SignatureError {
    /// The name of AWS's error.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::MissingToken => "MissingAuthenticationTokenException",
            Self::NotKeyValue { .. }
            | Self::MissingParameters { .. }
            | Self::UnsupportedAlgorithm(_)
            | Self::BadCredential(_)
            | Self::BadDate(_) => "IncompleteSignatureException",
            Self::UnknownAccessKey => "UnrecognizedClientException",
            Self::WrongDate { .. }
            | Self::WrongRegion(_)
            | Self::WrongService(_)
            | Self::WrongTerminator(_)
            | Self::NotSigned(_)
            | Self::Expired { .. }
            | Self::NotYetCurrent { .. }
            | Self::Presigned
            | Self::UnsignedPayload
            | Self::Mismatch => "InvalidSignatureException",
        }
    }
}

fn missing(credential: bool, signature: bool, signed_headers: bool, date: bool, header_hash: &str) -> String {
    let mut text = String::new();
    for (absent, name) in [
        (credential, "Credential"),
        (signature, "Signature"),
        (signed_headers, "SignedHeaders"),
    ] {
        if absent {
            text.push_str("Authorization header requires '");
            text.push_str(name);
            text.push_str("' parameter. ");
        }
    }
    if date {
        text.push_str("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    }
    text + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + header_hash
}
