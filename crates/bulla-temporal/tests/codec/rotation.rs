use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::record::Record;
use bulla_envelope::Settings;
use bulla_kms::KmsErrorKind;
use bulla_temporal::{CodecError, Payload, PayloadCodec};
use bulla_testkit::FaultyProvider;

use crate::{app_keys, codec, codec_of, decodes, default, encode_one, namespace, plain};

fn data_key_of(sealed: &Payload) -> Vec<u8> {
    Record::parse(&sealed.data).unwrap().wrapped_key().to_vec()
}

#[tokio::test]
async fn three_rotations_of_data_keys_and_one_of_the_master_key_leave_everything_readable() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let mut written = Vec::new();
    for round in 0..3 {
        let payload = plain(&round.to_string());
        written.push((encode_one(&codec, &payload).await, payload));
        assert_eq!(codec.rotate(None).await.unwrap(), 1);
    }
    // An alias that moves takes effect with the next data key, without a restart.
    provider.rotate_alias("alias/app", "key-b");
    let before = encode_one(&codec, &plain("before")).await;
    assert!(before.metadata["bulla-key-id"].ends_with(b"key-a"));
    codec.rotate(Some(&default())).await.unwrap();
    let after = encode_one(&codec, &plain("after")).await;
    assert!(after.metadata["bulla-key-id"].ends_with(b"key-b"));
    written.extend([(before, plain("before")), (after, plain("after"))]);
    let data_keys: BTreeSet<_> = written.iter().map(|(sealed, _)| data_key_of(sealed)).collect();
    assert_eq!(data_keys.len(), 5);
    let restarted = crate::codec(&provider);
    for (sealed, payload) in &written {
        assert!(decodes(&codec, sealed, payload).await);
        assert!(decodes(&restarted, sealed, payload).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_fails_leaves_the_old_data_key_at_work() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let first = encode_one(&codec, &plain("1")).await;
    provider.fail_next(1, KmsErrorKind::AccessDenied);
    assert!(codec.rotate(None).await.is_err());
    provider.set_down(true);
    assert!(matches!(codec.rotate(None).await, Err(CodecError::KeyUnavailable(_))));
    let second = encode_one(&codec, &plain("2")).await;
    assert_eq!(data_key_of(&first), data_key_of(&second));
    assert_eq!(codec.rotate(Some(&namespace("other"))).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn data_keys_are_renewed_before_their_end_and_the_statistics_say_how_old_they_are() {
    let provider = FaultyProvider::in_memory();
    let codec = codec(&provider);
    let first = encode_one(&codec, &plain("1")).await;
    encode_one(&codec, &plain("1")).await;
    let (name, stats) = codec.stats().remove(0);
    assert_eq!(name, default());
    assert_eq!((stats.sealed, stats.max_age), (2, Duration::from_secs(3600)));
    assert!(stats.current_age.is_some() && !stats.current_expired);
    for _ in 0..36 {
        tokio::time::advance(Duration::from_secs(100)).await;
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let later = encode_one(&codec, &plain("1")).await;
    assert_ne!(data_key_of(&first), data_key_of(&later));
    let (_, stats) = codec.stats().remove(0);
    assert!(stats.current_age.unwrap() < Duration::from_secs(1000));
    assert_eq!(stats.keys.renewals, 1);
    // No data key and no way to one is what an alert is for.
    codec.clear(None);
    provider.fail_next(1, KmsErrorKind::AccessDenied);
    assert!(codec.encode(&default(), vec![plain("1")]).await.is_err());
    assert!(codec.stats()[0].1.current_expired);
    encode_one(&codec, &plain("1")).await;
    assert!(!codec.stats()[0].1.current_expired);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_writers_across_rotations_never_use_a_wrong_key() {
    let provider = FaultyProvider::in_memory();
    let settings = Settings {
        // Data keys also run out in the middle.
        max_messages: 50,
        ..PayloadCodec::default_settings()
    };
    let codec = Arc::new(codec_of(app_keys(&provider), settings));
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let codec = Arc::clone(&codec);
            tokio::spawn(async move {
                let mut written = Vec::new();
                for value in 0..40 {
                    let payload = plain(&format!("{writer}/{value}"));
                    written.push((encode_one(&codec, &payload).await, payload));
                }
                written
            })
        })
        .collect();
    for round in 0..20 {
        provider.rotate_alias("alias/app", if round % 2 == 0 { "key-b" } else { "key-a" });
        codec.rotate(None).await.unwrap();
    }
    let fresh = crate::codec(&provider);
    for writer in writers {
        for (sealed, payload) in writer.await.unwrap() {
            assert!(decodes(&fresh, &sealed, &payload).await);
        }
    }
}
