use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::record::Record;
use bulla_crypto::{Context, SystemRandom};
use bulla_envelope::{AccessRecord, Sealer};
use bulla_kms::KeyProvider;
use bulla_kms::KmsErrorKind::{AccessDenied, Unavailable, WrongContext};
use bulla_kms_aws::{AwsConfig, AwsProvider, AwsRegion};
use tokio::time::timeout;

use crate::fake_aws::{Answer, FakeAws, KEY, Seen, kms_error, working};

const HERE: &str = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab";
const THERE: &str = "arn:aws:kms:us-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab";

fn at(name: &str, aws: &FakeAws) -> AwsRegion {
    AwsRegion {
        name: name.to_owned(),
        endpoint_url: Some(aws.url.clone()),
    }
}

async fn two_regions(here: &FakeAws, there: &FakeAws) -> AwsProvider {
    let regions = vec![at("eu-west-1", here), at("us-east-1", there)];
    AwsProvider::connect(&AwsConfig {
        regions,
        ..here.config()
    })
    .await
    .unwrap()
}

async fn down() -> FakeAws {
    FakeAws::start(|_| Answer::Text(503, String::new())).await
}

#[tokio::test]
async fn a_replica_serves_while_its_region_fails() {
    let (here, there) = (down().await, FakeAws::start(working(THERE)).await);
    let provider = two_regions(&here, &there).await;
    let context = Context::empty();
    let generated = provider.generate_data_key(HERE, &context).await.unwrap();
    assert_eq!(
        generated.wrapped.key,
        format!("aws-kms://{THERE}"),
        "the key that answered, in full"
    );
    assert_eq!(
        there.seen()[0].json()["KeyId"],
        THERE,
        "a region is asked for its own replica"
    );
    provider.unwrap(HERE, b"wrapped", &context).await.unwrap();
    assert_eq!(provider.describe(HERE).await.unwrap().key, format!("aws-kms://{THERE}"));
}

#[tokio::test]
async fn a_region_that_failed_is_tried_last_for_a_while() {
    let (here, there) = (down().await, FakeAws::start(working(THERE)).await);
    let provider = two_regions(&here, &there).await;
    for _ in 0..5 {
        provider.generate_data_key(HERE, &Context::empty()).await.unwrap();
    }
    assert_eq!((here.seen().len(), there.seen().len()), (1, 5));
}

#[tokio::test]
async fn the_keys_own_region_has_the_last_word_while_it_is_tried_last() {
    let failing_once = |seen: &Seen| {
        if seen.nth == 0 {
            Answer::Text(503, String::new())
        } else {
            working(HERE)(seen)
        }
    };
    let here = FakeAws::start(failing_once).await;
    let there = FakeAws::start(|_| kms_error("NotFoundException")).await;
    let provider = two_regions(&here, &there).await;
    let error = provider.generate_data_key(HERE, &Context::empty()).await.unwrap_err();
    assert_eq!(error.kind, Unavailable);
    let told = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        told.contains("HTTP 503") && told.contains("us-east-1: NotFoundException"),
        "{told}"
    );
    let generated = provider.generate_data_key(HERE, &Context::empty()).await.unwrap();
    assert_eq!(generated.wrapped.key, format!("aws-kms://{HERE}"));
    assert_eq!((here.seen().len(), there.seen().len()), (2, 2));
}

#[tokio::test]
async fn a_region_is_tried_again_after_its_penalty() {
    let (here, there) = (down().await, FakeAws::start(working(THERE)).await);
    let config = AwsConfig {
        regions: vec![at("eu-west-1", &here), at("us-east-1", &there)],
        region_penalty: std::time::Duration::ZERO,
        ..here.config()
    };
    let provider = AwsProvider::connect(&config).await.unwrap();
    for _ in 0..3 {
        provider.generate_data_key(HERE, &Context::empty()).await.unwrap();
    }
    assert_eq!((here.seen().len(), there.seen().len()), (3, 3));
}

#[tokio::test]
async fn an_answer_that_is_no_outage_is_final() {
    let (here, there) = (
        FakeAws::start(|_| kms_error("AccessDeniedException")).await,
        FakeAws::start(working(THERE)).await,
    );
    let provider = two_regions(&here, &there).await;
    let error = provider.generate_data_key(HERE, &Context::empty()).await.unwrap_err();
    assert_eq!(error.kind, AccessDenied);
    assert!(there.seen().is_empty());
}

#[tokio::test]
async fn throttling_also_leads_to_the_next_region() {
    let (here, there) = (
        FakeAws::start(|_| kms_error("ThrottlingException")).await,
        FakeAws::start(working(THERE)).await,
    );
    two_regions(&here, &there)
        .await
        .generate_data_key(HERE, &Context::empty())
        .await
        .unwrap();
}

#[tokio::test]
async fn what_a_replica_says_of_the_context_is_final_and_of_itself_is_not() {
    let wrong = FakeAws::start(|_| kms_error("InvalidCiphertextException")).await;
    let error = two_regions(&down().await, &wrong)
        .await
        .unwrap(HERE, b"wrapped", &Context::empty())
        .await
        .unwrap_err();
    assert_eq!(error.kind, WrongContext);
    for code in ["NotFoundException", "DisabledException", "AccessDeniedException"] {
        let there = FakeAws::start(move |_| kms_error(code)).await;
        let provider = two_regions(&down().await, &there).await;
        let error = provider.unwrap(HERE, b"wrapped", &Context::empty()).await.unwrap_err();
        assert_eq!(
            error.kind, Unavailable,
            "{code} of a replica does not speak for the key"
        );
    }
}

#[tokio::test]
async fn a_single_region_key_is_asked_for_nowhere_else() {
    let (here, there) = (down().await, FakeAws::start(working(KEY)).await);
    let error = two_regions(&here, &there)
        .await
        .generate_data_key(KEY, &Context::empty())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Unavailable);
    assert!(there.seen().is_empty());
}

#[tokio::test]
async fn an_arn_is_asked_for_in_its_own_region() {
    let aws = FakeAws::start(working(&KEY.replace("eu-west-1", "ap-south-1"))).await;
    let provider = AwsProvider::connect(&aws.config()).await.unwrap();
    provider
        .generate_data_key(&KEY.replace("eu-west-1", "ap-south-1"), &Context::empty())
        .await
        .unwrap();
    assert!(aws.seen()[0].header("authorization").contains("/ap-south-1/kms/"));
}

#[tokio::test(start_paused = true)]
async fn a_sealer_with_default_times_reaches_the_replica_while_the_keys_own_region_hangs() {
    let here = FakeAws::start(|_| Answer::Hang).await;
    let there = FakeAws::start(working(THERE)).await;
    let config = AwsConfig {
        regions: vec![at("eu-west-1", &here), at("us-east-1", &there)],
        credentials: here.config().credentials,
        ..AwsConfig::default()
    };
    let provider = Arc::new(AwsProvider::connect(&config).await.unwrap());
    let sealer = Sealer::builder(provider, HERE, AccessRecord::Unrecorded, Arc::new(SystemRandom))
        .build()
        .unwrap();
    let record = sealer.seal(&Context::empty(), b"row", b"value").await.unwrap();
    assert_eq!(Record::parse(&record).unwrap().key(), format!("aws-kms://{THERE}"));
}

#[tokio::test(start_paused = true)]
async fn a_region_is_tried_last_when_its_caller_had_no_more_patience() {
    let (here, there) = (
        FakeAws::start(|_| Answer::Hang).await,
        FakeAws::start(working(THERE)).await,
    );
    let provider = two_regions(&here, &there).await;
    let context = Context::empty();
    let first = timeout(Duration::from_secs(1), provider.generate_data_key(HERE, &context)).await;
    assert!(
        first.is_err(),
        "the call was given up before any of the provider's own times"
    );
    let second = timeout(Duration::from_secs(1), provider.generate_data_key(HERE, &context)).await;
    second.expect("the replica answers at once").unwrap();
    assert_eq!((here.seen().len(), there.seen().len()), (1, 1));
}

#[tokio::test]
async fn an_alias_leads_elsewhere_only_to_a_replica_of_its_key_at_home() {
    let failing_later = |seen: &Seen| match seen.nth {
        0 => working(HERE)(seen),
        _ => Answer::Text(503, String::new()),
    };
    let unrelated = THERE.replace("mrk-1234", "mrk-9999");
    for (answers, expected) in [
        (THERE, Ok(format!("aws-kms://{THERE}"))),
        (&*unrelated, Err(Unavailable)),
    ] {
        let (here, there) = (
            FakeAws::start(failing_later).await,
            FakeAws::start(working(answers)).await,
        );
        let provider = two_regions(&here, &there).await;
        let generate = async || {
            let generated = provider.generate_data_key("alias/app", &Context::empty()).await;
            generated
                .map(|generated| generated.wrapped.key)
                .map_err(|error| error.kind)
        };
        assert_eq!(generate().await, Ok(format!("aws-kms://{HERE}")));
        assert_eq!(generate().await, expected);
        assert_eq!(
            there.seen()[0].json()["KeyId"],
            THERE,
            "asked for the replica, not for an alias there"
        );
    }
}

#[tokio::test]
async fn where_an_alias_leads_is_asked_of_no_other_region_before_home_has_said_it() {
    let there = FakeAws::start(working(THERE)).await;
    let provider = two_regions(&down().await, &there).await;
    let error = provider
        .generate_data_key("alias/app", &Context::empty())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Unavailable);
    assert!(there.seen().is_empty());
}
