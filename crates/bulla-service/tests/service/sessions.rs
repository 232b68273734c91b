//! Roles and their sessions: who may assume them, what they may then, and when they end.

use std::time::Duration;

use bulla_model::{PrincipalArn, Role};
use bulla_service::*;

use crate::harness::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/pod-1";
const TRUSTS_THE_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},
    "Action":["sts:AssumeRole","sts:TagSession"]}}"#;
const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

fn arn(text: &str) -> PrincipalArn {
    text.parse().expect("an ARN")
}

/// Makes the role `app` with a trust policy, and lets it do what `policy` says.
async fn role(h: &Harness, trust: &str, policy: &str) -> RoleDescription {
    let request = CreateRoleRequest {
        name: "app".parse().expect("a name"),
        trust_policy: trust.to_owned(),
        max_session_seconds: 7_200,
    };
    let role = h.service.create_role(&h.operator(), request).await.expect("creates");
    put_policy(h, ROLE, policy).await;
    role
}

async fn put_policy(h: &Harness, of: &str, policy: &str) {
    let operator = h.operator();
    let put = h
        .service
        .put_principal_policy(&operator, arn(of), "p".to_owned(), policy.to_owned());
    put.await.expect("puts");
}

fn request() -> AssumeRoleRequest {
    AssumeRoleRequest {
        role_arn: ROLE.to_owned(),
        role_session_name: "pod-1".to_owned(),
        ..AssumeRoleRequest::default()
    }
}

fn with_tags(tags: &[(&str, &str)], transitive: &[&str]) -> AssumeRoleRequest {
    AssumeRoleRequest {
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        transitive_tag_keys: transitive.iter().map(|key| (*key).to_owned()).collect(),
        ..request()
    }
}

fn signed(service: &Service, credentials: &SessionCredentials) -> Result<Option<Call>, ServiceError> {
    let token = std::str::from_utf8(credentials.session_token.expose_secret()).expect("ASCII");
    let credential = service.session_credential(&credentials.access_key_id, token)?;
    Ok(credential.map(|credential| {
        assert_eq!(
            credential.secret().expose_secret(),
            credentials.secret_access_key.expose_secret()
        );
        call(Caller::signed(credential))
    }))
}

async fn assume(h: &Harness, caller: &Call, request: AssumeRoleRequest) -> Call {
    let assumed = h.service.assume_role(caller, request).await.expect("assumes");
    signed(&h.service, &assumed.credentials)
        .expect("opens")
        .expect("is known")
}

#[tokio::test]
async fn a_role_is_assumed_and_its_session_does_what_the_role_may() {
    let h = Harness::new().await;
    let made = role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let key = h.key().await;
    let admin = h.admin().await;
    let assumed = h.service.assume_role(&admin, request()).await.expect("assumes");
    assert!(assumed.credentials.access_key_id.starts_with("ASIA") && assumed.credentials.access_key_id.len() == 20);
    assert_eq!(
        (assumed.arn.as_str(), assumed.assumed_role_id.as_str()),
        (SESSION, format!("{}:pod-1", made.id).as_str())
    );
    let event = h.last_event();
    assert_eq!(
        (event["eventSource"].as_str(), event["eventName"].as_str()),
        (Some("sts.amazonaws.com"), Some("AssumeRole"))
    );
    assert!(!event.to_string().contains("essionToken"), "{event}");
    let session = signed(&h.service, &assumed.credentials)
        .expect("opens")
        .expect("is known");
    encrypt(&h.service, &session, key.key_id.as_str()).await;
    let identity = &h.last_event()["userIdentity"];
    assert_eq!(
        (
            identity["type"].as_str(),
            identity["arn"].as_str(),
            identity["accessKeyId"].as_str()
        ),
        (
            Some("AssumedRole"),
            Some(SESSION),
            Some(assumed.credentials.access_key_id.as_str())
        )
    );
    let who = h.service.get_caller_identity(&session).await.expect("tells");
    assert_eq!(
        (who.arn.as_str(), who.account.as_str(), who.user_id.as_str()),
        (SESSION, "111122223333", assumed.assumed_role_id.as_str())
    );
    h.verify();
}

#[tokio::test]
async fn only_whom_the_trust_policy_names_and_as_it_says_assumes_a_role() {
    let h = Harness::new().await;
    let trust = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"},
        "Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"secret-7"},"StringLike":{"sts:RoleSessionName":"pod-*"}}}}"#;
    role(&h, trust, EVERYTHING).await;
    let (_, ann) = h.user("ann", Role::User).await;
    let external = |id: &str| AssumeRoleRequest {
        external_id: Some(id.to_owned()),
        ..request()
    };
    assume(&h, &ann, external("secret-7")).await;
    let other_name = AssumeRoleRequest {
        role_session_name: "node-1".to_owned(),
        ..external("secret-7")
    };
    let no_such_role = AssumeRoleRequest {
        role_arn: "arn:aws:iam::111122223333:role/none".to_owned(),
        ..external("secret-7")
    };
    for wrong in [request(), external("other"), other_name] {
        assert_eq!(
            refusal(h.service.assume_role(&ann, wrong).await),
            (
                "AccessDeniedException",
                format!(
                    "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
                )
            )
        );
    }
    let (code, text) = refusal(h.service.assume_role(&ann, no_such_role).await);
    assert_eq!(code, "AccessDeniedException");
    assert!(
        text.ends_with("sts:AssumeRole on resource: arn:aws:iam::111122223333:role/none"),
        "{text}"
    );
    // An administrator is not named either, and what he may does not count against that.
    assert_eq!(
        refusal(h.service.assume_role(&h.admin().await, external("secret-7")).await).0,
        "AccessDeniedException"
    );
    // Tags need a permission of their own.
    let tagged = AssumeRoleRequest {
        external_id: Some("secret-7".to_owned()),
        ..with_tags(&[("team", "a")], &[])
    };
    let (_, text) = refusal(h.service.assume_role(&ann, tagged).await);
    assert!(text.contains("sts:TagSession"), "{text}");
}

#[tokio::test]
async fn a_session_policy_narrows_and_never_widens() {
    let h = Harness::new().await;
    let key = h.key().await;
    role(&h, TRUSTS_THE_ACCOUNT, r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:Encrypt","kms:DescribeKey"],"Resource":"*"}}"#).await;
    let admin = h.admin().await;
    let narrowed = AssumeRoleRequest {
        policy: Some(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"}}"#.to_owned()),
        ..request()
    };
    let session = assume(&h, &admin, narrowed).await;
    let blob = encrypt(&h.service, &session, key.key_id.as_str()).await;
    // The session policy alone allows nothing, and without it nothing is allowed.
    let decrypted = h.service.decrypt(&session, decrypt_request(&blob)).await;
    assert_eq!(refusal(decrypted).0, "AccessDeniedException");
    let described = h.service.describe_key(
        &session,
        DescribeKeyRequest {
            key_id: key.key_id.to_string(),
            grant_tokens: Vec::new(),
        },
    );
    let (code, text) = refusal(described.await);
    assert_eq!(code, "AccessDeniedException");
    assert!(
        text.ends_with("because no session policy allows the kms:DescribeKey action"),
        "{text}"
    );
    let malformed = AssumeRoleRequest {
        policy: Some("{}".to_owned()),
        ..request()
    };
    assert_eq!(
        refusal(h.service.assume_role(&admin, malformed).await).0,
        "MalformedPolicyDocumentException"
    );
}

#[tokio::test]
async fn tags_of_sessions_are_seen_by_policies_and_pass_on_where_they_are_transitive() {
    let h = Harness::new().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:*","Resource":"*"},
        {"Effect":"Allow","Action":"kms:GenerateRandom","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}]}"#;
    role(&h, TRUSTS_THE_ACCOUNT, policy).await;
    let random = || GenerateRandomRequest { number_of_bytes: 1 };
    let admin = h.admin().await;
    let tagged = assume(&h, &admin, with_tags(&[("Team", "a"), ("left", "x")], &["Team"])).await;
    h.service.generate_random(&tagged, random()).await.expect("draws");
    let plain = assume(&h, &admin, request()).await;
    assert_eq!(
        refusal(h.service.generate_random(&plain, random()).await).0,
        "AccessDeniedException"
    );
    // The role's own tag counts where the session has none.
    let tags = [("team".to_owned(), "a".to_owned())];
    h.service
        .tag_principal(&h.operator(), arn(ROLE), tags.into())
        .await
        .expect("tags");
    h.service.generate_random(&plain, random()).await.expect("draws");
    let other = assume(&h, &admin, with_tags(&[("team", "b")], &[])).await;
    assert_eq!(
        refusal(h.service.generate_random(&other, random()).await).0,
        "AccessDeniedException"
    );
    h.service
        .untag_principal(&h.operator(), arn(ROLE), vec!["TEAM".to_owned()])
        .await
        .expect("untags");
    // Chained: the transitive tag comes along and can't be replaced; an hour is the most.
    let chained = assume(&h, &tagged, request()).await;
    h.service.generate_random(&chained, random()).await.expect("draws");
    let replaced = h.service.assume_role(&tagged, with_tags(&[("team", "b")], &[])).await;
    assert_eq!(refusal(replaced).0, "ValidationException");
    let long = AssumeRoleRequest {
        duration_seconds: Some(3_601),
        ..request()
    };
    assert!(
        refusal(h.service.assume_role(&tagged, long.clone()).await)
            .1
            .contains("role chaining")
    );
    h.service.assume_role(&admin, long).await.expect("assumes");
}

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

/// Holds the operation at the door of its commit while `revoke` happens on another node.
async fn revoke_in_between(
    h: &Harness,
    session: Call,
    key_id: String,
    revoke: impl AsyncFnOnce(Service, Call),
) -> (&'static str, String) {
    let (_, other) = h.node(77).await;
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    h.store.hold(true);
    let service = h.service.clone();
    let asked = tokio::spawn(async move { service.encrypt(&session, encrypt_request(&key_id)).await });
    begun.changed().await.expect("the store lives");
    revoke(other, h.operator()).await;
    h.store.hold(false);
    refusal(asked.await.expect("no panic"))
}

#[tokio::test]
async fn a_role_deleted_between_decision_and_commit_gets_nothing() {
    let h = Harness::new().await;
    let key = h.key().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let session = assume(&h, &h.admin().await, request()).await;
    let refused = revoke_in_between(&h, session, key.key_id.to_string(), async |other, operator| {
        other.delete_role(&operator, arn(ROLE)).await.expect("deletes");
    });
    assert_eq!(refused.await.0, "UnrecognizedClientException");
    h.verify();
}

#[tokio::test]
async fn a_policy_taken_from_a_role_between_decision_and_commit_is_gone() {
    let h = Harness::new().await;
    let key = h.key().await;
    role(&h, TRUSTS_THE_ACCOUNT, EVERYTHING).await;
    let session = assume(&h, &h.admin().await, request()).await;
    let refused = revoke_in_between(&h, session, key.key_id.to_string(), async |other, operator| {
        let taken = other.delete_principal_policy(&operator, arn(ROLE), "p".to_owned());
        taken.await.expect("takes");
    });
    assert_eq!(refused.await.0, "AccessDeniedException");
}

#[tokio::test]
async fn a_deny_put_on_a_group_between_decision_and_commit_decides() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (user, ann) = h.user("ann", Role::Admin).await;
    let operator = h.operator();
    let group = h
        .service
        .create_group(&operator, "staff".parse().expect("a name"))
        .await
        .expect("creates");
    let joined = h
        .service
        .set_group_membership(&operator, group.arn.clone(), user.clone(), true);
    joined.await.expect("joins");
    encrypt(&h.service, &ann, key.key_id.as_str()).await;
    let refused = revoke_in_between(&h, ann, key.key_id.to_string(), async |other, operator| {
        let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:Encrypt","Resource":"*"}}"#;
        let put = other.put_principal_policy(
            &operator,
            arn("arn:aws:iam::111122223333:group/staff"),
            "d".to_owned(),
            deny.to_owned(),
        );
        put.await.expect("puts");
    });
    let (code, text) = refused.await;
    assert_eq!(code, "AccessDeniedException");
    assert!(
        text.ends_with("with an explicit deny in an identity-based policy"),
        "{text}"
    );
}

#[tokio::test]
async fn users_have_what_their_groups_have_while_they_are_in_them() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (user, ann) = h.user("ann", Role::User).await;
    let group = h
        .service
        .create_group(&operator, "staff".parse().expect("a name"))
        .await
        .expect("creates")
        .arn;
    put_policy(&h, group.as_str(), EVERYTHING).await;
    let random = || GenerateRandomRequest { number_of_bytes: 1 };
    assert_eq!(
        refusal(h.service.generate_random(&ann, random()).await).0,
        "AccessDeniedException"
    );
    for _ in 0..2 {
        let joined = h
            .service
            .set_group_membership(&operator, group.clone(), user.clone(), true);
        joined.await.expect("joins");
    }
    h.service.generate_random(&ann, random()).await.expect("draws");
    assert_eq!(
        h.last_event()["additionalEventData"]["decidedBy"][0]["policy"],
        "identity policy group staff/p"
    );
    assert_eq!(h.service.list_groups(&operator).await.expect("lists")[0].members, 1);
    assert_eq!(
        refusal(h.service.delete_group(&operator, group.clone()).await).0,
        "KMSInvalidStateException"
    );
    let left = h
        .service
        .set_group_membership(&operator, group.clone(), user.clone(), false);
    left.await.expect("leaves");
    assert_eq!(
        refusal(h.service.generate_random(&ann, random()).await).0,
        "AccessDeniedException"
    );
    let joined = h
        .service
        .set_group_membership(&operator, group.clone(), user.clone(), true);
    joined.await.expect("joins");
    h.service.delete_principal(&operator, user).await.expect("deletes");
    h.service.delete_group(&operator, group).await.expect("deletes");
    h.verify();
}

#[tokio::test]
async fn roles_are_made_by_administrators_and_have_trust_policies_that_parse() {
    let h = Harness::new().await;
    let (_, ann) = h.user("ann", Role::Auditor).await;
    let request = |trust: &str, seconds| CreateRoleRequest {
        name: "app".parse().expect("a name"),
        trust_policy: trust.to_owned(),
        max_session_seconds: seconds,
    };
    let operator = h.operator();
    let denied = h.service.create_role(&ann, request(TRUSTS_THE_ACCOUNT, 3_600)).await;
    assert_eq!(refusal(denied).0, "AccessDeniedException");
    let malformed = h.service.create_role(&operator, request(EVERYTHING, 3_600)).await;
    assert_eq!(refusal(malformed).0, "MalformedPolicyDocumentException");
    for seconds in [3_599, 43_201] {
        let refused = h
            .service
            .create_role(&operator, request(TRUSTS_THE_ACCOUNT, seconds))
            .await;
        assert_eq!(refusal(refused).0, "ValidationException");
    }
    let made = h
        .service
        .create_role(&operator, request(TRUSTS_THE_ACCOUNT, 3_600))
        .await
        .expect("creates");
    assert_eq!(made.id.len(), 21);
    let again = h
        .service
        .create_role(&operator, request(TRUSTS_THE_ACCOUNT, 3_600))
        .await;
    assert_eq!(refusal(again).0, "AlreadyExistsException");
    assert_eq!(h.service.list_roles(&ann).await.expect("lists"), [made]);
    let put = h
        .service
        .put_trust_policy(&operator, arn(ROLE), EVERYTHING.to_owned())
        .await;
    assert_eq!(refusal(put).0, "MalformedPolicyDocumentException");
    h.verify();
}

#[tokio::test]
async fn a_role_is_explained_as_its_sessions_are_answered() {
    let h = Harness::new().await;
    let only_tenant_a = r#"{"Version":"2012-10-17","Statement":{"Sid":"TenantA","Effect":"Allow","Action":"kms:Encrypt","Resource":"*",
        "Condition":{"StringEquals":{"kms:EncryptionContext:tenant":"a","aws:PrincipalTag/team":"red"}}}}"#;
    role(&h, TRUSTS_THE_ACCOUNT, only_tenant_a).await;
    let key = h.key().await;
    let explain = async || {
        let request = ExplainRequest {
            principal: arn(ROLE),
            action: "kms:Encrypt".to_owned(),
            resource: ExplainedResource::Key(key.key_id.to_string()),
            encryption_context: context(&[("tenant", "a")]),
            parameters: serde_json::Map::new(),
            source_ip: None,
            secure_transport: true,
        };
        h.service.explain(&h.operator(), request).await.expect("explains")
    };
    let session = assume(&h, &h.admin().await, request()).await;
    let encrypts = async || h.service.encrypt(&session, encrypt_request(key.key_id.as_str())).await;
    let denied = explain().await;
    assert!(!denied.allowed && encrypts().await.is_err());
    h.service
        .tag_principal(&h.operator(), arn(ROLE), [("team".to_owned(), "red".to_owned())].into())
        .await
        .expect("tags");
    let allowed = explain().await;
    assert!(allowed.allowed && encrypts().await.is_ok());
    assert!(
        allowed.decided_by.iter().any(|by| by["sid"] == "TenantA"),
        "{:?}",
        allowed.decided_by
    );
    let nobody = ExplainRequest {
        principal: arn("arn:aws:iam::111122223333:role/nobody"),
        action: "kms:Encrypt".to_owned(),
        resource: ExplainedResource::Other("*".to_owned()),
        encryption_context: context(&[]),
        parameters: serde_json::Map::new(),
        source_ip: None,
        secure_transport: true,
    };
    assert_eq!(
        refusal(h.service.explain(&h.operator(), nobody).await).0,
        "NotFoundException"
    );
}
