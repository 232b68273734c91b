//! Grants that the administration gives, on a key or on every key; and what the creator of a key may.

use bulla_model::{GrantConstraints, GrantOperation as O, PrincipalArn, Role};
use bulla_service::*;
use serde_json::json;

use crate::harness::*;
use crate::sessions::{ROLE, TRUSTS_THE_ACCOUNT, assume, request, role};

const ANN: &str = "arn:aws:iam::111122223333:user/ann";

fn give(key_id: &str, operations: &[O]) -> GiveGrantRequest {
    GiveGrantRequest {
        key_id: key_id.to_owned(),
        grantee_principal: ANN.to_owned(),
        operations: operations.to_vec(),
        constraints: GrantConstraints::default(),
    }
}

fn take(key_id: &str) -> TakeGrantRequest {
    TakeGrantRequest {
        key_id: key_id.to_owned(),
        grantee_principal: ANN.to_owned(),
    }
}

/// The grants that were given on every key.
async fn everywhere(h: &Harness, call: &Call) -> Result<Vec<GivenGrant>, ServiceError> {
    let request = ListGivenGrantsRequest {
        key_id: "*".to_owned(),
        limit: None,
        marker: None,
    };
    Ok(h.service.list_given_grants(call, request).await?.grants)
}

fn of_tenant(tenant: &str) -> GrantConstraints {
    GrantConstraints {
        equals: None,
        subset: Some([("tenant".to_owned(), tenant.to_owned())].into()),
    }
}

async fn grants_of(h: &Harness, key_id: &str) -> usize {
    let request = ListGrantsRequest {
        key_id: key_id.to_owned(),
        grant_id: None,
        grantee_principal: None,
        limit: None,
        marker: None,
    };
    h.service
        .list_grants(&h.operator(), request)
        .await
        .expect("lists")
        .grants
        .len()
}

const DENIED: &str = "AccessDeniedException";

#[tokio::test]
async fn giving_a_grant_again_changes_it() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (_, ann) = h.user("ann", Role::User).await;
    let first = h
        .service
        .give_grant(&operator, give(id, &[O::Encrypt, O::Decrypt]))
        .await;
    let first = first.expect("gives");
    let blob = encrypt(&h.service, &ann, id).await;
    h.service.decrypt(&ann, decrypt_request(&blob)).await.expect("decrypts");
    h.days(1);
    let again = h
        .service
        .give_grant(&operator, give(id, &[O::Decrypt]))
        .await
        .expect("changes");
    assert_eq!((&again.grant_id, again.created), (&first.grant_id, first.created));
    assert_eq!(grants_of(&h, id).await, 1);
    assert_eq!(refusal(h.service.encrypt(&ann, encrypt_request(id)).await).0, DENIED);
    h.service.decrypt(&ann, decrypt_request(&blob)).await.expect("decrypts");
    // One of AWS's own is another grant.
    let made = CreateGrantRequest {
        key_id: id.to_owned(),
        grantee_principal: ANN.to_owned(),
        retiring_principal: None,
        operations: vec![O::DescribeKey],
        constraints: GrantConstraints::default(),
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    h.service.create_grant(&operator, made).await.expect("makes");
    assert_eq!(grants_of(&h, id).await, 2);
    h.service.take_grant(&operator, take(id)).await.expect("takes");
    assert_eq!(grants_of(&h, id).await, 1);
    assert_eq!(refusal(h.service.decrypt(&ann, decrypt_request(&blob)).await).0, DENIED);
    assert_eq!(
        refusal(h.service.take_grant(&operator, take(id)).await).0,
        "NotFoundException"
    );
    h.verify();
}

#[tokio::test]
async fn a_grant_on_every_key_counts_for_keys_that_leave_it_to_the_account() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (arn, ann) = h.user("ann", Role::User).await;
    let of_a = GiveGrantRequest {
        constraints: of_tenant("a"),
        ..give("*", &[O::Encrypt, O::Decrypt])
    };
    let given = h.service.give_grant(&operator, of_a).await.expect("gives");
    encrypt(&h.service, &ann, id).await;
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{ "grantId": *given.grant_id }])
    );
    // Keys to come as well; under its constraints; for its operations; in its region.
    let later = h.key().await;
    encrypt(&h.service, &ann, later.key_id.as_str()).await;
    let mut of_b = encrypt_request(id);
    of_b.encryption_context = context(&[("tenant", "b")]);
    assert_eq!(refusal(h.service.encrypt(&ann, of_b).await).0, DENIED);
    assert_eq!(
        refusal(h.service.generate_data_key(&ann, data_key_request(id)).await).0,
        DENIED
    );
    let elsewhere = Call {
        region: "eu-west-1".parse().expect("a region"),
        ..operator.clone()
    };
    let far = create_key(&h.service, &elsewhere).await;
    let ann_there = Call {
        region: "eu-west-1".parse().expect("a region"),
        ..ann.clone()
    };
    let refused = h
        .service
        .encrypt(&ann_there, encrypt_request(far.key_id.as_str()))
        .await;
    assert_eq!(refusal(refused).0, DENIED);
    // It is explained as it decides.
    let question = ExplainRequest {
        principal: arn.clone(),
        action: "kms:Encrypt".to_owned(),
        resource: ExplainedResource::Key(id.to_owned()),
        encryption_context: context(&[("tenant", "a")]),
        parameters: serde_json::Map::new(),
        source_ip: None,
        secure_transport: true,
    };
    let explained = h.service.explain(&operator, question).await.expect("explains");
    assert_eq!(explained.decided_by, [json!({ "grantId": *given.grant_id })]);
    // A key policy that leaves nothing to the account leaves nothing to this.
    let own = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS":
        "arn:aws:iam::111122223333:user/admin"}, "Action": "kms:*", "Resource": "*"}});
    let put = PutKeyPolicyRequest {
        key_id: id.to_owned(),
        policy_name: None,
        policy: own.to_string(),
        bypass_policy_lockout_safety_check: true,
    };
    h.service.put_key_policy(&operator, put).await.expect("writes");
    assert_eq!(refusal(h.service.encrypt(&ann, encrypt_request(id)).await).0, DENIED);
    // Given again, it is changed; it is in no key's list; taken, it is gone at once.
    let wider = h
        .service
        .give_grant(&operator, give("*", &[O::Encrypt]))
        .await
        .expect("changes");
    assert_eq!(wider.grant_id, given.grant_id);
    let listed = everywhere(&h, &operator).await.expect("lists");
    assert_eq!(listed, [wider]);
    assert_eq!(grants_of(&h, later.key_id.as_str()).await, 0);
    h.service.take_grant(&operator, take("*")).await.expect("takes");
    let refused = h.service.encrypt(&ann, encrypt_request(later.key_id.as_str())).await;
    assert_eq!(refusal(refused).0, DENIED);
    assert_eq!(everywhere(&h, &operator).await.expect("lists"), []);
    h.verify();
}

#[tokio::test]
async fn who_gives_needs_the_right_to_and_not_everything_can_be_given() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (_, ann) = h.user("ann", Role::User).await;
    let (_, auditor) = h.user("ida", Role::Auditor).await;
    for named in ["*", key.key_id.as_str()] {
        for call in [&ann, &auditor] {
            assert_eq!(
                refusal(h.service.give_grant(call, give(named, &[O::Encrypt])).await).0,
                DENIED
            );
            assert_eq!(refusal(h.service.take_grant(call, take(named)).await).0, DENIED);
        }
        assert_eq!(
            refusal(h.service.give_grant(&operator, give(named, &[])).await).0,
            "ValidationException"
        );
        let nobody = GiveGrantRequest {
            grantee_principal: "ann".to_owned(),
            ..give(named, &[O::Encrypt])
        };
        assert_eq!(
            refusal(h.service.give_grant(&operator, nobody).await).0,
            "InvalidArnException"
        );
    }
    assert_eq!(refusal(everywhere(&h, &ann).await).0, DENIED);
    everywhere(&h, &auditor).await.expect("lists");
    for operation in [O::CreateGrant, O::RetireGrant] {
        let refused = h
            .service
            .give_grant(&operator, give("*", &[O::Encrypt, operation]))
            .await;
        assert_eq!(refusal(refused).0, "ValidationException");
    }
    let signs = h
        .service
        .give_grant(&operator, give(key.key_id.as_str(), &[O::Sign]))
        .await;
    assert_eq!(refusal(signs).0, "ValidationException");
    // Another account's administrator gives what is his.
    let stranger = call(Caller::operator("444455556666".parse().expect("an account")));
    h.service
        .give_grant(&stranger, give("*", &[O::Encrypt]))
        .await
        .expect("gives");
    let refused = h.service.encrypt(&ann, encrypt_request(key.key_id.as_str())).await;
    assert_eq!(refusal(refused).0, DENIED);
}

#[tokio::test]
async fn who_is_denied_one_key_gives_nobody_every_key() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let (friend, bob) = h.user("bob", Role::User).await;
    let may = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "kms:*", "Resource": key.arn.as_str()}]});
    let put = h
        .service
        .put_principal_policy(&operator, arn, "most".to_owned(), may.to_string());
    put.await.expect("gives");
    let to_bob = |key_id: &str| GiveGrantRequest {
        grantee_principal: friend.to_string(),
        ..give(key_id, &[O::Encrypt])
    };
    for named in ["*", key.key_id.as_str()] {
        assert_eq!(
            refusal(h.service.give_grant(&ann, to_bob(named)).await).0,
            DENIED,
            "{named}"
        );
    }
    let other = h.key().await;
    h.service
        .give_grant(&ann, to_bob(other.key_id.as_str()))
        .await
        .expect("gives");
    encrypt(&h.service, &bob, other.key_id.as_str()).await;
    let refused = h.service.encrypt(&bob, encrypt_request(key.key_id.as_str())).await;
    assert_eq!(refusal(refused).0, DENIED);
}

#[tokio::test]
async fn no_grant_that_somebody_makes_passes_for_the_one_that_was_given() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let given = h
        .service
        .give_grant(&operator, give(id, &[O::Encrypt]))
        .await
        .expect("gives");
    let listed = ListGrantsRequest {
        key_id: id.to_owned(),
        grant_id: Some(given.grant_id.to_string()),
        grantee_principal: None,
        limit: None,
        marker: None,
    };
    let listed = h.service.list_grants(&operator, listed).await.expect("lists");
    let same_name = CreateGrantRequest {
        key_id: id.to_owned(),
        grantee_principal: ANN.to_owned(),
        retiring_principal: None,
        operations: vec![O::Decrypt],
        constraints: GrantConstraints::default(),
        name: listed.grants[0].name.clone(),
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    assert!(same_name.name.is_some());
    assert_eq!(
        refusal(h.service.create_grant(&operator, same_name).await).0,
        "ValidationException"
    );
    assert_eq!(grants_of(&h, id).await, 1);
}

#[tokio::test]
async fn a_grant_on_every_key_to_a_role_is_one_to_its_sessions_and_is_explained_so() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let nothing = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}"#;
    role(&h, TRUSTS_THE_ACCOUNT, nothing).await;
    let session = assume(&h, &h.admin().await, request()).await;
    let explained = async || {
        let question = ExplainRequest {
            principal: ROLE.parse().expect("an ARN"),
            action: "kms:Encrypt".to_owned(),
            resource: ExplainedResource::Key(key.key_id.to_string()),
            encryption_context: context(&[]),
            parameters: serde_json::Map::new(),
            source_ip: None,
            secure_transport: true,
        };
        h.service
            .explain(&h.operator(), question)
            .await
            .expect("explains")
            .allowed
    };
    let encrypts = async || h.service.encrypt(&session, encrypt_request(key.key_id.as_str())).await;
    assert!(!explained().await && encrypts().await.is_err());
    let to_role = GiveGrantRequest {
        grantee_principal: ROLE.to_owned(),
        ..give("*", &[O::Encrypt])
    };
    h.service.give_grant(&operator, to_role).await.expect("gives");
    assert!(explained().await && encrypts().await.is_ok());
    let to_account = GiveGrantRequest {
        grantee_principal: "arn:aws:iam::111122223333:root".to_owned(),
        ..give("*", &[O::Encrypt])
    };
    assert_eq!(
        refusal(h.service.give_grant(&operator, to_account).await).0,
        "ValidationException"
    );
}

#[tokio::test]
async fn caches_elsewhere_hear_of_a_grant_on_every_key() {
    let h = Harness::new().await;
    let operator = h.operator();
    let changed = async |since: u64| {
        let read = h.service.changes_since(&operator, since, std::time::Duration::ZERO);
        read.await.expect("reads")
    };
    let before = changed(0).await.revision;
    h.service
        .give_grant(&operator, give("*", &[O::Encrypt]))
        .await
        .expect("gives");
    let given = changed(before).await;
    assert!(given.principals && given.keys.is_empty(), "{given:?}");
    h.service.take_grant(&operator, take("*")).await.expect("takes");
    assert!(changed(given.revision).await.principals);
}

#[tokio::test]
async fn the_creator_of_a_key_manages_it_and_does_not_use_it() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (arn, ann) = h.user("ann", Role::User).await;
    let (_, bob) = h.user("bob", Role::User).await;
    let may =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:CreateKey", "Resource": "*"}});
    let put = h
        .service
        .put_principal_policy(&operator, arn.clone(), "makes".to_owned(), may.to_string());
    put.await.expect("gives");
    let key = create_key(&h.service, &ann).await;
    let id = key.key_id.as_str();
    let describe = || DescribeKeyRequest {
        key_id: id.to_owned(),
        grant_tokens: Vec::new(),
    };
    h.service.describe_key(&ann, describe()).await.expect("describes");
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{"policy": "key policy", "statement": 0, "sid": "Enable IAM User Permissions"}, {"role": "creator"}])
    );
    assert_eq!(refusal(h.service.describe_key(&bob, describe()).await).0, DENIED);
    assert_eq!(refusal(h.service.encrypt(&ann, encrypt_request(id)).await).0, DENIED);
    let disable = || DisableKeyRequest { key_id: id.to_owned() };
    h.service.disable_key(&ann, disable()).await.expect("disables");
    // An explicit denial stands above it, and so does a key policy that leaves nothing to the account.
    let key_policy = |statements: serde_json::Value| PutKeyPolicyRequest {
        key_id: id.to_owned(),
        policy_name: None,
        policy: json!({"Version": "2012-10-17", "Statement": statements}).to_string(),
        bypass_policy_lockout_safety_check: true,
    };
    let account = json!({"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"});
    let deny =
        json!({"Effect": "Deny", "Principal": {"AWS": arn.as_str()}, "Action": "kms:DescribeKey", "Resource": "*"});
    let only = json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:PutKeyPolicy",
        "Resource": "*"});
    for statements in [json!([account, deny]), json!([only])] {
        h.service
            .put_key_policy(&operator, key_policy(statements))
            .await
            .expect("writes");
        assert_eq!(refusal(h.service.describe_key(&ann, describe()).await).0, DENIED);
    }
    h.service
        .put_key_policy(&operator, key_policy(json!([account])))
        .await
        .expect("writes");
    h.service.describe_key(&ann, describe()).await.expect("describes");
    // Somebody of the same name who comes later did not make it.
    h.service
        .delete_principal(&operator, arn.clone())
        .await
        .expect("deletes");
    h.days(1);
    let (same, later): (PrincipalArn, Call) = h.user("ann", Role::User).await;
    assert_eq!(same, arn);
    assert_eq!(refusal(h.service.describe_key(&later, describe()).await).0, DENIED);
}
