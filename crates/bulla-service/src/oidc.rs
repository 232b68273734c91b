//! Tokens of configured OIDC issuers, verified (`spec/oidc.md`).

mod keys;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_model::{AccountId, PrincipalArn, Timestamp};
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

use self::keys::IssuerKeys;

/// Longest token.
const MAX_TOKEN_BYTES: usize = 20_000;
/// How far an issuer's clock may be from ours.
const SKEW_SECONDS: i64 = 60;
/// AWS's claim of who stands behind a token.
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
/// What a signature may be made with. "none" and everything symmetric are not among it, whatever a key set says.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Fetches documents of issuers over the network; the service itself knows no HTTP.
///
/// An implementation follows no redirect to plain HTTP, verifies certificates, and bounds time and size by itself.
#[async_trait]
pub trait FetchDocument: Send + Sync + fmt::Debug {
    /// Fetches a document of at most `max_bytes`.
    ///
    /// # Errors
    /// Anything but a whole document with status 200.
    async fn fetch(&self, url: &str, max_bytes: usize) -> Result<Vec<u8>, FetchError>;
}

/// A document that could not be fetched; the text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// The issuers whose tokens are believed.
#[derive(Debug, Clone, Default)]
pub struct OidcSettings {
    /// The issuers.
    pub issuers: Vec<Issuer>,
    /// What fetches their keys; without it none of them is believed.
    pub documents: Option<Arc<dyn FetchDocument>>,
}

/// An issuer whose tokens are believed.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its URL, exactly as the tokens' `iss`.
    pub url: String,
    /// A token must be for one of these.
    pub audiences: Vec<String>,
    /// Which principals its tokens are as bearer credentials; the first that matches counts.
    pub principals: Vec<MappedPrincipal>,
}

/// Tokens that are a principal.
#[derive(Debug, Clone)]
pub struct MappedPrincipal {
    /// The claim that is looked at: `sub`, or another whose value is a text.
    pub claim: String,
    /// What it must be; `*` is any characters, `?` is one.
    pub pattern: String,
    /// A user or a role, of any account of the service.
    pub principal: PrincipalArn,
}

/// The issuers, with what is known of their keys.
#[derive(Debug)]
pub(crate) struct Issuers {
    known: Vec<IssuerKeys>,
    account: AccountId,
}

/// Whom a token names, verified.
#[derive(Debug)]
pub(crate) struct WebIdentity {
    /// The issuer's URL without its scheme.
    pub(crate) issuer: String,
    /// The ARN by which a trust policy names the issuer as `Federated`.
    pub(crate) provider: String,
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) amr: Vec<String>,
    /// The token's own name, `jti`.
    pub(crate) id: Option<String>,
    /// When it was issued, by the issuer's clock: `iat`, else `nbf`; `None` where it has neither.
    pub(crate) issued: Option<Timestamp>,
    pub(crate) expires: Timestamp,
    /// Who stands behind it: the claim `https://aws.amazon.com/source_identity`.
    pub(crate) source_identity: Option<String>,
    /// The principal that it is as a bearer credential.
    pub(crate) principal: Option<PrincipalArn>,
}

/// Why a token is not believed, in AWS's words where AWS has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")]
    NoToken,
    #[error("No OpenIDConnect provider found in your account for {0}")]
    UnknownIssuer(String),
    #[error("The token is signed with an algorithm that is not accepted")]
    Algorithm,
    #[error(
        "Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation \
         for requirements"
    )]
    UnknownKey,
    #[error("The signature of the token is not its issuer's")]
    Signature,
    #[error("Incorrect token audience")]
    Audience,
    #[error("Missing a required claim: {0}")]
    Missing(&'static str),
    #[error("Token expired: current date/time {now} must be before the expiration date/time {end}")]
    Expired { now: i64, end: i64 },
    #[error("Token is not valid yet: current date/time {now} must be after {begin}")]
    NotYetValid { now: i64, begin: i64 },
    #[error("The identity provider can't be reached")]
    Unreachable,
}

impl Issuers {
    pub(crate) fn new(settings: OidcSettings, account: AccountId) -> Self {
        let OidcSettings { issuers, documents } = settings;
        let known = documents.into_iter().flat_map(|documents| {
            let keys = issuers
                .iter()
                .map(move |issuer| IssuerKeys::new(issuer.clone(), documents.clone()));
            keys.collect::<Vec<_>>()
        });
        Self {
            known: known.collect(),
            account,
        }
    }

    /// Verifies a token at `now`: issuer, algorithm, signature, times, audience, in this order.
    pub(crate) async fn verify(&self, token: &str, now: Timestamp) -> Result<WebIdentity, IdentityError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(IdentityError::NoToken);
        }
        let (algorithm, kid) = header_of(token)?;
        let claimed = claimed_issuer(token)?;
        let of_url = |known: &&IssuerKeys| known.issuer().url == claimed;
        let Some(known) = self.known.iter().find(of_url) else {
            let mut end = claimed.len().min(255);
            while !claimed.is_char_boundary(end) {
                end -= 1;
            }
            return Err(IdentityError::UnknownIssuer(claimed[..end].to_owned()));
        };
        if !ALGORITHMS.contains(&algorithm) {
            return Err(IdentityError::Algorithm);
        }
        let keys = known.candidates(algorithm, kid.as_deref(), now).await?;
        let mut validation = Validation::new(algorithm);
        // Times are compared with the service's own clock, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let verified = keys
            .iter()
            .find_map(|key| decode::<Map<String, Value>>(token, key, &validation).ok());
        let claims = verified.ok_or(IdentityError::Signature)?.claims;
        identity(known.issuer(), &self.account, &claims, now)
    }
}

/// Checks what a verified token says.
fn identity(
    issuer: &Issuer,
    account: &AccountId,
    claims: &Map<String, Value>,
    now: Timestamp,
) -> Result<WebIdentity, IdentityError> {
    let now = now.as_micros().div_euclid(1_000_000);
    if claims.get("iss").and_then(Value::as_str) != Some(&issuer.url) {
        return Err(IdentityError::UnknownIssuer(String::new()));
    }
    let end = seconds(claims, "exp")?.ok_or(IdentityError::Missing("exp"))?;
    if end.saturating_add(SKEW_SECONDS) <= now {
        return Err(IdentityError::Expired { now, end });
    }
    let begins = [seconds(claims, "iat")?, seconds(claims, "nbf")?];
    let issued = begins.into_iter().flatten().next().filter(|issued| *issued >= 0);
    if let Some(begin) = begins
        .into_iter()
        .flatten()
        .find(|begin| *begin > now.saturating_add(SKEW_SECONDS))
    {
        return Err(IdentityError::NotYetValid { now, begin });
    }
    let audiences = texts(claims.get("aud"));
    if !audiences.iter().any(|audience| issuer.audiences.contains(audience)) {
        return Err(IdentityError::Audience);
    }
    let subject = claims
        .get("sub")
        .and_then(Value::as_str)
        .filter(|subject| !subject.is_empty());
    let subject = subject.ok_or(IdentityError::Missing("sub"))?;
    let without_scheme = issuer
        .url
        .split_once("://")
        .map_or(issuer.url.as_str(), |(_, rest)| rest);
    let without_scheme = without_scheme.trim_end_matches('/');
    Ok(WebIdentity {
        provider: format!("arn:aws:iam::{account}:oidc-provider/{without_scheme}"),
        issuer: without_scheme.to_owned(),
        subject: subject.to_owned(),
        audiences,
        amr: texts(claims.get("amr")),
        id: claims.get("jti").and_then(Value::as_str).map(str::to_owned),
        issued: issued.map(|issued| Timestamp::from_micros(issued.saturating_mul(1_000_000))),
        expires: Timestamp::from_micros(end.saturating_add(SKEW_SECONDS).saturating_mul(1_000_000)),
        source_identity: claims.get(SOURCE_IDENTITY).and_then(Value::as_str).map(str::to_owned),
        principal: mapped(issuer, claims),
    })
}

fn mapped(issuer: &Issuer, claims: &Map<String, Value>) -> Option<PrincipalArn> {
    let is = |mapped: &&MappedPrincipal| {
        let value = claims.get(&mapped.claim).and_then(Value::as_str);
        value.is_some_and(|value| matches(&mapped.pattern, value))
    };
    issuer.principals.iter().find(is).map(|mapped| mapped.principal.clone())
}

/// Compares a text with a pattern of `*` and `?`, in time of their lengths' product at most.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

fn header_of(token: &str) -> Result<(Algorithm, Option<String>), IdentityError> {
    if token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(IdentityError::NoToken);
    }
    let part = token.split('.').next().unwrap_or_default();
    let header = object(part).ok_or(IdentityError::NoToken)?;
    // RFC 7515 §4.1.11: extensions that must be understood, and are not.
    if header.contains_key("crit") {
        return Err(IdentityError::Algorithm);
    }
    if !header.get("alg").is_some_and(Value::is_string) {
        return Err(IdentityError::NoToken);
    }
    // Algorithms that the library does not know, "none" among them, do not parse.
    let header = decode_header(token).map_err(|_| IdentityError::Algorithm)?;
    Ok((header.alg, header.kid))
}

/// The issuer that a token names, before anything of it is believed: it says whose keys to verify with.
fn claimed_issuer(token: &str) -> Result<String, IdentityError> {
    let part = token.split('.').nth(1).unwrap_or_default();
    let claims = object(part).ok_or(IdentityError::NoToken)?;
    let issuer = claims.get("iss").and_then(Value::as_str);
    issuer.map(str::to_owned).ok_or(IdentityError::Missing("iss"))
}

fn object(part: &str) -> Option<Map<String, Value>> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// A time in seconds; one that is no number is no token of an issuer that can be believed.
fn seconds(claims: &Map<String, Value>, name: &'static str) -> Result<Option<i64>, IdentityError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let whole = value.as_i64();
            #[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
            let seconds = whole.or_else(|| value.as_f64().map(|seconds| seconds as i64));
            seconds.map(Some).ok_or(IdentityError::Missing(name))
        }
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Reads any bytes as a token and as the claims of one that was verified; for the fuzz target.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_any(data: &[u8]) {
    if let Ok(token) = std::str::from_utf8(data) {
        if let Ok((algorithm, _)) = header_of(token) {
            assert!(token.split('.').count() == 3, "{algorithm:?}");
        }
        let _ = claimed_issuer(token);
    }
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(data) else {
        return;
    };
    let principal = "arn:aws:iam::111122223333:user/ann".parse().expect("an ARN");
    let issuer = Issuer {
        url: "https://issuer.test/a".to_owned(),
        audiences: vec!["bulla".to_owned()],
        principals: vec![MappedPrincipal {
            claim: "email".to_owned(),
            pattern: "ann@*".to_owned(),
            principal,
        }],
    };
    let account = "111122223333".parse().expect("an account");
    // 2026-01-01T00:10:00Z.
    let now = Timestamp::from_micros(1_767_226_200_000_000);
    if let Ok(identity) = identity(&issuer, &account, &claims, now) {
        assert!(identity.expires > now && identity.issued.is_none_or(|issued| issued.as_micros() >= 0));
        assert!(!identity.subject.is_empty() && identity.audiences.iter().any(|audience| audience == "bulla"));
        assert_eq!(claims["iss"], issuer.url.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_globs_do() {
        for (pattern, text, expected) in [
            ("system:serviceaccount:prod:*", "system:serviceaccount:prod:app", true),
            ("system:serviceaccount:prod:*", "system:serviceaccount:dev:app", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*b*d", "abcbd", true),
            ("*b*d", "abcbde", false),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
