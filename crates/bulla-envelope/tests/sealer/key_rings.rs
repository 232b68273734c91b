use bulla_envelope::{KeyPattern, KeyRing, OpenError, RewrapError, Settings};
use bulla_testkit::FaultyProvider;

use crate::*;

#[tokio::test]
async fn a_key_outside_the_ring_is_refused_without_a_call() {
    let provider = FaultyProvider::in_memory();
    let theirs = builder_under(&provider, "key-b").build().unwrap();
    let planted = seal(&theirs, "a").await;
    let ours = sealer(&provider, Settings::default());
    seal(&ours, "a").await;
    let calls = provider.calls();
    let refused = ours.open(&planted, &context("a"), BINDING).await;
    assert!(matches!(refused, Err(OpenError::KeyNotAccepted { key }) if key == "memory:key-b"));
    assert!(matches!(
        ours.rewrap(&planted, &context("a")).await,
        Err(RewrapError::Open(OpenError::KeyNotAccepted { .. }))
    ));
    assert_eq!(provider.calls(), calls);
    assert_eq!(ours.stats().keys_not_accepted, 2);
}

#[tokio::test]
async fn a_reader_asks_what_its_own_key_is_called_and_never_after_the_foreign_one() {
    let provider = FaultyProvider::in_memory();
    let theirs = builder_under(&provider, "key-b").build().unwrap();
    let planted = seal(&theirs, "a").await;
    let reader = sealer(&provider, Settings::default());
    for _ in 0..5 {
        assert!(!opens(&reader, &planted, "a").await);
    }
    assert_eq!((provider.calls().describe, provider.calls().unwrap), (1, 0));
}

#[tokio::test]
async fn an_accepted_pattern_opens_and_needs_no_call_about_the_own_key() {
    let provider = FaultyProvider::in_memory();
    let old = builder_under(&provider, "key-b").build().unwrap();
    let record = seal(&old, "a").await;
    let ring = KeyRing::sealing_key().accept(KeyPattern::new("memory:key-*").unwrap());
    let reader = builder(&provider).key_ring(ring).build().unwrap();
    assert!(opens(&reader, &record, "a").await);
    assert_eq!(provider.calls().describe, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_follows_its_alias_within_a_poll_interval() {
    let provider = FaultyProvider::in_memory();
    let old = seal(&sealer(&provider, Settings::default()), "a").await;
    let reader = builder(&provider).key_ring(KeyRing::sealing_key()).build().unwrap();
    assert!(opens(&reader, &old, "a").await);
    provider.rotate_alias("alias/app", "key-b");
    let new = seal(&sealer(&provider, Settings::default()), "a").await;
    for _ in 0..5 {
        assert!(!opens(&reader, &new, "a").await, "asked a moment ago");
    }
    assert_eq!(provider.calls().describe, 1);
    tokio::time::advance(Settings::default().poll_interval).await;
    let polls = || provider.calls().describe - reader.stats().provider_polls;
    assert!(opens(&reader, &new, "a").await);
    assert!(
        opens(&reader, &old, "a").await,
        "what the alias led to before stays accepted"
    );
    assert_eq!(polls(), 2);
}

#[tokio::test(start_paused = true)]
async fn foreign_records_cost_one_question_a_poll_interval_and_an_arn_none() {
    let provider = FaultyProvider::in_memory();
    let theirs = builder_under(&provider, "key-b").build().unwrap();
    let planted = seal(&theirs, "a").await;
    drop(theirs);
    let reader = sealer(&provider, Settings::default());
    for asked in 1..=3 {
        for _ in 0..10 {
            assert!(!opens(&reader, &planted, "a").await);
        }
        assert_eq!(provider.calls().describe, asked);
        tokio::time::advance(Settings::default().poll_interval).await;
    }
    let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234";
    let named = builder_under(&provider, arn).build().unwrap();
    assert!(!opens(&named, &planted, "a").await);
    assert_eq!(provider.calls().describe, 3);
}
