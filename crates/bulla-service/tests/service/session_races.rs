//! What is taken from a role or a group between a session's decision and its commit decides.

use bulla_model::Role;
use bulla_service::*;

use crate::decide_at_commit::revoke_in_between;
use crate::harness::*;
use crate::sessions::*;

/// What an encryption comes to when `revoke` happens on another node while it waits for its commit.
async fn encrypted_meanwhile(
    h: &Harness,
    caller: Call,
    key: &KeyMetadata,
    revoke: impl AsyncFnOnce(Service, Call),
) -> (&'static str, String) {
    let (service, request) = (h.service.clone(), encrypt_request(key.key_id.as_str()));
    let operation = async move { service.encrypt(&caller, request).await };
    refusal(revoke_in_between(h, operation, async |other| revoke(other, h.operator()).await).await)
}

#[tokio::test]
async fn a_role_deleted_between_decision_and_commit_gets_nothing() {
    let h = Harness::new().await;
    let key = h.key().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let session = assume(&h, &h.admin().await, request()).await;
    let refused = encrypted_meanwhile(&h, session, &key, async |other, operator| {
        other.delete_role(&operator, arn(ROLE)).await.expect("deletes");
    });
    assert_eq!(refused.await.0, "UnrecognizedClientException");
    h.verify();
}

#[tokio::test]
async fn a_policy_taken_from_a_role_between_decision_and_commit_is_gone() {
    let h = Harness::new().await;
    let key = h.key().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let session = assume(&h, &h.admin().await, request()).await;
    let refused = encrypted_meanwhile(&h, session, &key, async |other, operator| {
        let taken = other.delete_principal_policy(&operator, arn(ROLE), "p".to_owned());
        taken.await.expect("takes");
    });
    assert_eq!(refused.await.0, "AccessDeniedException");
}

#[tokio::test]
async fn a_deny_put_on_a_group_between_decision_and_commit_decides() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (user, ann) = h.user("ann", Role::Admin).await;
    let operator = h.operator();
    let group = h
        .service
        .create_group(&operator, "staff".parse().expect("a name"))
        .await
        .expect("creates");
    let joined = h
        .service
        .set_group_membership(&operator, group.arn.clone(), user.clone(), true);
    joined.await.expect("joins");
    encrypt(&h.service, &ann, key.key_id.as_str()).await;
    let refused = encrypted_meanwhile(&h, ann, &key, async |other, operator| {
        let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:Encrypt","Resource":"*"}}"#;
        let put = other.put_principal_policy(
            &operator,
            arn("arn:aws:iam::111122223333:group/staff"),
            "d".to_owned(),
            deny.to_owned(),
        );
        put.await.expect("puts");
    });
    let (code, text) = refused.await;
    assert_eq!(code, "AccessDeniedException");
    assert!(
        text.ends_with("with an explicit deny in an identity-based policy"),
        "{text}"
    );
}
