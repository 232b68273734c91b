//! Roles, temporary credentials and tokens of an OIDC issuer, against the whole program.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bulla_crypto::Context;
use bulla_kms::KeyProvider as _;
use bulla_kms_aws::{AssumeRole, AwsConfig, AwsProvider, AwsRegion, StaticCredentials};
use bulla_testkit::BullaProcess;
use serde_json::{Value, json};
use support::{BULLA, Credentials, bulla, client_script, in_venv, init};
use tempfile::TempDir;

/// An issuer of tokens, until it is dropped.
struct OidcIssuer {
    process: Child,
    url: String,
}

impl OidcIssuer {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oidc_issuer.py");
        let mut process = Command::new(in_venv("python3"))
            .arg(script)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut url).expect("it says its URL");
        Self {
            process,
            url: url.trim().to_owned(),
        }
    }

    fn host_and_path(&self) -> &str {
        self.url.split_once("://").expect("a URL").1
    }
}

impl Drop for OidcIssuer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A production service that believes the issuer, with the role `app`.
struct Site {
    dir: TempDir,
    credentials: Credentials,
    account: String,
}

impl Site {
    fn new(issuer: &OidcIssuer) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = dir.path().join("data");
        let credentials = init(&data, &[]);
        let site = Self {
            account: account(&data),
            dir,
            credentials,
        };
        let settings = data.join("bulla.toml");
        let mut text = fs::read_to_string(&settings).unwrap_or_default();
        text.push_str(&format!(
            "\n[[oidc.issuers]]\nurl = \"{}\"\naudiences = [\"sts.amazonaws.com\"]\n",
            issuer.url
        ));
        fs::write(&settings, text).expect("written");
        let host = issuer.host_and_path();
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": site.account}, "Action": ["sts:AssumeRole", "sts:TagSession"],
             "Condition": {"StringEquals": {"sts:ExternalId": "7-of-9"}}},
            {"Effect": "Allow", "Principal": {"Federated": format!("arn:aws:iam::{}:oidc-provider/{host}", site.account)},
             "Action": "sts:AssumeRoleWithWebIdentity",
             "Condition": {"StringEquals": {format!("{host}:aud"): "sts.amazonaws.com"},
                           "StringLike": {format!("{host}:sub"): "system:serviceaccount:prod:*"}}},
        ]});
        let everything =
            json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
        let (trust, everything) = (
            site.file("trust.json", &trust),
            site.file("everything.json", &everything),
        );
        site.principal(&["role", "create", "app", "--trust-policy", &trust]);
        site.principal(&["put-policy", "app", "all", "--of", "role", "--document", &everything]);
        site
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn file(&self, name: &str, content: &Value) -> String {
        let path = self.dir.path().join(name);
        fs::write(&path, content.to_string()).expect("written");
        path.display().to_string()
    }

    fn principal(&self, arguments: &[&str]) -> String {
        principal(&self.data(), arguments)
    }
}

fn principal(data: &Path, arguments: &[&str]) -> String {
    let data = data.display().to_string();
    let finished = bulla(
        ["principal"]
            .iter()
            .chain(arguments)
            .copied()
            .chain(["--data-dir", &data]),
    );
    assert!(finished.succeeded(), "{finished:?}");
    finished.stdout_text()
}

/// The account, from the ARN of a user of it.
fn account(data: &Path) -> String {
    let listed: Value = serde_json::from_str(&principal(data, &["list", "--output", "json"])).expect("JSON");
    let arn = listed["Principals"][0]["Arn"].as_str().expect("an ARN");
    arn.split(':').nth(4).expect("an account").to_owned()
}

#[test]
fn boto3_assumes_roles_by_signature_and_by_token_and_meets_awss_errors() {
    let issuer = OidcIssuer::start();
    let site = Site::new(&issuer);
    let server = BullaProcess::production(BULLA, site.data()).expect("it starts");
    client_script(
        "boto3_sts.py",
        &[
            server.endpoint(),
            &site.credentials.access_key_id,
            &site.credentials.secret_access_key,
            &issuer.url,
            &site.account,
        ],
    );
    server.stop().expect("it stops by itself");
    let verified = bulla(["audit", "verify", "--data-dir", &site.data().display().to_string()]);
    assert!(verified.succeeded(), "{verified:?}");
}

#[test]
fn the_aws_cli_works_with_a_token_file_and_no_key() {
    let issuer = OidcIssuer::start();
    let site = Site::new(&issuer);
    let server = BullaProcess::production(BULLA, site.data()).expect("it starts");
    let token = site.dir.path().join("token");
    let minted = Command::new(in_venv("python3"))
        .args([
            "-c",
            "import json,sys,urllib.request as u; print(json.load(u.urlopen(sys.argv[1], data=b'{}'))['token'])",
            &issuer.url.replace("/issuer", "/mint"),
        ])
        .output()
        .expect("python runs");
    fs::write(&token, String::from_utf8_lossy(&minted.stdout).trim()).expect("written");
    let run = |arguments: &[&str]| {
        let aws = in_venv("aws");
        let output = Command::new(&aws)
            .args(arguments)
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", aws.parent().expect("a directory").display()),
            )
            .env("HOME", site.dir.path())
            .env("AWS_ENDPOINT_URL", server.endpoint())
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_DEFAULT_REGION", "eu-west-1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ROLE_ARN", format!("arn:aws:iam::{}:role/app", site.account))
            .env("AWS_ROLE_SESSION_NAME", "pod-7")
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
            .output()
            .expect("aws runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{text}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    };
    let identity: Value = serde_json::from_str(&run(&["sts", "get-caller-identity"])).expect("JSON");
    let expected = format!("arn:aws:sts::{}:assumed-role/app/pod-7", site.account);
    assert_eq!(identity["Arn"], expected.as_str());
    run(&["kms", "create-key"]);
    server.stop().expect("it stops by itself");
}

#[tokio::test]
async fn the_provider_of_aws_assumes_its_roles_here() {
    let issuer = OidcIssuer::start();
    let site = Site::new(&issuer);
    let server = BullaProcess::production(BULLA, site.data()).expect("it starts");
    let (id, secret) = (&site.credentials.access_key_id, &site.credentials.secret_access_key);
    let admin = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new("eu-west-1"))
        .endpoint_url(server.endpoint())
        .credentials_provider(aws_sdk_kms::config::Credentials::new(id, secret, None, None, "test"));
    let made = aws_sdk_kms::Client::from_conf(admin.build()).create_key().send().await;
    let arn = made
        .expect("creates")
        .key_metadata
        .and_then(|key| key.arn)
        .expect("an ARN");
    let config = |external_id: &str| {
        let mut role = AssumeRole::new(format!("arn:aws:iam::{}:role/app", site.account));
        role.external_id = Some(external_id.to_owned());
        AwsConfig {
            endpoint_url: Some(server.endpoint().to_owned()),
            regions: vec![AwsRegion::parse("eu-west-1").expect("a region")],
            credentials: Some(StaticCredentials::new(id.as_str(), secret.as_str(), None)),
            roles: vec![role],
            ..AwsConfig::default()
        }
    };
    let context = Context::from_pairs([("tenant", "a")]).expect("a context");
    let provider = AwsProvider::connect(&config("7-of-9")).await.expect("connects");
    provider.generate_data_key(&arn, &context).await.expect("generates");
    let other = AwsProvider::connect(&config("8-of-9")).await.expect("connects");
    other.generate_data_key(&arn, &context).await.expect_err("is refused");
    server.stop().expect("it stops by itself");
}
