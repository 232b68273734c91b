//! What a session is asked for with, and when it ends.

use std::time::Duration;

use bulla_service::*;

use crate::harness::*;
use crate::sessions::*;

#[tokio::test]
async fn members_out_of_their_limits_are_refused() {
    let h = Harness::new().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let admin = h.admin().await;
    let many: Vec<_> = (0..51).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    let large = (0..50).map(|n| (format!("k{n}"), "v".repeat(256))).collect();
    for (wrong, code) in [
        (
            AssumeRoleRequest {
                role_session_name: "x".to_owned(),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                role_session_name: "a b".to_owned(),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                role_arn: SESSION.to_owned(),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                duration_seconds: Some(899),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                duration_seconds: Some(7_201),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                duration_seconds: Some(43_201),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                external_id: Some("x".to_owned()),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                policy: Some("x".repeat(2_049)),
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                tags: many,
                ..request()
            },
            "ValidationException",
        ),
        (
            AssumeRoleRequest {
                tags: large,
                ..request()
            },
            "PackedPolicyTooLargeException",
        ),
        (with_tags(&[("a", "1"), ("A", "2")], &[]), "ValidationException"),
        (with_tags(&[("a", "1")], &["b"]), "ValidationException"),
    ] {
        assert_eq!(refusal(h.service.assume_role(&admin, wrong).await).0, code);
    }
}

#[tokio::test]
async fn a_session_ends_with_its_time_and_at_the_decision_too() {
    let h = Harness::new().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let short = AssumeRoleRequest {
        duration_seconds: Some(900),
        ..request()
    };
    let assumed = h.service.assume_role(&h.admin().await, short).await.expect("assumes");
    let session = signed(&h.service, &assumed.credentials)
        .expect("opens")
        .expect("is known");
    h.clock.advance(Duration::from_secs(898));
    h.service.get_caller_identity(&session).await.expect("tells");
    h.clock.advance(Duration::from_secs(2));
    assert_eq!(
        refusal(signed(&h.service, &assumed.credentials)),
        (
            "ExpiredTokenException",
            "The security token included in the request is expired".to_owned()
        )
    );
    assert_eq!(
        refusal(h.service.get_caller_identity(&session).await).0,
        "ExpiredTokenException"
    );
}

#[tokio::test]
async fn a_session_token_opens_as_it_is_with_its_own_key_id_and_on_every_node() {
    let h = Harness::new().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let admin = h.admin().await;
    let first = h
        .service
        .assume_role(&admin, request())
        .await
        .expect("assumes")
        .credentials;
    let second = h
        .service
        .assume_role(&admin, request())
        .await
        .expect("assumes")
        .credentials;
    let token = std::str::from_utf8(first.session_token.expose_secret()).expect("ASCII");
    let (_, other) = h.node(5).await;
    assert!(signed(&other, &first).expect("opens").is_some());
    let known = |id: &str, token: &str| h.service.session_credential(id, token).expect("opens").is_some();
    assert!(known(&first.access_key_id, token));
    assert!(!known(&second.access_key_id, token));
    assert!(!known(&h.initialised.credentials.access_key_id, token));
    for at in [0, token.len() / 2, token.len() - 3] {
        let mut changed = token.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(
            !known(&first.access_key_id, std::str::from_utf8(&changed).expect("ASCII")),
            "{at}"
        );
    }
    for wrong in ["", "AAAA", "\u{e9}", &"A".repeat(20_000)] {
        assert!(!known(&first.access_key_id, wrong));
    }
    let data = h.store.edit();
    let secret = first.secret_access_key.expose_secret();
    let rows = data.rows.values().map(|row| row.body.as_slice());
    let mut all = rows.chain(data.events.iter().map(|event| event.event.as_slice()));
    assert!(!all.any(|bytes| bytes.windows(secret.len()).any(|window| window == secret)));
}

#[tokio::test]
async fn a_role_deleted_or_made_anew_ends_its_sessions() {
    let h = Harness::new().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let session = assume(&h, &h.admin().await, request()).await;
    h.service.get_caller_identity(&session).await.expect("tells");
    h.service.delete_role(&h.operator(), arn(ROLE)).await.expect("deletes");
    assert_eq!(
        refusal(h.service.get_caller_identity(&session).await).0,
        "UnrecognizedClientException"
    );
    h.clock.advance(Duration::from_secs(1));
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    assert_eq!(
        refusal(h.service.get_caller_identity(&session).await).0,
        "UnrecognizedClientException"
    );
    assume(&h, &h.admin().await, request()).await;
    h.verify();
}

#[tokio::test]
async fn sessions_from_before_a_time_are_ended_and_no_others() {
    let h = Harness::new().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},
        {"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:10:00Z"}}}]}"#;
    role(&h, TRUSTS_THE_ACCOUNT, policy).await;
    let admin = h.admin().await;
    let early = assume(&h, &admin, request()).await;
    h.clock.advance(Duration::from_secs(600));
    let late = assume(&h, &admin, request()).await;
    let random = || GenerateRandomRequest { number_of_bytes: 1 };
    assert_eq!(
        refusal(h.service.generate_random(&early, random()).await).0,
        "AccessDeniedException"
    );
    h.service.generate_random(&late, random()).await.expect("draws");
    h.verify();
}

#[tokio::test]
async fn a_session_policy_narrows_grants_and_a_key_policy_that_names_the_session_is_over_it() {
    let h = Harness::new().await;
    let only = |action: &str| {
        format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#)
    };
    role(&h, TRUSTS_THE_ACCOUNT, &only("kms:GenerateRandom")).await;
    let (operator, granted) = (h.operator(), h.key().await);
    let give = GiveGrantRequest {
        key_id: granted.key_id.to_string(),
        grantee_principal: ROLE.to_owned(),
        operations: vec![bulla_model::GrantOperation::Encrypt],
        constraints: Default::default(),
    };
    h.service.give_grant(&operator, give).await.expect("gives");
    let naming = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::111122223333:root"}},"Action":"kms:*","Resource":"*"}},
            {{"Effect":"Allow","Principal":{{"AWS":"{SESSION}"}},"Action":"kms:Encrypt","Resource":"*"}}]}}"#
    );
    let naming = CreateKeyRequest {
        policy: Some(naming),
        ..create_key_request()
    };
    let named = h.service.create_key(&operator, naming).await.expect("creates").key;
    let admin = h.admin().await;
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#.to_owned();
    for (policy, by_grant, by_name) in [
        (None, true, true),
        (Some(only("kms:Encrypt")), true, true),
        (Some(only("kms:GenerateRandom")), false, true),
        (Some(deny), false, false),
    ] {
        let wanted = AssumeRoleRequest {
            policy: policy.clone(),
            ..request()
        };
        let session = assume(&h, &admin, wanted).await;
        for (key, expected) in [(&granted, by_grant), (&named, by_name)] {
            let sealed = h.service.encrypt(&session, encrypt_request(key.key_id.as_str())).await;
            assert_eq!(sealed.is_ok(), expected, "{policy:?} {:?}", sealed.err());
        }
    }
    h.verify();
}
