use std::sync::Barrier;

use bulla_crypto::record::Record;
use bulla_envelope::{KeyPattern, KeyRing, Settings};
use bulla_kms::KeyState;
use bulla_testkit::FaultyProvider;

use crate::*;

#[tokio::test]
async fn clearing_takes_the_keys_from_every_thread_at_once() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    let (warm, cleared) = (Barrier::new(9), Barrier::new(9));
    std::thread::scope(|scope| {
        let work = || {
            // Each thread has its nonces and reservations for the key, and has opened with it.
            assert!(sealer.try_seal_cached(&context("a"), BINDING, b"value").is_some());
            assert!(sealer.try_open_cached(&record, &context("a"), BINDING).is_some());
            warm.wait();
            cleared.wait();
            assert!(sealer.try_seal_cached(&context("a"), BINDING, b"value").is_none());
            assert!(sealer.try_open_cached(&record, &context("a"), BINDING).is_none());
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        warm.wait();
        sealer.clear();
        cleared.wait();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!((sealer.stats().current_keys, sealer.stats().unwrapped_keys), (0, 0));
}

#[tokio::test]
async fn a_key_is_invalidated_by_its_configured_and_by_its_resolved_name() {
    for name in ["alias/app", "memory:key-a", "key-a"] {
        let provider = FaultyProvider::in_memory();
        let sealer = sealer(&provider, Settings::default());
        let record = seal(&sealer, "a").await;
        assert!(opens(&sealer, &record, "a").await);
        sealer.invalidate("memory:key-b");
        assert_eq!((sealer.stats().current_keys, sealer.stats().unwrapped_keys), (1, 1));
        sealer.invalidate(name);
        assert_eq!(
            (sealer.stats().current_keys, sealer.stats().unwrapped_keys),
            (0, 0),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_key_that_was_being_fetched_is_fetched_again() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    provider.hold();
    let waiting = tokio::spawn({
        let sealer = sealer.clone();
        async move { seal(&sealer, "a").await }
    });
    provider.wait_for_in_flight(1).await;
    sealer.clear();
    provider.rotate_alias("alias/app", "key-b");
    provider.release();
    let record = waiting.await.unwrap();
    assert_eq!(provider.calls().generate_data_key, 2);
    assert_eq!(Record::parse(&record).unwrap().key(), "memory:key-b");
}

#[tokio::test]
async fn a_key_disabled_and_invalidated_neither_seals_nor_opens() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    provider.set_key_state("key-a", KeyState::Disabled);
    sealer.invalidate("alias/app");
    assert!(!opens(&sealer, &record, "a").await);
    assert!(sealer.seal(&context("a"), BINDING, b"value").await.is_err());
}

#[tokio::test]
async fn dropping_the_sealer_ends_its_tasks() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    seal(&sealer, "a").await;
    settle().await;
    let metrics = tokio::runtime::Handle::current().metrics();
    assert_eq!(metrics.num_alive_tasks(), 2, "the keeper and the poller");
    drop(sealer);
    settle().await;
    assert_eq!(metrics.num_alive_tasks(), 0);
}

#[tokio::test]
async fn the_configured_name_invalidates_whatever_its_key_ring_opened() {
    let provider = FaultyProvider::in_memory();
    let record = seal(&sealer(&provider, Settings::default()), "a").await;
    let ring = KeyRing::sealing_key().accept(KeyPattern::new("memory:key-*").unwrap());
    let reader = builder(&provider).key_ring(ring).build().unwrap();
    assert!(opens(&reader, &record, "a").await);
    reader.invalidate("alias/app");
    assert_eq!(reader.stats().unwrapped_keys, 0);
    assert!(reader.try_open_cached(&record, &context("a"), BINDING).is_none());
}
