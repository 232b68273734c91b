use std::sync::Arc;
use std::time::Duration;

use bulla_kms::{KeyState, KmsErrorKind};
use bulla_temporal::{CodecError, PayloadCodec};
use bulla_testkit::FaultyProvider;
use tokio::time::Instant;

use crate::{app_keys, codec, codec_of, decodes, default, encode_one, plain};

#[tokio::test(start_paused = true)]
async fn warm_caches_go_on_without_the_provider_and_cold_ones_say_so_in_time() {
    let provider = FaultyProvider::in_memory();
    let warm = codec(&provider);
    let sealed = encode_one(&warm, &plain("1")).await;
    assert!(decodes(&warm, &sealed, &plain("1")).await);
    provider.set_hanging(true);
    assert!(decodes(&warm, &sealed, &plain("1")).await);
    let more = encode_one(&warm, &plain("2")).await;
    assert!(more.claims_to_be_sealed());
    let cold = codec(&provider);
    let began = Instant::now();
    let failed = cold.decode(&default(), vec![sealed.clone()]).await;
    assert!(matches!(failed, Err(CodecError::KeyUnavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let failed = cold.encode(&default(), vec![plain("1")]).await;
    assert!(matches!(failed, Err(CodecError::KeyUnavailable(_))));
    provider.set_hanging(false);
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(decodes(&cold, &sealed, &plain("1")).await);
}

#[tokio::test(start_paused = true)]
async fn throttling_that_passes_is_not_seen_and_what_stays_is_retryable() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    provider.fail_next(2, KmsErrorKind::Throttled);
    let sealed = encode_one(&codec, &plain("1")).await;
    provider.fail_next(2, KmsErrorKind::Unavailable);
    assert!(decodes(&codec, &sealed, &plain("1")).await);
    codec.clear(None);
    provider.fail_next(3, KmsErrorKind::Throttled);
    let failed = codec.decode(&default(), vec![sealed]).await;
    assert!(matches!(failed, Err(CodecError::KeyUnavailable(_))));
}

#[tokio::test]
async fn a_key_that_refuses_is_an_error_that_stays_and_is_never_passed_through() {
    let provider = FaultyProvider::in_memory();
    let mut keys = app_keys(&provider);
    keys.on_undecodable = bulla_temporal::OnUndecodable::PassThrough;
    let sealed = encode_one(&codec_of(keys.clone(), PayloadCodec::default_settings()), &plain("1")).await;
    for kind in [
        KmsErrorKind::AccessDenied,
        KmsErrorKind::NotFound,
        KmsErrorKind::KeyDisabled,
    ] {
        let cold = codec_of(keys.clone(), PayloadCodec::default_settings());
        provider.fail_next(1, kind);
        let failed = cold.decode(&default(), vec![sealed.clone()]).await;
        assert!(matches!(failed, Err(CodecError::KeyRefused(_))), "{kind}");
        provider.fail_next(1, kind);
        let failed = cold.encode(&default(), vec![plain("1")]).await;
        assert!(matches!(failed, Err(CodecError::KeyRefused(_))), "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_disabled_key_ends_warm_caches_with_the_next_poll() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let sealed = encode_one(&codec, &plain("1")).await;
    assert!(decodes(&codec, &sealed, &plain("1")).await);
    provider.set_key_state("key-a", KeyState::Disabled);
    // Every 30 s the state is asked for.
    for _ in 0..40 {
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    assert!(!decodes(&codec, &sealed, &plain("1")).await);
}

#[tokio::test]
async fn a_history_of_a_thousand_events_opens_cold_with_a_call_for_each_data_key() {
    let provider = FaultyProvider::in_memory();
    let mut history = Vec::new();
    for _ in 0..4 {
        let fresh = codec(&provider);
        let events = (0..250).map(|event| plain(&event.to_string())).collect();
        history.extend(fresh.encode(&default(), events).await.unwrap());
    }
    let before = provider.calls();
    let cold = codec(&provider);
    let decoded = cold.decode(&default(), history).await.unwrap();
    assert_eq!(decoded.len(), 1_000);
    assert_eq!(provider.calls().unwrap - before.unwrap, 4);
    assert_eq!(provider.calls().generate_data_key, before.generate_data_key);
}

#[tokio::test]
async fn many_at_once_ask_the_provider_once() {
    let provider = FaultyProvider::in_memory();
    let codec = Arc::new(codec(&provider));
    provider.hold();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let codec = Arc::clone(&codec);
            tokio::spawn(async move { encode_one(&codec, &plain("1")).await })
        })
        .collect();
    provider.wait_for_in_flight(1).await;
    provider.release();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(provider.calls().generate_data_key, 1);
}
