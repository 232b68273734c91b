//! The token endpoint of OAuth 2.0 (RFC 6749).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulla_crypto::SecretBytes;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::http::{Answer, Endpoint, HttpError};
use super::{FetchError, FetchRequest, Fetched};
use crate::TokenRef;
use crate::content::secret_from;

/// The longest that a provider may ask to be left alone.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How the client proves to the token endpoint who it is (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuthentication {
    /// HTTP Basic, which every server supports.
    #[default]
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
    /// `client_id` alone: a public client.
    None,
}

/// A client of one OAuth 2.0 token endpoint.
#[derive(Clone)]
pub struct OAuthClient {
    endpoint: Endpoint,
    id: String,
    /// The token of the vault that is the client's secret.
    pub(super) secret: Option<TokenRef>,
    authentication: ClientAuthentication,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
    default_ttl: Duration,
}

/// An answer that is none of RFC 6749.
#[derive(Debug, thiserror::Error)]
#[error("not an answer of a token endpoint (HTTP status {status})")]
struct NotAnAnswer {
    status: u16,
}

impl OAuthClient {
    /// Describes a client: the token endpoint, `https://` or on the loopback interface, and the client's id there.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn new(token_url: &str, client_id: impl Into<String>) -> Result<Self, HttpError> {
        Self::with_authorities(token_url, client_id, None)
    }

    /// The same, trusting only these certificates of authorities, in PEM.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn with_authorities(
        token_url: &str,
        client_id: impl Into<String>,
        ca_pem: Option<&[u8]>,
    ) -> Result<Self, HttpError> {
        Ok(Self {
            endpoint: Endpoint::new(token_url, ca_pem)?,
            id: client_id.into(),
            secret: None,
            authentication: ClientAuthentication::None,
            scopes: Vec::new(),
            parameters: Vec::new(),
            default_ttl: Duration::from_secs(300),
        })
    }

    /// Names the token of the vault that is the client's secret, and how it is sent.
    #[must_use]
    pub fn with_secret(mut self, secret: TokenRef, authentication: ClientAuthentication) -> Self {
        self.secret = Some(secret);
        self.authentication = authentication;
        self
    }

    /// Asks for these scopes.
    #[must_use]
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = String>) -> Self {
        self.scopes = scopes.into_iter().collect();
        self
    }

    /// Sends a further parameter, such as `audience`.
    #[must_use]
    pub fn with_parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// How long a token is good for whose answer does not say; 5 min unless said.
    #[must_use]
    pub fn with_default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = ttl;
        self
    }

    /// Asks for a token with these parameters of the grant.
    pub(super) async fn ask(&self, request: &FetchRequest<'_>, grant: &[(&str, &[u8])]) -> Result<Fetched, FetchError> {
        let mut body = Form::default();
        for (name, value) in grant {
            body.add(name, value);
        }
        if !self.scopes.is_empty() {
            body.add("scope", self.scopes.join(" ").as_bytes());
        }
        for (name, value) in &self.parameters {
            body.add(name, value.as_bytes());
        }
        let mut authorization = None;
        match (self.authentication, request.secret) {
            (ClientAuthentication::None, _) => body.add("client_id", self.id.as_bytes()),
            (_, None) => return Err(FetchError::NoSecret),
            (ClientAuthentication::Body, Some(secret)) => {
                body.add("client_id", self.id.as_bytes());
                body.add("client_secret", secret.expose_secret());
            }
            (ClientAuthentication::Basic, Some(secret)) => authorization = Some(basic(&self.id, secret)?),
        }
        let answer = self
            .endpoint
            .post("application/x-www-form-urlencoded", authorization, body.0.to_vec())
            .await?;
        self.read(answer)
    }

    pub(crate) fn read(&self, answer: Answer) -> Result<Fetched, FetchError> {
        let status = answer.status;
        let unusable = || {
            FetchError::AnswerLost(Arc::new(NotAnAnswer {
                status: status.as_u16(),
            }))
        };
        if status.is_success() {
            return self.fetched(answer.body.expose_secret()).ok_or_else(unusable);
        }
        if status.as_u16() == 429 || (status.as_u16() == 503 && answer.headers.contains_key(RETRY_AFTER)) {
            let retry_after = retry_after(&answer.headers);
            return Err(FetchError::RateLimited { retry_after });
        }
        if status.is_server_error() {
            // It may have rotated the refresh token before it failed.
            return Err(unusable());
        }
        let code = serde_json::from_slice::<Bad>(answer.body.expose_secret())
            .ok()
            .map(|bad| bad.error);
        match code {
            Some(code) if code == "invalid_grant" => Err(FetchError::InvalidGrant),
            Some(code) if is_code(&code) => Err(FetchError::Refused { code }),
            _ => Err(FetchError::Refused {
                code: format!("HTTP {}", status.as_u16()),
            }),
        }
    }

    /// Reads a success; `None` where it has neither a token nor a refresh token.
    ///
    /// The provider has acted, and a refresh token that it gave is nowhere else: what is odd beside it is passed over.
    fn fetched(&self, body: &[u8]) -> Option<Fetched> {
        let Ok(good) = serde_json::from_slice::<Good>(body) else {
            let rescued: Rescued = serde_json::from_slice(body).ok()?;
            return self.fetched_of(Good::of(rescued));
        };
        self.fetched_of(good)
    }

    fn fetched_of(&self, good: Good) -> Option<Fetched> {
        let value = good.access_token.and_then(text).map(secret_from);
        let refresh_token = good.refresh_token.and_then(text).map(secret_from);
        let refresh_token = refresh_token.filter(|token| !token.is_empty());
        let value = value.filter(|value| !value.is_empty());
        if value.is_none() && refresh_token.is_none() {
            return None;
        }
        let seconds = match good.expires_in {
            Some(Value::Number(seconds)) => seconds.as_f64(),
            Some(Value::String(seconds)) => seconds.trim().parse().ok(),
            _ => None,
        };
        let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let ttl = seconds.map_or(self.default_ttl, |seconds| Duration::from_secs_f64(seconds.min(1e9)));
        let scopes = match good.scope {
            Some(Value::String(scope)) => split(&scope).collect(),
            Some(Value::Array(scopes)) => scopes.iter().filter_map(Value::as_str).flat_map(split).collect(),
            // "OPTIONAL, if identical to the scope requested by the client".
            _ => self.scopes.clone(),
        };
        Some(Fetched {
            value: value.unwrap_or_else(|| SecretBytes::from_vec(Vec::new())),
            ttl: Some(ttl),
            token_type: good.token_type.and_then(text).unwrap_or_default(),
            scopes,
            refresh_token,
        })
    }
}

/// What RFC 6749 has in a success, of whatever type.
#[derive(Default, Deserialize)]
struct Good {
    access_token: Option<Value>,
    token_type: Option<Value>,
    expires_in: Option<Value>,
    scope: Option<Value>,
    refresh_token: Option<Value>,
}

/// What must not be lost of an answer whose other members can't be read: a number beyond all numbers, or a depth beyond all depths.
#[derive(Deserialize)]
struct Rescued {
    refresh_token: String,
}

impl Good {
    fn of(rescued: Rescued) -> Self {
        Self {
            refresh_token: Some(Value::String(rescued.refresh_token)),
            ..Self::default()
        }
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn split(scopes: &str) -> impl Iterator<Item = String> {
    scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned)
}

#[derive(Deserialize)]
struct Bad {
    error: String,
}

fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_graphic())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER))
}

/// A form of `application/x-www-form-urlencoded`, wiped on drop.
struct Form(Zeroizing<Vec<u8>>);

impl Default for Form {
    fn default() -> Self {
        // Large enough for what is usual: a vector that grows leaves copies behind.
        Self(Zeroizing::new(Vec::with_capacity(8192)))
    }
}

impl Form {
    fn add(&mut self, name: &str, value: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b'&');
        }
        urlencode(name.as_bytes(), &mut self.0);
        self.0.push(b'=');
        urlencode(value, &mut self.0);
    }
}

/// "The client identifier is encoded using the application/x-www-form-urlencoded encoding algorithm", and the secret.
fn basic(id: &str, secret: &SecretBytes) -> Result<HeaderValue, FetchError> {
    let mut pair = Zeroizing::new(Vec::with_capacity(3 * (id.len() + secret.len()) + 1));
    urlencode(id.as_bytes(), &mut pair);
    pair.push(b':');
    urlencode(secret.expose_secret(), &mut pair);
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)));
    HeaderValue::from_str(&text).map_err(|_| FetchError::NoSecret)
}

fn urlencode(text: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => out.push(*byte),
            b' ' => out.push(b'+'),
            byte => out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("id", &self.id)
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn read(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Fetched, FetchError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(http::HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        OAuthClient::new("http://localhost/token", "id").unwrap().read(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            body: SecretBytes::from_vec(body.as_bytes().to_vec()),
        })
    }

    #[test]
    fn a_token_answer_is_read_as_the_rfc_has_it() {
        let body = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600,
                       "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"a b","more":{}}"#;
        let fetched = read(200, &[], body).unwrap();
        assert_eq!(fetched.value.expose_secret(), b"2YotnFZFEjr1zCsicMWpAA");
        assert_eq!(fetched.ttl, Some(Duration::from_secs(3600)));
        assert_eq!(fetched.scopes, ["a", "b"]);
        assert_eq!(
            fetched.refresh_token.unwrap().expose_secret(),
            b"tGzv3JOkF0XG5Qx2TlKWIA"
        );
        let text = read(200, &[], r#"{"access_token":"x","expires_in":"60"}"#).unwrap();
        assert_eq!(text.ttl, Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_the_provider_may_have_done_is_told_apart() {
        assert!(matches!(
            read(400, &[], r#"{"error":"invalid_grant"}"#),
            Err(FetchError::InvalidGrant)
        ));
        assert!(
            matches!(read(401, &[], r#"{"error":"invalid_client"}"#), Err(FetchError::Refused { code }) if code == "invalid_client")
        );
        assert!(matches!(read(403, &[], "<html>"), Err(FetchError::Refused { code }) if code == "HTTP 403"));
        assert!(matches!(
            read(302, &[("location", "https://e/")], ""),
            Err(FetchError::Refused { .. })
        ));
        assert!(matches!(read(500, &[], ""), Err(FetchError::AnswerLost(_))));
        assert!(matches!(read(200, &[], "not json"), Err(FetchError::AnswerLost(_))));
        assert!(matches!(
            read(200, &[], r#"{"access_token":""}"#),
            Err(FetchError::AnswerLost(_))
        ));
        let limited = read(429, &[("retry-after", "7")], "");
        assert!(matches!(limited, Err(FetchError::RateLimited { retry_after: Some(after) }) if after.as_secs() == 7));
        let long = read(429, &[("retry-after", "999999999")], "");
        assert!(
            matches!(long, Err(FetchError::RateLimited { retry_after: Some(after) }) if after == LONGEST_RETRY_AFTER)
        );
    }

    #[test]
    fn a_refresh_token_is_taken_out_of_any_success_whatever_is_odd_beside_it() {
        let new = |fetched: &Fetched| fetched.refresh_token.as_ref().map(|new| new.expose_secret().to_vec());
        for odd in [
            r#""scope":["a","b c"]"#,
            r#""scope":[]"#,
            r#""scope":7"#,
            r#""expires_in":"NaN""#,
            r#""expires_in":"inf""#,
            r#""expires_in":"3600s""#,
            r#""expires_in":"""#,
            r#""expires_in":true"#,
            r#""expires_in":-1"#,
            r#""token_type":null"#,
            r#""token_type":{"a":1}"#,
        ] {
            let body = format!(r#"{{"access_token":"t","refresh_token":"r",{odd}}}"#);
            let fetched = read(200, &[], &body).unwrap();
            assert_eq!(fetched.value.expose_secret(), b"t", "{odd}");
            assert_eq!(new(&fetched).as_deref(), Some(&b"r"[..]), "{odd}");
            if odd.starts_with(r#""expires_in"#) {
                assert_eq!(fetched.ttl, Some(Duration::from_secs(300)), "{odd}");
            }
        }
        let list = read(200, &[], r#"{"access_token":"t","scope":["a","b c"]}"#).unwrap();
        assert_eq!(list.scopes, ["a", "b", "c"]);
        let deep = "[".repeat(500) + &"]".repeat(500);
        for without in [
            r#"{"refresh_token":"r"}"#,
            r#"{"access_token":null,"refresh_token":"r"}"#,
            r#"{"access_token":{"value":"t"},"refresh_token":"r"}"#,
            r#"{"access_token":"t","refresh_token":"r","expires_in":1e999}"#,
            &format!(r#"{{"access_token":"t","scope":{deep},"refresh_token":"r"}}"#),
        ] {
            let fetched = read(200, &[], without).unwrap();
            assert!(fetched.value.is_empty(), "{without}");
            assert_eq!(new(&fetched).as_deref(), Some(&b"r"[..]), "{without}");
        }
    }

    #[test]
    fn an_answer_that_holds_a_secret_is_in_no_error() {
        for body in [
            r#"{"access_token":1,"x":"hunter2"}"#,
            "hunter2",
            r#"{"error":"hunter2 hunter2"}"#,
        ] {
            for status in [200, 400, 500] {
                let error = read(status, &[], body).unwrap_err();
                assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
            }
        }
    }

    #[test]
    fn id_and_secret_are_encoded_before_they_are_joined() {
        let header = basic("a:b", &SecretBytes::from_vec("c d+é".into())).unwrap();
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), b"a%3Ab:c+d%2B%C3%A9");
    }
}
