use bulla_envelope::Settings;
use bulla_kms::KeyState;
use bulla_testkit::FaultyProvider;

use crate::*;

fn polled() -> Settings {
    Settings {
        max_age: seconds(3600),
        unwrapped_ttl: seconds(3600),
        poll_interval: seconds(30),
        revocation_bound: seconds(120),
        ..Settings::default()
    }
}

async fn warm(provider: &Arc<FaultyProvider>) -> Sealer {
    let sealer = sealer(provider, polled());
    let record = seal(&sealer, "a").await;
    assert!(opens(&sealer, &record, "a").await);
    sealer
}

fn held(sealer: &Sealer) -> (usize, usize) {
    (sealer.stats().current_keys, sealer.stats().unwrapped_keys)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_disabled_leaves_the_caches_with_the_next_poll() {
    for state in [KeyState::Disabled, KeyState::PendingDeletion, KeyState::Unavailable] {
        let provider = FaultyProvider::in_memory();
        let sealer = warm(&provider).await;
        provider.set_key_state("key-a", state);
        pass(seconds(29)).await;
        assert_eq!(held(&sealer), (1, 1));
        pass(seconds(2)).await;
        assert_eq!(held(&sealer), (0, 0), "{state:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn polls_keep_the_caches_beyond_the_revocation_bound() {
    let provider = FaultyProvider::in_memory();
    let sealer = warm(&provider).await;
    pass(seconds(600)).await;
    assert_eq!(held(&sealer), (1, 1));
    assert!(sealer.stats().provider_polls >= 19);
}

#[tokio::test(start_paused = true)]
async fn entries_live_at_most_the_revocation_bound_when_polls_fail() {
    let provider = FaultyProvider::in_memory();
    let sealer = warm(&provider).await;
    pass(seconds(60)).await;
    provider.set_down(true);
    pass(seconds(110)).await;
    assert_eq!(held(&sealer), (1, 1));
    pass(seconds(15)).await;
    assert_eq!(held(&sealer), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn entries_live_at_most_the_revocation_bound_when_polls_hang() {
    let provider = FaultyProvider::in_memory();
    let sealer = warm(&provider).await;
    provider.set_hanging(true);
    pass(seconds(125)).await;
    assert_eq!(held(&sealer), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_sealer_that_holds_nothing_polls_nothing() {
    let provider = FaultyProvider::in_memory();
    let sealer = warm(&provider).await;
    sealer.clear();
    pass(seconds(300)).await;
    assert_eq!(sealer.stats().provider_polls, 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_sealer_ends_a_poll_that_hangs() {
    let provider = FaultyProvider::in_memory();
    let sealer = warm(&provider).await;
    provider.set_hanging(true);
    pass(seconds(31)).await;
    assert_eq!(provider.calls().in_flight, 1);
    drop(sealer);
    settle().await;
    assert_eq!(provider.calls().in_flight, 0);
}

#[test]
fn entries_live_at_most_the_revocation_bound_when_the_runtime_of_the_polls_is_gone() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, polled());
    let first = runtime();
    let record = first.block_on(async {
        let record = seal(&sealer, "a").await;
        assert!(opens(&sealer, &record, "a").await);
        record
    });
    drop(first);
    provider.set_key_state("key-a", KeyState::Disabled);
    runtime().block_on(async {
        tokio::time::advance(seconds(110)).await;
        assert!(sealer.try_open_cached(&record, &context("a"), BINDING).is_some());
        assert!(sealer.try_seal_cached(&context("a"), BINDING, b"value").is_some());
        tokio::time::advance(seconds(11)).await;
        assert!(sealer.try_open_cached(&record, &context("a"), BINDING).is_none());
        assert!(sealer.try_seal_cached(&context("a"), BINDING, b"value").is_none());
        assert!(!opens(&sealer, &record, "a").await);
    });
}
