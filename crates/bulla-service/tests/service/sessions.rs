//! Roles and their sessions: who may assume them, what they may then, and when they end.

use bulla_model::{PrincipalArn, Role};
use bulla_service::*;

use crate::harness::*;

pub(crate) const ROLE: &str = "arn:aws:iam::111122223333:role/app";
pub(crate) const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/pod-1";
pub(crate) const TRUSTS_THE_ACCOUNT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},
    "Action":["sts:AssumeRole","sts:TagSession"]}}"#;
pub(crate) const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

pub(crate) fn arn(text: &str) -> PrincipalArn {
    text.parse().expect("an ARN")
}

/// Makes the role `app` with a trust policy, and lets it do what `policy` says.
pub(crate) async fn role(h: &Harness, trust: &str, policy: &str) -> RoleDescription {
    let request = CreateRoleRequest {
        name: "app".parse().expect("a name"),
        trust_policy: trust.to_owned(),
        max_session_seconds: 7_200,
    };
    let role = h.service.create_role(&h.operator(), request).await.expect("creates");
    put_policy(h, ROLE, policy).await;
    role
}

pub(crate) async fn put_policy(h: &Harness, of: &str, policy: &str) {
    let operator = h.operator();
    let put = h
        .service
        .put_principal_policy(&operator, arn(of), "p".to_owned(), policy.to_owned());
    put.await.expect("puts");
}

pub(crate) fn request() -> AssumeRoleRequest {
    AssumeRoleRequest {
        role_arn: ROLE.to_owned(),
        role_session_name: "pod-1".to_owned(),
        ..AssumeRoleRequest::default()
    }
}

pub(crate) fn with_tags(tags: &[(&str, &str)], transitive: &[&str]) -> AssumeRoleRequest {
    AssumeRoleRequest {
        tags: tags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        transitive_tag_keys: transitive.iter().map(|key| (*key).to_owned()).collect(),
        ..request()
    }
}

pub(crate) fn signed(service: &Service, credentials: &SessionCredentials) -> Result<Option<Call>, ServiceError> {
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

pub(crate) async fn assume(h: &Harness, caller: &Call, request: AssumeRoleRequest) -> Call {
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
