//! Tokens of OIDC issuers: whose keys are asked for when, and whom a token stands for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bulla_model::{PrincipalArn, Role};
use bulla_service::*;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::harness::*;

pub(crate) const ISSUER: &str = "https://issuer.test/a";
pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";

/// An issuer in memory: its keys, and how often it was asked.
#[derive(Debug)]
pub(crate) struct Issuing {
    kids: Mutex<Vec<&'static str>>,
    keys_at: Mutex<&'static str>,
    asked: AtomicUsize,
    is_down: AtomicBool,
    /// Whether what is asked for waits, and who hears that something is.
    holds: watch::Sender<bool>,
    begun: Notify,
    private: Vec<u8>,
    public: Vec<u8>,
}

impl Issuing {
    pub(crate) fn new() -> Arc<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Arc::new(Self {
            kids: Mutex::new(vec!["one"]),
            keys_at: Mutex::new("https://issuer.test/keys"),
            asked: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
            holds: watch::Sender::new(false),
            begun: Notify::new(),
            private: pair.to_pkcs8v1().expect("a key").as_ref().to_vec(),
            public: pair.public_key().as_ref().to_vec(),
        })
    }

    pub(crate) fn token(&self, kid: &str, claims: &Value) -> String {
        let header = Header {
            kid: Some(kid.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, claims, &EncodingKey::from_ec_der(&self.private)).expect("a token")
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl FetchDocument for Issuing {
    async fn fetch(&self, url: &str, _: usize) -> Result<Vec<u8>, FetchError> {
        self.begun.notify_one();
        let mut holds = self.holds.subscribe();
        holds.wait_for(|holds| !holds).await.expect("the issuer lives");
        if self.is_down.load(Ordering::SeqCst) {
            return Err(FetchError("down".to_owned()));
        }
        let document = match url {
            "https://issuer.test/a/.well-known/openid-configuration" => {
                json!({"issuer": ISSUER, "jwks_uri": *self.keys_at.lock().expect("no panic")})
            }
            "https://issuer.test/keys" | "http://127.0.0.1/keys" => {
                self.asked.fetch_add(1, Ordering::SeqCst);
                let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
                let key = |kid: &&str| json!({"kty": "EC", "crv": "P-256", "kid": kid, "x": part(&self.public[1..33]), "y": part(&self.public[33..])});
                let keys: Vec<Value> = self.kids.lock().expect("no panic").iter().map(key).collect();
                json!({ "keys": keys })
            }
            other => return Err(FetchError(format!("404 {other}"))),
        };
        Ok(document.to_string().into_bytes())
    }
}

/// A service that believes the issuer, on the harness's store.
pub(crate) async fn believing(h: &Harness, issuing: &Arc<Issuing>) -> Service {
    let mapped = |claim: &str, pattern: &str, principal: &str| MappedPrincipal {
        claim: claim.to_owned(),
        pattern: pattern.to_owned(),
        principal: principal.parse().expect("an ARN"),
    };
    let mut settings = settings();
    settings.oidc = OidcSettings {
        issuers: vec![Issuer {
            url: ISSUER.to_owned(),
            audiences: vec!["bulla".to_owned()],
            principals: vec![
                mapped("email", "ann@*", "arn:aws:iam::111122223333:user/ann"),
                mapped("sub", "pod:*", ROLE),
            ],
        }],
        documents: Some(issuing.clone()),
    };
    let roots = std::slice::from_ref(&h.root);
    let opened = Service::open(arc(&h.store.another()), roots, h.clock.clone(), random(9), settings);
    opened.await.expect("opens")
}

pub(crate) fn claims(h: &Harness, more: &Value) -> Value {
    let now = h.clock_now().as_micros() / 1_000_000;
    let mut claims = json!({"iss": ISSUER, "aud": "bulla", "sub": "pod:app-1", "iat": now, "exp": now + 3600});
    for (name, value) in more.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

async fn assume(service: &Service, token: &str) -> Result<AssumeRoleWithWebIdentityResponse, ServiceError> {
    let from = Unsigned {
        region: REGION.parse().expect("a region"),
        request_id: "r".into(),
        source_ip: "192.0.2.7".into(),
        user_agent: "test/1".into(),
        secure_transport: true,
    };
    let request = AssumeRoleRequest {
        role_arn: ROLE.to_owned(),
        role_session_name: "pod-1".to_owned(),
        ..AssumeRoleRequest::default()
    };
    service.assume_role_with_web_identity(from, request, token).await
}

pub(crate) async fn make_role(h: &Harness) {
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/issuer.test/a"},
        "Condition": {"StringLike": {"issuer.test/a:sub": "pod:*"}}}});
    let request = CreateRoleRequest {
        name: "app".parse().expect("a name"),
        trust_policy: trust.to_string(),
        max_session_seconds: 3_600,
    };
    h.service.create_role(&h.operator(), request).await.expect("creates");
    let policy =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:GenerateRandom","Resource":"*"}}"#;
    let role: PrincipalArn = ROLE.parse().expect("an ARN");
    let operator = h.operator();
    let put = h
        .service
        .put_principal_policy(&operator, role, "p".to_owned(), policy.to_owned());
    put.await.expect("puts");
}

#[tokio::test]
async fn keys_are_asked_for_once_and_again_when_they_are_old_or_unknown_but_seldom() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    let token = |kid: &str| issuing.token(kid, &claims(&h, &json!({})));
    for _ in 0..3 {
        assume(&service, &token("one")).await.expect("assumes");
    }
    assert_eq!(issuing.asked(), 1);
    // Rotated a moment ago: known as soon as the issuer may be asked again.
    issuing.kids.lock().expect("no panic").push("two");
    for _ in 0..20 {
        assert_eq!(refusal(assume(&service, &token("two")).await).0, "InvalidIdentityToken");
    }
    assert_eq!(issuing.asked(), 1);
    h.clock.advance(Duration::from_secs(31));
    assume(&service, &token("two")).await.expect("assumes");
    assert_eq!(issuing.asked(), 2);
    // Withdrawn: believed for a quarter of an hour at most.
    *issuing.kids.lock().expect("no panic") = vec!["two"];
    h.clock.advance(Duration::from_secs(901));
    assert_eq!(refusal(assume(&service, &token("one")).await).0, "InvalidIdentityToken");
    assert_eq!(issuing.asked(), 3);
}

#[tokio::test]
async fn who_goes_away_while_keys_are_fetched_keeps_nobody_from_them() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    issuing.holds.send_replace(true);
    let forged = format!("{}x", issuing.token("one", &claims(&h, &json!({}))));
    tokio::select! {
        answer = assume(&service, &forged) => panic!("answered without keys: {answer:?}"),
        () = issuing.begun.notified() => {}
    }
    // The request is gone, its fetch is not.
    issuing.holds.send_replace(false);
    let good = issuing.token("one", &claims(&h, &json!({})));
    assume(&service, &good).await.expect("assumes");
    assert_eq!(issuing.asked(), 1);
}

#[tokio::test]
async fn keys_of_an_issuer_over_tls_are_not_taken_in_the_clear() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    *issuing.keys_at.lock().expect("no panic") = "http://127.0.0.1/keys";
    let token = issuing.token("one", &claims(&h, &json!({})));
    assert_eq!(refusal(assume(&service, &token).await).0, "IDPCommunicationError");
    assert_eq!(issuing.asked(), 0);
}

#[tokio::test]
async fn an_issuer_that_hangs_holds_up_nobody_whose_key_is_known() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    let token = |kid: &str| issuing.token(kid, &claims(&h, &json!({})));
    assume(&service, &token("one")).await.expect("assumes");
    h.clock.advance(Duration::from_secs(901));
    issuing.holds.send_replace(true);
    let answer = tokio::time::timeout(Duration::from_secs(20), assume(&service, &token("one"))).await;
    answer.expect("soon").expect("assumes");
    // What was asked for goes on meanwhile.
    *issuing.kids.lock().expect("no panic") = vec!["two"];
    issuing.holds.send_replace(false);
    assume(&service, &token("two")).await.expect("assumes");
    assert_eq!(issuing.asked(), 2);
}

#[tokio::test]
async fn keys_that_were_fetched_by_a_clock_that_was_ahead_are_fetched_again() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    h.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assume(&service, &issuing.token("one", &claims(&h, &json!({}))))
        .await
        .expect("assumes");
    h.clock.rewind(Duration::from_secs(7 * 24 * 3600));
    *issuing.kids.lock().expect("no panic") = vec!["two"];
    let token = |kid: &str| issuing.token(kid, &claims(&h, &json!({})));
    assume(&service, &token("two")).await.expect("assumes");
    assert_eq!(refusal(assume(&service, &token("one")).await).0, "InvalidIdentityToken");
    assert_eq!(issuing.asked(), 2);
}

#[tokio::test]
async fn an_issuer_that_is_down_is_believed_by_its_last_keys_for_a_day() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    let token = || issuing.token("one", &claims(&h, &json!({})));
    issuing.is_down.store(true, Ordering::SeqCst);
    assert_eq!(refusal(assume(&service, &token()).await).0, "IDPCommunicationError");
    issuing.is_down.store(false, Ordering::SeqCst);
    h.clock.advance(Duration::from_secs(31));
    assume(&service, &token()).await.expect("assumes");
    issuing.is_down.store(true, Ordering::SeqCst);
    h.clock.advance(Duration::from_secs(23 * 3600));
    assume(&service, &token()).await.expect("assumes");
    h.clock.advance(Duration::from_secs(3601));
    assert_eq!(refusal(assume(&service, &token()).await).0, "IDPCommunicationError");
}

#[tokio::test]
async fn a_token_gets_what_the_role_may_and_its_events_say_whose_it_was() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    let assumed = assume(&service, &issuing.token("one", &claims(&h, &json!({}))))
        .await
        .expect("assumes");
    let identity = h.last_event()["userIdentity"].clone();
    assert_eq!(
        (identity["type"].as_str(), identity["principalId"].as_str()),
        (Some("WebIdentityUser"), Some("issuer.test/a:bulla:pod:app-1"))
    );
    let credentials = &assumed.assumed.credentials;
    let text = std::str::from_utf8(credentials.session_token.expose_secret()).expect("ASCII");
    let credential = service
        .session_credential(&credentials.access_key_id, text)
        .expect("opens")
        .expect("known");
    let session = call(Caller::signed(credential));
    let random = GenerateRandomRequest { number_of_bytes: 1 };
    service.generate_random(&session, random).await.expect("draws");
    // Another subject, another audience.
    let other = issuing.token("one", &claims(&h, &json!({"sub": "node:1"})));
    assert_eq!(refusal(assume(&service, &other).await).0, "AccessDeniedException");
    let other = issuing.token("one", &claims(&h, &json!({"aud": ["x", "y"]})));
    assert_eq!(refusal(assume(&service, &other).await).0, "InvalidIdentityToken");
    service.flush_authentication_failures().await;
    assert_eq!(
        h.last_event()["requestParameters"]["reasons"]["InvalidIdentityToken"],
        1
    );
    h.verify();
}

#[tokio::test]
async fn a_trust_policy_for_everybody_is_for_no_token_of_an_issuer() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    let (operator, role) = (h.operator(), ROLE.parse::<PrincipalArn>().expect("an ARN"));
    let issuer = json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/issuer.test/a"});
    let other = json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/issuer.test/b"});
    let allow = |named: &str, who: Value| json!({"Effect": "Allow", "Action": "sts:*", named: who});
    let deny = |who: Value| json!({"Effect": "Deny", "Action": "sts:*", "Principal": who});
    let everybody = json!("*");
    for (statements, expected) in [
        (json!([allow("Principal", issuer.clone())]), true),
        (json!([allow("Principal", everybody.clone())]), false),
        (json!([allow("Principal", json!({"AWS": "*"}))]), false),
        (json!([allow("Principal", json!({"AWS": "111122223333"}))]), false),
        (json!([allow("Principal", other.clone())]), false),
        (json!([allow("NotPrincipal", other)]), false),
        (json!([allow("Principal", issuer.clone()), deny(everybody)]), false),
        (json!([allow("Principal", issuer.clone()), deny(issuer)]), false),
    ] {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let put = service.put_trust_policy(&operator, role.clone(), document);
        put.await.expect("puts");
        let token = issuing.token("one", &claims(&h, &json!({})));
        let allowed = assume(&service, &token).await.is_ok();
        assert_eq!(allowed, expected, "{statements}");
    }
}

#[tokio::test]
async fn a_tokens_source_identity_takes_the_trust_policys_leave() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    let behind = |who: &str| claims(&h, &json!({ "https://aws.amazon.com/source_identity": who }));
    let token = issuing.token("one", &behind("ann"));
    assert_eq!(refusal(assume(&service, &token).await).0, "AccessDeniedException");
    let trust = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Action": ["sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity"],
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/issuer.test/a"},
        "Condition": {"StringLike": {"issuer.test/a:sub": "pod:*"}, "StringEquals": {"sts:SourceIdentity": "ann"}}}});
    let role: PrincipalArn = ROLE.parse().expect("an ARN");
    let operator = h.operator();
    let put = service.put_trust_policy(&operator, role, trust.to_string());
    put.await.expect("puts");
    let assumed = assume(&service, &token).await.expect("assumes").assumed;
    assert_eq!(assumed.source_identity.as_deref(), Some("ann"));
    let other = issuing.token("one", &behind("bob"));
    assert_eq!(refusal(assume(&service, &other).await).0, "AccessDeniedException");
    let wrong = issuing.token("one", &behind("a b"));
    assert_eq!(refusal(assume(&service, &wrong).await).0, "ValidationException");
    assert_eq!(h.last_event()["errorCode"], "ValidationException");
    // Whose token began a session, the events say that its own key signs.
    let credentials = assumed.credentials;
    let text = std::str::from_utf8(credentials.session_token.expose_secret()).expect("ASCII");
    let credential = service
        .session_credential(&credentials.access_key_id, text)
        .expect("opens");
    let session = call(Caller::signed(credential.expect("known")));
    service.get_caller_identity(&session).await.expect("tells");
    let context = h.last_event()["userIdentity"]["sessionContext"].clone();
    assert_eq!(
        (&context["sourceIdentity"], &context["sessionIssuer"]["arn"]),
        (&json!("ann"), &json!(ROLE))
    );
    assert_eq!(
        context["webIdFederationData"],
        json!({"federatedProvider": "arn:aws:iam::111122223333:oidc-provider/issuer.test/a", "attributes": {"sub": "pod:app-1"}})
    );
}

#[tokio::test]
async fn tokens_are_bearer_credentials_of_whom_they_are_mapped_to() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let (ann, _) = h.user("ann", Role::Admin).await;
    let service = believing(&h, &issuing).await;
    let show = async |more: Value| {
        let token = issuing.token("one", &claims(&h, &more));
        service.authenticate_bearer(&token, "192.0.2.7").await
    };
    let random = || GenerateRandomRequest { number_of_bytes: 1 };
    let pod = call(show(json!({})).await.expect("is known"));
    let arn = pod.caller.arn().as_str();
    assert!(
        arn.starts_with("arn:aws:sts::111122223333:assumed-role/app/pod-app-1-"),
        "{arn}"
    );
    service.generate_random(&pod, random()).await.expect("draws");
    assert_eq!(refusal(service.list_principals(&pod).await).0, "AccessDeniedException");
    let user = call(show(json!({"email": "ann@example.org"})).await.expect("is known"));
    assert_eq!(user.caller.arn(), &ann);
    service.list_principals(&user).await.expect("lists");
    for wrong in [
        json!({"sub": "node:1"}),
        json!({"aud": "x"}),
        json!({"email": 5, "sub": "ann@example.org"}),
    ] {
        assert_eq!(refusal(show(wrong).await).0, "UnrecognizedClientException");
    }
    let past = json!({"exp": h.clock_now().as_micros() / 1_000_000 - 61});
    assert_eq!(refusal(show(past).await).0, "ExpiredTokenException");
    // The rows decide, and the token's end.
    h.service
        .set_principal_enabled(&h.operator(), ann, false)
        .await
        .expect("disables");
    assert_eq!(
        refusal(service.list_principals(&user).await).0,
        "UnrecognizedClientException"
    );
    h.clock.advance(Duration::from_secs(3_661));
    assert_eq!(
        refusal(service.generate_random(&pod, random()).await).0,
        "ExpiredTokenException"
    );
    let role = ROLE.parse().expect("an ARN");
    h.service.delete_role(&h.operator(), role).await.expect("deletes");
    // This node may not have heard of it yet: the operation has.
    let late = call(show(json!({})).await.expect("is known"));
    assert_eq!(
        refusal(service.generate_random(&late, random()).await).0,
        "UnrecognizedClientException"
    );
}
