//! AWS's credential chain as it is in a process of its own: each test runs itself again in a child with an environment.

use std::path::Path;
use std::process::Command;

use bulla_crypto::Context;
use bulla_kms_aws::{AwsConfig, AwsProvider};
use serde_json::json;
use tempfile::TempDir;

use crate::fake_aws::{Answer, FakeAws, KEY, Seen, working};

const ROLE: &str = "arn:aws:iam::123456789012:role/pod";

/// In the child: probes, with the endpoint that the parent gave for the configuration, and tells what came of it.
#[expect(clippy::disallowed_methods, reason = "the environment is what is tested")]
#[expect(clippy::print_stdout, reason = "the parent reads it")]
async fn probed_in_child(key: &str) -> bool {
    let Ok(endpoint) = std::env::var("BULLA_TEST_CHILD_ENDPOINT") else {
        return false;
    };
    let endpoint_url = (!endpoint.is_empty()).then_some(endpoint);
    let provider = AwsProvider::connect(&AwsConfig {
        endpoint_url,
        max_attempts: 1,
        ..AwsConfig::default()
    })
    .await
    .unwrap();
    let told = match provider.probe(key, &Context::empty()).await {
        Ok(report) => format!("{report:?}"),
        Err(error) => format!("{error} caused by {:?}", error.fault),
    };
    println!("\nCHILD {told}");
    true
}

/// In the parent: runs the named test again with nothing in its environment but this.
async fn child(test: &str, endpoint: &str, home: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        &format!("environment::{test}"),
        "--nocapture",
        "--test-threads=1",
    ]);
    command
        .env_clear()
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
        .env("BULLA_TEST_CHILD_ENDPOINT", endpoint)
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let told = stdout.lines().find_map(|line| line.strip_prefix("CHILD "));
    assert!(
        told.is_some(),
        "the child told nothing: {stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    told.unwrap_or_default().to_owned()
}

fn home_with(files: &[(&str, &str)]) -> TempDir {
    let home = TempDir::new().unwrap();
    for (name, text) in files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    home
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_reaches_sts_at_the_configured_endpoint() {
    if probed_in_child("alias/app").await {
        return;
    }
    let aws = FakeAws::start(working(KEY)).await;
    let home = home_with(&[("token", "header.payload.signature")]);
    let token = home.path().join("token").to_str().unwrap().to_owned();
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "pod-1"),
    ];
    let told = child(
        "a_web_identity_reaches_sts_at_the_configured_endpoint",
        &aws.url,
        home.path(),
        &variables,
    )
    .await;
    assert!(told.contains(KEY), "{told}");
    let seen = aws.seen();
    assert_eq!(seen[0].operation(), "AssumeRoleWithWebIdentity");
    assert_eq!(seen[0].form("RoleArn").as_deref(), Some(ROLE));
    assert_eq!(seen[0].form("RoleSessionName").as_deref(), Some("pod-1"));
    assert_eq!(
        seen[0].form("WebIdentityToken").as_deref(),
        Some("header.payload.signature")
    );
    assert_eq!(
        seen[0].header("host"),
        "sts.eu-west-1.amazonaws.com",
        "the host that was meant"
    );
    assert!(seen[1..].iter().all(|request| request.access_key() == "ASIA0"));
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::disallowed_methods,
    reason = "scripts/test says by its environment where moto is"
)]
async fn a_web_identity_works_against_moto_by_setting_and_by_environment() {
    const TEST: &str = "a_web_identity_works_against_moto_by_setting_and_by_environment";
    // The probe gets past the credentials, and tells that moto has no such alias.
    if probed_in_child("alias/none").await {
        return;
    }
    let moto = std::env::var("BULLA_TEST_MOTO_URL").expect("this test needs moto: run ./scripts/test");
    let home = home_with(&[("token", "header.payload.signature")]);
    let token = home.path().join("token").to_str().unwrap().to_owned();
    let identity = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "pod-1"),
    ];
    let by_setting = child(TEST, &moto, home.path(), &identity).await;
    assert!(by_setting.contains("there is no such key in eu-west-1"), "{by_setting}");
    let by_environment = child(
        TEST,
        "",
        home.path(),
        &[&identity[..], &[("AWS_ENDPOINT_URL", &moto)]].concat(),
    )
    .await;
    assert!(
        by_environment.contains("there is no such key in eu-west-1"),
        "{by_environment}"
    );
    let by_service = [
        ("AWS_ENDPOINT_URL_KMS", moto.as_str()),
        ("AWS_ENDPOINT_URL_STS", moto.as_str()),
    ];
    let by_service = child(TEST, "", home.path(), &[&identity[..], &by_service[..]].concat()).await;
    assert!(by_service.contains("there is no such key in eu-west-1"), "{by_service}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_token_file_is_told_and_not_passed_over() {
    if probed_in_child("alias/app").await {
        return;
    }
    let aws = FakeAws::start(working(KEY)).await;
    let home = home_with(&[]);
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token"),
        ("AWS_ROLE_ARN", ROLE),
    ];
    let told = child(
        "a_missing_token_file_is_told_and_not_passed_over",
        &aws.url,
        home.path(),
        &variables,
    )
    .await;
    assert!(
        told.contains("credentials could not be obtained") && told.contains("No such file"),
        "{told}"
    );
    assert!(aws.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_of_a_profile_reaches_sts_at_the_configured_endpoint() {
    if probed_in_child("alias/app").await {
        return;
    }
    let aws = FakeAws::start(working(KEY)).await;
    let config = "[profile base]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n\
                  [profile work]\nregion = eu-west-1\nsource_profile = base\nrole_arn = arn:aws:iam::123456789012:role/pod\n\
                  external_id = ticket-4711\n";
    let home = home_with(&[(".aws/config", config)]);
    let test = "the_role_of_a_profile_reaches_sts_at_the_configured_endpoint";
    let told = child(test, &aws.url, home.path(), &[("AWS_PROFILE", "work")]).await;
    assert!(told.contains(KEY), "{told}");
    let first = &aws.seen()[0];
    assert_eq!(
        (first.operation().as_str(), first.access_key().as_str()),
        ("AssumeRole", "AKIDPROFILE")
    );
    assert_eq!(first.form("ExternalId").as_deref(), Some("ticket-4711"));
    assert!(
        first.header("authorization").contains("host"),
        "the signed host is the one that is sent"
    );
    assert_eq!(first.header("host"), "sts.eu-west-1.amazonaws.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_identity_gives_credentials_for_its_token() {
    if probed_in_child("alias/app").await {
        return;
    }
    let respond = |seen: &Seen| match seen.path.as_str() {
        "/v1/credentials" if seen.header("authorization") == "pod-token" => Answer::Json(
            200,
            json!({ "AccessKeyId": "ASIAPOD", "SecretAccessKey": "s", "Token": "pod-session",
                    "Expiration": "2099-01-01T00:00:00Z" }),
        ),
        "/v1/credentials" => Answer::Text(403, String::new()),
        _ => working(KEY)(seen),
    };
    let aws = FakeAws::start(respond).await;
    let home = home_with(&[("token", "pod-token")]);
    let token = home.path().join("token").to_str().unwrap().to_owned();
    let credentials = format!("{}/v1/credentials", aws.url);
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.as_str()),
    ];
    let told = child(
        "a_pod_identity_gives_credentials_for_its_token",
        &aws.url,
        home.path(),
        &variables,
    )
    .await;
    assert!(told.contains(KEY), "{told}");
    assert!(aws.seen()[1..].iter().all(|request| request.access_key() == "ASIAPOD"));
    assert_eq!(aws.seen()[1].header("x-amz-security-token"), "pod-session");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_gives_credentials_and_region_from_its_metadata() {
    if probed_in_child("alias/app").await {
        return;
    }
    let respond = |seen: &Seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("PUT", "/latest/api/token") => Answer::ImdsToken,
        ("GET", "/latest/meta-data/placement/region") => Answer::Text(200, "eu-west-1".to_owned()),
        ("GET", path) if path.ends_with("/bulla-role") => Answer::Json(
            200,
            json!({ "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAIMDS", "SecretAccessKey": "s",
                    "Token": "imds-session", "AccountId": "123456789012", "LastUpdated": "2026-01-01T00:00:00Z",
                    "Expiration": "2099-01-01T00:00:00Z" }),
        ),
        ("GET", path) if path.starts_with("/latest/meta-data/iam/") => Answer::Text(200, "bulla-role".to_owned()),
        _ => working(KEY)(seen),
    };
    let aws = FakeAws::start(respond).await;
    let home = home_with(&[]);
    let variables = [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", aws.url.as_str()),
        ("AWS_EC2_METADATA_DISABLED", "false"),
    ];
    let test = "an_instance_gives_credentials_and_region_from_its_metadata";
    let told = child(test, &aws.url, home.path(), &variables).await;
    assert!(told.contains(KEY), "{told}");
    let kms: Vec<_> = aws
        .seen()
        .into_iter()
        .filter(|request| request.operation() == "DescribeKey")
        .collect();
    assert_eq!(kms[0].access_key(), "ASIAIMDS");
    assert!(kms[0].header("authorization").contains("/eu-west-1/kms/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credentials_and_no_region_are_each_said() {
    const TEST: &str = "no_credentials_and_no_region_are_each_said";
    if probed_in_child("alias/app").await {
        return;
    }
    let aws = FakeAws::start(working(KEY)).await;
    let home = home_with(&[]);
    let told = child(TEST, &aws.url, home.path(), &[("AWS_REGION", "eu-west-1")]).await;
    assert!(told.contains("there are no credentials"), "{told}");
    let keys = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let told = child(TEST, &aws.url, home.path(), &keys).await;
    assert!(told.contains("no region is set"), "{told}");
    assert!(aws.seen().is_empty());
}
