//! Whose a session is: what its events say, who stands behind it, and which tags stay with it.

use std::time::Duration;

use bulla_service::*;
use serde_json::json;

use crate::harness::*;
use crate::sessions::*;

/// Trusts the account with source identities; `who` is one that the policy asks for.
fn trust_of(who: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:SetSourceIdentity",
            "Condition": {"StringLikeIfExists": {"sts:SourceIdentity": who}}}]})
    .to_string()
}

fn standing_behind(who: &str) -> AssumeRoleRequest {
    AssumeRoleRequest {
        source_identity: Some(who.to_owned()),
        ..request()
    }
}

#[tokio::test]
async fn the_events_of_a_session_say_whose_it_is_as_cloudtrail_does() {
    let h = Harness::new().await;
    let made = role(&h, &trust_of("*"), EVERYTHING).await;
    let session = assume(&h, &h.admin().await, standing_behind("ann")).await;
    let began = h.clock_now().rounded_to_second().to_string();
    h.clock.advance(Duration::from_secs(60));
    h.service.get_caller_identity(&session).await.expect("tells");
    assert_eq!(
        h.last_event()["userIdentity"]["sessionContext"],
        json!({
            "sessionIssuer": {"type": "Role", "principalId": &*made.id, "arn": ROLE, "accountId": "111122223333", "userName": "app"},
            "attributes": {"creationDate": began, "mfaAuthenticated": "false"},
            "sourceIdentity": "ann",
        })
    );
    // Who signs with a key of his own has no session.
    h.service.get_caller_identity(&h.admin().await).await.expect("tells");
    assert_eq!(h.last_event()["userIdentity"].get("sessionContext"), None);
    h.verify();
}

#[tokio::test]
async fn a_source_identity_takes_a_permission_decides_and_passes_on_and_is_never_replaced() {
    let h = Harness::new().await;
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"},
        {"Effect": "Allow", "Action": "kms:GenerateRandom", "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceIdentity": "ann"}}}]});
    role(&h, &trust_of("a*"), &policy.to_string()).await;
    let admin = h.admin().await;
    let refused = h.service.assume_role(&admin, standing_behind("bob")).await;
    let (code, text) = refusal(refused);
    assert_eq!(code, "AccessDeniedException");
    assert!(text.contains("sts:SetSourceIdentity"), "{text}");
    let random = || GenerateRandomRequest { number_of_bytes: 1 };
    let ann = assume(&h, &admin, standing_behind("ann")).await;
    let (adam, nobody) = (
        assume(&h, &admin, standing_behind("adam")).await,
        assume(&h, &admin, request()).await,
    );
    h.service.generate_random(&ann, random()).await.expect("draws");
    for other in [&adam, &nobody] {
        let refused = h.service.generate_random(other, random()).await;
        assert_eq!(refusal(refused).0, "AccessDeniedException");
    }
    // It goes along to sessions of the session, named or not, and is not another's there.
    for asked in [request(), standing_behind("ann")] {
        let chained = assume(&h, &ann, asked).await;
        h.service.generate_random(&chained, random()).await.expect("draws");
    }
    assert_eq!(
        refusal(h.service.assume_role(&ann, standing_behind("adam")).await).0,
        "ValidationException"
    );
    // Where it comes along, the next role must take it, too.
    put_trust(&h, TRUSTS_THE_ACCOUNT).await;
    assert_eq!(
        refusal(h.service.assume_role(&ann, request()).await).0,
        "AccessDeniedException"
    );
    assume(&h, &nobody, request()).await;
    for wrong in ["a", "a b", &"a".repeat(65)] {
        assert_eq!(
            refusal(h.service.assume_role(&admin, standing_behind(wrong)).await).0,
            "ValidationException"
        );
    }
}

async fn put_trust(h: &Harness, document: &str) {
    let operator = h.operator();
    let put = h.service.put_trust_policy(&operator, arn(ROLE), document.to_owned());
    put.await.expect("puts");
}

#[tokio::test]
async fn the_account_that_owns_a_role_sees_who_assumes_it() {
    let h = Harness::new().await;
    let theirs = call(Caller::operator("444455556666".parse().expect("an account")));
    let made = CreateRoleRequest {
        name: "app".parse().expect("a name"),
        trust_policy: TRUSTS_THE_ACCOUNT.to_owned(),
        max_session_seconds: 3_600,
    };
    let role = h.service.create_role(&theirs, made).await.expect("creates").arn;
    let asked = AssumeRoleRequest {
        role_arn: role.to_string(),
        ..request()
    };
    let admin = h.admin().await;
    h.service.assume_role(&admin, asked).await.expect("assumes");
    let event = h.last_event();
    assert_eq!(
        (&event["recipientAccountId"], &event["resources"]),
        (
            &json!("444455556666"),
            &json!([{"ARN": role.as_str(), "accountId": "444455556666", "type": "AWS::IAM::Role"}])
        )
    );
    let query = AuditQuery {
        filter: bulla_audit::EventFilter {
            event: Some("AssumeRole".to_owned()),
            ..bulla_audit::EventFilter::default()
        },
        from: 0,
        limit: 10,
    };
    let seen = h.service.query_audit(&theirs, query).await.expect("reads").events;
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn a_transitive_tag_is_not_replaced_in_any_case_of_its_letters() {
    let h = Harness::new().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let admin = h.admin().await;
    let first = assume(&h, &admin, with_tags(&[("größe", "1")], &["Größe"])).await;
    let replaced = h.service.assume_role(&first, with_tags(&[("GRÖßE", "2")], &[])).await;
    assert_eq!(refusal(replaced).0, "ValidationException");
}
