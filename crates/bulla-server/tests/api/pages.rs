use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn health_and_readiness_are_told() {
    let server = Harness::start().await;
    let alive = server.get("/healthz").await;
    assert_eq!((alive.status, alive.json()), (200, json!({"status": "alive"})));
    let ready = server.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready"})));
    server.service.shutdown().await;
    let down = async { while server.get("/readyz").await.status != 503 {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), down)
        .await
        .expect("it says that it is down");
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_service_that_is_down_answers_500_and_says_nothing_of_why() {
    let server = Harness::start().await;
    server.service.shutdown().await;
    let answer = server.send("ListKeys", b"{}").await;
    let said = answer.is_error(500, "KMSInternalException").unwrap();
    assert_eq!(
        said,
        format!(
            "An internal error occurred. Request id: {}",
            answer.header("x-amzn-requestid")
        )
    );
}

#[tokio::test]
async fn other_pages_and_methods_are_refused() {
    let server = Harness::start().await;
    assert_eq!(server.get("/").await.status, 405);
    assert_eq!(server.get("/").await.header("allow"), "POST");
    assert_eq!(server.get("/nothing").await.status, 404);
    assert_eq!(server.get("/healthz/").await.status, 404);
    let post = server
        .raw(b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"));
    let put = server
        .raw(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(put.status, 405);
    let other = server
        .raw(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn metrics_count_operations_by_outcome_and_hold_no_names_of_clients() {
    let server = Harness::start().await;
    let key = server.key().await;
    server.ok("Encrypt", json!({"KeyId": key, "Plaintext": "AAAA"})).await;
    server.ok("Encrypt", json!({"KeyId": key, "Plaintext": "AAAA"})).await;
    server
        .refused("Encrypt", json!({"KeyId": key}), "ValidationException")
        .await;
    server.send("Nonsense", b"{}").await;
    let text = server.get("/metrics").await.text();
    for line in [
        "bulla_operations_total{operation=\"CreateKey\",outcome=\"ok\"} 1",
        "bulla_operations_total{operation=\"Encrypt\",outcome=\"ok\"} 2",
        "bulla_operations_total{operation=\"Encrypt\",outcome=\"ValidationException\"} 1",
        "bulla_operations_total{operation=\"unknown\",outcome=\"UnknownOperationException\"} 1",
        "bulla_operation_seconds_count{operation=\"Encrypt\"} 3",
        "bulla_signing_keys 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    let value = |name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value("bulla_audit_commits_total") >= 3);
    assert_eq!(
        value("bulla_provider_calls_total"),
        2,
        "the start describes the root and unwraps the store key"
    );
    assert_eq!(value("bulla_provider_call_failures_total"), 0);
    assert!(value("bulla_audit_events_total") >= 3);
    assert_eq!(
        value("bulla_audit_batch_size_count"),
        value("bulla_audit_commits_total")
    );
    assert!(!text.contains(&key));
}
