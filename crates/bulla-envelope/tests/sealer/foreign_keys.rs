use bulla_crypto::Context;
use bulla_envelope::{OpenError, Settings};
use bulla_kms::KeyProvider;
use bulla_testkit::FaultyProvider;

use crate::*;

async fn wrapped(provider: &Arc<FaultyProvider>) -> Vec<u8> {
    let made = provider.generate_data_key("key-a", &Context::empty()).await.unwrap();
    made.wrapped.bytes
}

async fn unwraps(sealer: &Sealer, wrapped: &[u8]) -> bool {
    let unwrapped = sealer.unwrap_data_key("memory:key-a", wrapped, &Context::empty()).await;
    unwrapped.is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_data_key_of_another_format_is_asked_for_once_and_leaves_with_its_disabled_key() {
    let provider = FaultyProvider::in_memory();
    let wrapped = wrapped(&provider).await;
    let settings = Settings {
        unwrapped_ttl: seconds(3600),
        ..Settings::default()
    };
    let sealer = sealer(&provider, settings);
    for _ in 0..3 {
        assert!(unwraps(&sealer, &wrapped).await);
    }
    assert_eq!((provider.calls().unwrap, sealer.stats().unwrapped_keys), (1, 1));
    provider.set_key_state("key-a", bulla_kms::KeyState::Disabled);
    pass(seconds(31)).await;
    assert_eq!(sealer.stats().unwrapped_keys, 0);
    assert!(!unwraps(&sealer, &wrapped).await);
}

#[tokio::test(start_paused = true)]
async fn a_data_key_of_another_format_ends_with_its_age_and_is_dropped_with_the_rest() {
    let provider = FaultyProvider::in_memory();
    let wrapped = wrapped(&provider).await;
    let sealer = sealer(&provider, Settings::default());
    assert!(unwraps(&sealer, &wrapped).await);
    pass(seconds(301)).await;
    assert_eq!(sealer.stats().unwrapped_keys, 0);
    for drop in [Sealer::clear, |sealer: &Sealer| sealer.invalidate("memory:key-a")] {
        assert!(unwraps(&sealer, &wrapped).await);
        drop(&sealer);
        assert_eq!(sealer.stats().unwrapped_keys, 0);
    }
}

#[tokio::test]
async fn a_kept_data_key_is_found_under_its_own_key_and_context_alone() {
    let provider = FaultyProvider::in_memory();
    let wrapped = wrapped(&provider).await;
    let sealer = sealer(&provider, Settings::default());
    assert!(unwraps(&sealer, &wrapped).await);
    let kept = |key, context: &Context| sealer.try_unwrap_cached(key, &wrapped, context).is_some();
    assert!(kept("memory:key-a", &Context::empty()));
    assert!(!kept("memory:key-b", &Context::empty()));
    assert!(!kept("memory:key-a", &context("a")));
    let other = sealer
        .unwrap_data_key("memory:key-b", &wrapped, &Context::empty())
        .await;
    assert!(matches!(other, Err(OpenError::KeyNotAccepted { .. })));
}
