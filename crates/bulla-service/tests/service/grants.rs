//! Grants: who may by them, under which contexts, who ends them; effective at once.

use bulla_model::{GrantConstraints, GrantOperation as O, Role};
use bulla_service::*;
use serde_json::json;

use crate::harness::*;

const ANN: &str = "arn:aws:iam::111122223333:user/ann";
const BOB: &str = "arn:aws:iam::111122223333:user/bob";

fn grant(key_id: &str, operations: &[O]) -> CreateGrantRequest {
    CreateGrantRequest {
        key_id: key_id.to_owned(),
        grantee_principal: ANN.to_owned(),
        retiring_principal: None,
        operations: operations.to_vec(),
        constraints: GrantConstraints::default(),
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn list(key_id: &str) -> ListGrantsRequest {
    ListGrantsRequest {
        key_id: key_id.to_owned(),
        grant_id: None,
        grantee_principal: None,
        limit: None,
        marker: None,
    }
}

fn revoke(key_id: &str, grant_id: &str) -> RevokeGrantRequest {
    RevokeGrantRequest {
        key_id: key_id.to_owned(),
        grant_id: grant_id.to_owned(),
        dry_run: false,
    }
}

fn retire(token: &str) -> RetireGrantRequest {
    RetireGrantRequest {
        grant_token: Some(token.to_owned()),
        key_id: None,
        grant_id: None,
        dry_run: false,
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Option<std::collections::BTreeMap<String, String>> {
    Some(
        pairs
            .iter()
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
    )
}

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
async fn what_a_grant_can_t_say_is_refused() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let base = || grant(id, &[O::Encrypt]);
    let constrained = GrantConstraints {
        equals: pairs(&[("a", "b")]),
        subset: None,
    };
    for (request, code, text) in [
        (
            grant(id, &[O::CreateGrant]),
            "ValidationException",
            "Grants must not contain only the CreateGrant operation.",
        ),
        (
            grant(id, &[O::Encrypt, O::Sign]),
            "ValidationException",
            "The operation Sign is not supported",
        ),
        (
            CreateGrantRequest {
                constraints: constrained,
                ..grant(id, &[O::DescribeKey])
            },
            "ValidationException",
            "Encryption context grant constraints",
        ),
        (
            CreateGrantRequest {
                grantee_principal: "arn:aws:iam::111122223333:group/g".into(),
                ..base()
            },
            "InvalidArnException",
            "ARN does not refer to a valid principal",
        ),
        (
            CreateGrantRequest {
                retiring_principal: Some("ann".into()),
                ..base()
            },
            "InvalidArnException",
            "ARN does not refer to a valid principal",
        ),
        (
            CreateGrantRequest {
                grant_tokens: vec!["AQpA".into()],
                ..base()
            },
            "InvalidGrantTokenException",
            "",
        ),
        (
            CreateGrantRequest {
                dry_run: true,
                ..base()
            },
            "DryRunOperationException",
            "The request would have succeeded",
        ),
        (
            CreateGrantRequest {
                key_id: "alias/x".into(),
                ..base()
            },
            "InvalidArnException",
            "Key Aliases",
        ),
        (
            CreateGrantRequest {
                key_id: "00000000-0000-4000-8000-000000000000".into(),
                ..base()
            },
            "NotFoundException",
            "Key 'arn",
        ),
    ] {
        let refused = refusal(h.service.create_grant(&operator, request.clone()).await);
        assert!(
            refused.0 == code && refused.1.starts_with(text),
            "{request:?}: {refused:?}"
        );
    }
    let (_, ann) = h.user("ann", Role::User).await;
    assert_eq!(
        refusal(h.service.create_grant(&ann, base()).await).0,
        "AccessDeniedException"
    );
    assert_eq!(h.last_event()["eventName"], "CreateGrant");
    assert_eq!(h.last_event()["errorCode"], "AccessDeniedException");
    assert!(
        h.service
            .list_grants(&operator, list(id))
            .await
            .expect("lists")
            .grants
            .is_empty()
    );
    let disable = DisableKeyRequest { key_id: id.to_owned() };
    h.service.disable_key(&operator, disable).await.expect("disables");
    assert_eq!(
        refusal(h.service.create_grant(&operator, base()).await).0,
        "DisabledException"
    );
}

#[tokio::test]
async fn a_name_makes_the_same_grant_once() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let named = |operations: &[O]| CreateGrantRequest {
        name: Some("for-ann".into()),
        ..grant(id, operations)
    };
    let first = h
        .service
        .create_grant(&operator, named(&[O::Encrypt, O::Decrypt]))
        .await
        .expect("grants");
    let again = h
        .service
        .create_grant(&operator, named(&[O::Decrypt, O::Encrypt]))
        .await
        .expect("grants");
    assert_eq!(first.grant_id, again.grant_id);
    assert_ne!(first.grant_token, again.grant_token);
    let other = h
        .service
        .create_grant(&operator, named(&[O::Decrypt]))
        .await
        .expect("grants");
    assert_ne!(first.grant_id, other.grant_id);
    for _ in 0..2 {
        h.service
            .create_grant(&operator, grant(id, &[O::Decrypt]))
            .await
            .expect("grants");
    }
    assert_eq!(
        h.service
            .list_grants(&operator, list(id))
            .await
            .expect("lists")
            .grants
            .len(),
        4
    );
    h.verify();
}

#[tokio::test]
async fn grants_are_listed_in_pages_and_by_what_they_say() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let mut ids = Vec::new();
    for grantee in [ANN, BOB, ANN] {
        let request = CreateGrantRequest {
            grantee_principal: grantee.into(),
            retiring_principal: Some(BOB.into()),
            name: Some("n".into()),
            constraints: GrantConstraints {
                equals: None,
                subset: pairs(&[("n", &ids.len().to_string())]),
            },
            ..grant(id, &[O::Decrypt])
        };
        ids.push(
            h.service
                .create_grant(&operator, request)
                .await
                .expect("grants")
                .grant_id,
        );
    }
    let of_bob = ListGrantsRequest {
        grantee_principal: Some(BOB.into()),
        ..list(id)
    };
    let listed = h.service.list_grants(&operator, of_bob).await.expect("lists");
    assert_eq!(listed.grants.len(), 1);
    let entry = &listed.grants[0];
    assert_eq!((&entry.grant_id, &*entry.grantee_principal), (&ids[1], BOB));
    assert_eq!(
        (entry.retiring_principal.as_deref(), entry.name.as_deref()),
        (Some(BOB), Some("n"))
    );
    assert_eq!((&entry.key_arn, &entry.operations[..]), (&key.arn, &[O::Decrypt][..]));
    assert_eq!(entry.issuing_account, "arn:aws:iam::111122223333:root");
    let one = ListGrantsRequest {
        grant_id: Some(ids[2].to_string()),
        ..list(id)
    };
    assert_eq!(
        h.service.list_grants(&operator, one).await.expect("lists").grants.len(),
        1
    );
    let wrong = ListGrantsRequest {
        grant_id: Some("x".into()),
        ..list(id)
    };
    assert_eq!(
        refusal(h.service.list_grants(&operator, wrong).await).0,
        "InvalidGrantIdException"
    );
    let mut seen = Vec::new();
    let mut marker = None;
    loop {
        let request = ListGrantsRequest {
            limit: Some(2),
            marker,
            ..list(id)
        };
        let page = h.service.list_grants(&operator, request).await.expect("lists");
        seen.extend(page.grants.into_iter().map(|grant| grant.grant_id));
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    ids.sort();
    assert_eq!(seen, ids);
    // The retiring principal's view is of every key.
    let another = h.key().await;
    let request = CreateGrantRequest {
        retiring_principal: Some(BOB.into()),
        ..grant(another.key_id.as_str(), &[O::Decrypt])
    };
    h.service.create_grant(&operator, request).await.expect("grants");
    let retirable = |principal: &str, limit, marker| ListRetirableGrantsRequest {
        retiring_principal: principal.into(),
        limit,
        marker,
    };
    let first = h
        .service
        .list_retirable_grants(&operator, retirable(BOB, Some(3), None))
        .await
        .expect("lists");
    assert_eq!(first.grants.len(), 3);
    let rest = retirable(BOB, Some(3), first.next_marker);
    let rest = h.service.list_retirable_grants(&operator, rest).await.expect("lists");
    assert_eq!((rest.grants.len(), rest.next_marker), (1, None));
    let none = h
        .service
        .list_retirable_grants(&operator, retirable(ANN, None, None))
        .await
        .expect("lists");
    assert!(none.grants.is_empty());
    let of_others = retirable("arn:aws:iam::444455556666:root", None, None);
    let refused = refusal(h.service.list_retirable_grants(&operator, of_others).await);
    assert_eq!(refused.0, "AccessDeniedException");
    let wrong = refusal(
        h.service
            .list_retirable_grants(&operator, retirable("bob", None, None))
            .await,
    );
    assert_eq!(wrong.0, "InvalidArnException");
}

#[tokio::test]
async fn a_grant_is_retired_by_who_was_named_for_it() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (_, ann) = h.user("ann", Role::User).await;
    let (_, bob) = h.user("bob", Role::User).await;
    let (_, eve) = h.user("eve", Role::User).await;
    let make = async |operations: &[O]| {
        let request = CreateGrantRequest {
            retiring_principal: Some(BOB.into()),
            ..grant(id, operations)
        };
        h.service.create_grant(&operator, request).await.expect("grants")
    };
    let made = make(&[O::Decrypt]).await;
    // Neither the grantee without the operation, nor anybody else.
    for who in [&ann, &eve] {
        let refused = refusal(h.service.retire_grant(who, retire(&made.grant_token)).await);
        assert_eq!(refused.0, "AccessDeniedException");
    }
    let dry = RetireGrantRequest {
        dry_run: true,
        ..retire(&made.grant_token)
    };
    assert_eq!(
        refusal(h.service.retire_grant(&bob, dry).await).0,
        "DryRunOperationException"
    );
    h.service
        .retire_grant(&bob, retire(&made.grant_token))
        .await
        .expect("retires");
    assert_eq!(h.last_event()["responseElements"]["grantId"], &*made.grant_id);
    assert_eq!(
        refusal(h.service.retire_grant(&bob, retire(&made.grant_token)).await).0,
        "NotFoundException"
    );
    // By the grantee, where the grant says so: that grant, and no other.
    let other = make(&[O::Decrypt]).await;
    let made = make(&[O::Decrypt, O::RetireGrant]).await;
    assert_eq!(
        refusal(h.service.retire_grant(&ann, retire(&other.grant_token)).await).0,
        "AccessDeniedException"
    );
    let by_id = RetireGrantRequest {
        grant_token: None,
        key_id: Some(key.arn.to_string()),
        grant_id: Some(made.grant_id.to_string()),
        dry_run: false,
    };
    h.service.retire_grant(&ann, by_id).await.expect("retires");
    // By the account, and by who may by policy.
    h.service
        .retire_grant(&operator, retire(&other.grant_token))
        .await
        .expect("retires");
    let made = make(&[O::Decrypt]).await;
    h.service
        .retire_grant(&h.admin().await, retire(&made.grant_token))
        .await
        .expect("retires");
    let neither = RetireGrantRequest {
        grant_token: None,
        key_id: None,
        grant_id: None,
        dry_run: false,
    };
    assert_eq!(
        refusal(h.service.retire_grant(&bob, neither).await).0,
        "ValidationException"
    );
    assert_eq!(
        refusal(h.service.retire_grant(&bob, retire("AQpA")).await).0,
        "InvalidGrantTokenException"
    );
    h.verify();
}

#[tokio::test]
async fn revoking_needs_the_grant_and_the_permission() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let id = key.key_id.as_str();
    let (_, ann) = h.user("ann", Role::User).await;
    let made = h
        .service
        .create_grant(&operator, grant(id, &[O::Decrypt]))
        .await
        .expect("grants");
    assert_eq!(
        refusal(h.service.revoke_grant(&ann, revoke(id, &made.grant_id)).await).0,
        "AccessDeniedException"
    );
    let dry = RevokeGrantRequest {
        dry_run: true,
        ..revoke(id, &made.grant_id)
    };
    assert_eq!(
        refusal(h.service.revoke_grant(&operator, dry).await).0,
        "DryRunOperationException"
    );
    assert_eq!(
        refusal(h.service.revoke_grant(&operator, revoke(id, "x")).await).0,
        "InvalidGrantIdException"
    );
    let unknown = "0".repeat(64);
    assert_eq!(
        refusal(h.service.revoke_grant(&operator, revoke(id, &unknown)).await).0,
        "NotFoundException"
    );
    let another = h.key().await;
    let elsewhere = revoke(another.key_id.as_str(), &made.grant_id);
    assert_eq!(
        refusal(h.service.revoke_grant(&operator, elsewhere).await).0,
        "NotFoundException"
    );
    h.service
        .revoke_grant(&operator, revoke(id, &made.grant_id))
        .await
        .expect("revokes");
    assert_eq!(h.last_event()["eventName"], "RevokeGrant");
    assert_eq!(
        refusal(h.service.revoke_grant(&operator, revoke(id, &made.grant_id)).await).0,
        "NotFoundException"
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
