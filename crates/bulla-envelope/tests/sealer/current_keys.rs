use std::sync::Arc;

use bulla_crypto::record::Record;
use bulla_envelope::{SealError, Settings};
use bulla_kms::KmsErrorKind;
use bulla_testkit::FaultyProvider;
use tokio::task::JoinSet;

use crate::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_on_a_cold_cache_make_one_call() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    provider.hold();
    let mut tasks = JoinSet::new();
    for _ in 0..10_000 {
        let sealer = sealer.clone();
        tasks.spawn(async move { seal(&sealer, "a").await.len() });
    }
    provider.wait_for_in_flight(1).await;
    provider.release();
    assert_eq!(tasks.join_all().await.len(), 10_000);
    assert_eq!(provider.calls().total(), 1);
    let stats = sealer.stats();
    assert_eq!((stats.provider_calls, stats.current_keys), (1, 1));
    assert_eq!(stats.seal_hits + stats.seal_misses, 10_000);
}

#[tokio::test]
async fn each_context_has_its_own_data_key() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let (a, b) = (seal(&sealer, "a").await, seal(&sealer, "b").await);
    assert_ne!(
        Record::parse(&a).unwrap().commitment(),
        Record::parse(&b).unwrap().commitment()
    );
    assert_eq!(provider.calls().generate_data_key, 2);
    assert!(!opens(&sealer, &a, "b").await && !opens(&sealer, &b, "a").await);
    assert!(opens(&sealer, &a, "a").await && opens(&sealer, &b, "b").await);
}

#[tokio::test]
async fn the_leader_may_be_cancelled_and_the_others_get_their_key() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    provider.hold();
    let task = |sealer: &bulla_envelope::Sealer| {
        let sealer = sealer.clone();
        tokio::spawn(async move { seal(&sealer, "a").await })
    };
    let leader = task(&sealer);
    provider.wait_for_in_flight(1).await;
    let follower = task(&sealer);
    settle().await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    provider.release();
    assert!(!follower.await.unwrap().is_empty());
    assert_eq!(provider.calls().total(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_used_is_renewed_before_its_end() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(300),
            ..Settings::default()
        },
    );
    seal(&sealer, "a").await;
    seal(&sealer, "a").await;
    pass(seconds(295)).await;
    assert_eq!((provider.calls().generate_data_key, sealer.stats().renewals), (2, 1));
    let misses = sealer.stats().seal_misses;
    pass(seconds(10)).await;
    seal(&sealer, "a").await;
    assert_eq!(
        sealer.stats().seal_misses,
        misses,
        "nobody waited at the end of the first key"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_first_used_in_its_last_seconds_is_renewed_too() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(300),
            ..Settings::default()
        },
    );
    seal(&sealer, "a").await;
    pass(seconds(290)).await;
    assert_eq!(provider.calls().generate_data_key, 1);
    seal(&sealer, "a").await;
    settle().await;
    assert_eq!(provider.calls().generate_data_key, 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_used_ends_without_a_call_and_leaves_memory() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(300),
            ..Settings::default()
        },
    );
    seal(&sealer, "a").await;
    pass(seconds(299)).await;
    assert_eq!(sealer.stats().current_keys, 1);
    pass(seconds(2)).await;
    assert_eq!(sealer.stats().current_keys, 0);
    assert_eq!(provider.calls().generate_data_key, 1);
}

#[tokio::test(start_paused = true)]
async fn no_key_seals_past_its_age_even_where_nothing_runs_in_the_background() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(300),
            ..Settings::default()
        },
    );
    let first = seal(&sealer, "a").await;
    // `try_seal_cached` gives no task a chance to run between the clock's move and the record.
    let advance = tokio::time::advance(seconds(300));
    advance.await;
    assert!(sealer.try_seal_cached(&context("a"), BINDING, b"value").is_none());
    let second = seal(&sealer, "a").await;
    assert_ne!(
        Record::parse(&first).unwrap().commitment(),
        Record::parse(&second).unwrap().commitment()
    );
}

#[tokio::test]
async fn the_limit_of_messages_holds_over_eight_threads() {
    let provider = FaultyProvider::in_memory();
    let limit = 100;
    let sealer = sealer(
        &provider,
        Settings {
            max_messages: limit,
            ..Settings::default()
        },
    );
    let handle = tokio::runtime::Handle::current();
    let records: Vec<Vec<u8>> = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            let work = || {
                (0..500)
                    .map(|_| handle.block_on(seal(&sealer, "a")))
                    .collect::<Vec<_>>()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    })
    .await
    .unwrap();
    let mut used = std::collections::HashMap::new();
    for record in &records {
        *used.entry(*Record::parse(record).unwrap().commitment()).or_insert(0) += 1;
    }
    assert_eq!(records.len(), 4000);
    assert!(used.values().all(|count| *count <= limit), "{:?}", used.values());
    assert!(used.len() >= 40);
}

#[tokio::test]
async fn the_limit_of_bytes_holds() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_bytes: 12,
            ..Settings::default()
        },
    );
    for _ in 0..5 {
        seal(&sealer, "a").await;
    }
    // Five bytes each: two fit a key.
    assert!(provider.calls().generate_data_key >= 3);
    let too_long = sealer.seal(&context("a"), BINDING, &[0; 13]).await;
    assert!(matches!(too_long, Err(SealError::TooLong { size_bytes: 13 })));
}

#[tokio::test]
async fn the_next_key_is_fetched_before_the_messages_run_out() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_messages: 100,
            ..Settings::default()
        },
    );
    for _ in 0..99 {
        seal(&sealer, "a").await;
    }
    settle().await;
    for _ in 0..20 {
        seal(&sealer, "a").await;
    }
    assert_eq!(sealer.stats().seal_misses, 1, "only the first seal waited");
    assert_eq!(provider.calls().generate_data_key, 2);
}

#[tokio::test]
async fn an_age_of_zero_makes_a_data_key_for_each_record() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(0),
            ..Settings::default()
        },
    );
    for _ in 0..3 {
        seal(&sealer, "a").await;
    }
    assert_eq!(provider.calls().generate_data_key, 3);
    assert_eq!(sealer.stats().current_keys, 0);
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_resolved_again_at_each_renewal() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            max_age: seconds(300),
            ..Settings::default()
        },
    );
    let before = seal(&sealer, "a").await;
    seal(&sealer, "a").await;
    provider.rotate_alias("alias/app", "key-b");
    let meanwhile = seal(&sealer, "a").await;
    pass(seconds(295)).await;
    let after = seal(&sealer, "a").await;
    let key = |record: &[u8]| Record::parse(record).unwrap().key().to_owned();
    assert_eq!(
        (key(&before), key(&meanwhile), key(&after)),
        ("memory:key-a".into(), "memory:key-a".into(), "memory:key-b".into())
    );
    for record in [before, meanwhile, after] {
        assert!(opens(&sealer, &record, "a").await);
    }
}

#[tokio::test]
async fn an_error_reaches_all_who_wait_and_is_not_kept() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    provider.hold();
    provider.fail_next(1, KmsErrorKind::AccessDenied);
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let sealer = sealer.clone();
        tasks.spawn(async move { sealer.seal(&context("a"), BINDING, b"value").await });
    }
    provider.wait_for_in_flight(1).await;
    settle().await;
    provider.release();
    for sealed in tasks.join_all().await {
        let Err(SealError::DataKey(error)) = sealed else {
            panic!("sealed without a key")
        };
        assert_eq!(error.kind(), Some(KmsErrorKind::AccessDenied));
    }
    assert_eq!(provider.calls().total(), 1);
    seal(&sealer, "a").await;
}

#[tokio::test]
async fn callers_cannot_set_keys_of_bullas_own() {
    let provider = FaultyProvider::in_memory();
    let sealer = builder(&provider).purpose("tokens").build().unwrap();
    let forged = bulla_crypto::Context::from_pairs([("bulla:purpose", "tokens")]).unwrap();
    assert!(matches!(
        sealer.seal(&forged, BINDING, b"value").await,
        Err(SealError::Context(_))
    ));
    assert_eq!(provider.calls().total(), 0);
}

#[tokio::test]
async fn what_was_sealed_for_one_purpose_does_not_open_for_another() {
    let provider = FaultyProvider::in_memory();
    let tokens = builder(&provider).purpose("tokens").build().unwrap();
    let columns = builder(&provider).purpose("columns").build().unwrap();
    let plain = builder(&provider).build().unwrap();
    let record = seal(&tokens, "a").await;
    assert!(opens(&tokens, &record, "a").await);
    assert!(!opens(&columns, &record, "a").await && !opens(&plain, &record, "a").await);
}

#[tokio::test]
async fn no_more_data_keys_are_held_than_the_capacity() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(
        &provider,
        Settings {
            current_capacity: 4,
            ..Settings::default()
        },
    );
    for tenant in 0..20 {
        seal(&sealer, &tenant.to_string()).await;
    }
    assert_eq!(sealer.stats().current_keys, 4);
}

#[tokio::test]
async fn a_provider_that_panics_fails_those_who_wait_and_nothing_else() {
    #[derive(Debug)]
    struct Panicking(Arc<FaultyProvider>, std::sync::atomic::AtomicBool);
    #[async_trait::async_trait]
    impl bulla_kms::KeyProvider for Panicking {
        fn instance(&self) -> &str {
            self.0.instance()
        }
        fn capabilities(&self) -> bulla_kms::Capabilities {
            self.0.capabilities()
        }
        async fn generate_data_key(
            &self,
            key: &str,
            context: &bulla_crypto::Context,
        ) -> Result<bulla_kms::GeneratedDataKey, bulla_kms::KmsError> {
            assert!(
                self.1.swap(true, std::sync::atomic::Ordering::SeqCst),
                "as the test wants it"
            );
            self.0.generate_data_key(key, context).await
        }
        async fn wrap(
            &self,
            key: &str,
            data_key: &bulla_crypto::DataKey,
            context: &bulla_crypto::Context,
        ) -> Result<bulla_kms::WrappedKey, bulla_kms::KmsError> {
            self.0.wrap(key, data_key, context).await
        }
        async fn unwrap(
            &self,
            key: &str,
            wrapped: &[u8],
            context: &bulla_crypto::Context,
        ) -> Result<bulla_crypto::DataKey, bulla_kms::KmsError> {
            self.0.unwrap(key, wrapped, context).await
        }
        async fn describe(&self, key: &str) -> Result<bulla_kms::KeyDescription, bulla_kms::KmsError> {
            self.0.describe(key).await
        }
    }
    let provider = Arc::new(Panicking(FaultyProvider::in_memory(), false.into()));
    let random = Arc::new(bulla_crypto::SystemRandom);
    let sealer = Sealer::builder(provider, "alias/app", AccessRecord::Unrecorded, random)
        .build()
        .unwrap();
    assert!(sealer.seal(&context("a"), BINDING, b"value").await.is_err());
    seal(&sealer, "a").await;
}
