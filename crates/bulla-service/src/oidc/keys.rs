use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bulla_model::Timestamp;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{FetchDocument, IdentityError, Issuer};

/// Keys are fetched again after so long.
const FRESH_MICROS: i64 = 15 * 60 * 1_000_000;
/// Where the issuer can't be reached, they are used for so long; then nobody is believed.
const STALE_MICROS: i64 = 24 * 3600 * 1_000_000;
/// They are asked for at most so often, whatever keys strangers name.
const PACE_MICROS: i64 = 30 * 1_000_000;
/// Who could be answered by older keys waits so long for newer ones: a key that was withdrawn is to be known, an issuer that hangs is not
/// to hold everybody up.
const WITH_KEYS_AT_HAND: Duration = Duration::from_secs(1);
const MAX_DISCOVERY_BYTES: usize = 64 * 1024;
const MAX_KEYS_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 100;
/// A token that names no key is tried against so many.
const MAX_TRIED: usize = 8;
/// How far apart the times of requests may be that are served at once; a clock that was ahead by more was wrong.
const SKEW_MICROS: i64 = 60 * 1_000_000;

/// An issuer and the newest of its keys that this node knows.
#[derive(Debug)]
pub(crate) struct IssuerKeys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    issuer: Issuer,
    documents: Arc<dyn FetchDocument>,
    known: ArcSwap<KeySet>,
    /// When the issuer was asked last; held while it is asked, so that however many wait it is asked once.
    asked: Arc<Mutex<Option<Timestamp>>>,
}

#[derive(Debug, Default)]
struct KeySet {
    /// `None` before the first time.
    fetched: Option<Timestamp>,
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

impl IssuerKeys {
    pub(super) fn new(issuer: Issuer, documents: Arc<dyn FetchDocument>) -> Self {
        Self(Arc::new(Shared {
            issuer,
            documents,
            known: ArcSwap::default(),
            asked: Arc::default(),
        }))
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    /// The keys that may have signed: the one of that id, or where the token names none, all of the algorithm.
    pub(super) async fn candidates(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<DecodingKey>, IdentityError> {
        let known = self.0.known.load_full();
        let found = known.find(algorithm, kid);
        if !found.is_empty() && known.is_younger_than(FRESH_MICROS, now) {
            return Ok(found);
        }
        let reached = if !found.is_empty() && known.is_younger_than(STALE_MICROS, now) {
            // The fetch goes on behind; whoever comes next has what it brings.
            timeout(WITH_KEYS_AT_HAND, self.refresh(now)).await.unwrap_or(false)
        } else {
            self.refresh(now).await
        };
        let known = self.0.known.load_full();
        if !known.is_younger_than(STALE_MICROS, now) {
            return Err(IdentityError::Unreachable);
        }
        let found = known.find(algorithm, kid);
        match found.is_empty() {
            true if !reached => Err(IdentityError::Unreachable),
            true => Err(IdentityError::UnknownKey),
            false => Ok(found),
        }
    }

    /// Asks the issuer for its keys, unless somebody did a moment ago; tells whether the issuer could be reached when it was asked last.
    ///
    /// It is asked by a task of its own: whoever wanted its keys first may go away before they come, and all others get them.
    async fn refresh(&self, now: Timestamp) -> bool {
        let mut asked = self.0.asked.clone().lock_owned().await;
        let fetched = self.0.known.load().fetched;
        if let Some(asked) = asked.filter(|asked| is_within(PACE_MICROS, *asked, now)) {
            return fetched.is_some_and(|fetched| fetched >= asked);
        }
        let shared = self.0.clone();
        let asking = tokio::spawn(async move {
            *asked = Some(now);
            match shared.fetch().await {
                Ok(keys) => {
                    let fetched = Some(now);
                    shared.known.store(Arc::new(KeySet { fetched, keys }));
                    true
                }
                Err(error) => {
                    tracing::warn!(
                        issuer = shared.issuer.url,
                        error,
                        "the keys of an issuer were not fetched"
                    );
                    false
                }
            }
        });
        asking.await.unwrap_or(false)
    }
}

impl Shared {
    /// OpenID Connect Discovery 1.0, section 4: the issuer of the document "MUST exactly match" the one that was asked.
    async fn fetch(&self) -> Result<Vec<Jwk>, String> {
        let url = format!(
            "{}/.well-known/openid-configuration",
            self.issuer.url.trim_end_matches('/')
        );
        let text = |error: super::FetchError| error.to_string();
        let document = self.documents.fetch(&url, MAX_DISCOVERY_BYTES).await.map_err(text)?;
        let discovery: Discovery = serde_json::from_slice(&document).map_err(|error| error.to_string())?;
        if discovery.issuer != self.issuer.url {
            return Err("the discovery document is another issuer's".to_owned());
        }
        if self.issuer.url.starts_with("https://") && !discovery.jwks_uri.starts_with("https://") {
            return Err("the keys of an https issuer are to come over https, too".to_owned());
        }
        let document = self
            .documents
            .fetch(&discovery.jwks_uri, MAX_KEYS_BYTES)
            .await
            .map_err(text)?;
        let keys: Keys = serde_json::from_slice(&document).map_err(|error| error.to_string())?;
        // Keys of kinds that are not known here are no reason to refuse the others.
        let known = keys
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        Ok(known.take(MAX_KEYS).collect())
    }
}

impl KeySet {
    fn is_younger_than(&self, micros: i64, now: Timestamp) -> bool {
        self.fetched.is_some_and(|fetched| is_within(micros, fetched, now))
    }

    fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<DecodingKey> {
        let may = |key: &&Jwk| {
            let named = kid.is_none_or(|kid| key.common.key_id.as_deref() == Some(kid));
            let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
            named && signs && is_for(key, algorithm)
        };
        let keys = self.keys.iter().filter(may).take(MAX_TRIED);
        keys.filter_map(|key| DecodingKey::from_jwk(key).ok()).collect()
    }
}

/// Whether `now` is less than so long after `then`; a time that lies ahead is one of a clock that was wrong.
fn is_within(micros: i64, then: Timestamp, now: Timestamp) -> bool {
    (-SKEW_MICROS..micros).contains(&now.as_micros().saturating_sub(then.as_micros()))
}

/// Whether a key is one of the algorithm: an RSA key never verifies an HMAC, whatever a token asks for.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let named = key.common.key_algorithm.map(|named| named.to_string());
    if named.is_some_and(|named| named != format!("{algorithm:?}")) {
        return false;
    }
    match &key.algorithm {
        AlgorithmParameters::RSA(_) => matches!(algorithm, Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512),
        AlgorithmParameters::EllipticCurve(key) => matches!(
            (&key.curve, algorithm),
            (EllipticCurve::P256, Algorithm::ES256) | (EllipticCurve::P384, Algorithm::ES384)
        ),
        AlgorithmParameters::OctetKeyPair(key) => {
            algorithm == Algorithm::EdDSA && matches!(key.curve, EllipticCurve::Ed25519)
        }
        _ => false,
    }
}
