//! Operations that need more than one permission ask for each of them, of the resource that it is about and with its conditions.

use bulla_model::{GrantOperation, KeySpec, KeyUsage, Role, Tag};
use bulla_service::*;
use serde_json::{Value, json};

use crate::granting::grant;
use crate::harness::*;
use crate::policies::{give, identity, put, with_account};
use crate::regions::{EU, primary_key, replicate_request};
use crate::signing_calls::key_of;

async fn alias(h: &Harness, key: &KeyMetadata) {
    let request = CreateAliasRequest {
        alias_name: "alias/app".to_owned(),
        target_key_id: key.key_id.to_string(),
    };
    h.service.create_alias(&h.operator(), request).await.expect("an alias");
}

fn to(key: &KeyMetadata) -> UpdateAliasRequest {
    UpdateAliasRequest {
        alias_name: "alias/app".to_owned(),
        target_key_id: key.key_id.to_string(),
    }
}

fn allow(statement: &[(&str, Value)]) -> Value {
    let mut all = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"});
    for (name, value) in statement {
        all[name] = value.clone();
    }
    all
}

#[tokio::test]
async fn an_alias_is_taken_from_a_key_only_by_whom_that_key_lets() {
    let h = Harness::new().await;
    let (one, other) = (h.key().await, h.key().await);
    alias(&h, &one).await;
    let (arn, bob) = h.user("bob", Role::User).await;
    give(&h, &arn, "may", identity(allow(&[]))).await;
    let denial = json!({"Effect": "Deny", "Principal": {"AWS": arn.as_str()}, "Resource": "*",
        "Action": ["kms:UpdateAlias", "kms:DeleteAlias"]});
    h.service
        .put_key_policy(&h.operator(), put(one.key_id.as_str(), with_account(&[denial])))
        .await
        .expect("a policy");
    let delete = || DeleteAliasRequest {
        alias_name: "alias/app".to_owned(),
    };
    for refused in [
        h.service.update_alias(&bob, to(&other)).await,
        h.service.delete_alias(&bob, delete()).await,
    ] {
        let (kind, message) = refusal(refused);
        assert_eq!(kind, "AccessDeniedException");
        assert!(message.contains(one.arn.as_str()), "{message}");
    }
    h.service
        .put_key_policy(&h.operator(), put(one.key_id.as_str(), with_account(&[])))
        .await
        .expect("a policy");
    h.service.update_alias(&bob, to(&other)).await.expect("moves");
    h.service.delete_alias(&bob, delete()).await.expect("deletes");
    h.verify();
}

#[tokio::test]
async fn an_alias_moves_only_to_a_key_of_the_same_kind_and_usage() {
    let h = Harness::new().await;
    let symmetric = h.key().await;
    alias(&h, &symmetric).await;
    for (spec, usage) in [
        (KeySpec::Rsa2048, KeyUsage::EncryptDecrypt),
        (KeySpec::EccNistP256, KeyUsage::SignVerify),
        (KeySpec::Hmac256, KeyUsage::GenerateVerifyMac),
    ] {
        let key = key_of(&h, spec, usage).await;
        let refused = h.service.update_alias(&h.operator(), to(&key)).await;
        assert_eq!(refusal(refused).0, "ValidationException", "{spec}");
    }
    let another = h.key().await;
    h.service
        .update_alias(&h.operator(), to(&another))
        .await
        .expect("moves");
}

#[tokio::test]
async fn a_key_is_made_with_tags_only_by_who_may_tag() {
    let h = Harness::new().await;
    let (arn, ann) = h.user("ann", Role::User).await;
    let document = json!({"Version": "2012-10-17", "Statement": [
        allow(&[]), {"Effect": "Deny", "Action": "kms:TagResource", "Resource": "*"}]});
    give(&h, &arn, "may", document.to_string()).await;
    let tagged = CreateKeyRequest {
        tags: vec![Tag {
            key: "team".to_owned(),
            value: "payments".to_owned(),
        }],
        ..create_key_request()
    };
    let (kind, message) = refusal(h.service.create_key(&ann, tagged).await);
    assert_eq!(kind, "AccessDeniedException");
    assert!(message.contains("kms:TagResource"), "{message}");
    h.service
        .create_key(&ann, create_key_request())
        .await
        .expect("without tags");
}

#[tokio::test]
async fn a_replica_is_made_only_by_who_may_make_keys_in_its_region() {
    let h = Harness::new().await;
    let id = primary_key(&h).await.key_id.to_string();
    let (arn, ann) = h.user("ann", Role::User).await;
    let making = |region: &str| {
        json!({"Version": "2012-10-17", "Statement": [
        allow(&[("Action", json!("kms:ReplicateKey"))]),
        allow(&[("Action", json!(["kms:CreateKey", "kms:TagResource"])), ("Condition", json!({"StringEquals": {"aws:RequestedRegion": region}}))])]})
        .to_string()
    };
    give(&h, &arn, "may", making(ann.region.as_str())).await;
    let (kind, message) = refusal(h.service.replicate_key(&ann, replicate_request(&id, EU)).await);
    assert_eq!(kind, "AccessDeniedException");
    assert!(message.contains("kms:CreateKey"), "{message}");
    give(&h, &arn, "may", making(EU)).await;
    h.service
        .replicate_key(&ann, replicate_request(&id, EU))
        .await
        .expect("replicates");
}

#[tokio::test]
async fn an_account_that_was_granted_a_key_passes_on_what_its_policies_say_about_that_key() {
    let h = Harness::new().await;
    let tag = |value: &str| {
        vec![Tag {
            key: "env".to_owned(),
            value: value.to_owned(),
        }]
    };
    let (arn, ann) = h.user("ann", Role::User).await;
    let condition = json!({"StringNotEquals": {"aws:ResourceTag/env": "prod"}});
    give(&h, &arn, "may", identity(allow(&[("Condition", condition)]))).await;
    // The account may nothing by the key's policy, all by a grant.
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": {"AWS": h.admin().await.caller.arn().as_str()}}]});
    for (value, allowed) in [("prod", false), ("test", true)] {
        let request = CreateKeyRequest {
            tags: tag(value),
            policy: Some(policy.to_string()),
            bypass_policy_lockout_safety_check: true,
            ..create_key_request()
        };
        let key = h.service.create_key(&h.operator(), request).await.expect("a key").key;
        let mut to_account = grant(key.key_id.as_str(), &[GrantOperation::Encrypt]);
        to_account.grantee_principal = format!("arn:aws:iam::{}:root", arn.account());
        h.service
            .create_grant(&h.admin().await, to_account)
            .await
            .expect("a grant");
        let encrypted = h.service.encrypt(&ann, encrypt_request(key.key_id.as_str())).await;
        assert_eq!(encrypted.is_ok(), allowed, "{value}");
    }
}
