//! Grants: who may by them, under which contexts, who ends them; effective at once.

use bulla_model::{GrantConstraints, GrantOperation as O, Role};
use bulla_service::*;
use serde_json::json;

use crate::granting::*;
use crate::harness::*;

#[tokio::test]
async fn a_grant_permits_its_operations_at_once_until_it_is_revoked() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (id, (_, ann)) = (key.key_id.as_str(), h.user("ann", Role::User).await);
    assert_eq!(
        refusal(h.service.encrypt(&ann, encrypt_request(id)).await).0,
        "AccessDeniedException"
    );
    let made = h
        .service
        .create_grant(&operator, grant(id, &[O::Encrypt]))
        .await
        .expect("grants");
    assert_eq!(made.grant_id.len(), 64);
    assert_eq!(h.last_event()["responseElements"]["grantId"], &*made.grant_id);
    assert_eq!(h.last_event()["requestParameters"]["operations"], json!(["Encrypt"]));
    let blob = encrypt(&h.service, &ann, id).await;
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"],
        json!([{ "grantId": &*made.grant_id }])
    );
    assert_eq!(
        refusal(h.service.decrypt(&ann, decrypt_request(&blob)).await).0,
        "AccessDeniedException"
    );
    // On another node, too.
    let (_, other) = h.node(9).await;
    encrypt(&other, &ann, id).await;
    h.service
        .revoke_grant(&operator, revoke(id, &made.grant_id))
        .await
        .expect("revokes");
    for service in [&h.service, &other] {
        assert_eq!(
            refusal(service.encrypt(&ann, encrypt_request(id)).await).0,
            "AccessDeniedException"
        );
    }
    h.verify();
}

#[tokio::test]
async fn constraints_bind_a_grant_to_contexts() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (id, (_, ann)) = (key.key_id.as_str(), h.user("ann", Role::User).await);
    let describe = DescribeKeyRequest {
        key_id: id.to_owned(),
        grant_tokens: Vec::new(),
    };
    for (constraints, exact, more, other) in [
        (
            GrantConstraints {
                equals: pairs(&[("tenant", "a")]),
                subset: None,
            },
            true,
            false,
            false,
        ),
        (
            GrantConstraints {
                equals: None,
                subset: pairs(&[("Tenant", "a")]),
            },
            true,
            true,
            false,
        ),
        (
            GrantConstraints {
                equals: None,
                subset: pairs(&[("tenant", "A")]),
            },
            false,
            false,
            false,
        ),
    ] {
        let request = CreateGrantRequest {
            constraints: constraints.clone(),
            ..grant(id, &[O::Encrypt, O::DescribeKey])
        };
        let made = h.service.create_grant(&operator, request).await.expect("grants");
        for (pairs, expected) in [
            (&[("tenant", "a")][..], exact),
            (&[("tenant", "a"), ("x", "y")], more),
            (&[("tenant", "b")], other),
        ] {
            let mut request = encrypt_request(id);
            request.encryption_context = context(pairs);
            assert_eq!(
                h.service.encrypt(&ann, request).await.is_ok(),
                expected,
                "{constraints:?} {pairs:?}"
            );
        }
        // Constraints are of operations that have a context.
        h.service.describe_key(&ann, describe.clone()).await.expect("describes");
        h.service
            .revoke_grant(&operator, revoke(id, &made.grant_id))
            .await
            .expect("revokes");
    }
}

#[tokio::test]
async fn an_explicit_denial_stands_above_a_grant() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (id, (arn, ann)) = (key.key_id.as_str(), h.user("ann", Role::User).await);
    h.service
        .create_grant(&operator, grant(id, &[O::Encrypt]))
        .await
        .expect("grants");
    let never = json!({"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "kms:*", "Resource": "*"}});
    h.service
        .put_principal_policy(&operator, arn, "never".into(), never.to_string())
        .await
        .expect("gives");
    let refused = refusal(h.service.encrypt(&ann, encrypt_request(id)).await);
    assert!(
        refused.1.ends_with("with an explicit deny in an identity-based policy"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn grants_made_by_a_grant_permit_no_more_than_it() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (_, ann) = h.user("ann", Role::User).await;
    let (_, bob) = h.user("bob", Role::User).await;
    let parent = CreateGrantRequest {
        constraints: GrantConstraints {
            equals: None,
            subset: pairs(&[("tenant", "a")]),
        },
        ..grant(id, &[O::Encrypt, O::CreateGrant])
    };
    h.service.create_grant(&operator, parent).await.expect("grants");
    let child = |operations: &[O], subset: &[(&str, &str)]| CreateGrantRequest {
        grantee_principal: BOB.into(),
        constraints: GrantConstraints {
            equals: None,
            subset: pairs(subset),
        },
        ..grant(id, operations)
    };
    for wrong in [
        child(&[O::Encrypt, O::Decrypt], &[("tenant", "a")]),
        child(&[O::Encrypt], &[("tenant", "b")]),
        child(&[O::Encrypt], &[]),
        CreateGrantRequest {
            constraints: GrantConstraints::default(),
            ..child(&[O::Encrypt], &[])
        },
    ] {
        assert_eq!(
            refusal(h.service.create_grant(&ann, wrong).await).0,
            "AccessDeniedException"
        );
    }
    h.service
        .create_grant(&ann, child(&[O::Encrypt], &[("tenant", "a")]))
        .await
        .expect("grants");
    encrypt(&h.service, &bob, id).await;
}

#[tokio::test]
async fn a_grant_lets_another_account_in() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let stranger = call(Caller::operator("444455556666".parse().expect("an account")));
    let made = h
        .service
        .create_principal(&stranger, "eve".parse().expect("a name"), Role::User)
        .await
        .expect("creates");
    let eve = h.call(&made.credentials.access_key_id).await;
    let to = |grantee: &str| CreateGrantRequest {
        grantee_principal: grantee.to_owned(),
        ..grant(key.key_id.as_str(), &[O::Encrypt])
    };
    // To her account: her account must let her, too.
    let to_account = h
        .service
        .create_grant(&operator, to("444455556666"))
        .await
        .expect("grants");
    let asks = async || h.service.encrypt(&eve, encrypt_request(key.arn.as_str())).await;
    assert_eq!(refusal(asks().await).0, "AccessDeniedException");
    encrypt(&h.service, &stranger, key.arn.as_str()).await;
    let may =
        json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}});
    h.service
        .put_principal_policy(&stranger, made.principal.arn.clone(), "may".into(), may.to_string())
        .await
        .expect("gives");
    asks().await.expect("encrypts");
    h.service
        .revoke_grant(&operator, revoke(key.key_id.as_str(), &to_account.grant_id))
        .await
        .expect("revokes");
    h.service
        .delete_principal_policy(&stranger, made.principal.arn.clone(), "may".into())
        .await
        .expect("takes");
    assert_eq!(refusal(asks().await).0, "AccessDeniedException");
    // To herself.
    h.service
        .create_grant(&operator, to(made.principal.arn.as_str()))
        .await
        .expect("grants");
    asks().await.expect("encrypts");
}

#[tokio::test]
async fn grants_end_with_their_key() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    h.service
        .create_grant(&operator, grant(id, &[O::Decrypt]))
        .await
        .expect("grants");
    let rows = |h: &Harness| {
        let data = h.store.edit();
        data.rows
            .keys()
            .filter(|(table, _)| *table == bulla_store::Table::Grants)
            .count()
    };
    assert_eq!(rows(&h), 1);
    let schedule = ScheduleKeyDeletionRequest {
        key_id: id.to_owned(),
        pending_window_in_days: Some(7),
    };
    h.service
        .schedule_key_deletion(&operator, schedule)
        .await
        .expect("schedules");
    h.days(8);
    h.service.sweep().await.expect("sweeps");
    assert_eq!(rows(&h), 0);
    h.verify();
}

#[tokio::test]
async fn a_tampered_grant_grants_nothing() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (_, ann) = h.user("ann", Role::User).await;
    h.service
        .create_grant(&operator, grant(id, &[O::Decrypt]))
        .await
        .expect("grants");
    {
        let mut data = h.store.edit();
        let row = data
            .rows
            .iter_mut()
            .find(|((table, _), _)| *table == bulla_store::Table::Grants)
            .map(|(_, row)| row)
            .expect("a grant");
        let body = String::from_utf8(row.body.clone()).expect("text");
        row.body = body.replace("\"Decrypt\"", "\"Encrypt\"").into_bytes();
    }
    let (_, fresh) = h.node(11).await;
    assert_eq!(
        refusal(fresh.encrypt(&ann, encrypt_request(id)).await).0,
        "KMSInternalException"
    );
}

#[tokio::test]
async fn a_thousand_grants_cost_a_decision_no_read_of_the_store() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (_, ann) = h.user("ann", Role::User).await;
    for n in 0..1_100 {
        let request = CreateGrantRequest {
            grantee_principal: if n == 700 {
                ANN.to_owned()
            } else {
                format!("arn:aws:iam::111122223333:user/other-{n}")
            },
            ..grant(id, &[O::Encrypt])
        };
        h.service.create_grant(&operator, request).await.expect("grants");
    }
    // A node that has just opened reads them all once, in pages.
    let (_, other) = h.node(5).await;
    for service in [&h.service, &other] {
        encrypt(service, &ann, id).await;
        let read = || {
            service
                .metrics()
                .cache_misses
                .load(std::sync::atomic::Ordering::Relaxed)
        };
        let before = read();
        for _ in 0..3 {
            encrypt(service, &ann, id).await;
        }
        assert_eq!(read(), before);
    }
    let schedule = ScheduleKeyDeletionRequest {
        key_id: id.to_owned(),
        pending_window_in_days: Some(7),
    };
    h.service
        .schedule_key_deletion(&operator, schedule)
        .await
        .expect("schedules");
    h.days(8);
    assert_eq!(h.service.sweep().await.expect("sweeps").deleted, 1);
    let left = h
        .store
        .edit()
        .rows
        .keys()
        .filter(|(table, _)| *table == bulla_store::Table::Grants)
        .count();
    assert_eq!(left, 0);
    h.verify();
}
