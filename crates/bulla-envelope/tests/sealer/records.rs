use bulla_crypto::record::Record;
use bulla_envelope::{KeyPattern, KeyRing, OpenError, RewrapError, Settings};
use bulla_kms::KeyState;
use bulla_testkit::FaultyProvider;

use crate::*;

#[tokio::test]
async fn records_open_after_clear_and_in_a_new_sealer_with_empty_caches() {
    let provider = FaultyProvider::in_memory();
    let first = sealer(&provider, Settings::default());
    let record = seal(&first, "a").await;
    first.clear();
    assert!(opens(&first, &record, "a").await);
    assert!(opens(&sealer(&provider, Settings::default()), &record, "a").await);
}

#[tokio::test]
async fn records_open_after_the_alias_moved_and_the_process_restarted() {
    let provider = FaultyProvider::in_memory();
    let record = seal(&sealer(&provider, Settings::default()), "a").await;
    provider.rotate_alias("alias/app", "key-b");
    let ring = KeyRing::sealing_key().accept(KeyPattern::new("memory:key-a").unwrap());
    let restarted = builder(&provider).key_ring(ring).build().unwrap();
    assert!(opens(&restarted, &record, "a").await);
    assert!(opens(&restarted, &seal(&restarted, "a").await, "a").await);
}

#[tokio::test]
async fn the_text_and_json_forms_open_to_the_same() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let text = sealer.seal_text(&context("a"), BINDING, b"value").await.unwrap();
    assert!(text.starts_with("bulla.1."));
    let json = sealer.seal_json(&context("a"), BINDING, b"value").await.unwrap();
    let from_text = sealer.open_text(&text, &context("a"), BINDING).await.unwrap();
    let from_json = sealer.open_json(&json, &context("a"), BINDING).await.unwrap();
    assert_eq!(
        (from_text.expose_secret(), from_json.expose_secret()),
        (&b"value"[..], &b"value"[..])
    );
    assert!(matches!(
        sealer.open_text("bulla.2.AAAA", &context("a"), BINDING).await,
        Err(OpenError::Format(_))
    ));
}

#[tokio::test]
async fn a_rewrapped_record_opens_when_the_old_key_is_gone() {
    let provider = FaultyProvider::in_memory();
    let record = seal(&sealer(&provider, Settings::default()), "a").await;
    provider.rotate_alias("alias/app", "key-b");
    let ring = KeyRing::sealing_key().accept(KeyPattern::new("memory:key-a").unwrap());
    let sealer = builder(&provider).key_ring(ring).build().unwrap();
    let rewrapped = sealer.rewrap(&record, &context("a")).await.unwrap();
    provider.set_key_state("key-a", KeyState::PendingDeletion);
    assert_eq!(Record::parse(&rewrapped).unwrap().key(), "memory:key-b");
    assert!(opens(&sealer, &rewrapped, "a").await);
    assert!(!opens(&sealer, &record, "a").await);
}

#[tokio::test]
async fn a_record_is_not_rewrapped_under_another_context_or_with_another_data_key() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    let record = seal(&sealer, "a").await;
    let refused = |rewrapped| matches!(rewrapped, Err(RewrapError::Open(OpenError::Refused)));
    assert!(refused(sealer.rewrap(&record, &context("b")).await));
    sealer.clear();
    let other = seal(&sealer, "a").await;
    let (other, record) = (Record::parse(&other).unwrap(), Record::parse(&record).unwrap());
    let swapped = record.rewrap(other.key(), other.wrapped_key()).unwrap();
    assert!(refused(sealer.rewrap(&swapped, &context("a")).await));
    assert!(!opens(&sealer, &swapped, "a").await);
    assert_eq!(provider.calls().wrap, 0);
}

#[tokio::test]
async fn debug_shows_no_secret_and_no_cache() {
    let provider = FaultyProvider::in_memory();
    let sealer = sealer(&provider, Settings::default());
    seal(&sealer, "a").await;
    let debug = format!("{sealer:?}");
    assert!(
        debug.contains("alias/app") && !debug.contains("value") && !debug.contains("RecordKey"),
        "{debug}"
    );
}
