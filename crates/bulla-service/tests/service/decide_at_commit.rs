//! What is revoked between a decision and its commit decides: the operation is decided again.

use bulla_model::Role;
use bulla_service::*;
use bulla_store::{Store, Transaction};

use crate::harness::*;

/// Holds node 1 at the door of the transaction, lets `revoke` happen on node 2, and opens the door again.
pub(crate) async fn revoke_in_between<T: Send + 'static>(
    h: &Harness,
    operation: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
    revoke: impl AsyncFnOnce(Service),
) -> Result<T, ServiceError> {
    let (_, other) = h.node(77).await;
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    h.store.hold(true);
    let waiting = tokio::spawn(operation);
    // The decision was made: its commit is at the door.
    begun.changed().await.expect("the store lives");
    revoke(other).await;
    h.store.hold(false);
    waiting.await.expect("no panic")
}

#[tokio::test]
async fn a_key_disabled_between_decision_and_commit_does_not_encrypt() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    let (service, request) = (h.service.clone(), encrypt_request(key.key_id.as_str()));
    let operator = h.operator();
    let result = revoke_in_between(
        &h,
        async move { service.encrypt(&admin, request).await },
        async |other| {
            other
                .disable_key(
                    &operator,
                    DisableKeyRequest {
                        key_id: key.key_id.to_string(),
                    },
                )
                .await
                .expect("disables");
        },
    )
    .await;
    assert_eq!(
        refusal(result),
        ("DisabledException", format!("{} is disabled.", key.arn))
    );
    assert_eq!(
        h.service
            .metrics()
            .stale_decisions
            .load(std::sync::atomic::Ordering::Relaxed),
        1
    );
    // In the log, too, the refusal comes after what caused it.
    let events = h.events();
    let names: Vec<_> = events
        .iter()
        .rev()
        .take(2)
        .map(|event| event["eventName"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["Encrypt", "DisableKey"]);
    h.verify();
}

#[tokio::test]
async fn a_principal_disabled_between_decision_and_commit_gets_nothing() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (arn, ann) = h.user("ann", Role::Admin).await;
    let (service, request) = (h.service.clone(), encrypt_request(key.key_id.as_str()));
    let operator = h.operator();
    let result = revoke_in_between(&h, async move { service.encrypt(&ann, request).await }, async |other| {
        other
            .set_principal_enabled(&operator, arn, false)
            .await
            .expect("disables");
    })
    .await;
    assert_eq!(refusal(result).0, "UnrecognizedClientException");
}

#[tokio::test]
async fn an_access_key_disabled_between_decision_and_commit_gets_nothing() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (service, admin, request) = (h.service.clone(), h.admin().await, encrypt_request(key.key_id.as_str()));
    let (operator, id) = (h.operator(), h.initialised.credentials.access_key_id.clone());
    let result = revoke_in_between(
        &h,
        async move { service.encrypt(&admin, request).await },
        async |other| {
            other
                .set_access_key_enabled(&operator, &id, false)
                .await
                .expect("disables");
        },
    )
    .await;
    assert_eq!(refusal(result).0, "UnrecognizedClientException");
    assert!(
        h.service
            .credential(&h.initialised.credentials.access_key_id)
            .await
            .expect("reads")
            .is_none()
    );
}

#[tokio::test]
async fn a_role_taken_away_between_decision_and_commit_is_gone() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (arn, ann) = h.user("ann", Role::Admin).await;
    let (service, request) = (h.service.clone(), encrypt_request(key.key_id.as_str()));
    let operator = h.operator();
    let result = revoke_in_between(&h, async move { service.encrypt(&ann, request).await }, async |other| {
        other
            .set_principal_role(&operator, arn, Role::User)
            .await
            .expect("demotes");
    })
    .await;
    assert_eq!(refusal(result).0, "AccessDeniedException");
}

#[tokio::test]
async fn an_alias_moved_between_decision_and_commit_leads_to_its_new_key() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (old, new) = (h.key().await, h.key().await);
    let alias = CreateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: old.key_id.to_string(),
    };
    h.service.create_alias(&admin, alias).await.expect("creates");
    let (service, operator) = (h.service.clone(), h.operator());
    let target = UpdateAliasRequest {
        alias_name: "alias/app".into(),
        target_key_id: new.key_id.to_string(),
    };
    let result = revoke_in_between(
        &h,
        async move { service.encrypt(&admin, encrypt_request("alias/app")).await },
        async |other| {
            other.update_alias(&operator, target).await.expect("moves");
        },
    )
    .await;
    assert_eq!(result.expect("encrypts").key_arn, new.arn);
}

#[tokio::test]
async fn a_change_of_another_key_does_not_decide_anything_again() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let (key, other_key) = (h.key().await, h.key().await);
    let (service, request, operator) = (h.service.clone(), encrypt_request(key.key_id.as_str()), h.operator());
    let result = revoke_in_between(
        &h,
        async move { service.encrypt(&admin, request).await },
        async |other| {
            other
                .disable_key(
                    &operator,
                    DisableKeyRequest {
                        key_id: other_key.key_id.to_string(),
                    },
                )
                .await
                .expect("disables");
        },
    )
    .await;
    result.expect("encrypts");
    assert_eq!(
        h.service
            .metrics()
            .stale_decisions
            .load(std::sync::atomic::Ordering::Relaxed),
        0
    );
}

#[tokio::test]
async fn within_one_group_commit_what_comes_first_decides() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    // All are decided and wait together; the disabling is somewhere among them.
    h.store.hold(true);
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    let first = tokio::spawn({
        let (service, call, request) = (h.service.clone(), admin.clone(), encrypt_request(key.key_id.as_str()));
        async move { service.encrypt(&call, request).await }
    });
    begun.changed().await.expect("the store lives");
    // These two wait for the next commit, in this order.
    let disable = h.service.disable_key(
        &admin,
        DisableKeyRequest {
            key_id: key.key_id.to_string(),
        },
    );
    let late = h.service.encrypt(&admin, encrypt_request(key.key_id.as_str()));
    let release = async { h.store.hold(false) };
    let (disabled, late, ()) = futures::future::join3(disable, late, release).await;
    first.await.expect("no panic").expect("was before the disabling");
    disabled.expect("disables");
    assert_eq!(refusal(late).0, "DisabledException");
    h.verify();
}

#[tokio::test]
async fn two_nodes_rotate_and_disable_and_encrypt_in_one_legal_history() {
    let h = Harness::new().await;
    let (_, other) = h.node(5).await;
    let key = h.key().await;
    let operator = h.operator();
    let id = key.key_id.to_string();
    let work = |service: Service, call: Call, id: String| async move {
        let mut blobs = Vec::new();
        for round in 0..12 {
            match round % 4 {
                0 => drop(
                    service
                        .rotate_key_on_demand(&call, RotateKeyOnDemandRequest { key_id: id.clone() })
                        .await,
                ),
                1 => drop(
                    service
                        .disable_key(&call, DisableKeyRequest { key_id: id.clone() })
                        .await,
                ),
                2 => drop(service.enable_key(&call, EnableKeyRequest { key_id: id.clone() }).await),
                _ => {}
            }
            if let Ok(made) = service.encrypt(&call, encrypt_request(&id)).await {
                blobs.push(made.ciphertext_blob);
            }
        }
        blobs
    };
    let (a, b) = tokio::join!(
        tokio::spawn(work(h.service.clone(), operator.clone(), id.clone())),
        tokio::spawn(work(other.clone(), operator.clone(), id.clone()))
    );
    h.service
        .enable_key(&operator, EnableKeyRequest { key_id: id.clone() })
        .await
        .expect("enables");
    let blobs: Vec<Vec<u8>> = a.expect("no panic").into_iter().chain(b.expect("no panic")).collect();
    assert!(!blobs.is_empty());
    for blob in &blobs {
        other
            .decrypt(&operator, decrypt_request(blob))
            .await
            .expect("whatever was encrypted decrypts on either node");
    }
    // Replay the log: no encryption while disabled, each rotation counted once.
    let mut enabled = true;
    for event in h.events() {
        if !event["errorCode"].is_null() {
            continue;
        }
        match event["eventName"].as_str().expect("a name") {
            "DisableKey" => enabled = false,
            "EnableKey" => enabled = true,
            "Encrypt" => assert!(enabled, "encrypted while disabled: {event}"),
            _ => {}
        }
    }
    let rotations = ListKeyRotationsRequest {
        key_id: id,
        include_all_material: false,
        limit: None,
        marker: None,
    };
    let listed = h
        .service
        .list_key_rotations(&operator, rotations)
        .await
        .expect("lists")
        .rotations
        .len();
    let logged = h
        .events()
        .iter()
        .filter(|event| event["eventName"] == "RotateKeyOnDemand" && event["errorCode"].is_null())
        .count();
    assert_eq!(listed, logged);
    h.verify();
}

#[tokio::test]
async fn what_keeps_changing_is_throttled_in_the_end_and_recorded() {
    let h = Harness::new().await;
    let key = h.key().await;
    let settings = Settings {
        max_decisions: 1,
        ..settings()
    };
    let node = h.store.another();
    let service = Service::open(
        arc(&node),
        std::slice::from_ref(&h.root),
        h.clock.clone(),
        random(9),
        settings,
    )
    .await
    .expect("opens");
    let operator = h.operator();
    encrypt(&service, &operator, key.key_id.as_str()).await;
    h.service
        .disable_key(
            &operator,
            DisableKeyRequest {
                key_id: key.key_id.to_string(),
            },
        )
        .await
        .expect("disables");
    assert_eq!(
        refusal(service.encrypt(&operator, encrypt_request(key.key_id.as_str())).await).0,
        "ThrottlingException"
    );
    assert_eq!(h.last_event()["errorCode"], "ThrottlingException");
}

#[tokio::test]
async fn a_store_that_is_locked_by_a_stranger_answers_when_it_is_free() {
    let h = Harness::new().await;
    let stranger: Box<dyn Transaction> = h.store.another().begin().await.expect("begins");
    let (service, admin) = (h.service.clone(), h.admin().await);
    let waiting = tokio::spawn(async move {
        service
            .generate_random(&admin, GenerateRandomRequest { number_of_bytes: 1 })
            .await
    });
    drop(stranger);
    waiting.await.expect("no panic").expect("draws");
}

#[tokio::test]
async fn a_grant_revoked_between_decision_and_commit_permits_nothing() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let request = CreateGrantRequest {
        key_id: key.key_id.to_string(),
        grantee_principal: arn.to_string(),
        retiring_principal: None,
        operations: vec![bulla_model::GrantOperation::Encrypt],
        constraints: Default::default(),
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    let made = h.service.create_grant(&operator, request).await.expect("grants");
    encrypt(&h.service, &ann, key.key_id.as_str()).await;
    let (service, request) = (h.service.clone(), encrypt_request(key.key_id.as_str()));
    let revoke = RevokeGrantRequest {
        key_id: key.key_id.to_string(),
        grant_id: made.grant_id.to_string(),
        dry_run: false,
    };
    let result = revoke_in_between(&h, async move { service.encrypt(&ann, request).await }, async |other| {
        other.revoke_grant(&operator, revoke).await.expect("revokes");
    })
    .await;
    assert_eq!(refusal(result).0, "AccessDeniedException");
    h.verify();
}

#[tokio::test]
async fn a_denying_key_policy_put_between_decision_and_commit_denies() {
    let h = Harness::new().await;
    let (admin, operator, key) = (h.admin().await, h.operator(), h.key().await);
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"},
        {"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*"}]}"#;
    let put = PutKeyPolicyRequest {
        key_id: key.key_id.to_string(),
        policy_name: None,
        policy: policy.to_owned(),
        bypass_policy_lockout_safety_check: false,
    };
    let (service, request) = (h.service.clone(), encrypt_request(key.key_id.as_str()));
    let result = revoke_in_between(
        &h,
        async move { service.encrypt(&admin, request).await },
        async |other| {
            other.put_key_policy(&operator, put).await.expect("writes");
        },
    )
    .await;
    let refused = refusal(result);
    assert!(
        refused.1.ends_with("with an explicit deny in a resource-based policy"),
        "{refused:?}"
    );
    h.verify();
}

#[tokio::test]
async fn an_identity_policy_taken_between_decision_and_commit_allows_nothing() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (arn, ann) = h.user("ann", Role::User).await;
    let may = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}}"#;
    h.service
        .put_principal_policy(&operator, arn.clone(), "may".into(), may.into())
        .await
        .expect("gives");
    let (service, request) = (h.service.clone(), encrypt_request(key.key_id.as_str()));
    let result = revoke_in_between(&h, async move { service.encrypt(&ann, request).await }, async |other| {
        other
            .delete_principal_policy(&operator, arn, "may".into())
            .await
            .expect("takes");
    })
    .await;
    assert_eq!(refusal(result).0, "AccessDeniedException");
}
