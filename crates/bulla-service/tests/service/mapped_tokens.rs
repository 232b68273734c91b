//! Tokens of issuers as bearer credentials: whose they are in the log, and when what they are ends.

use std::time::Duration;

use bulla_model::Role;
use bulla_service::*;
use serde_json::{Value, json};

use crate::harness::*;
use crate::sessions::put_policy;
use crate::web_identity::*;

const USER: &str = "arn:aws:iam::111122223333:user/ann";
/// Draws, unless what asks was issued before a time.
const NOT_BEFORE: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:GenerateRandom","Resource":"*"},
    {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:10:00Z"}}}]}"#;

fn random() -> GenerateRandomRequest {
    GenerateRandomRequest { number_of_bytes: 1 }
}

#[tokio::test]
async fn events_say_whose_token_it_was_and_no_subject_passes_for_another() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    h.user("ann", Role::Admin).await;
    let service = believing(&h, &issuing).await;
    let act = async |more: Value| {
        let token = issuing.token("one", &claims(&h, &more));
        let caller = service
            .authenticate_bearer(&token, "192.0.2.7")
            .await
            .expect("is known");
        let session = call(caller);
        service.generate_random(&session, random()).await.expect("draws");
        let event = h.last_event();
        assert_eq!(event["additionalEventData"]["webIdentity"]["issuer"], "issuer.test/a");
        let subject = event["additionalEventData"]["webIdentity"]["subject"].clone();
        (session.caller.arn().to_string(), subject, event)
    };
    let (slash, subject, event) = act(json!({"sub": "pod:a/b", "jti": "token-1"})).await;
    assert_eq!(subject, "pod:a/b");
    assert_eq!(event["additionalEventData"]["webIdentity"]["tokenId"], "token-1");
    assert_eq!(event["userIdentity"]["arn"], slash.as_str());
    let name = slash.rsplit('/').next().expect("a name").to_owned();
    assert!(name.starts_with("pod-a-b-") && name.len() == 28, "{name}");
    // One that reads the same, one that is the name, one with the same end.
    let (other, ..) = act(json!({"sub": "pod:a-b"})).await;
    let (named, ..) = act(json!({"sub": format!("pod:{}", &name[4..])})).await;
    let (long, ..) = act(json!({"sub": format!("pod:{}a/b", "x".repeat(100))})).await;
    let (longer, ..) = act(json!({"sub": format!("pod:{}a/b", "x".repeat(101))})).await;
    let mut all = [slash, other, named, long, longer];
    assert!(
        all.iter()
            .all(|arn| arn.rsplit('/').next().is_some_and(|name| name.len() <= 64))
    );
    all.sort();
    assert!(all.windows(2).all(|two| two[0] != two[1]), "{all:?}");
    // A user is one for all who are mapped to him.
    let (arn, subject, _) = act(json!({"email": "ann@example.org", "sub": "person:17"})).await;
    assert_eq!((arn.as_str(), subject), (USER, json!("person:17")));
    h.verify();
}

#[tokio::test]
async fn a_mapped_token_is_as_old_as_it_says_and_lasts_no_longer_than_its_role_lets_it() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    h.user("ann", Role::User).await;
    for principal in [ROLE, USER] {
        put_policy(&h, principal, NOT_BEFORE).await;
    }
    let service = believing(&h, &issuing).await;
    let now = || h.clock_now().as_micros() / 1_000_000;
    let whole_day = now() + 24 * 3600;
    let draw = async |claims: &Value| {
        let token = issuing.token("one", claims);
        let caller = service.authenticate_bearer(&token, "192.0.2.7").await?;
        service.generate_random(&call(caller), random()).await.map(|_| ())
    };
    let ann = json!({"email": "ann@example.org"});
    let early = claims(&h, &json!({"exp": whole_day}));
    let early_of_ann = claims(&h, &ann);
    // However late it is shown.
    h.clock.advance(Duration::from_secs(900));
    for early in [&early, &early_of_ann] {
        assert_eq!(refusal(draw(early).await).0, "AccessDeniedException");
    }
    let late = claims(&h, &json!({"exp": whole_day}));
    let late_of_ann = claims(&h, &ann);
    for late in [&late, &late_of_ann] {
        draw(late).await.expect("draws");
    }
    // The role's sessions last an hour.
    h.clock.advance(Duration::from_secs(3_599));
    draw(&late).await.expect("draws");
    h.clock.advance(Duration::from_secs(1));
    assert_eq!(refusal(draw(&late).await).0, "ExpiredTokenException");
    // Without a time there is nothing to end it by.
    for mapped in [json!({}), ann.clone()] {
        let mut timeless = claims(&h, &mapped);
        timeless.as_object_mut().expect("an object").remove("iat");
        assert_eq!(refusal(draw(&timeless).await).0, "UnrecognizedClientException");
        timeless["nbf"] = json!(now());
        draw(&timeless).await.expect("draws");
    }
}

#[tokio::test]
async fn a_request_with_a_token_leaves_its_trace_also_where_its_form_is_wrong() {
    let (h, issuing) = (Harness::new().await, Issuing::new());
    make_role(&h).await;
    let service = believing(&h, &issuing).await;
    let ask = async |role: &str, name: &str, token: &str| {
        let from = Unsigned {
            region: REGION.parse().expect("a region"),
            request_id: "r".into(),
            source_ip: "192.0.2.7".into(),
            user_agent: "test/1".into(),
            secure_transport: true,
        };
        let request = AssumeRoleRequest {
            role_arn: role.to_owned(),
            role_session_name: name.to_owned(),
            ..AssumeRoleRequest::default()
        };
        refusal(service.assume_role_with_web_identity(from, request, token).await).0
    };
    // Nobody's: counted.
    assert_eq!(ask(ROLE, "x", "no token").await, "InvalidIdentityToken");
    service.flush_authentication_failures().await;
    assert_eq!(
        h.last_event()["requestParameters"]["reasons"]["InvalidIdentityToken"],
        1
    );
    // Somebody's: an event.
    let token = issuing.token("one", &claims(&h, &json!({})));
    for (role, name) in [(USER, "pod-1"), (ROLE, "x"), (ROLE, "a b")] {
        let before = h.events().len();
        assert_eq!(ask(role, name, &token).await, "ValidationException");
        let events = h.events();
        assert_eq!(events.len(), before + 1);
        assert_eq!(events[before]["errorCode"], "ValidationException");
        assert_eq!(events[before]["userIdentity"]["type"], "WebIdentityUser");
    }
}
