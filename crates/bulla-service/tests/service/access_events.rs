//! What accesses outside KMS leave in the log: failures, announcements and what ended them, many at once, and what was revoked meanwhile.

use bulla_model::{GrantOperation, Role};
use bulla_service::*;
use serde_json::{Value, json};

use crate::accesses::*;
use crate::decide_at_commit::revoke_in_between;
use crate::harness::*;

#[tokio::test]
async fn what_is_revoked_between_decision_and_commit_decides() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let made = h
        .service
        .create_grant(&operator, grant(&key, &arn, &[GrantOperation::Decrypt], "a"))
        .await
        .expect("grants");
    h.service.access(&ann, opening("a", Some(&key))).await.expect("allowed");
    let (service, asked) = (h.service.clone(), opening("a", Some(&key)));
    let (caller, revoke) = (
        ann.clone(),
        RevokeGrantRequest {
            key_id: key.key_id.to_string(),
            grant_id: made.grant_id.to_string(),
            dry_run: false,
        },
    );
    let outcome = revoke_in_between(&h, async move { service.access(&caller, asked).await }, async |other| {
        other.revoke_grant(&operator, revoke).await.expect("revokes");
    })
    .await;
    assert_eq!(refusal(outcome).0, "AccessDeniedException");
    // The same with the key itself.
    let (service, asked, admin) = (h.service.clone(), opening("a", Some(&key)), h.admin().await);
    let disable = DisableKeyRequest {
        key_id: key.key_id.to_string(),
    };
    let outcome = revoke_in_between(&h, async move { service.access(&admin, asked).await }, async |other| {
        other.disable_key(&h.operator(), disable).await.expect("disables");
    })
    .await;
    assert_eq!(refusal(outcome).0, "DisabledException");
    h.verify();
}

#[tokio::test]
async fn a_failure_is_recorded_as_such_unless_the_access_is_denied() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (_, ann) = h.user("ann", Role::User).await;
    let failed = Access {
        failure: Some(Failure {
            code: "TokenNotFound".to_owned(),
            message: "no such token".to_owned(),
        }),
        cache_hit: Some(false),
        additional: json!({"version": 7}).as_object().expect("a map").clone(),
        ..opening("a", None)
    };
    h.service.access(&admin, failed.clone()).await.expect("recorded");
    let event = h.last_event();
    assert_eq!(event["errorCode"], "TokenNotFound");
    assert_eq!(event["errorMessage"], "no such token");
    assert_eq!(event["cacheHit"], false);
    assert_eq!(event["additionalEventData"]["version"], 7);
    assert_eq!(
        refusal(h.service.access(&ann, failed.clone()).await).0,
        "AccessDeniedException"
    );
    assert_eq!(h.last_event()["errorCode"], "AccessDeniedException");
    // Asking beforehand leaves a trace only where the answer is no.
    let before = h.events().len();
    h.service.precheck(&admin, &failed).await.expect("would be allowed");
    assert_eq!(h.events().len(), before);
    assert_eq!(
        refusal(h.service.precheck(&ann, &failed).await).0,
        "AccessDeniedException"
    );
    assert_eq!(h.events().len(), before + 1);
    h.verify();
}

#[tokio::test]
async fn an_effect_is_announced_before_and_concluded_after() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    let (_, ann) = h.user("ann", Role::User).await;
    assert_eq!(
        refusal(h.service.announce(&ann, sealing("a", Some(&key))).await.map(drop)).0,
        "AccessDeniedException"
    );
    assert_eq!(h.last_event().get("intent"), None);
    let announced = h
        .service
        .announce(&admin, sealing("a", Some(&key)))
        .await
        .expect("allowed");
    let event_id = announced.accessed().event_id.clone();
    assert_eq!(h.last_event()["intent"], true);
    assert_eq!(open_intents(&h), std::slice::from_ref(&event_id));
    let response = json!({"version": 3}).as_object().expect("a map").clone();
    h.service
        .conclude(&admin, announced, Ok(response))
        .await
        .expect("recorded");
    let event = h.last_event();
    assert_eq!(event["intentID"], event_id);
    assert_eq!(event["responseElements"]["version"], 3);
    assert_eq!(event["resources"][1]["ARN"], key.arn.as_str());
    assert_eq!(open_intents(&h), [""; 0]);
    // An outcome is recorded though its caller may do nothing any more.
    let announced = h
        .service
        .announce(&admin, sealing("a", Some(&key)))
        .await
        .expect("allowed");
    h.service
        .set_principal_enabled(&h.operator(), admin.caller.arn().clone(), false)
        .await
        .expect("disables");
    let failure = Failure {
        code: "StoreUnavailable".to_owned(),
        message: "the token store did not answer".to_owned(),
    };
    h.service
        .conclude(&admin, announced, Err(failure))
        .await
        .expect("recorded");
    assert_eq!(h.last_event()["errorCode"], "StoreUnavailable");
    h.verify();
}

#[tokio::test]
async fn accesses_together_are_decided_one_by_one_and_durable_at_once() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    h.service
        .create_grant(&operator, grant(&key, &arn, &[GrantOperation::Decrypt], "a"))
        .await
        .expect("grants");
    let commits = || h.service.metrics().commits.load(std::sync::atomic::Ordering::Relaxed);
    let (before, commits_before) = (h.events().len(), commits());
    let asked = ["a", "b", "a"].map(|client| opening(client, Some(&key)));
    let results = h.service.access_all(&ann, &asked).await.expect("recorded");
    let allowed: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(allowed, [true, false, true]);
    assert_eq!(commits() - commits_before, 1);
    let events = h.events().split_off(before);
    let clients: Vec<_> = events
        .iter()
        .map(|event| event["requestParameters"]["encryptionContext"]["client_id"].clone())
        .collect();
    assert_eq!(clients, ["a", "b", "a"]);
    assert_eq!(events[1]["errorCode"], "AccessDeniedException");
    let first = results.into_iter().next().expect("a result").expect("allowed");
    assert_eq!(events[0]["eventID"], first.event_id);
    for wrong in [0, 101] {
        let many = vec![opening("a", None); wrong];
        assert_eq!(
            refusal(h.service.access_all(&ann, &many).await).0,
            "ValidationException"
        );
    }
    h.verify();
}

fn open_intents(h: &Harness) -> Vec<String> {
    let events = h.events();
    let ended = |id: &Value| events.iter().any(|event| event["intentID"] == *id);
    let announced = events.iter().filter(|event| event["intent"] == true);
    announced
        .map(|event| &event["eventID"])
        .filter(|id| !ended(id))
        .map(|id| id.as_str().expect("an id").to_owned())
        .collect()
}
