//! Key policies and identity policies decide: who is let in, who is denied and in which words, and what the event says decided.

use bulla_model::{PrincipalArn, Role};
use bulla_service::*;
use serde_json::json;

use crate::harness::*;

pub(crate) fn put(key_id: &str, policy: impl ToString) -> PutKeyPolicyRequest {
    PutKeyPolicyRequest {
        key_id: key_id.to_owned(),
        policy_name: None,
        policy: policy.to_string(),
        bypass_policy_lockout_safety_check: false,
    }
}

fn get(key_id: &str) -> GetKeyPolicyRequest {
    GetKeyPolicyRequest {
        key_id: key_id.to_owned(),
        policy_name: None,
    }
}

/// A key policy of the account's statement and others.
pub(crate) fn with_account(statements: &[serde_json::Value]) -> serde_json::Value {
    let account = json!({"Sid": "Account", "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"});
    let all: Vec<_> = std::iter::once(account).chain(statements.iter().cloned()).collect();
    json!({"Version": "2012-10-17", "Statement": all})
}

pub(crate) fn identity(statement: serde_json::Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

pub(crate) async fn give(h: &Harness, arn: &PrincipalArn, name: &str, document: String) {
    h.service
        .put_principal_policy(&h.operator(), arn.clone(), name.to_owned(), document)
        .await
        .expect("gives");
}

#[tokio::test]
async fn a_key_has_aws_s_default_policy_until_it_is_given_another() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let before = h
        .service
        .get_key_policy(&operator, get(key.key_id.as_str()))
        .await
        .expect("reads");
    assert_eq!(before.policy_name, "default");
    assert!(
        before.policy.contains("\"Sid\" : \"Enable IAM User Permissions\""),
        "{}",
        before.policy
    );
    let policy = with_account(&[]).to_string();
    h.service
        .put_key_policy(&operator, put(key.key_id.as_str(), &policy))
        .await
        .expect("writes");
    assert_eq!(h.last_event()["requestParameters"]["policy"], policy);
    assert_eq!(h.last_event()["eventName"], "PutKeyPolicy");
    let after = h
        .service
        .get_key_policy(&operator, get(key.arn.as_str()))
        .await
        .expect("reads");
    assert_eq!(after.policy, policy);
    let names = ListKeyPoliciesRequest {
        key_id: key.key_id.to_string(),
        limit: None,
        marker: None,
    };
    let listed = h.service.list_key_policies(&operator, names).await.expect("lists");
    assert_eq!(listed.policy_names, ["default"]);
    h.verify();
}

#[tokio::test]
async fn only_the_policy_default_is_there() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let request = |name: &str| GetKeyPolicyRequest {
        policy_name: Some(name.to_owned()),
        ..get(key.key_id.as_str())
    };
    assert!(h.service.get_key_policy(&operator, request("default")).await.is_ok());
    let refused = refusal(h.service.get_key_policy(&operator, request("AWS_RAM")).await);
    assert_eq!(refused, ("NotFoundException", "No such policy exists".to_owned()));
    let ram = PutKeyPolicyRequest {
        policy_name: Some("AWS_RAM".to_owned()),
        ..put(key.key_id.as_str(), with_account(&[]))
    };
    assert_eq!(
        refusal(h.service.put_key_policy(&operator, ram).await),
        (
            "ValidationException",
            "The AWS_RAM policy can only be managed by the RAM service.".to_owned()
        )
    );
}

#[tokio::test]
async fn a_policy_that_is_none_is_refused_with_the_place_and_not_stored() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    for (document, expected) in [
        ("{", "Syntax error: EOF while parsing an object (at line 1, column 1)"),
        (
            r#"{"Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#,
            "Missing required field Principal (at /Statement/0)",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"ann"},"Action":"kms:*","Resource":"*"}}"#,
            "Policy contains a statement with one or more invalid principals. (at /Statement/Principal/AWS)",
        ),
    ] {
        let refused = refusal(
            h.service
                .put_key_policy(&operator, put(key.key_id.as_str(), document))
                .await,
        );
        assert_eq!(refused, ("MalformedPolicyDocumentException", expected.to_owned()));
    }
    let long = format!("{{\"Id\":\"{}\"}}", "x".repeat(32_768));
    let refused = refusal(
        h.service
            .put_key_policy(&operator, put(key.key_id.as_str(), long))
            .await,
    );
    assert_eq!(refused.0, "LimitExceededException");
    let stored = h
        .service
        .get_key_policy(&operator, get(key.key_id.as_str()))
        .await
        .expect("reads");
    assert!(stored.policy.contains("key-default-1"));
}

#[tokio::test]
async fn a_policy_that_locks_its_writer_out_needs_to_be_asked_for() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    let (_, ann) = h.user("ann", Role::User).await;
    let only_ann = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:user/ann"}, "Action": "kms:*", "Resource": "*"}});
    let locked_out = (
        "MalformedPolicyDocumentException",
        "The new key policy will not allow you to update the key policy in the future.".to_owned(),
    );
    let refused = refusal(
        h.service
            .put_key_policy(&admin, put(key.key_id.as_str(), &only_ann))
            .await,
    );
    assert_eq!(refused, locked_out);
    let bypassing = PutKeyPolicyRequest {
        bypass_policy_lockout_safety_check: true,
        ..put(key.key_id.as_str(), &only_ann)
    };
    h.service.put_key_policy(&admin, bypassing).await.expect("writes");
    // The administrator's role is an identity policy, and this key policy leaves nothing to those.
    let refused = refusal(h.service.encrypt(&admin, encrypt_request(key.key_id.as_str())).await);
    assert_eq!(
        refused,
        (
            "AccessDeniedException",
            format!(
                "User: arn:aws:iam::111122223333:user/admin is not authorized to perform: kms:Encrypt on resource: {} because no \
                 resource-based policy allows the kms:Encrypt action",
                key.arn
            )
        )
    );
    encrypt(&h.service, &ann, key.key_id.as_str()).await;
    // The same when a key is made.
    let with = |policy: &serde_json::Value, bypass| CreateKeyRequest {
        policy: Some(policy.to_string()),
        bypass_policy_lockout_safety_check: bypass,
        ..create_key_request()
    };
    assert_eq!(
        refusal(h.service.create_key(&admin, with(&only_ann, false)).await),
        locked_out
    );
    let made = h
        .service
        .create_key(&admin, with(&only_ann, true))
        .await
        .expect("makes")
        .key;
    encrypt(&h.service, &ann, made.key_id.as_str()).await;
    assert!(
        h.service
            .create_key(&admin, with(&with_account(&[]), false))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn identity_policies_are_kept_read_and_refused() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (arn, ann) = h.user("ann", Role::User).await;
    let document = identity(json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}));
    for name in ["b", "a"] {
        give(&h, &arn, name, document.clone()).await;
    }
    let names = h
        .service
        .list_principal_policies(&operator, arn.clone())
        .await
        .expect("lists");
    assert_eq!(names, ["a", "b"]);
    let read = h
        .service
        .principal_policy(&operator, arn.clone(), "a".into())
        .await
        .expect("reads");
    assert_eq!(read, document);
    let put = |name: &str, document: &str| {
        let (name, document) = (name.to_owned(), document.to_owned());
        h.service.put_principal_policy(&operator, arn.clone(), name, document)
    };
    assert_eq!(refusal(put("a", "{}").await).0, "MalformedPolicyDocumentException");
    assert_eq!(refusal(put("a b", &document).await).0, "ValidationException");
    for n in 2..10 {
        put(&n.to_string(), &document).await.expect("gives");
    }
    assert_eq!(refusal(put("eleventh", &document).await).0, "LimitExceededException");
    assert_eq!(
        refusal(h.service.principal_policy(&operator, arn.clone(), "z".into()).await).0,
        "NotFoundException"
    );
    let refused = h
        .service
        .delete_principal_policy(&operator, arn.clone(), "z".into())
        .await;
    assert_eq!(refusal(refused).0, "NotFoundException");
    // Who may use every key may not give policies.
    let refused = h
        .service
        .put_principal_policy(&ann, arn.clone(), "x".into(), document)
        .await;
    assert_eq!(refusal(refused).0, "AccessDeniedException");
    assert_eq!(h.last_event()["eventName"], "PutPrincipalPolicy");
    h.verify();
}
