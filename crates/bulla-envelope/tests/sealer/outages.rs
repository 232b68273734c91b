use bulla_envelope::{DataKeyError, KeyPattern, KeyRing, SealError, Settings};
use bulla_kms::{KeyState, KmsErrorKind};
use bulla_testkit::FaultyProvider;

use crate::*;

fn kind(sealed: Result<Vec<u8>, SealError>) -> Option<KmsErrorKind> {
    match sealed {
        Err(SealError::DataKey(error)) => error.kind(),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_cached_goes_on_until_its_age_ends_when_the_provider_is_down() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(300),
            unwrapped_ttl: seconds(300),
            ..Settings::default()
        },
    );
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    provider.set_down(true);
    pass(seconds(290)).await;
    seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    pass(seconds(11)).await;
    assert_eq!(
        kind(sealer.seal(&context("a"), BINDING, b"value").await),
        Some(KmsErrorKind::Unavailable)
    );
    assert!(!opens(&sealer, &record, "a").await);
    provider.set_down(false);
    pass(seconds(30)).await;
    seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
}

#[tokio::test(start_paused = true)]
async fn a_grace_lets_keys_go_on_past_their_end_only_while_the_provider_is_down() {
    let settings = Settings {
        max_age: seconds(300),
        unwrapped_ttl: seconds(300),
        outage_grace: seconds(600),
        revocation_bound: seconds(3600),
        ..Settings::default()
    };
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, settings);
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    provider.set_down(true);
    pass(seconds(800)).await;
    seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    assert_eq!(
        provider.calls().generate_data_key,
        provider.calls().generate_data_key.max(2),
        "it was asked again"
    );
    pass(seconds(101)).await;
    assert!(sealer.seal(&context("a"), BINDING, b"value").await.is_err());
    assert!(!opens(&sealer, &record, "a").await);
}

#[tokio::test(start_paused = true)]
async fn a_grace_does_not_help_a_key_that_the_provider_refuses() {
    let settings = Settings {
        max_age: seconds(300),
        outage_grace: seconds(600),
        ..Settings::default()
    };
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, settings);
    seal(&sealer, "a").await;
    pass(seconds(301)).await;
    provider.fail_next(1, KmsErrorKind::AccessDenied);
    assert_eq!(
        kind(sealer.seal(&context("a"), BINDING, b"value").await),
        Some(KmsErrorKind::AccessDenied)
    );
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again_before_the_end() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(300),
            attempts: 1,
            ..Settings::default()
        },
    );
    seal(&sealer, "a").await;
    seal(&sealer, "a").await;
    provider.set_down(true);
    // The renewal begins at 225 to 270 s, and fails.
    pass(seconds(272)).await;
    assert!(sealer.stats().renewals >= 1);
    provider.set_down(false);
    pass(seconds(27)).await;
    assert!(sealer.stats().renewals >= 2);
    pass(seconds(10)).await;
    assert!(sealer.try_seal_cached(&context("a"), BINDING, b"value").is_some());
    assert_eq!(sealer.stats().seal_misses, 1, "nobody waited but the first");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_throttles_is_asked_again_after_a_wait() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    provider.fail_next(2, KmsErrorKind::Throttled);
    seal(&sealer, "a").await;
    assert_eq!(provider.calls().generate_data_key, 3);
}

#[tokio::test]
async fn an_error_that_stays_is_not_tried_again() {
    for kind_of_error in [
        KmsErrorKind::AccessDenied,
        KmsErrorKind::KeyDisabled,
        KmsErrorKind::NotFound,
    ] {
        let provider = FaultyProvider::in_memory();
        let sealer = sealer(&provider, Settings::default());
        provider.fail_next(1, kind_of_error);
        assert_eq!(
            kind(sealer.seal(&context("a"), BINDING, b"value").await),
            Some(kind_of_error)
        );
        assert_eq!(provider.calls().total(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_an_answer_ends_in_its_time() {
    let provider = FaultyProvider::in_memory();
    let settings = Settings {
        call_timeout: seconds(2),
        attempts: 2,
        ..Settings::default()
    };
    let sealer = sealer(&provider, settings);
    provider.set_hanging(true);
    let begin = tokio::time::Instant::now();
    assert_eq!(
        kind(sealer.seal(&context("a"), BINDING, b"value").await),
        Some(KmsErrorKind::Unavailable)
    );
    assert!(
        (seconds(4)..seconds(5)).contains(&begin.elapsed()),
        "{:?}",
        begin.elapsed()
    );
    assert_eq!(provider.calls().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_provider_delays_only_who_needs_it() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    seal(&sealer, "warm").await;
    provider.hold();
    let cold = tokio::spawn({
        let sealer = sealer.clone();
        async move { seal(&sealer, "cold").await }
    });
    provider.wait_for_in_flight(1).await;
    for _ in 0..100 {
        assert!(sealer.try_seal_cached(&context("warm"), BINDING, b"value").is_some());
    }
    provider.release();
    cold.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_keeps_failing_is_left_alone_for_a_while() {
    let provider = FaultyProvider::in_memory();
    let settings = Settings {
        attempts: 1,
        breaker_threshold: 5,
        breaker_pause: seconds(10),
        ..Settings::default()
    };
    let sealer = sealer(&provider, settings);
    provider.set_down(true);
    for _ in 0..50 {
        let Err(SealError::DataKey(error)) = sealer.seal(&context("a"), BINDING, b"value").await else {
            panic!()
        };
        assert!(matches!(error, DataKeyError::Provider(_)) && error.is_retryable());
    }
    assert_eq!(provider.calls().total(), 5);
    assert!(sealer.stats().circuit_open);
    assert_eq!(sealer.stats().provider_skipped, 45);
    provider.set_down(false);
    pass(seconds(10)).await;
    seal(&sealer, "a").await;
    assert!(!sealer.stats().circuit_open);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_can_not_be_reached_does_not_open_the_circuit_of_another() {
    let provider = FaultyProvider::in_memory();
    let other = Sealer::builder(
        Arc::clone(&provider) as _,
        "key-b",
        AccessRecord::Unrecorded,
        Arc::new(SystemRandom),
    )
    .build()
    .unwrap();
    let planted = seal(&other, "a").await;
    provider.set_key_state("key-b", KeyState::Unavailable);
    let ring = KeyRing::default().accept(KeyPattern::new("memory:*").unwrap());
    let sealer = builder(&provider).key_ring(ring).build().unwrap();
    for _ in 0..4 {
        assert!(!opens(&sealer, &planted, "a").await);
    }
    assert!(sealer.stats().circuit_open, "that key is left alone");
    seal(&sealer, "a").await;
}
