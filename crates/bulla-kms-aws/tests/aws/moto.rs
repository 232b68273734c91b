//! What only an emulator with more than one region, and with an STS of its own, can show.

use aws_sdk_kms::Client;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region};
use bulla_crypto::Context;
use bulla_kms::KeyProvider;
use bulla_kms_aws::{AssumeRole, AwsConfig, AwsProvider, AwsRegion};

use crate::fake_aws::{Answer, FakeAws, config};

#[expect(
    clippy::disallowed_methods,
    reason = "scripts/test says by its environment where moto is"
)]
fn moto() -> String {
    std::env::var("BULLA_TEST_MOTO_URL").expect("this test needs moto: run ./scripts/test")
}

fn client(url: &str) -> Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("AKIDBASE", "a secret", None, None, "test"))
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .build();
    Client::from_conf(config)
}

// moto can't decrypt what any multi-Region key encrypted: its blob has room for 36 characters of an id of 40. So the replica
// is shown to make and to describe keys; unwrapping at a replica is shown in `regions.rs`.
#[tokio::test]
async fn a_replica_that_is_named_by_its_arn_serves_while_its_primary_is_down() {
    let (url, client) = (moto(), client(&moto()));
    let created = client
        .create_key()
        .multi_region(true)
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    // moto looks the id up here, and not the ARN.
    client
        .replicate_key()
        .key_id(&created.key_id)
        .replica_region("us-east-1")
        .send()
        .await
        .unwrap();
    let primary = created.arn.unwrap();
    let replica = primary.replace("eu-west-1", "us-east-1");

    let down = FakeAws::start(|_| Answer::Text(503, String::new())).await;
    let regions = vec![
        AwsRegion {
            name: "eu-west-1".to_owned(),
            endpoint_url: Some(down.url.clone()),
        },
        AwsRegion::parse(&replica).unwrap(),
    ];
    let provider = AwsProvider::connect(&AwsConfig {
        regions,
        ..config(&url)
    })
    .await
    .unwrap();
    let context = Context::from_pairs([("tenant", "a")]).unwrap();
    let generated = provider.generate_data_key(&primary, &context).await.unwrap();
    assert_eq!(generated.wrapped.key, format!("aws-kms://{replica}"));
    assert_eq!(
        provider.describe(&primary).await.unwrap().key,
        format!("aws-kms://{replica}")
    );
    assert_eq!(down.seen().len(), 1);
}

#[tokio::test]
async fn the_last_role_of_a_chain_is_who_asks() {
    let (url, client) = (moto(), client(&moto()));
    let key = client
        .create_key()
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap()
        .arn
        .unwrap();
    let last = AssumeRole {
        session_name: "bulla-1".to_owned(),
        ..AssumeRole::new("arn:aws:iam::123456789012:role/last")
    };
    let roles = vec![AssumeRole::new("arn:aws:iam::123456789012:role/first"), last];
    let provider = AwsProvider::connect(&AwsConfig { roles, ..config(&url) })
        .await
        .unwrap();
    let report = provider.probe(&key, &Context::empty()).await.unwrap();
    assert_eq!(
        report.caller_arn.as_deref(),
        Some("arn:aws:sts::123456789012:assumed-role/last/bulla-1")
    );
    assert_eq!(report.key_arn, key);
}
