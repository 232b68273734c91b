use std::time::Duration;

use bulla_crypto::Context;
use bulla_kms::KeyProvider;
use bulla_kms::KmsErrorKind::{AccessDenied, Throttled, Unavailable};
use bulla_kms_aws::{AssumeRole, AwsConfig, AwsProvider};

use crate::fake_aws::{Answer, FakeAws, KEY, sts_error, working, works};

const ROLE: &str = "arn:aws:iam::123456789012:role/first";
const NEXT: &str = "arn:aws:iam::210987654321:role/next";

fn two_roles() -> Vec<AssumeRole> {
    let first = AssumeRole {
        external_id: Some("ticket-4711".to_owned()),
        session_name: "bulla@host".to_owned(),
        duration: Duration::from_secs(7200),
        ..AssumeRole::new(ROLE)
    };
    vec![first, AssumeRole::new(NEXT)]
}

#[tokio::test]
async fn roles_are_assumed_in_a_chain_with_everything_that_was_configured() {
    let aws = FakeAws::start(working(KEY)).await;
    let config = AwsConfig {
        roles: two_roles(),
        ..aws.config()
    };
    let provider = AwsProvider::connect(&config).await.unwrap();
    assert!(aws.seen().is_empty(), "nothing is asked before it is needed");
    provider.generate_data_key(KEY, &Context::empty()).await.unwrap();

    assert_eq!(aws.operations(), ["AssumeRole", "AssumeRole", "GenerateDataKey"]);
    let [first, next, kms] = &aws.seen()[..] else {
        panic!("three requests")
    };
    assert_eq!(first.form("RoleArn").as_deref(), Some(ROLE));
    assert_eq!(first.form("ExternalId").as_deref(), Some("ticket-4711"));
    assert_eq!(first.form("RoleSessionName").as_deref(), Some("bulla@host"));
    assert_eq!(first.form("DurationSeconds").as_deref(), Some("7200"));
    assert_eq!(first.access_key(), "AKIDBASE");
    assert_eq!(next.form("RoleArn").as_deref(), Some(NEXT));
    assert_eq!(next.form("ExternalId"), None);
    assert_eq!(next.form("RoleSessionName").as_deref(), Some("bulla"));
    assert_eq!(next.form("DurationSeconds").as_deref(), Some("3600"));
    assert_eq!(
        (next.access_key().as_str(), next.header("x-amz-security-token")),
        ("ASIA0", "token-0")
    );
    assert_eq!(
        (kms.access_key().as_str(), kms.header("x-amz-security-token")),
        ("ASIA1", "token-1")
    );
}

#[tokio::test]
async fn a_session_serves_many_calls() {
    let aws = FakeAws::start(working(KEY)).await;
    let config = AwsConfig {
        roles: vec![AssumeRole::new(ROLE)],
        ..aws.config()
    };
    let provider = AwsProvider::connect(&config).await.unwrap();
    for _ in 0..5 {
        provider.unwrap(KEY, b"wrapped", &Context::empty()).await.unwrap();
    }
    // Another region shares the session.
    let there = KEY.replace("eu-west-1", "us-east-1");
    let _ = provider.describe(&there).await;
    assert_eq!(
        aws.operations()
            .iter()
            .filter(|operation| *operation == "AssumeRole")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_session_near_its_end_is_renewed_before_the_next_call() {
    // A session that the fake ends in 2099 is always nearer to its end than a margin of a hundred years.
    let aws = FakeAws::start(|request| works(request, KEY, "2099-01-01T00:00:00Z")).await;
    let config = AwsConfig {
        roles: vec![AssumeRole::new(ROLE)],
        session_renewal_margin: Duration::from_secs(100 * 365 * 86_400),
        ..aws.config()
    };
    let provider = AwsProvider::connect(&config).await.unwrap();
    for _ in 0..2 {
        provider.unwrap(KEY, b"wrapped", &Context::empty()).await.unwrap();
    }
    assert_eq!(aws.operations(), ["AssumeRole", "Decrypt", "AssumeRole", "Decrypt"]);
    assert_eq!(
        aws.seen()[3].access_key(),
        "ASIA2",
        "the second call uses the new session"
    );
}

#[tokio::test]
async fn a_role_that_is_refused_is_access_denied_with_what_sts_said() {
    for (answer, kind) in [
        (|| sts_error(403, "AccessDenied"), AccessDenied),
        (|| sts_error(403, "ExpiredToken"), AccessDenied),
        (|| sts_error(400, "Throttling"), Throttled),
        (|| Answer::Text(503, String::new()), Unavailable),
    ] as [(fn() -> Answer, _); 4]
    {
        let aws = FakeAws::start(move |_| answer()).await;
        let config = AwsConfig {
            roles: vec![AssumeRole::new(ROLE)],
            ..aws.config()
        };
        let provider = AwsProvider::connect(&config).await.unwrap();
        let error = provider.generate_data_key(KEY, &Context::empty()).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error:?}");
        assert_eq!(aws.operations()[0], "AssumeRole");
    }
}

#[tokio::test]
async fn instances_differ_by_everything_that_decides_what_a_key_name_means() {
    let aws = FakeAws::start(working(KEY)).await;
    let plain = aws.config();
    let other = crate::fake_aws::config("http://127.0.0.1:1");
    let role = AwsConfig {
        roles: vec![AssumeRole::new(ROLE)],
        ..aws.config()
    };
    let region = AwsConfig {
        regions: vec![bulla_kms_aws::AwsRegion::parse("us-east-1").unwrap()],
        ..aws.config()
    };
    let profile = AwsConfig {
        profile: Some("work".to_owned()),
        ..aws.config()
    };
    let mut instances = std::collections::BTreeSet::new();
    for config in [&plain, &other, &role, &region, &profile] {
        instances.insert(AwsProvider::connect(config).await.unwrap().instance().to_owned());
    }
    assert_eq!(instances.len(), 5, "{instances:?}");
    assert_eq!(
        AwsProvider::connect(&plain).await.unwrap().instance(),
        AwsProvider::connect(&aws.config()).await.unwrap().instance()
    );
}
