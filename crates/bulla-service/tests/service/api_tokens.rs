use std::time::Duration;

use bulla_model::{PrincipalArn, Role, Timestamp};
use bulla_service::*;

use crate::harness::*;

const SOURCE: &str = "192.0.2.7";

/// A new administrator with an API token.
async fn with_token(h: &Harness, expires: Option<Timestamp>) -> (PrincipalArn, CreateApiTokenResponse) {
    let (arn, _) = h.user("ann", Role::Admin).await;
    let made = h.service.create_api_token(&h.operator(), arn.clone(), expires).await;
    (arn, made.expect("creates"))
}

fn text(made: &CreateApiTokenResponse) -> &str {
    std::str::from_utf8(made.token.expose_secret()).expect("ASCII")
}

async fn caller(service: &Service, token: &str) -> Result<Call, ServiceError> {
    service.authenticate_bearer(token, SOURCE).await.map(call)
}

async fn draw(service: &Service, call: &Call) -> Result<GenerateRandomResponse, ServiceError> {
    let request = GenerateRandomRequest { number_of_bytes: 1 };
    service.generate_random(call, request).await
}

#[tokio::test]
async fn who_shows_a_token_is_its_principal() {
    let h = Harness::new().await;
    let (arn, made) = with_token(&h, None).await;
    let ann = caller(&h.service, text(&made)).await.expect("is known");
    assert_eq!(ann.caller.arn(), &arn);
    draw(&h.service, &ann).await.expect("draws");
    let identity = &h.last_event()["userIdentity"];
    assert_eq!(
        (
            identity["arn"].as_str(),
            identity["accessKeyId"].as_str(),
            identity["type"].as_str()
        ),
        (Some(arn.as_str()), Some(made.id.as_str()), Some("IAMUser"))
    );
    h.verify();
}

#[tokio::test]
async fn the_secret_of_a_token_is_in_no_row_no_event_and_no_debug_text() {
    let h = Harness::new().await;
    let (_, made) = with_token(&h, None).await;
    let secret = &text(&made)[22..74];
    // Who passes the whole token where its id is asked for leaves no trace of it either.
    let refused = h.service.set_api_token_enabled(&h.operator(), text(&made), false).await;
    assert_eq!(refusal(refused).0, "NotFoundException");
    assert!(!format!("{made:?}").contains(secret));
    let data = h.store.edit();
    let rows = data.rows.values().map(|row| row.body.as_slice());
    let mut all = rows.chain(data.events.iter().map(|event| event.event.as_slice()));
    assert!(!all.any(|bytes| bytes.windows(secret.len()).any(|window| window == secret.as_bytes())));
}

#[tokio::test]
async fn tokens_are_listed_with_their_last_use_disabled_enabled_and_deleted() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (arn, made) = with_token(&h, None).await;
    let listed = || async { h.service.list_api_tokens(&operator, arn.clone()).await.expect("lists") };
    let first = listed().await.remove(0);
    assert_eq!(
        (
            &first.id,
            &first.principal,
            first.enabled,
            first.expires,
            first.last_used
        ),
        (&made.id, &arn, true, None, None)
    );
    let ann = caller(&h.service, text(&made)).await.expect("is known");
    h.clock.advance(Duration::from_secs(5));
    let used = h.clock_now();
    draw(&h.service, &ann).await.expect("draws");
    assert_eq!(
        listed().await[0].last_used.map(Timestamp::rounded_to_second),
        Some(used.rounded_to_second())
    );
    h.service.flush_key_usage().await;
    assert_eq!(
        listed().await[0].last_used.map(Timestamp::rounded_to_second),
        Some(used.rounded_to_second())
    );

    for enabled in [false, true] {
        let set = h.service.set_api_token_enabled(&operator, &made.id, enabled).await;
        set.expect("sets");
        assert_eq!(caller(&h.service, text(&made)).await.is_ok(), enabled);
        assert_eq!(draw(&h.service, &ann).await.is_ok(), enabled);
    }
    h.service.delete_api_token(&operator, &made.id).await.expect("deletes");
    assert_eq!(refusal(draw(&h.service, &ann).await).0, "UnrecognizedClientException");
    assert_eq!(listed().await, []);
    let again = h.service.delete_api_token(&operator, &made.id).await;
    assert_eq!(refusal(again).0, "NotFoundException");
    h.verify();
}

#[tokio::test]
async fn a_token_ends_with_its_time_its_principal_and_his_state() {
    let h = Harness::new().await;
    let operator = h.operator();
    let past = h
        .service
        .create_api_token(&operator, h.initialised.administrator.clone(), Some(h.clock_now()));
    assert_eq!(refusal(past.await).0, "ValidationException");
    let (arn, made) = with_token(&h, Some(h.clock_now().plus_micros(60_000_000))).await;
    let ann = caller(&h.service, text(&made)).await.expect("is known");
    h.service
        .set_principal_enabled(&operator, arn.clone(), false)
        .await
        .expect("disables");
    assert_eq!(
        refusal(caller(&h.service, text(&made)).await).0,
        "UnrecognizedClientException"
    );
    assert_eq!(refusal(draw(&h.service, &ann).await).0, "UnrecognizedClientException");
    h.service
        .set_principal_enabled(&operator, arn.clone(), true)
        .await
        .expect("enables");
    h.clock.advance(Duration::from_secs(61));
    assert_eq!(
        refusal(caller(&h.service, text(&made)).await),
        (
            "ExpiredTokenException",
            "The security token included in the request is expired".to_owned()
        )
    );
    // Authenticated in time, decided too late.
    assert_eq!(refusal(draw(&h.service, &ann).await).0, "ExpiredTokenException");
    h.service
        .delete_principal(&operator, arn.clone())
        .await
        .expect("deletes");
    assert_eq!(
        refusal(caller(&h.service, text(&made)).await).0,
        "UnrecognizedClientException"
    );
    let left = h
        .store
        .edit()
        .rows
        .values()
        .filter(|row| row.owner == arn.as_str())
        .count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn another_secret_under_a_known_id_is_nobody() {
    let h = Harness::new().await;
    let (arn, made) = with_token(&h, None).await;
    let other = h
        .service
        .create_api_token(&h.operator(), arn, None)
        .await
        .expect("creates");
    // The one's id with the other's secret, under the right checksum.
    let mut content = made.id.clone();
    content.push_str(&text(&other)[22..74]);
    let checksum = bulla_crypto::sha256(content.as_bytes());
    let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
    content.extend(
        checksum[..7]
            .iter()
            .map(|byte| char::from(alphabet[usize::from(byte & 31)])),
    );
    assert_eq!(
        refusal(caller(&h.service, &content).await).0,
        "UnrecognizedClientException"
    );
    for wrong in ["", "bulla_", "AKIAAAAAAAAAAAAAAAAA", &"a".repeat(100_000)] {
        assert_eq!(
            refusal(caller(&h.service, wrong).await).0,
            "UnrecognizedClientException"
        );
    }
    h.service.flush_authentication_failures().await;
    let event = h.last_event();
    assert_eq!(
        event["requestParameters"]["reasons"]["UnrecognizedClientException"], 5,
        "{event}"
    );
    assert_eq!(event["requestParameters"]["sources"][SOURCE], 5, "{event}");
}

#[tokio::test]
async fn a_token_disabled_on_another_node_between_decision_and_commit_gets_nothing() {
    let h = Harness::new().await;
    let (_, made) = with_token(&h, None).await;
    let ann = caller(&h.service, text(&made)).await.expect("is known");
    let (_, other) = h.node(7).await;
    h.store.hold(true);
    let (service, asker) = (h.service.clone(), ann.clone());
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    let asked = tokio::spawn(async move { draw(&service, &asker).await });
    begun.changed().await.expect("the store lives");
    other
        .set_api_token_enabled(&h.operator(), &made.id, false)
        .await
        .expect("disables");
    h.store.hold(false);
    assert_eq!(refusal(asked.await.expect("no panic")).0, "UnrecognizedClientException");
    assert_eq!(h.last_event()["errorCode"], "UnrecognizedClientException");
    h.verify();
}

#[tokio::test]
async fn a_token_made_on_another_node_is_known_at_once_and_guesses_cost_no_read() {
    let h = Harness::new().await;
    let (_, other) = h.node(7).await;
    let (arn, _) = h.user("ann", Role::Admin).await;
    let made = other.create_api_token(&h.operator(), arn, None).await.expect("creates");
    caller(&h.service, text(&made)).await.expect("is known");
    let reads = *h.store.read.borrow();
    for at in 0..32_u8 {
        // Of the right form, and nobody's.
        let id = format!("bulla_{}", "a".repeat(15)) + &char::from(b'a' + at % 26).to_string();
        let content = id + &"b".repeat(52);
        let digest = bulla_crypto::sha256(content.as_bytes());
        let alphabet = b"abcdefghijklmnopqrstuvwxyz234567";
        let checksum = digest[..7]
            .iter()
            .map(|byte| char::from(alphabet[usize::from(byte & 31)]));
        let guess: String = content.chars().chain(checksum).collect();
        assert_eq!(
            refusal(caller(&h.service, &guess).await).0,
            "UnrecognizedClientException"
        );
    }
    assert_eq!(*h.store.read.borrow(), reads, "no row is read");
}

#[tokio::test]
async fn a_user_has_twenty_tokens_at_most_and_only_administrators_make_them() {
    let h = Harness::new().await;
    let (arn, ann) = h.user("ann", Role::Auditor).await;
    for _ in 0..20 {
        h.service
            .create_api_token(&h.operator(), arn.clone(), None)
            .await
            .expect("creates");
    }
    let more = h.service.create_api_token(&h.operator(), arn.clone(), None).await;
    assert_eq!(refusal(more).0, "LimitExceededException");
    let tokens = h
        .service
        .list_api_tokens(&ann, arn.clone())
        .await
        .expect("an auditor lists");
    assert_eq!(tokens.len(), 20);
    let denied = h.service.create_api_token(&ann, arn, None).await;
    assert_eq!(refusal(denied).0, "AccessDeniedException");
    let denied = h.service.set_api_token_enabled(&ann, &tokens[0].id, false).await;
    assert_eq!(refusal(denied).0, "AccessDeniedException");
}

#[tokio::test]
async fn what_is_denied_on_a_user_is_denied_on_his_api_tokens() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (ann_arn, ann) = h.user("ann", Role::Admin).await;
    let (bob_arn, _) = h.user("bob", Role::User).await;
    let make = async |of: &PrincipalArn| {
        let made = h.service.create_api_token(&operator, of.clone(), None).await;
        made.expect("makes").id
    };
    let (his, own) = (make(&bob_arn).await, make(&ann_arn).await);
    let never = serde_json::json!({"Effect": "Deny", "Action": "bulla:*", "Resource": bob_arn.as_str()});
    crate::policies::give(&h, &ann_arn, "never", crate::policies::identity(never)).await;
    let denied = |refused: (&'static str, String)| assert_eq!(refused.0, "AccessDeniedException", "{refused:?}");
    denied(refusal(h.service.create_api_token(&ann, bob_arn.clone(), None).await));
    for enabled in [false, true] {
        denied(refusal(h.service.set_api_token_enabled(&ann, &his, enabled).await));
    }
    denied(refusal(h.service.delete_api_token(&ann, &his).await));
    let listed = h.service.list_api_tokens(&operator, bob_arn).await.expect("lists");
    assert!(listed.len() == 1 && listed[0].enabled, "{listed:?}");
    // Others' are his to decide, and of one that is not there he learns so.
    h.service
        .set_api_token_enabled(&ann, &own, false)
        .await
        .expect("disables");
    let unknown = h.service.delete_api_token(&ann, "bulla_aaaaaaaaaaaaaaaa").await;
    assert_eq!(refusal(unknown).0, "NotFoundException");
}
