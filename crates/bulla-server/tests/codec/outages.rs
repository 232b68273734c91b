use bulla_kms::KmsErrorKind;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_goes_down_in_the_middle_of_decodes_makes_no_wrong_answer() {
    let codec = std::sync::Arc::new(Running::open().await);
    let mut sealed = Vec::new();
    for namespace in ["a", "b", "c", "d"] {
        let path = format!("/codec/{namespace}/");
        let answer = codec.post(&format!("{path}encode"), "", PLAIN).await;
        sealed.push((format!("{path}decode"), answer.body));
    }
    let readers: Vec<_> = (0..16)
        .map(|reader| {
            let (codec, (path, body)) = (codec.clone(), sealed[reader % 4].clone());
            tokio::spawn(async move {
                for _ in 0..10 {
                    let answer = codec.post(&path, "", &body).await;
                    match answer.status {
                        200 => assert_eq!(answer.body, PLAIN.as_bytes()),
                        403 | 503 => {}
                        other => unreachable!("{other}"),
                    }
                }
            })
        })
        .collect();
    codec.provider.fail_next(2, KmsErrorKind::Throttled);
    codec.provider.fail_next(2, KmsErrorKind::AccessDenied);
    codec.provider.set_down(true);
    tokio::task::yield_now().await;
    codec.provider.set_down(false);
    for reader in readers {
        reader.await.unwrap();
    }
    let after = codec.post(&sealed[0].0, "", &sealed[0].1).await;
    assert!(matches!(after.status, 200 | 503));
}
