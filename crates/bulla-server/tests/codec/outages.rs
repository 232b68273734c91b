use std::sync::Arc;

use bulla_kms::KmsErrorKind;
use bulla_testkit::FaultyProvider;

use crate::{PLAIN, Running};

#[tokio::test]
async fn a_key_that_is_down_is_a_503_and_one_that_refuses_a_403_and_warm_caches_go_on() {
    let codec = Running::open().await;
    let sealed = codec.post("/encode", "", PLAIN).await;
    assert_eq!(codec.post("/decode", "", &sealed.body).await.status, 200);
    codec.provider.set_down(true);
    assert_eq!(codec.post("/decode", "", &sealed.body).await.status, 200);
    assert_eq!(codec.post("/encode", "", PLAIN).await.status, 200);
    let cold = codec.post("/codec/cold/encode", "", PLAIN).await;
    assert_eq!((cold.status, cold.header("retry-after")), (503, Some("1")));
    assert_eq!(cold.message(), "the namespace's key can't be reached now");
    codec.provider.set_down(false);
    for kind in [
        KmsErrorKind::AccessDenied,
        KmsErrorKind::KeyDisabled,
        KmsErrorKind::NotFound,
    ] {
        codec.provider.fail_next(1, kind);
        let denied = codec
            .post(&format!("/codec/cold-{}/encode", kind as u8), "", PLAIN)
            .await;
        assert_eq!(denied.status, 403, "{kind}");
        assert_eq!(denied.message(), "the namespace's key can't be used");
    }
    codec.provider.fail_next(2, KmsErrorKind::Throttled);
    assert_eq!(codec.post("/codec/throttled/encode", "", PLAIN).await.status, 200);
}

#[tokio::test]
async fn a_key_that_is_killed_throttled_or_denied_in_the_middle_of_decodes_fails_with_the_right_class_and_warm_ones_go_on()
 {
    type Fault = fn(&FaultyProvider);
    let faults: [(&str, Fault, u16, Option<&str>); 4] = [
        ("killed", |provider| provider.set_down(true), 503, Some("1")),
        (
            "throttled for good",
            |provider| provider.fail_next(3, KmsErrorKind::Throttled),
            503,
            Some("1"),
        ),
        (
            "throttled for a while",
            |provider| provider.fail_next(2, KmsErrorKind::Throttled),
            200,
            None,
        ),
        (
            "denied",
            |provider| provider.fail_next(1, KmsErrorKind::AccessDenied),
            403,
            None,
        ),
    ];
    for (what, fault, status, retry_after) in faults {
        let codec = Arc::new(Running::open().await);
        let warm = codec.post("/codec/warm/encode", "", PLAIN).await.body;
        assert_eq!(codec.post("/codec/warm/decode", "", &warm).await.status, 200);
        let cold = codec.post("/codec/cold/encode", "", PLAIN).await.body;
        let before = codec.provider.calls().unwrap;
        codec.provider.hold();
        let decode = {
            let (codec, cold) = (Arc::clone(&codec), cold.clone());
            tokio::spawn(async move { codec.post("/codec/cold/decode", "", cold).await })
        };
        codec.provider.wait_for_in_flight(1).await;
        // The call is under way, and holds nobody up.
        assert_eq!(codec.post("/codec/warm/decode", "", &warm).await.status, 200, "{what}");
        assert_eq!(codec.post("/codec/warm/encode", "", PLAIN).await.status, 200, "{what}");
        fault(&codec.provider);
        codec.provider.release();
        let answer = decode.await.unwrap();
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (status, retry_after),
            "{what}"
        );
        if status == 200 {
            assert_eq!(answer.body, PLAIN.as_bytes());
        } else {
            assert!(!answer.message().is_empty() && answer.json().get("payloads").is_none());
        }
        assert!(codec.provider.calls().unwrap > before, "{what}");
        let opened = codec.post("/codec/warm/decode", "", &warm).await;
        assert_eq!((opened.status, &*opened.body), (200, PLAIN.as_bytes()), "{what}");
    }
}
