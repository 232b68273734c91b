//! Actions outside KMS: decided by the policies and grants of their key, at commit, and recorded allowed or not.

use bulla_model::{BullaArn, GrantConstraints, GrantOperation, KeyRef, KeyUsage, NamedKey, PrincipalArn, Role};
use bulla_service::*;
use serde_json::{Value, json};

use crate::harness::*;

/// Makes this statement the only identity policy of its name.
pub(crate) async fn give(h: &Harness, arn: &PrincipalArn, name: &str, statement: Value) {
    let document = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    h.service
        .put_principal_policy(&h.operator(), arn.clone(), name.to_owned(), document)
        .await
        .expect("gives");
}

/// Gives a key a policy of these statements.
pub(crate) async fn write_policy(h: &Harness, key: &KeyMetadata, statements: &[Value]) {
    let request = PutKeyPolicyRequest {
        key_id: key.key_id.to_string(),
        policy_name: None,
        policy: json!({"Version": "2012-10-17", "Statement": statements}).to_string(),
        bypass_policy_lockout_safety_check: false,
    };
    h.service.put_key_policy(&h.operator(), request).await.expect("writes");
}

pub(crate) fn token(client: &str) -> BullaArn {
    let (region, account) = (
        REGION.parse().expect("a region"),
        "111122223333".parse().expect("an account"),
    );
    BullaArn::new(&region, &account, "token", &[client, "stripe"])
}

pub(crate) fn access(
    action: &'static str,
    event_name: &'static str,
    client: &str,
    key: Option<&KeyMetadata>,
) -> Access {
    Access {
        context: context(&[("client_id", client)]),
        key: key.map(|key| KeyRef {
            account: None,
            named: NamedKey::Key(key.key_id.clone()),
        }),
        purpose: Some("token".to_owned()),
        ..Access::new(action, event_name, true, token(client))
    }
}

pub(crate) fn opening(client: &str, key: Option<&KeyMetadata>) -> Access {
    access("bulla:GetToken", "GetToken", client, key)
}

pub(crate) fn sealing(client: &str, key: Option<&KeyMetadata>) -> Access {
    access("bulla:PutToken", "PutToken", client, key)
}

pub(crate) fn grant(
    key: &KeyMetadata,
    grantee: &PrincipalArn,
    operations: &[GrantOperation],
    client: &str,
) -> CreateGrantRequest {
    CreateGrantRequest {
        key_id: key.key_id.to_string(),
        grantee_principal: grantee.to_string(),
        retiring_principal: None,
        operations: operations.to_vec(),
        constraints: GrantConstraints {
            equals: None,
            subset: Some([("client_id".to_owned(), client.to_owned())].into()),
        },
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

#[tokio::test]
async fn an_access_is_denied_by_default_in_aws_s_words_and_recorded() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (_, ann) = h.user("ann", Role::User).await;
    for of in [None, Some(&key)] {
        let refused = refusal(h.service.access(&ann, opening("a", of)).await);
        assert_eq!(
            refused,
            (
                "AccessDeniedException",
                "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: bulla:GetToken on resource: \
                 arn:aws:bulla:us-east-1:111122223333:token/a/stripe because no identity-based policy allows the bulla:GetToken action"
                    .to_owned()
            )
        );
        let event = h.last_event();
        assert_eq!(event["eventName"], "GetToken");
        assert_eq!(event["eventSource"], "bulla");
        assert_eq!(event["errorCode"], "AccessDeniedException");
        assert_eq!(event["purpose"], "token");
        assert_eq!(event["requestParameters"]["encryptionContext"]["client_id"], "a");
        assert_eq!(
            event["resources"][0],
            json!({"ARN": token("a").as_str(), "accountId": "111122223333", "type": "Bulla::Token"})
        );
    }
    assert_eq!(h.last_event()["resources"][1]["ARN"], key.arn.as_str());
    h.verify();
}

#[tokio::test]
async fn identity_policies_allow_by_the_resource_and_by_the_context() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (arn, ann) = h.user("ann", Role::User).await;
    let by_resource = json!({"Sid": "a", "Effect": "Allow", "Action": "bulla:GetToken",
        "Resource": "arn:aws:bulla:*:111122223333:token/a/*"});
    let by_context = json!({"Effect": "Allow", "Action": "bulla:*Token", "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:client_id": "a"}}});
    for document in [by_resource, by_context] {
        give(&h, &arn, "tokens", document).await;
        for of in [None, Some(&key)] {
            let accessed = h.service.access(&ann, opening("a", of)).await.expect("allowed");
            assert_eq!(accessed.key.as_ref(), of.map(|key| &key.arn));
            assert_eq!(h.last_event()["eventID"], accessed.event_id);
            assert_eq!(
                h.last_event()["additionalEventData"]["decidedBy"][0]["policy"],
                "identity policy tokens"
            );
            assert_eq!(
                refusal(h.service.access(&ann, opening("b", of)).await).0,
                "AccessDeniedException"
            );
        }
    }
    h.verify();
}

#[tokio::test]
async fn a_key_s_policy_allows_by_client_and_denies_above_all() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let (_, admin) = h.user("adam", Role::Admin).await;
    let of_client = json!({"Sid": "A", "Effect": "Allow", "Principal": {"AWS": arn.as_str()}, "Action": "bulla:GetToken", "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:client_id": "a"}}});
    let account = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"});
    let write = async |statements: &[Value]| {
        write_policy(&h, &key, &[std::slice::from_ref(&account), statements].concat()).await
    };
    write(std::slice::from_ref(&of_client)).await;
    let get = async |call: &Call, client: &str| h.service.access(call, opening(client, Some(&key))).await;
    get(&ann, "a").await.expect("allowed");
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{"policy": "key policy", "statement": 1, "sid": "A"}])
    );
    assert_eq!(refusal(get(&ann, "b").await).0, "AccessDeniedException");
    assert_eq!(
        refusal(h.service.access(&ann, sealing("a", Some(&key))).await).0,
        "AccessDeniedException"
    );
    get(&admin, "b")
        .await
        .expect("the account may do all, and so may its administrator");
    // A denial of the action, of the use of the key under this context, and of everything on the key or on the token.
    let resource = token("a");
    for deny in [
        json!({"Action": "bulla:GetToken", "Resource": "*"}),
        json!({"Action": "kms:Decrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:EncryptionContext:client_id": "a"}}}),
        json!({"Action": "*", "Resource": key.arn.as_str()}),
        json!({"Action": "bulla:*", "Resource": resource.as_str()}),
    ] {
        let mut deny = deny;
        deny["Effect"] = "Deny".into();
        deny["Principal"] = "*".into();
        // The last of these forbids the operator to change the policy: he keeps the right to.
        if deny["Action"] == "*" {
            deny["Condition"] = json!({"ArnNotEquals": {"aws:PrincipalArn": operator.caller.arn().as_str()}});
        }
        write(&[of_client.clone(), deny.clone()]).await;
        for call in [&ann, &admin] {
            let refused = refusal(get(call, "a").await);
            assert!(
                refused.1.ends_with("with an explicit deny in a resource-based policy"),
                "{deny} {refused:?}"
            );
            assert!(
                refused.1.contains("bulla:GetToken on resource: arn:aws:bulla:"),
                "{refused:?}"
            );
        }
    }
    h.verify();
}

#[tokio::test]
async fn a_key_that_leaves_nothing_to_the_account_leaves_no_token_to_its_administrator() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (_, admin) = h.user("adam", Role::Admin).await;
    let (arn, ann) = h.user("ann", Role::User).await;
    let closed = [
        json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": ["kms:PutKeyPolicy", "kms:GenerateDataKey"], "Resource": "*"}),
        json!({"Effect": "Allow", "Principal": {"AWS": arn.as_str()}, "Action": "bulla:GetToken", "Resource": "*"}),
    ];
    write_policy(&h, &key, &closed).await;
    let refused = refusal(h.service.access(&admin, opening("a", Some(&key))).await);
    assert!(
        refused
            .1
            .ends_with("because no resource-based policy allows the bulla:GetToken action"),
        "{refused:?}"
    );
    // It leaves the account the use of the key that sealing is.
    h.service
        .access(&admin, sealing("a", Some(&key)))
        .await
        .expect("allowed");
    h.service.access(&ann, opening("a", Some(&key))).await.expect("allowed");
}

#[tokio::test]
async fn grants_admit_what_their_operations_are_to_the_key_under_their_constraints() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let get = async |client: &str| h.service.access(&ann, opening(client, Some(&key))).await;
    let put = async |client: &str| h.service.access(&ann, sealing(client, Some(&key))).await;
    let made = h
        .service
        .create_grant(&operator, grant(&key, &arn, &[GrantOperation::Decrypt], "a"))
        .await
        .expect("grants");
    get("a").await.expect("allowed");
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{ "grantId": &*made.grant_id }])
    );
    assert_eq!(refusal(get("b").await).0, "AccessDeniedException");
    assert_eq!(refusal(put("a").await).0, "AccessDeniedException");
    for operation in [
        GrantOperation::Encrypt,
        GrantOperation::GenerateDataKey,
        GrantOperation::GenerateDataKeyWithoutPlaintext,
    ] {
        let sealing = h
            .service
            .create_grant(&operator, grant(&key, &arn, &[operation], "c"))
            .await
            .expect("grants");
        put("c").await.expect("allowed");
        assert_eq!(refusal(put("a").await).0, "AccessDeniedException");
        let revoke = RevokeGrantRequest {
            key_id: key.key_id.to_string(),
            grant_id: sealing.grant_id.to_string(),
            dry_run: false,
        };
        h.service.revoke_grant(&operator, revoke).await.expect("revokes");
        assert_eq!(refusal(put("c").await).0, "AccessDeniedException");
    }
    // What no use of a key is like, no grant admits.
    let delete = access("bulla:DeleteToken", "DeleteToken", "a", Some(&key));
    assert_eq!(refusal(h.service.access(&ann, delete).await).0, "AccessDeniedException");
    h.verify();
}

#[tokio::test]
async fn the_key_must_be_there_symmetric_and_enabled() {
    let h = Harness::new().await;
    let (operator, admin, key) = (h.operator(), h.admin().await, h.key().await);
    let disable = DisableKeyRequest {
        key_id: key.key_id.to_string(),
    };
    h.service
        .access(&admin, opening("a", Some(&key)))
        .await
        .expect("allowed");
    h.service.disable_key(&operator, disable).await.expect("disables");
    assert_eq!(
        refusal(h.service.access(&admin, opening("a", Some(&key))).await),
        ("DisabledException", format!("{} is disabled.", key.arn))
    );
    assert_eq!(h.last_event()["errorCode"], "DisabledException");
    let mac = CreateKeyRequest {
        usage: KeyUsage::GenerateVerifyMac,
        spec: bulla_model::KeySpec::Hmac256,
        ..create_key_request()
    };
    let mac = h.service.create_key(&operator, mac).await.expect("makes").key;
    assert_eq!(
        refusal(h.service.access(&admin, opening("a", Some(&mac))).await).0,
        "InvalidKeyUsageException"
    );
    let alias = Access {
        key: Some(KeyRef::parse("alias/none", &admin.region).expect("a name")),
        ..opening("a", None)
    };
    assert_eq!(
        refusal(h.service.access(&admin, alias.clone()).await).0,
        "NotFoundException"
    );
    // Who may not learns nothing of what exists.
    let (_, ann) = h.user("ann", Role::User).await;
    let none = refusal(h.service.access(&ann, alias).await);
    assert_eq!(none, refusal(h.service.access(&ann, opening("a", Some(&key))).await));
}

#[tokio::test]
async fn what_belongs_to_another_account_is_not_reached() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (region, other) = (
        REGION.parse().expect("a region"),
        "999999999999".parse().expect("an account"),
    );
    let theirs = BullaArn::new(&region, &other, "token", &["a", "stripe"]);
    let foreign_key = |id: &str| Access {
        key: Some(KeyRef::parse(&format!("arn:aws:kms:{REGION}:999999999999:key/{id}"), &region).expect("an ARN")),
        ..opening("a", None)
    };
    let key = create_key(&h.service, &call(Caller::operator(other.clone()))).await;
    let refused = [
        Access::new("bulla:GetToken", "GetToken", true, theirs),
        foreign_key(key.key_id.as_str()),
        foreign_key("1234abcd-12ab-34cd-56ef-1234567890ab"),
    ];
    for access in refused {
        let refused = refusal(h.service.access(&admin, access).await);
        assert_eq!(refused.0, "AccessDeniedException");
        assert!(
            refused
                .1
                .ends_with("because no resource-based policy allows the bulla:GetToken action"),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn an_access_is_explained_as_it_is_decided_and_a_grant_on_every_key_admits_it() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let agree = async |access: Access| {
        let decided = h.service.access(&ann, access.clone()).await;
        let event = h.last_event();
        let question = ExplainRequest {
            principal: arn.clone(),
            action: access.action.to_owned(),
            resource: ExplainedResource::Access(Box::new(access)),
            encryption_context: context(&[]),
            parameters: serde_json::Map::new(),
            source_ip: Some("192.0.2.7".to_owned()),
            secure_transport: true,
        };
        let explained = h.service.explain(&operator, question).await.expect("explains");
        let denial = decided.as_ref().err().and_then(ServiceError::message);
        assert_eq!((explained.allowed, &explained.denial), (decided.is_ok(), &denial));
        if let Some(by) = event["additionalEventData"].get("decidedBy") {
            assert_eq!(by, &json!(explained.decided_by));
        }
        decided.is_ok()
    };
    assert!(!agree(opening("a", Some(&key))).await);
    let may = json!({"Effect": "Allow", "Action": "bulla:GetToken", "Resource": token("a").as_str()});
    give(&h, &arn, "may", may).await;
    assert!(agree(opening("a", Some(&key))).await);
    assert!(!agree(opening("b", Some(&key))).await);
    assert!(!agree(sealing("a", Some(&key))).await);
    let deny = json!({"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"});
    give(&h, &arn, "never", deny).await;
    assert!(!agree(opening("a", Some(&key))).await);
    for name in ["may", "never"] {
        let taken = h
            .service
            .delete_principal_policy(&operator, arn.clone(), name.to_owned());
        taken.await.expect("takes");
    }
    let everywhere = GiveGrantRequest {
        key_id: "*".to_owned(),
        grantee_principal: arn.to_string(),
        operations: vec![GrantOperation::Decrypt],
        constraints: GrantConstraints {
            equals: None,
            subset: Some([("client_id".to_owned(), "b".to_owned())].into()),
        },
    };
    h.service.give_grant(&operator, everywhere).await.expect("gives");
    assert!(agree(opening("b", Some(&key))).await);
    assert!(!agree(opening("a", Some(&key))).await);
    assert!(!agree(sealing("b", Some(&key))).await);
    h.verify();
}
