use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use bulla_server::codec::Issuer;
use serde_json::{Value, json};

use crate::{PLAIN, Published, Running, config};

const ISSUER: &str = "https://login.example/";

fn part(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

struct Key {
    pair: EcdsaKeyPair,
    id: &'static str,
}

impl Key {
    fn new(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { pair, id }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id,
               "x": part(&point[1..33]), "y": part(&point[33..])})
    }

    fn token(&self, header: Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", part(signature))
    }

    fn es256(&self, claims: &Value) -> String {
        self.token(json!({"alg": "ES256", "kid": self.id}), claims)
    }
}

fn publish(published: &Published, keys: &[&Key]) {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    *published.keys.lock().unwrap() = Some(json!({ "keys": keys }).to_string());
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "codec", "sub": "alice", "exp": 32_503_680_000_u64})
}

async fn codec(published: &Arc<Published>) -> Running {
    let jwks = "https://login.example/jwks.json";
    let issuer = Issuer::new("issuer", ISSUER, vec!["codec".to_owned()], &[], jwks).unwrap();
    Running::with(config(), |log| Running::table(log, vec![issuer], Arc::clone(published))).await
}

async fn status(codec: &Running, token: &str) -> u16 {
    let headers = format!("authorization: Bearer {token}\r\n");
    codec.post("/decode", &headers, PLAIN).await.status
}

#[tokio::test]
async fn a_token_of_a_configured_issuer_names_its_subject_and_no_other_token_does() {
    let published = Arc::new(Published::default());
    let (key, other) = (Key::new("k1"), Key::new("k1"));
    publish(&published, &[&key]);
    let codec = codec(&published).await;
    assert_eq!(status(&codec, &key.es256(&claims())).await, 200);
    assert_eq!(codec.lines()[0]["principal"], "issuer/alice");
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims
    };
    let mut no_subject = claims();
    no_subject.as_object_mut().unwrap().remove("sub");
    for (what, token) in [
        ("signed by another key", other.es256(&claims())),
        (
            "of another issuer",
            key.es256(&with("iss", json!("https://evil.example/"))),
        ),
        ("for another audience", key.es256(&with("aud", json!("billing")))),
        ("ended", key.es256(&with("exp", json!(1_000_000)))),
        ("not yet begun", key.es256(&with("nbf", json!(32_503_680_000_u64)))),
        ("of nobody", key.es256(&no_subject)),
        ("of an empty subject", key.es256(&with("sub", json!("")))),
        ("unsigned", key.token(json!({"alg": "none"}), &claims())),
        (
            "with a secret's algorithm",
            key.token(json!({"alg": "HS256", "kid": "k1"}), &claims()),
        ),
        (
            "with an algorithm not listed",
            key.token(json!({"alg": "ES384", "kid": "k1"}), &claims()),
        ),
        (
            "under an unknown key",
            key.token(json!({"alg": "ES256", "kid": "k9"}), &claims()),
        ),
        ("cut", key.es256(&claims()).rsplit_once('.').unwrap().0.to_owned() + "."),
    ] {
        assert_eq!(status(&codec, &token).await, 401, "{what}");
    }
    // What the table does not allow its principals stays forbidden.
    let headers = format!("authorization: Bearer {}\r\n", key.es256(&claims()));
    assert_eq!(codec.post("/encode", &headers, PLAIN).await.status, 403);
}

#[test]
fn issuers_without_audience_or_in_the_clear_or_with_shared_secrets_are_refused() {
    let audience = || vec!["codec".to_owned()];
    let https = "https://login.example/jwks.json";
    assert!(Issuer::new("a", ISSUER, Vec::new(), &[], https).is_err());
    assert!(Issuer::new("a", ISSUER, audience(), &["HS256".to_owned()], https).is_err());
    assert!(Issuer::new("a", ISSUER, audience(), &["none".to_owned()], https).is_err());
    assert!(Issuer::new("a", ISSUER, audience(), &[], "http://login.example/jwks.json").is_err());
    assert!(Issuer::new("a", ISSUER, audience(), &[], "http://127.0.0.1:9/jwks.json").is_ok());
}

/// A token as Temporal Cloud signs it: RS256, under the id `k1`.
fn rs256(pair: &RsaKeyPair, claims: &Value) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "k1"});
    let signed = format!("{}.{}", part(header.to_string()), part(claims.to_string()));
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
        .unwrap();
    format!("{signed}.{}", part(signature))
}

#[tokio::test]
async fn the_preset_of_temporal_cloud_believes_its_documented_issuer_audience_and_keys_alone() {
    let published = Arc::new(Published::default());
    let (pair, other) = (RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), Key::new("k2"));
    let public = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let rsa =
        json!({"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": part(public.n), "e": part(public.e)});
    // The elliptic key is one of theirs, too: the preset believes RS256 alone.
    *published.keys.lock().unwrap() = Some(json!({"keys": [rsa, other.jwk()]}).to_string());
    let cloud = Issuer::temporal_cloud();
    let codec = Running::with(config(), |log| Running::table(log, vec![cloud], Arc::clone(&published))).await;
    let claims = json!({
        "iss": "https://login.tmprl.cloud/",
        "aud": ["https://saas-api.tmprl.cloud", "https://prod-tmprl.us.auth0.com/userinfo"],
        "sub": "alice",
        "exp": 32_503_680_000_u64,
    });
    assert_eq!(status(&codec, &rs256(&pair, &claims)).await, 200);
    assert_eq!(codec.lines()[0]["principal"], "temporal-cloud/alice");
    assert_eq!(
        *published.asked.lock().unwrap(),
        ["https://login.tmprl.cloud/.well-known/jwks.json"]
    );
    let with = |name: &str, value: &str| {
        let mut claims = claims.clone();
        claims[name] = value.into();
        claims
    };
    for (what, token) in [
        (
            "of another issuer",
            rs256(&pair, &with("iss", "https://login.tmprl.cloud")),
        ),
        ("for another audience", rs256(&pair, &with("aud", "codec"))),
        ("with another algorithm", other.es256(&claims)),
    ] {
        assert_eq!(status(&codec, &token).await, 401, "{what}");
    }
    // Whom Temporal Cloud vouches for is not yet let in.
    assert_eq!(status(&codec, &rs256(&pair, &with("sub", "mallory"))).await, 403);
}
