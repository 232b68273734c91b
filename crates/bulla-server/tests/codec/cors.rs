use crate::{Answer, PLAIN, Running, UI, config};
use bulla_model::SystemClock;
use bulla_server::codec::TableGate;
use std::sync::Arc;

/// What a browser would let a page of the origin see.
fn allowed(answer: &Answer) -> Option<&str> {
    assert!(answer.header("vary").unwrap().contains("Origin"), "{answer:?}");
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn allowed_and_denied_origins_with_and_without_authentication_in_preflight_success_and_error() {
    for (codec, authenticated) in [(Running::open().await, false), (Running::closed().await, true)] {
        let bearer = if authenticated {
            "authorization: Bearer worker-token\r\n"
        } else {
            ""
        };
        for (origin, may) in [
            (UI, true),
            ("http://evil.example", false),
            ("null", false),
            ("http://ui.example", false),
            ("https://ui.example:8233", false),
            ("http://ui.example:8233.evil.example", false),
        ] {
            let of = format!("origin: {origin}\r\n");
            let seen = may.then_some(origin);

            let ask =
                "access-control-request-method: POST\r\naccess-control-request-headers: authorization,x-namespace";
            let preflight = codec
                .send(&format!("OPTIONS /codec/default/decode HTTP/1.1\r\n{of}{ask}"), "")
                .await;
            assert_eq!(preflight.status, if may { 204 } else { 403 }, "{origin}");
            assert_eq!(allowed(&preflight), seen);
            assert_eq!(
                preflight.header("access-control-allow-headers"),
                may.then_some("Content-Type, X-Namespace, Authorization, Authorization-Extras")
            );
            assert_eq!(
                preflight.header("access-control-allow-methods"),
                may.then_some("POST, OPTIONS")
            );
            assert_eq!(preflight.header("access-control-allow-credentials"), None);

            let success = codec.post("/encode", &format!("{of}{bearer}"), PLAIN).await;
            assert_eq!(success.status, if may { 200 } else { 403 }, "{origin}");
            assert_eq!(allowed(&success), seen);

            let error = codec.post("/encode", &format!("{of}{bearer}"), "{").await;
            assert_eq!(error.status, if may { 400 } else { 403 }, "{origin}");
            assert_eq!(allowed(&error), seen);

            if authenticated {
                let stranger = codec.post("/encode", &of, PLAIN).await;
                assert_eq!(stranger.status, if may { 401 } else { 403 });
                assert_eq!(allowed(&stranger), seen);
                let forbidden = "authorization: Bearer reader-token\r\n";
                let forbidden = codec.post("/encode", &format!("{of}{forbidden}"), PLAIN).await;
                assert_eq!(forbidden.status, 403);
                assert_eq!(allowed(&forbidden), seen);
            }
        }
        let no_page = codec.post("/encode", bearer, PLAIN).await;
        assert_eq!((no_page.status, allowed(&no_page)), (200, None));
        let not_found = codec.post("/nowhere", &format!("origin: {UI}\r\n"), "").await;
        assert_eq!((not_found.status, allowed(&not_found)), (404, Some(UI)));
        let too_large = format!("origin: {UI}\r\n{bearer}");
        let too_large = codec.post("/encode", &too_large, vec![b' '; 9 << 20]).await;
        assert_eq!((too_large.status, allowed(&too_large)), (413, Some(UI)));
    }
}

#[tokio::test]
async fn credentials_are_allowed_only_where_that_is_configured_and_to_allowed_origins() {
    let mut with = config();
    with.credentials = true;
    let codec = Running::with(with, |log| TableGate::open(log, Arc::new(SystemClock))).await;
    for (origin, allowed) in [(UI, Some("true")), ("http://evil.example", None)] {
        let answer = codec.post("/encode", &format!("origin: {origin}\r\n"), PLAIN).await;
        assert_eq!(answer.header("access-control-allow-credentials"), allowed);
    }
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_causes_no_work() {
    let codec = Running::open().await;
    codec.post("/encode", "origin: http://evil.example\r\n", PLAIN).await;
    codec
        .post("/v1/codec/rotate", "origin: http://evil.example\r\n", "")
        .await;
    assert_eq!(codec.provider.calls().total(), 0);
    assert!(codec.lines().is_empty());
}
