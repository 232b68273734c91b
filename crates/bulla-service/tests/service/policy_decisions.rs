//! Who may by which policy: the words of a refusal, conditions, other accounts.

use bulla_model::Role;
use bulla_service::*;
use serde_json::json;

use crate::harness::*;
use crate::policies::*;

#[tokio::test]
async fn who_may_by_which_policy_and_in_which_words_not() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (arn, ann) = h.user("ann", Role::User).await;
    let denied = |because: &str| {
        let text = format!(
            "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:Encrypt on resource: {} {because}",
            key.arn
        );
        ("AccessDeniedException", text)
    };
    let asks = async || h.service.encrypt(&ann, encrypt_request(id)).await;
    // Denied by default; nothing decided, and the event names nothing.
    assert_eq!(
        refusal(asks().await),
        denied("because no identity-based policy allows the kms:Encrypt action")
    );
    assert_eq!(h.last_event()["errorCode"], "AccessDeniedException");
    assert_eq!(h.last_event().get("additionalEventData"), None);
    // Allowed by an identity policy, which the key policy leaves the decision to.
    let may = identity(json!({"Sid": "use", "Effect": "Allow", "Action": "kms:Encrypt", "Resource": key.arn.as_str()}));
    give(&h, &arn, "use", may).await;
    asks().await.expect("encrypts");
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{"policy": "key policy", "statement": 0, "sid": "Enable IAM User Permissions"},
               {"policy": "identity policy use", "statement": 0, "sid": "use"}])
    );
    // Denied by another.
    let never = identity(json!({"Sid": "never", "Effect": "Deny", "Action": "kms:Enc*", "Resource": "*"}));
    give(&h, &arn, "never", never).await;
    assert_eq!(
        refusal(asks().await),
        denied("with an explicit deny in an identity-based policy")
    );
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{"policy": "identity policy never", "statement": 0, "sid": "never"}])
    );
    h.service
        .delete_principal_policy(&operator, arn.clone(), "never".to_owned())
        .await
        .expect("takes");
    asks().await.expect("encrypts");
    // Denied by the key policy, whatever allows.
    let deny = json!({"Sid": "Stop", "Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*"});
    h.service
        .put_key_policy(&operator, put(id, with_account(&[deny])))
        .await
        .expect("writes");
    assert_eq!(
        refusal(asks().await),
        denied("with an explicit deny in a resource-based policy")
    );
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{"policy": "key policy", "statement": 1, "sid": "Stop"}])
    );
    // An explicit denial stands above the administrator.
    let refused = refusal(h.service.encrypt(&operator, encrypt_request(id)).await);
    assert!(
        refused.1.ends_with("with an explicit deny in a resource-based policy"),
        "{refused:?}"
    );
    // Allowed by the key policy alone.
    let let_in =
        json!({"Effect": "Allow", "Principal": {"AWS": arn.as_str()}, "Action": "kms:Encrypt", "Resource": "*"});
    h.service
        .put_key_policy(&operator, put(id, with_account(&[let_in])))
        .await
        .expect("writes");
    h.service
        .delete_principal_policy(&operator, arn.clone(), "use".to_owned())
        .await
        .expect("takes");
    asks().await.expect("encrypts");
    // Allowed by nothing that leaves it to identity policies.
    let closed = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"},
        "Action": ["kms:PutKeyPolicy", "kms:DescribeKey"], "Resource": "*"}});
    h.service
        .put_key_policy(&operator, put(id, closed))
        .await
        .expect("writes");
    assert_eq!(
        refusal(asks().await),
        denied("because no resource-based policy allows the kms:Encrypt action")
    );
    h.verify();
}

#[tokio::test]
async fn a_policy_on_one_client_s_context_opens_that_client_s_data_only() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (arn, service_a) = h.user("service-a", Role::User).await;
    let client = identity(
        json!({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:client_id": "client_123"}}}),
    );
    give(&h, &arn, "client", client).await;
    let data_key = |client: &str| GenerateDataKeyRequest {
        encryption_context: context(&[("client_id", client)]),
        ..data_key_request(key.key_id.as_str())
    };
    let open = |blob: &[u8], client: &str| DecryptRequest {
        encryption_context: context(&[("client_id", client)]),
        ..decrypt_request(blob)
    };
    let mine = h
        .service
        .generate_data_key(&service_a, data_key("client_123"))
        .await
        .expect("makes");
    h.service
        .decrypt(&service_a, open(&mine.ciphertext_blob, "client_123"))
        .await
        .expect("opens");
    let refused = refusal(h.service.generate_data_key(&service_a, data_key("client_124")).await);
    assert_eq!(refused.0, "AccessDeniedException");
    // Another client's data, made by somebody who may.
    let admin = h.admin().await;
    let theirs = h
        .service
        .generate_data_key(&admin, data_key("client_124"))
        .await
        .expect("makes");
    for context_said in ["client_124", "client_123"] {
        let opened = h
            .service
            .decrypt(&service_a, open(&theirs.ciphertext_blob, context_said))
            .await;
        assert!(opened.is_err(), "{context_said}");
    }
    let mut encrypts = encrypt_request(key.key_id.as_str());
    encrypts.encryption_context = context(&[("client_id", "client_123")]);
    assert_eq!(
        refusal(h.service.encrypt(&service_a, encrypts).await).0,
        "AccessDeniedException"
    );
}

#[tokio::test]
async fn conditions_see_the_request_the_key_and_the_caller() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let alias = CreateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: id.to_owned(),
    };
    h.service.create_alias(&operator, alias).await.expect("creates");
    let (arn, ann) = h.user("ann", Role::User).await;
    for (condition, by_id, by_alias) in [
        (json!({"StringEquals": {"kms:RequestAlias": "alias/app"}}), false, true),
        (json!({"Null": {"kms:RequestAlias": "true"}}), true, false),
        (
            json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/app"}}),
            true,
            true,
        ),
        (
            json!({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/other"}}),
            false,
            false,
        ),
        (
            json!({"StringEquals": {"kms:CallerAccount": "111122223333", "aws:PrincipalAccount": "111122223333"}}),
            true,
            true,
        ),
        (
            json!({"StringEquals": {"aws:username": "ann", "aws:PrincipalType": "User"}}),
            true,
            true,
        ),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/a*"}}),
            true,
            true,
        ),
        (json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), true, true),
        (json!({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), false, false),
        (
            json!({"DateLessThan": {"aws:CurrentTime": "2026-01-02T00:00:00Z"}}),
            true,
            true,
        ),
        (
            json!({"DateGreaterThan": {"aws:CurrentTime": "2026-01-02T00:00:00Z"}}),
            false,
            false,
        ),
        (
            json!({"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "kms:KeyUsage": "ENCRYPT_DECRYPT", "kms:KeyOrigin": "AWS_KMS"}}),
            true,
            true,
        ),
        (json!({"Bool": {"kms:MultiRegion": "false"}}), true, true),
        (
            json!({"StringEquals": {"kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}}),
            true,
            true,
        ),
        (
            json!({"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["tenant"]}}),
            true,
            true,
        ),
        (
            json!({"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": ["Tenant"]}}),
            false,
            false,
        ),
        (
            json!({"StringEquals": {"kms:EncryptionContext:TENANT": "a"}}),
            true,
            true,
        ),
        (
            json!({"StringEquals": {"kms:ViaService": "ec2.us-east-1.amazonaws.com"}}),
            false,
            false,
        ),
        (json!({"StringEquals": {"aws:ResourceTag/team": "red"}}), false, false),
        (
            json!({"StringEquals": {"aws:ResourceAccount": "111122223333", "aws:RequestedRegion": "us-east-1"}}),
            true,
            true,
        ),
    ] {
        let may =
            identity(json!({"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": condition}));
        give(&h, &arn, "may", may).await;
        for (name, expected) in [(id, by_id), ("alias/app", by_alias)] {
            let allowed = h.service.encrypt(&ann, encrypt_request(name)).await.is_ok();
            assert_eq!(allowed, expected, "{name}: {condition}");
        }
    }
}

#[tokio::test]
async fn re_encrypting_can_be_bound_to_one_key() {
    let h = Harness::new().await;
    let (admin, one, other) = (h.admin().await, h.key().await, h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let may = identity(json!({"Effect": "Allow", "Action": "kms:ReEncrypt*", "Resource": "*",
        "Condition": {"Bool": {"kms:ReEncryptOnSameKey": "true"}}}));
    give(&h, &arn, "may", may).await;
    let blob = encrypt(&h.service, &admin, one.key_id.as_str()).await;
    for (source, destination, allowed) in [
        (None, &one, true),
        (Some(one.key_id.to_string()), &one, true),
        (None, &other, false),
        (Some(one.key_id.to_string()), &other, false),
    ] {
        let request = ReEncryptRequest {
            ciphertext_blob: blob.clone(),
            source_key_id: source,
            source_encryption_context: context(&[("tenant", "a")]),
            source_encryption_algorithm: bulla_model::EncryptionAlgorithm::SymmetricDefault,
            destination_key_id: destination.key_id.to_string(),
            destination_encryption_context: context(&[("tenant", "a")]),
            destination_encryption_algorithm: bulla_model::EncryptionAlgorithm::SymmetricDefault,
            grant_tokens: Vec::new(),
            dry_run: false,
        };
        assert_eq!(h.service.re_encrypt(&ann, request).await.is_ok(), allowed);
    }
}

#[tokio::test]
async fn identity_policies_decide_where_there_is_no_key() {
    let h = Harness::new().await;
    let (arn, ann) = h.user("ann", Role::User).await;
    let refused = refusal(h.service.create_key(&ann, create_key_request()).await);
    assert_eq!(
        refused,
        (
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:CreateKey on resource: * because no \
             identity-based policy allows the kms:CreateKey action"
                .to_owned()
        )
    );
    let may = identity(
        json!([{"Effect": "Allow", "Action": ["kms:CreateKey", "kms:TagResource"], "Resource": "*",
        "Condition": {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT", "aws:RequestTag/team": "red"}}},
        {"Effect": "Allow", "Action": "bulla:ReadAudit", "Resource": "*"}]),
    );
    give(&h, &arn, "may", may).await;
    let refused = refusal(h.service.create_key(&ann, create_key_request()).await);
    assert_eq!(refused.0, "AccessDeniedException");
    let tagged = CreateKeyRequest {
        tags: vec![bulla_model::Tag {
            key: "team".into(),
            value: "red".into(),
        }],
        ..create_key_request()
    };
    h.service.create_key(&ann, tagged).await.expect("makes");
}

#[tokio::test]
async fn another_account_needs_both_sides_and_learns_nothing_else() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let stranger_account: bulla_model::AccountId = "444455556666".parse().expect("an account");
    let stranger = call(Caller::operator(stranger_account.clone()));
    let made = h
        .service
        .create_principal(&stranger, "eve".parse().expect("a name"), Role::User)
        .await
        .expect("creates");
    let eve = h.call(&made.credentials.access_key_id).await;
    let denied = |who: &str, what: &str, side: &str| {
        let text = format!(
            "User: {who} is not authorized to perform: kms:Encrypt on resource: {what} because no {side} policy allows the kms:Encrypt action"
        );
        ("AccessDeniedException", text)
    };
    let eve_arn = "arn:aws:iam::444455556666:user/eve";
    let nothing = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000";
    let no_alias = "arn:aws:kms:us-east-1:111122223333:alias/none";
    for named in [key.arn.as_str(), nothing, no_alias] {
        let refused = refusal(h.service.encrypt(&eve, encrypt_request(named)).await);
        assert_eq!(refused, denied(eve_arn, named, "resource-based"));
    }
    // Her own policy can't tell what exists.
    let probe = identity(json!({"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}}));
    h.service
        .put_principal_policy(&stranger, made.principal.arn.clone(), "probe".into(), probe)
        .await
        .expect("gives");
    for named in [key.arn.as_str(), nothing] {
        let refused = refusal(h.service.encrypt(&eve, encrypt_request(named)).await);
        assert_eq!(refused, denied(eve_arn, named, "resource-based"));
    }
    h.service
        .delete_principal_policy(&stranger, made.principal.arn.clone(), "probe".into())
        .await
        .expect("takes");
    // The key lets her account in; her account does not let her out.
    let let_in = json!({"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:*", "Resource": "*"});
    h.service
        .put_key_policy(&operator, put(key.key_id.as_str(), with_account(&[let_in])))
        .await
        .expect("writes");
    let refused = refusal(h.service.encrypt(&eve, encrypt_request(key.arn.as_str())).await);
    assert_eq!(refused, denied(eve_arn, key.arn.as_str(), "identity-based"));
    let may = identity(json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"}));
    h.service
        .put_principal_policy(&stranger, made.principal.arn.clone(), "may".into(), may)
        .await
        .expect("gives");
    let blob = encrypt(&h.service, &eve, key.arn.as_str()).await;
    let event = h.last_event();
    assert_eq!(event["recipientAccountId"], "111122223333");
    assert_eq!(event["resources"][0]["accountId"], "111122223333");
    assert_eq!(event["userIdentity"]["accountId"], "444455556666");
    let request = DecryptRequest {
        key_id: Some(key.arn.to_string()),
        ..decrypt_request(&blob)
    };
    h.service.decrypt(&eve, request).await.expect("decrypts");
    // What AWS does not let other accounts do stays so.
    let disable = DisableKeyRequest {
        key_id: key.arn.to_string(),
    };
    assert_eq!(
        refusal(h.service.disable_key(&eve, disable).await).0,
        "AccessDeniedException"
    );
    // A bare id is of her own account.
    let refused = refusal(h.service.encrypt(&eve, encrypt_request(key.key_id.as_str())).await);
    assert_eq!(refused.0, "NotFoundException");
    h.verify();
}
