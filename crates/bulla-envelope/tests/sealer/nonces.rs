use std::collections::HashSet;

use bulla_crypto::record::{NONCE_BYTES, Record};
use bulla_envelope::Settings;
use bulla_testkit::FaultyProvider;

use crate::*;

/// Where the nonce lies: 12 bytes before the ciphertext and the tag.
fn nonce(record: &[u8]) -> [u8; NONCE_BYTES] {
    let end = record.len() - 16 - Record::parse(record).unwrap().plaintext_len();
    record[end - NONCE_BYTES..end].try_into().unwrap()
}

#[tokio::test]
async fn a_million_nonces_of_eight_threads_are_all_different() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    seal(&sealer, "a").await;
    let context = context("a");
    let work = || -> Vec<_> {
        (0..125_000)
            .map(|_| nonce(&sealer.try_seal_cached(&context, b"", b"").unwrap().unwrap()))
            .collect()
    };
    let nonces: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(nonces.iter().collect::<HashSet<_>>().len(), 1_000_000);
    assert_eq!(provider.calls().total(), 1);
    assert_eq!((sealer.stats().seal_hits, sealer.stats().seal_misses), (1_000_000, 1));
}

#[tokio::test]
async fn two_sealers_on_one_thread_do_not_share_nonces_or_limits() {
    let provider = FaultyProvider::in_memory();
    let sealers: Vec<_> = (0..5).map(|_| sealer(&provider, Settings::default())).collect();
    let mut nonces = HashSet::new();
    for _ in 0..500 {
        for sealer in &sealers {
            assert!(nonces.insert(nonce(&seal(sealer, "a").await)));
        }
    }
    assert!(sealers.iter().all(|sealer| sealer.stats().seal_hits == 499));
}

#[tokio::test]
async fn a_batch_of_one_asks_the_generator_for_each_record() {
    struct Counting(std::sync::atomic::AtomicU64);
    impl bulla_crypto::Random for Counting {
        fn fill(&self, out: &mut [u8]) -> Result<(), bulla_crypto::RandomError> {
            if out.len() == NONCE_BYTES {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            SystemRandom.fill(out)
        }
    }
    let (provider, random) = (FaultyProvider::in_memory(), Arc::new(Counting(0.into())));
    let builder = Sealer::builder(
        Arc::clone(&provider) as _,
        "alias/app",
        AccessRecord::Unrecorded,
        Arc::clone(&random) as _,
    );
    let sealer = builder
        .settings(Settings {
            nonce_batch: 1,
            ..Settings::default()
        })
        .build()
        .unwrap();
    for _ in 0..10 {
        seal(&sealer, "a").await;
    }
    assert_eq!(random.0.load(std::sync::atomic::Ordering::SeqCst), 10);
}

#[tokio::test]
async fn without_randomness_nothing_is_sealed() {
    struct Failing;
    impl bulla_crypto::Random for Failing {
        fn fill(&self, _: &mut [u8]) -> Result<(), bulla_crypto::RandomError> {
            Err(bulla_crypto::RandomError)
        }
    }
    let provider = FaultyProvider::in_memory();
    let builder = Sealer::builder(provider, "alias/app", AccessRecord::Unrecorded, Arc::new(Failing));
    let sealer = builder.build().unwrap();
    assert!(sealer.seal(&context("a"), BINDING, b"value").await.is_err());
}
