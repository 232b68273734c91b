use std::sync::Mutex;

use async_trait::async_trait;
use bulla_crypto::record::Record;
use bulla_envelope::{
    Access, AccessLog, AccessLogError, AccessOperation, DataKeyError, KeyPattern, KeyRing, OpenError, SealError,
};
use bulla_testkit::FaultyProvider;

use crate::*;

#[derive(Debug, Default)]
struct Log {
    events: Mutex<Vec<Access>>,
    fails: std::sync::atomic::AtomicBool,
}

impl Log {
    fn take(&self) -> Vec<(AccessOperation, bool, bool)> {
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        events
            .iter()
            .map(|event| (event.operation, event.cache_hit, event.refused))
            .collect()
    }

    fn fail(&self) {
        self.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    }
}

#[async_trait]
impl AccessLog for Log {
    async fn record(&self, access: &Access) -> Result<(), AccessLogError> {
        if self.fails.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(AccessLogError::new("the disk is full"));
        }
        self.events.lock().unwrap().push(access.clone());
        Ok(())
    }
}

fn recorded(provider: &Arc<FaultyProvider>, access: AccessRecord) -> Sealer {
    Sealer::builder(Arc::clone(provider) as _, "alias/app", access, Arc::new(SystemRandom))
        .build()
        .unwrap()
}

#[tokio::test]
async fn every_open_is_recorded_before_its_plaintext_leaves_cached_or_not() {
    let (provider, log) = (FaultyProvider::in_memory(), Arc::new(Log::default()));
    let sealer = recorded(&provider, AccessRecord::PerOpen(Arc::clone(&log) as _));
    let record = seal(&sealer, "a").await;
    assert_eq!(log.take(), [(AccessOperation::GenerateDataKey, false, false)]);
    assert!(opens(&sealer, &record, "a").await);
    let first = [
        (AccessOperation::UnwrapDataKey, false, false),
        (AccessOperation::Open, false, false),
    ];
    assert_eq!(log.take(), first);
    assert!(opens(&sealer, &record, "a").await);
    assert_eq!(log.events.lock().unwrap()[0].binding, BINDING);
    assert_eq!(log.events.lock().unwrap()[0].key, "memory:key-a");
    assert_eq!(log.take(), [(AccessOperation::Open, true, false)]);
    assert!(sealer.open(&record, &context("a"), b"row-2").await.is_err());
    assert_eq!(log.take(), [(AccessOperation::Open, true, true)]);
}

#[tokio::test]
async fn nothing_is_opened_on_the_fast_path_past_the_log() {
    let (provider, log) = (FaultyProvider::in_memory(), Arc::new(Log::default()));
    let sealer = recorded(&provider, AccessRecord::PerOpen(Arc::clone(&log) as _));
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    assert!(sealer.try_open_cached(&record, &context("a"), BINDING).is_none());
}

#[tokio::test]
async fn a_log_that_fails_closes_every_open_with_a_warm_cache_too() {
    let (provider, log) = (FaultyProvider::in_memory(), Arc::new(Log::default()));
    let sealer = recorded(&provider, AccessRecord::PerOpen(Arc::clone(&log) as _));
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    log.fail();
    let closed = sealer.open(&record, &context("a"), BINDING).await;
    assert!(matches!(closed, Err(OpenError::DataKey(DataKeyError::AccessLog(_)))));
}

#[tokio::test]
async fn a_data_key_whose_event_is_not_recorded_is_not_used() {
    let (provider, log) = (FaultyProvider::in_memory(), Arc::new(Log::default()));
    let sealer = recorded(&provider, AccessRecord::PerDataKey(Arc::clone(&log) as _));
    let record = seal(&sealer, "a").await;
    log.fail();
    assert!(!opens(&sealer, &record, "a").await);
    let sealed = sealer.seal(&context("b"), BINDING, b"value").await;
    assert!(matches!(sealed, Err(SealError::DataKey(DataKeyError::AccessLog(_)))));
    assert!(sealer.rewrap(&record, &context("a")).await.is_err());
    assert_eq!(provider.calls().wrap, 0);
    assert_eq!((sealer.stats().current_keys, sealer.stats().unwrapped_keys), (1, 0));
}

#[tokio::test]
async fn one_event_a_data_key_period_is_recorded_where_that_was_chosen() {
    let (provider, log) = (FaultyProvider::in_memory(), Arc::new(Log::default()));
    let sealer = recorded(&provider, AccessRecord::PerDataKey(Arc::clone(&log) as _));
    for _ in 0..10 {
        let record = seal(&sealer, "a").await;
        assert!(opens(&sealer, &record, "a").await);
    }
    let expected = [AccessOperation::GenerateDataKey, AccessOperation::UnwrapDataKey];
    assert_eq!(
        log.take().into_iter().map(|event| event.0).collect::<Vec<_>>(),
        expected
    );
}

#[tokio::test]
async fn a_key_refused_by_the_ring_is_recorded_as_refused() {
    let (provider, log) = (FaultyProvider::in_memory(), Arc::new(Log::default()));
    let all = KeyRing::sealing_key().accept(KeyPattern::new("memory:*").unwrap());
    let record = seal(&builder(&provider).key_ring(all).build().unwrap(), "a").await;
    provider.rotate_alias("alias/app", "key-b");
    let reader = recorded(&provider, AccessRecord::PerOpen(Arc::clone(&log) as _));
    assert!(!opens(&reader, &record, "a").await);
    assert_eq!(log.take(), [(AccessOperation::Open, false, true)]);
}

#[tokio::test]
async fn a_rewrap_that_is_refused_after_its_unwrap_is_recorded() {
    let (provider, log) = (FaultyProvider::in_memory(), Arc::new(Log::default()));
    let sealer = recorded(&provider, AccessRecord::PerDataKey(Arc::clone(&log) as _));
    let mut record = seal(&sealer, "a").await;
    log.take();
    let commitment = *Record::parse(&record).unwrap().commitment();
    let at = record.windows(32).position(|window| window == commitment).unwrap();
    record[at] ^= 1;
    assert!(sealer.rewrap(&record, &context("a")).await.is_err());
    assert_eq!(provider.calls().unwrap, 1);
    assert_eq!(log.take(), [(AccessOperation::Rewrap, false, false)]);
}
