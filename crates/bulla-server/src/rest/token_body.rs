//! What requests and answers about tokens look like, and what each failure of the vault is to a client.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bulla_crypto::SecretBytes;
use bulla_model::Timestamp;
use http::StatusCode;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::route::QueryParameter;
use super::{Problem, Request};
use crate::tokens::{NewToken, Stored, Token, TokenAbout, TokenCall, TokenPath, Tokens, TokensError, TokensErrorKind};

/// The longest purpose, in bytes.
const MAX_PURPOSE_BYTES: usize = 128;

pub(super) const NAME: QueryParameter = QueryParameter {
    name: "name",
    repeated: false,
    schema: r#"{"type":"string","minLength":1,"maxLength":1024}"#,
    doc: "Which of the provider's tokens, where there is more than one.",
};

pub(super) const PURPOSE: QueryParameter = QueryParameter {
    name: "purpose",
    repeated: false,
    schema: r#"{"type":"string","minLength":1,"maxLength":128}"#,
    doc: "What for: the event says so. The header Bulla-Purpose says the same, and may be there instead.",
};

/// The answer to what writes.
pub(super) const STORED: &str = r#"{"type":"object","required":["version","expires_at"],"additionalProperties":false,"properties":{
    "version":{"type":"string","pattern":"^[0-9]+$","description":"Grows with each write."},
    "expires_at":{"type":["string","null"],"format":"date-time"}}}"#;

/// The answer to what gives a token out.
pub(super) const TOKEN: &str = r#"{"type":"object","required":["version","created_at","expires_at","type","scopes","metadata"],
    "oneOf":[{"required":["value"]},{"required":["value_base64"]}],"additionalProperties":false,"properties":{
    "value":{"type":"string","description":"Where it is UTF-8."},
    "value_base64":{"type":"string","description":"Where it is not."},
    "version":{"type":"string","pattern":"^[0-9]+$"},
    "created_at":{"type":"string","format":"date-time"},"expires_at":{"type":["string","null"],"format":"date-time"},
    "type":{"type":"string"},"scopes":{"type":"array","items":{"type":"string"}},
    "metadata":{"type":"object","additionalProperties":{"type":"string"}}}}"#;

/// The vault, the caller and his purpose.
pub(super) fn vault<'a>(request: &'a Request<'_>) -> Result<(&'a dyn Tokens, TokenCall<'a>), Problem> {
    let none = || {
        Problem::new(
            StatusCode::NOT_FOUND,
            "no_token_vault",
            "this service has no token vault",
        )
    };
    let vault = request.edge.tokens.as_deref().ok_or_else(none)?;
    let header = request
        .headers
        .get("bulla-purpose")
        .map(|value| value.to_str().map_err(|_| wrong_purpose()));
    let purpose = match (header.transpose()?, request.query.one("purpose")) {
        (Some(header), Some(query)) if header != query => return Err(wrong_purpose()),
        (header, query) => header.or(query),
    };
    if purpose.is_some_and(|purpose| purpose.is_empty() || purpose.len() > MAX_PURPOSE_BYTES) {
        return Err(wrong_purpose());
    }
    let asked = TokenCall {
        call: request.call,
        purpose,
    };
    Ok((vault, asked))
}

fn wrong_purpose() -> Problem {
    Problem::invalid("a purpose is 1 to 128 bytes, said once")
}

/// The token that path and query name.
pub(super) fn token_path(request: &Request<'_>) -> TokenPath {
    TokenPath {
        client: request.parameter("client").to_owned(),
        provider: request.parameter("provider").to_owned(),
        name: request.query.one("name").map(str::to_owned),
    }
}

/// The body of a put.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Put {
    value: Option<SecretText>,
    value_base64: Option<SecretText>,
    ttl_seconds: Option<u64>,
    #[serde(default, rename = "type")]
    token_type: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl Put {
    pub(super) fn token(self) -> Result<NewToken, Problem> {
        let value = match (self.value, self.value_base64) {
            (Some(value), None) => value.into_bytes(),
            (None, Some(value)) => {
                let decoded = base64_simd::STANDARD.decode_to_vec(value.0.as_bytes());
                SecretBytes::from_vec(decoded.map_err(|_| Problem::invalid("value_base64 is no standard base64"))?)
            }
            _ => return Err(Problem::invalid("a token has a value or a value_base64")),
        };
        if self.ttl_seconds == Some(0) {
            return Err(Problem::invalid("ttl_seconds is 1 or more"));
        }
        Ok(NewToken {
            value,
            ttl: self
                .ttl_seconds
                .map(|seconds| Duration::from_secs(seconds.min(MAX_TTL_SECONDS))),
            token_type: self.token_type,
            scopes: self.scopes,
            metadata: self.metadata,
        })
    }
}

/// A hundred years; what is longer is as good as for ever.
const MAX_TTL_SECONDS: u64 = 100 * 366 * 86_400;

/// A text that is wiped.
pub(super) struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(super) fn into_bytes(mut self) -> SecretBytes {
        SecretBytes::from_vec(std::mem::take(&mut *self.0).into_bytes())
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = SecretText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(Zeroizing::new(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<SecretText, E> {
                Ok(SecretText(Zeroizing::new(text)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// The body of an answer to a write.
#[derive(Serialize)]
pub(super) struct StoredBody {
    version: String,
    expires_at: Option<String>,
}

impl From<Stored> for StoredBody {
    fn from(stored: Stored) -> Self {
        Self {
            version: stored.version.to_string(),
            expires_at: moment(stored.expires),
        }
    }
}

/// What is known of a token.
#[derive(Serialize)]
pub(super) struct AboutBody {
    version: String,
    created_at: String,
    expires_at: Option<String>,
    #[serde(rename = "type")]
    token_type: String,
    scopes: Vec<String>,
    metadata: BTreeMap<String, String>,
}

impl From<TokenAbout> for AboutBody {
    fn from(about: TokenAbout) -> Self {
        Self {
            version: about.version.to_string(),
            created_at: about.created.to_string(),
            expires_at: moment(about.expires),
            token_type: about.token_type,
            scopes: about.scopes,
            metadata: about.metadata,
        }
    }
}

/// A token with its value; written from where the value lies, into memory that is wiped.
#[derive(Serialize)]
pub(super) struct TokenBody<'a> {
    #[serde(flatten)]
    value: Value<'a>,
    #[serde(flatten)]
    about: AboutBody,
}

#[derive(Serialize)]
enum Value<'a> {
    #[serde(rename = "value")]
    Text(&'a str),
    #[serde(rename = "value_base64")]
    Bytes(#[serde(serialize_with = "base64")] &'a [u8]),
}

impl<'a> TokenBody<'a> {
    pub(super) fn new(token: &'a Token) -> Self {
        let bytes = token.value.expose_secret();
        Self {
            value: std::str::from_utf8(bytes).map_or(Value::Bytes(bytes), Value::Text),
            about: token.about.clone().into(),
        }
    }
}

fn base64<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let mut text = base64_simd::STANDARD.encode_to_string(bytes);
    let written = serializer.serialize_str(&text);
    text.zeroize();
    written
}

fn moment(time: Option<Timestamp>) -> Option<String> {
    time.map(|time| time.to_string())
}

/// The problem of a token that is not there; the vault has recorded that.
pub(super) fn not_there() -> Problem {
    let detail = "there is no such token: never, not any more, or it has expired";
    Problem::new(StatusCode::NOT_FOUND, "not_found", detail).recorded()
}

impl TokensErrorKind {
    /// Status and code; the one place that has them.
    pub(super) fn status(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        use TokensErrorKind as K;
        match self {
            K::Service(error) => {
                let problem = Problem::from(error.clone());
                // The key is what is not found: a token that is not there has this status and another code.
                match problem.code {
                    "not_found" => (S::CONFLICT, "no_key_for_client"),
                    code => (problem.status, code),
                }
            }
            K::Invalid => (S::BAD_REQUEST, "invalid_request"),
            K::NoKey => (S::CONFLICT, "no_key_for_client"),
            K::KeyUnavailable => (S::SERVICE_UNAVAILABLE, "key_unavailable"),
            K::KeyDisabled => (S::CONFLICT, "key_disabled"),
            K::KeyAccessDenied => (S::BAD_GATEWAY, "key_access_denied"),
            K::KeyNotFound => (S::CONFLICT, "key_not_found"),
            K::KeyThrottled => (S::SERVICE_UNAVAILABLE, "key_throttled"),
            K::StoreUnavailable => (S::SERVICE_UNAVAILABLE, "store_unavailable"),
            K::StoreFull => (S::INSUFFICIENT_STORAGE, "store_full"),
            K::StoreDenied => (S::BAD_GATEWAY, "store_denied"),
            K::StoreUnusable => (S::BAD_GATEWAY, "store_unusable"),
            K::TooManyTokens => (S::CONFLICT, "limit_exceeded"),
            K::Contended => (S::SERVICE_UNAVAILABLE, "contended"),
            K::Malformed => (S::INTERNAL_SERVER_ERROR, "token_malformed"),
            K::NotAuthentic => (S::INTERNAL_SERVER_ERROR, "token_not_authentic"),
            K::ForeignKey => (S::INTERNAL_SERVER_ERROR, "token_foreign_key"),
            K::Replayed => (S::INTERNAL_SERVER_ERROR, "token_replayed"),
            K::MarksUnavailable => (S::SERVICE_UNAVAILABLE, "marks_unavailable"),
            K::NotRecorded => (S::SERVICE_UNAVAILABLE, "access_not_recorded"),
            K::NoFetcher => (S::CONFLICT, "no_fetcher"),
            K::NeedsAuthorisation => (S::CONFLICT, "needs_authorisation"),
            K::NoClientSecret => (S::CONFLICT, "no_client_secret"),
            K::ProviderRefused => (S::BAD_GATEWAY, "provider_refused"),
            K::ProviderUnavailable => (S::BAD_GATEWAY, "provider_unavailable"),
            K::ProviderBackoff => (S::SERVICE_UNAVAILABLE, "provider_backoff"),
            K::FetchInProgress => (S::SERVICE_UNAVAILABLE, "fetch_in_progress"),
            K::Internal => (S::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl From<TokensError> for Problem {
    fn from(error: TokensError) -> Self {
        let (status, code) = error.kind.status();
        let detail = match &error.kind {
            TokensErrorKind::Service(error) => error.message(),
            _ => Some(error.to_string()),
        };
        Self::caused(status, code, detail, error.recorded, error)
    }
}
