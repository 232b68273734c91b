//! The requests about grants: what they refuse, list and end.

use bulla_model::{GrantConstraints, GrantOperation as O, Role};
use bulla_service::*;

use crate::granting::*;
use crate::harness::*;

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
