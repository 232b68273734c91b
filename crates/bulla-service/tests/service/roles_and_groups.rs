//! Roles and groups: who makes them, what they give, and how a role is explained.

use bulla_model::Role;
use bulla_service::*;

use crate::harness::*;
use crate::sessions::*;

#[tokio::test]
async fn users_have_what_their_groups_have_while_they_are_in_them() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (user, ann) = h.user("ann", Role::User).await;
    let group = h
        .service
        .create_group(&operator, "staff".parse().expect("a name"))
        .await
        .expect("creates")
        .arn;
    put_policy(&h, group.as_str(), EVERYTHING).await;
    let random = || GenerateRandomRequest { number_of_bytes: 1 };
    assert_eq!(
        refusal(h.service.generate_random(&ann, random()).await).0,
        "AccessDeniedException"
    );
    for _ in 0..2 {
        let joined = h
            .service
            .set_group_membership(&operator, group.clone(), user.clone(), true);
        joined.await.expect("joins");
    }
    h.service.generate_random(&ann, random()).await.expect("draws");
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"][0]["policy"],
        "identity policy group staff/p"
    );
    assert_eq!(h.service.list_groups(&operator).await.expect("lists")[0].members, 1);
    assert_eq!(
        refusal(h.service.delete_group(&operator, group.clone()).await).0,
        "KMSInvalidStateException"
    );
    let left = h
        .service
        .set_group_membership(&operator, group.clone(), user.clone(), false);
    left.await.expect("leaves");
    assert_eq!(
        refusal(h.service.generate_random(&ann, random()).await).0,
        "AccessDeniedException"
    );
    let joined = h
        .service
        .set_group_membership(&operator, group.clone(), user.clone(), true);
    joined.await.expect("joins");
    h.service.delete_principal(&operator, user).await.expect("deletes");
    h.service.delete_group(&operator, group).await.expect("deletes");
    h.verify();
}

#[tokio::test]
async fn roles_are_made_by_administrators_and_have_trust_policies_that_parse() {
    let h = Harness::new().await;
    let (_, ann) = h.user("ann", Role::Auditor).await;
    let request = |trust: &str, seconds| CreateRoleRequest {
        name: "app".parse().expect("a name"),
        trust_policy: trust.to_owned(),
        max_session_seconds: seconds,
    };
    let operator = h.operator();
    let denied = h.service.create_role(&ann, request(TRUSTS_THE_ACCOUNT, 3_600)).await;
    assert_eq!(refusal(denied).0, "AccessDeniedException");
    let malformed = h.service.create_role(&operator, request(EVERYTHING, 3_600)).await;
    assert_eq!(refusal(malformed).0, "MalformedPolicyDocumentException");
    for seconds in [3_599, 43_201] {
        let refused = h
            .service
            .create_role(&operator, request(TRUSTS_THE_ACCOUNT, seconds))
            .await;
        assert_eq!(refusal(refused).0, "ValidationException");
    }
    let made = h
        .service
        .create_role(&operator, request(TRUSTS_THE_ACCOUNT, 3_600))
        .await
        .expect("creates");
    assert_eq!(made.id.len(), 21);
    let again = h
        .service
        .create_role(&operator, request(TRUSTS_THE_ACCOUNT, 3_600))
        .await;
    assert_eq!(refusal(again).0, "AlreadyExistsException");
    assert_eq!(h.service.list_roles(&ann).await.expect("lists"), [made]);
    let put = h
        .service
        .put_trust_policy(&operator, arn(ROLE), EVERYTHING.to_owned())
        .await;
    assert_eq!(refusal(put).0, "MalformedPolicyDocumentException");
    h.verify();
}

#[tokio::test]
async fn a_role_is_explained_as_its_sessions_are_answered() {
    let h = Harness::new().await;
    let only_tenant_a = r#"{"Version":"2012-10-17","Statement":{"Sid":"TenantA","Effect":"Allow","Action":"kms:Encrypt","Resource":"*",
        "Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"a","aws:PrincipalTag/team":"red"}}}}"#;
    role(&h, TRUSTS_THE_ACCOUNT, only_tenant_a).await;
    let key = h.key().await;
    let explain = async || {
        let request = ExplainRequest {
            principal: arn(ROLE),
            action: "kms:Encrypt".to_owned(),
            resource: ExplainedResource::Key(key.key_id.to_string()),
            encryption_context: context(&[("tenant", "a")]),
            parameters: serde_json::Map::new(),
            source_ip: None,
            secure_transport: true,
        };
        h.service.explain(&h.operator(), request).await.expect("explains")
    };
    let session = assume(&h, &h.admin().await, request()).await;
    let encrypts = async || h.service.encrypt(&session, encrypt_request(key.key_id.as_str())).await;
    let denied = explain().await;
    assert!(!denied.allowed && encrypts().await.is_err());
    h.service
        .tag_principal(&h.operator(), arn(ROLE), [("team".to_owned(), "red".to_owned())].into())
        .await
        .expect("tags");
    let allowed = explain().await;
    assert!(allowed.allowed && encrypts().await.is_ok());
    assert!(
        allowed.decided_by.iter().any(|by| by["sid"] == "TenantA"),
        "{:?}",
        allowed.decided_by
    );
    let nobody = ExplainRequest {
        principal: arn("arn:aws:iam::111122223333:role/nobody"),
        action: "kms:Encrypt".to_owned(),
        resource: ExplainedResource::Other("*".to_owned()),
        encryption_context: context(&[]),
        parameters: serde_json::Map::new(),
        source_ip: None,
        secure_transport: true,
    };
    assert_eq!(
        refusal(h.service.explain(&h.operator(), nobody).await).0,
        "NotFoundException"
    );
}
