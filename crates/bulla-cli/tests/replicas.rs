//! One key in two regions of one service: the AWS provider opens with whichever replica answers, and every account opens its own only.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use bulla_crypto::Context;
use bulla_kms::KmsErrorKind::{AccessDenied, KeyDisabled, Unavailable};
use bulla_kms::{GeneratedDataKey, KeyProvider as _};
use bulla_kms_aws::{AwsConfig, AwsProvider, AwsRegion, NewKey, StaticCredentials};
use bulla_testkit::BullaProcess;
use support::{BULLA, Credentials, bulla, init};

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";

/// A provider whose regions are at these endpoints.
async fn provider(credentials: &Credentials, regions: &[(&str, &str)]) -> AwsProvider {
    let region = |(name, endpoint): &(&str, &str)| AwsRegion {
        name: (*name).to_owned(),
        endpoint_url: Some((*endpoint).to_owned()),
    };
    let config = AwsConfig {
        regions: regions.iter().map(region).collect(),
        credentials: Some(StaticCredentials::new(
            &credentials.access_key_id,
            &credentials.secret_access_key,
            None,
        )),
        max_attempts: 1,
        region_penalty: Duration::ZERO,
        ..AwsConfig::default()
    };
    AwsProvider::connect(&config).await.expect("a provider")
}

/// Makes a key in the first of the provider's regions with a replica in the other, and gives its ARNs.
async fn replicated(provider: &AwsProvider, alias: &str) -> (String, String) {
    let new = NewKey {
        multi_region: true,
        replica_regions: vec![EU.to_owned()],
        alias: Some(alias.to_owned()),
        ..NewKey::default()
    };
    let mut made = provider.create(&new).await.expect("a key and its replica");
    (made.arn, made.replicas.pop().expect("a replica"))
}

fn context() -> Context {
    Context::from_pairs([("tenant", "a")]).expect("a context")
}

async fn sealed(provider: &AwsProvider, key: &str) -> GeneratedDataKey {
    provider.generate_data_key(key, &context()).await.expect("a data key")
}

async fn opens(provider: &AwsProvider, key: &str, sealed: &GeneratedDataKey) {
    let opened = provider.unwrap(key, &sealed.wrapped.bytes, &context()).await;
    assert_eq!(
        opened.expect("it opens").expose_secret(),
        sealed.data_key.expose_secret()
    );
}

/// An address where nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn node_of(data: &Path, region: &str) -> BullaProcess {
    let command = BullaProcess::production_command(BULLA, data).env("BULLA_SERVER__REGIONS", region);
    BullaProcess::start(&command).expect("it starts")
}

#[tokio::test]
async fn what_a_region_sealed_opens_in_the_other_while_its_own_is_down() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    // A service of two regions makes the key; then each region has a process of its own.
    let both = BullaProcess::production(BULLA, &data).expect("it starts");
    let everywhere = provider(&credentials, &[(US, both.endpoint()), (EU, both.endpoint())]).await;
    let (primary, replica) = replicated(&everywhere, "alias/app").await;
    assert!(
        primary.contains(US) && replica == primary.replace(US, EU),
        "{primary} {replica}"
    );
    let before = sealed(&everywhere, &primary).await;
    assert_eq!(before.wrapped.key, format!("aws-kms://{primary}"));
    both.stop().expect("it stops by itself");

    let (us, eu) = (node_of(&data, US), node_of(&data, EU));
    let us_endpoint = us.endpoint().to_owned();
    let regions = [(US, us_endpoint.as_str()), (EU, eu.endpoint())];
    let kms = provider(&credentials, &regions).await;
    opens(&kms, &primary, &before).await;
    // Where an alias leads, its own region has to have said once.
    opens(&kms, "alias/app", &before).await;
    us.kill9();
    for key in [primary.as_str(), "alias/app"] {
        opens(&kms, key, &before).await;
        let meanwhile = sealed(&kms, key).await;
        assert_eq!(
            meanwhile.wrapped.key,
            format!("aws-kms://{replica}"),
            "the key that answered"
        );
        opens(&kms, key, &meanwhile).await;
    }
    assert_eq!(
        kms.describe(&primary).await.expect("described").key,
        format!("aws-kms://{replica}")
    );
    let meanwhile = sealed(&kms, &primary).await;

    // Its own region is back, and the other is down.
    let us = node_of(&data, US);
    let eu_endpoint = eu.endpoint().to_owned();
    eu.kill9();
    let kms = provider(&credentials, &[(US, us.endpoint()), (EU, &eu_endpoint)]).await;
    for sealed in [&before, &meanwhile] {
        opens(&kms, &primary, sealed).await;
        opens(&kms, &replica, sealed).await;
    }
    // Both are down: an outage, and no other error.
    let nowhere = nobody();
    let kms = provider(&credentials, &[(US, &nowhere), (EU, &nowhere)]).await;
    let error = kms.unwrap(&primary, &before.wrapped.bytes, &context()).await;
    assert_eq!(error.expect_err("an outage").kind, Unavailable);
    us.stop().expect("it stops by itself");
    let verified = bulla([
        "audit".as_ref(),
        "verify".as_ref(),
        "--data-dir".as_ref(),
        data.as_os_str(),
    ]);
    assert!(verified.succeeded(), "{verified:?}");
}

#[tokio::test]
async fn what_the_keys_own_region_says_is_final_while_it_answers() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let everywhere = provider(&credentials, &[(US, server.endpoint()), (EU, server.endpoint())]).await;
    let (primary, replica) = replicated(&everywhere, "alias/app").await;
    let sealed_key = sealed(&everywhere, &primary).await;
    let credentials_env = [
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.as_str()),
        ("AWS_REGION", US),
        ("BULLA_ENDPOINT", server.endpoint()),
    ];
    let mut disable = bulla_testkit::BullaCommand::new(BULLA).args(["key", "disable", &primary]);
    for (name, value) in credentials_env {
        disable = disable.env(name, value);
    }
    assert!(disable.run().expect("bulla runs").succeeded());
    let refused = everywhere.unwrap(&primary, &sealed_key.wrapped.bytes, &context()).await;
    assert_eq!(refused.expect_err("disabled").kind, KeyDisabled);
    // The replica is a key of its own.
    opens(&everywhere, &replica, &sealed_key).await;
    // A key of one region is asked for nowhere else.
    let single = everywhere.create(&NewKey::default()).await.expect("a key").arn;
    let of_single = sealed(&everywhere, &single).await;
    let kms = provider(&credentials, &[(US, &nobody()), (EU, server.endpoint())]).await;
    let error = kms.unwrap(&single, &of_single.wrapped.bytes, &context()).await;
    assert_eq!(error.expect_err("an outage").kind, Unavailable);
    server.stop().expect("it stops by itself");
}

#[tokio::test]
async fn every_account_and_every_region_of_one_service_opens_its_own() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let first = init(&data, &[]);
    let second = administrator_of(&data, "444455556666");
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let regions = [(US, server.endpoint()), (EU, server.endpoint())];
    let mut all = Vec::new();
    for credentials in [&first, &second] {
        let kms = provider(credentials, &regions).await;
        // One alias in both accounts and both regions: four keys, two of them one multi-Region key in each account.
        let (primary, replica) = replicated(&kms, "alias/app").await;
        let sealed = sealed(&kms, "alias/app").await;
        opens(&kms, &replica, &sealed).await;
        all.push((kms, primary, sealed));
    }
    assert!(all[1].1.contains(":444455556666:"), "{}", all[1].1);
    for (at, (kms, own, own_sealed)) in all.iter().enumerate() {
        opens(kms, own, own_sealed).await;
        let (_, other, other_sealed) = &all[1 - at];
        for key in [other.as_str(), "alias/app"] {
            let refused = kms.unwrap(key, &other_sealed.wrapped.bytes, &context()).await;
            let kind = refused.expect_err("another account's").kind;
            assert!(kind == AccessDenied || key == "alias/app", "{kind:?}");
        }
    }
    server.stop().expect("it stops by itself");
}

/// Makes an administrator of another account.
fn administrator_of(data: &Path, account: &str) -> Credentials {
    let created = bulla([
        "principal",
        "create",
        "root",
        "--role",
        "admin",
        "--account",
        account,
        "--output",
        "json",
        "--data-dir",
        data.to_str().expect("UTF-8"),
    ]);
    assert!(created.succeeded(), "{created:?}");
    let made: serde_json::Value = serde_json::from_slice(&created.stdout).expect("JSON");
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    }
}
