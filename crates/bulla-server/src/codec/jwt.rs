//! JSON Web Tokens of configured issuers, verified with the keys that those publish.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_model::Clock;
use jsonwebtoken::{Algorithm, DecodingKey, TokenData, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::time::Instant;

use super::issuer_keys::IssuerKeys;

/// Who issues tokens, and which of them are believed.
#[derive(Debug, Clone)]
pub struct Issuer {
    name: String,
    issuer: String,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    jwks_url: String,
}

/// An issuer that no token can be believed of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// No audience: tokens that were meant for somebody else would do.
    #[error("the issuer {0} has no audience")]
    NoAudience(String),
    /// An algorithm that is none, or that is symmetric.
    #[error("{0} is no algorithm of tokens that an issuer signs with a private key")]
    Algorithm(String),
    /// Keys that come in the clear could be anybody's.
    #[error("{0} is neither https nor on this machine")]
    JwksUrl(String),
}

/// Fetches the keys that an issuer publishes.
///
/// # Contract
/// The answer is the body of `url`, at most 256 KiB, within seconds, over a verified connection; no redirect is followed.
#[async_trait]
pub trait JwksSource: Send + Sync + fmt::Debug {
    /// Fetches a JWK Set.
    ///
    /// # Errors
    /// Why it can't be had now.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

/// Verifies tokens of some issuers.
#[derive(Debug)]
pub(crate) struct Tokens {
    issuers: Vec<(Issuer, Arc<IssuerKeys>)>,
    clock: Arc<dyn Clock>,
}

const LEEWAY_SECONDS: u64 = 60;

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    #[serde(default)]
    nbf: u64,
}

/// Only what says who should be asked; not believed before the signature is verified.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

/// Why a token was not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// It is not a token of a configured issuer for this audience and time.
    Refused,
    /// The issuer's keys can't be had now.
    NoKeys,
}

impl Issuer {
    /// The algorithms that are believed where none are listed.
    pub const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];
    /// Temporal Cloud, as its tokens name it: one issuer, and one audience, for the users of all its customers.
    pub const TEMPORAL_CLOUD: &str = "https://login.tmprl.cloud/";

    /// Takes an issuer: `name` begins the names of its principals, as in `name/subject`.
    ///
    /// # Errors
    /// [`IssuerError`].
    pub fn new(
        name: &str,
        issuer: &str,
        audiences: Vec<String>,
        algorithms: &[String],
        jwks_url: &str,
    ) -> Result<Self, IssuerError> {
        if audiences.is_empty() {
            return Err(IssuerError::NoAudience(name.to_owned()));
        }
        let local = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
        if !jwks_url.starts_with("https://") && !local.iter().any(|local| jwks_url.starts_with(local)) {
            return Err(IssuerError::JwksUrl(jwks_url.to_owned()));
        }
        let read = |text: &str| {
            let algorithm = text.parse().ok();
            let signed =
                |algorithm: &Algorithm| !matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
            algorithm
                .filter(signed)
                .ok_or_else(|| IssuerError::Algorithm(text.to_owned()))
        };
        let algorithms = if algorithms.is_empty() {
            Self::ALGORITHMS
                .iter()
                .map(|text| read(text))
                .collect::<Result<_, _>>()?
        } else {
            algorithms.iter().map(|text| read(text)).collect::<Result<_, _>>()?
        };
        Ok(Self {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            audiences,
            algorithms,
            jwks_url: jwks_url.to_owned(),
        })
    }

    /// Temporal Cloud, whose Web UI passes on the token of the user who looks.
    #[must_use]
    pub fn temporal_cloud() -> Self {
        Self {
            name: "temporal-cloud".to_owned(),
            issuer: Self::TEMPORAL_CLOUD.to_owned(),
            audiences: vec!["https://saas-api.tmprl.cloud".to_owned()],
            algorithms: vec![Algorithm::RS256],
            jwks_url: "https://login.tmprl.cloud/.well-known/jwks.json".to_owned(),
        }
    }
}

impl Tokens {
    pub(crate) fn new(issuers: Vec<Issuer>, source: Arc<dyn JwksSource>, clock: Arc<dyn Clock>) -> Self {
        let with_keys = |issuer: Issuer| {
            let keys = IssuerKeys::new(issuer.jwks_url.clone(), Arc::clone(&source));
            (issuer, keys)
        };
        Self {
            issuers: issuers.into_iter().map(with_keys).collect(),
            clock,
        }
    }

    /// Whether the text has the form of a token.
    pub(crate) fn is_one(token: &str) -> bool {
        token.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Verifies a token and names its principal.
    pub(crate) async fn principal(&self, token: &str) -> Result<Arc<str>, TokenError> {
        self.principal_at(token, Instant::now()).await
    }

    async fn principal_at(&self, token: &str, at: Instant) -> Result<Arc<str>, TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Refused)?;
        let unverified: Unverified = unverified_claims(token).ok_or(TokenError::Refused)?;
        let known = self.issuers.iter().find(|(issuer, _)| issuer.issuer == unverified.iss);
        let (issuer, published) = known.ok_or(TokenError::Refused)?;
        if !issuer.algorithms.contains(&header.alg) {
            return Err(TokenError::Refused);
        }
        let id = header.kid.as_deref();
        let mut keys = published.get(at, false).await?;
        if id.is_some_and(|id| keys.find(id).is_none()) {
            // A key that is new to us: the issuer rotates.
            keys = published.get(at, true).await?;
        }
        let key = match id {
            Some(id) => keys.find(id),
            None if keys.keys.len() == 1 => keys.keys.first(),
            None => None,
        };
        let key = key.ok_or(TokenError::Refused)?;
        let key = DecodingKey::from_jwk(key).map_err(|_| TokenError::Refused)?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&issuer.issuer]);
        validation.set_audience(&issuer.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are compared with the clock that the process was given.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let verified: TokenData<Claims> = decode(token, &key, &validation).map_err(|_| TokenError::Refused)?;
        let claims = verified.claims;
        let now = u64::try_from(self.clock.now().as_micros() / 1_000_000).unwrap_or(0);
        let in_time = now < claims.exp.saturating_add(LEEWAY_SECONDS) && claims.nbf <= now + LEEWAY_SECONDS;
        let named = !claims.sub.is_empty() && claims.sub.len() <= 256 && !claims.sub.chars().any(char::is_control);
        if in_time && named {
            Ok(format!("{}/{}", issuer.name, claims.sub).into())
        } else {
            Err(TokenError::Refused)
        }
    }
}

fn unverified_claims<T: for<'a> Deserialize<'a>>(token: &str) -> Option<T> {
    let claims = token.split('.').nth(1)?;
    let claims = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(claims).ok()?;
    serde_json::from_slice(&claims).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use bulla_model::SystemClock;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Default)]
    struct Published(Mutex<(Option<String>, u32)>);

    #[async_trait]
    impl JwksSource for Published {
        async fn fetch(&self, _: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
            let mut published = self.0.lock().unwrap();
            published.1 += 1;
            Ok(published.0.clone().ok_or("not reached")?.into_bytes())
        }
    }

    fn text(bytes: impl AsRef<[u8]>) -> String {
        base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
    }

    /// A key's JWK, and a token that it signed.
    fn issued(id: &str) -> (Value, String) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let jwk = json!({"kty": "EC", "crv": "P-256", "kid": id, "x": text(&point[1..33]), "y": text(&point[33..])});
        let header = json!({"alg": "ES256", "kid": id}).to_string();
        let claims = json!({"iss": "i", "aud": "a", "sub": "s", "exp": 32_503_680_000_u64}).to_string();
        let signed = format!("{}.{}", text(header), text(claims));
        let signature = pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        (jwk, format!("{signed}.{}", text(signature)))
    }

    #[tokio::test]
    async fn an_issuers_new_key_is_found_its_outage_outlived_for_a_day_and_nobody_makes_us_ask_in_a_loop() {
        let published = Arc::new(Published::default());
        let issuer = Issuer::new("n", "i", vec!["a".to_owned()], &[], "https://i/jwks").unwrap();
        let source = Arc::clone(&published) as Arc<dyn JwksSource>;
        let tokens = Tokens::new(vec![issuer], source, Arc::new(SystemClock));
        let publish = |keys: Option<Value>| {
            published.0.lock().unwrap().0 = keys.map(|keys| json!({ "keys": keys }).to_string());
        };
        let began = Instant::now();
        let after = |seconds| began + Duration::from_secs(seconds);
        let ((first, of_first), (second, of_second)) = (issued("k1"), issued("k2"));
        assert_eq!(tokens.principal_at(&of_first, after(0)).await, Err(TokenError::NoKeys));
        publish(Some(json!([first])));
        assert_eq!(&*tokens.principal_at(&of_first, after(10)).await.unwrap(), "n/s");
        publish(Some(json!([first, second])));
        let asked = published.0.lock().unwrap().1;
        for _ in 0..5 {
            assert_eq!(
                tokens.principal_at(&of_second, after(15)).await,
                Err(TokenError::Refused)
            );
        }
        assert_eq!(published.0.lock().unwrap().1, asked);
        assert!(tokens.principal_at(&of_second, after(21)).await.is_ok());
        publish(None);
        assert!(tokens.principal_at(&of_second, after(7_200)).await.is_ok());
        let later = tokens.principal_at(&of_second, after(2 * 86_400)).await;
        assert_eq!(later, Err(TokenError::NoKeys));
    }

    /// Answers of one issuer only; the other's never come.
    #[derive(Debug)]
    struct Hanging(String);

    #[async_trait]
    impl JwksSource for Hanging {
        async fn fetch(&self, url: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
            if url == "https://down/jwks" {
                std::future::pending::<()>().await;
            }
            Ok(self.0.clone().into_bytes())
        }
    }

    #[tokio::test]
    async fn an_issuer_that_does_not_answer_holds_up_no_other() {
        let (key, good) = issued("k");
        let source = Arc::new(Hanging(json!({ "keys": [key] }).to_string()));
        let issuers = [("down", "https://down/jwks"), ("i", "https://i/jwks")];
        let issuers = issuers.map(|(name, url)| Issuer::new("n", name, vec!["a".to_owned()], &[], url).unwrap());
        let tokens = Arc::new(Tokens::new(issuers.to_vec(), source, Arc::new(SystemClock)));
        let unsigned = format!(
            "{}.{}.x",
            text(r#"{"alg":"ES256","kid":"k"}"#),
            text(r#"{"iss":"down"}"#)
        );
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (tokens, unsigned) = (Arc::clone(&tokens), unsigned.clone());
            waiting.spawn(async move { tokens.principal(&unsigned).await });
        }
        tokio::task::yield_now().await;
        let principal = tokio::time::timeout(Duration::from_secs(5), tokens.principal(&good)).await;
        assert_eq!(&*principal.unwrap().unwrap(), "n/s");
    }
}
