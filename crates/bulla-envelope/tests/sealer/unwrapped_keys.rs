use bulla_envelope::{OpenError, Settings};
use bulla_testkit::FaultyProvider;
use tokio::task::JoinSet;

use crate::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_opens_on_a_cold_cache_make_one_call() {
    let provider = FaultyProvider::in_memory();
    let record = seal(&sealer(&provider, Settings::default()), "a").await;
    let reader = sealer(&provider, Settings::default());
    provider.hold();
    let mut tasks = JoinSet::new();
    for _ in 0..10_000 {
        let (reader, record) = (reader.clone(), record.clone());
        tasks.spawn(async move { opens(&reader, &record, "a").await });
    }
    provider.wait_for_in_flight(1).await;
    provider.release();
    assert!(tasks.join_all().await.into_iter().all(|opened| opened));
    // The reader first asks what its own alias is called, for the key ring.
    let calls = provider.calls();
    assert_eq!((calls.unwrap, calls.describe), (1, 1));
}

#[tokio::test]
async fn a_cached_key_never_opens_under_another_context() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    let refused = sealer.open(&record, &context("b"), BINDING).await;
    assert!(matches!(refused, Err(OpenError::Refused)));
    assert_eq!(provider.calls().unwrap, 2, "the provider decided, not the cache");
    assert!(sealer.try_open_cached(&record, &context("b"), BINDING).is_none());
    assert!(sealer.try_open_cached(&record, &context("a"), BINDING).is_some());
}

#[tokio::test]
async fn a_changed_record_or_binding_is_refused_with_a_warm_cache() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    assert!(matches!(
        sealer.open(&record, &context("a"), b"row-2").await,
        Err(OpenError::Refused)
    ));
    for at in 0..record.len() {
        let mut changed = record.clone();
        changed[at] ^= 1;
        assert!(!opens(&sealer, &changed, "a").await, "byte {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_counts_from_insertion_and_not_from_the_last_use() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            unwrapped_ttl: seconds(300),
            ..Settings::default()
        },
    );
    let record = seal(&sealer, "a").await;
    for _ in 0..3 {
        assert!(opens(&sealer, &record, "a").await);
        pass(seconds(99)).await;
    }
    assert_eq!(provider.calls().unwrap, 1);
    pass(seconds(4)).await;
    assert_eq!(sealer.stats().unwrapped_keys, 0, "gone from memory, not only from use");
    assert!(opens(&sealer, &record, "a").await);
    assert_eq!(provider.calls().unwrap, 2);
}

#[tokio::test]
async fn a_ttl_of_zero_asks_for_each_record() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            unwrapped_ttl: seconds(0),
            ..Settings::default()
        },
    );
    let record = seal(&sealer, "a").await;
    for _ in 0..3 {
        assert!(opens(&sealer, &record, "a").await);
    }
    assert_eq!(provider.calls().unwrap, 3);
    assert_eq!(sealer.stats().unwrapped_keys, 0);
}

#[tokio::test]
async fn a_generated_key_does_not_open_without_the_provider() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let record = seal(&sealer, "a").await;
    provider.set_down(true);
    assert!(
        !opens(&sealer, &record, "a").await,
        "who may seal and not unwrap stays so"
    );
}

#[tokio::test]
async fn an_unwrapped_key_never_seals() {
    let provider = FaultyProvider::in_memory();
    let record = seal(&sealer(&provider, Settings::default()), "a").await;
    let reader = sealer(&provider, Settings::default());
    assert!(opens(&reader, &record, "a").await);
    assert!(reader.try_seal_cached(&context("a"), BINDING, b"value").is_none());
    let calls = provider.calls().generate_data_key;
    seal(&reader, "a").await;
    assert_eq!(provider.calls().generate_data_key, calls + 1);
}

#[tokio::test]
async fn no_more_unwrapped_keys_are_held_than_the_capacity() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            unwrapped_capacity: 4,
            ..Settings::default()
        },
    );
    for tenant in 0..20 {
        let record = seal(&sealer, &tenant.to_string()).await;
        assert!(opens(&sealer, &record, &tenant.to_string()).await);
    }
    assert_eq!(sealer.stats().unwrapped_keys, 4);
}
