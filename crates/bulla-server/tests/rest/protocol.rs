//! Who is let in by which credential, and what is refused before any route is asked.

use bulla_model::Role;

use crate::client::*;
use crate::harness::Harness;

#[tokio::test]
async fn a_token_a_signature_and_the_dev_mode_open_the_same_routes() {
    let h = Harness::start().await;
    let auditor = User::new(&h, "ann", Role::Auditor).await;
    assert_eq!(auditor.get(&h, "/v1/audit").await.status, 200);
    let query = "limit=1&principal=a%2Fb%20c";
    let headers = signed(&h, "bulla", "GET", "/v1/audit", query);
    let answer = request(&h, "GET", &format!("/v1/audit?{query}"), &headers, "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let dev = Harness::dev().await;
    let answer = request(&dev, "GET", "/v1/audit", "", "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // A name bound to our address, and a page of another origin, are not answered.
    let evil = "Origin: https://evil.example\r\n";
    assert_eq!(request(&dev, "GET", "/v1/audit", evil, "").await.status, 403);
    let bound = dev.raw(b"GET /v1/audit HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert_eq!(bound.status, 403);
}

#[tokio::test]
async fn who_shows_nothing_or_something_else_is_nobody() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let other_query = signed(&h, "bulla", "GET", "/v1/audit", "limit=2");
    let other_service = signed(&h, "kms", "GET", "/v1/audit", "");
    let other_token = format!("{}x", ann.header().trim_end());
    for headers in [
        String::new(),
        "Authorization: Bearer \r\n".to_owned(),
        "Authorization: Basic YTpi\r\n".to_owned(),
        format!("{other_token}\r\n"),
        ann.header().repeat(2),
        other_query,
        other_service,
    ] {
        let answer = request(&h, "GET", "/v1/audit", &headers, "").await;
        problem(&answer, 401, "unauthenticated");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert!(!answer.text().contains(&ann.token));
    }
    // Nothing of it was an operation; it is counted in aggregate.
    assert!(events(&h).await.iter().all(|event| event["eventName"] != "QueryAudit"));
    h.service.flush_authentication_failures().await;
    newest(&h, "AuthenticationFailures").await;
    // Taken away, the token opens nothing from the next request on.
    assert_eq!(ann.get(&h, "/v1/audit").await.status, 200);
    let id = h.service.list_api_tokens(&operator(&h), ann.arn.clone()).await.unwrap()[0]
        .id
        .clone();
    h.service
        .set_api_token_enabled(&operator(&h), &id, false)
        .await
        .unwrap();
    problem(&ann.get(&h, "/v1/audit").await, 401, "unauthenticated");
}

#[tokio::test]
async fn what_is_no_route_or_not_of_its_form_is_a_problem_with_a_code() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let (token, json) = (ann.header(), "Content-Type: application/json\r\n");
    let typed = format!("{token}{json}");
    let elsewhere = format!("{token}Bulla-Region: no/where\r\n");
    let recorded = async || {
        let events = events(&h).await;
        events.iter().filter(|event| event["eventName"] != "ReadAudit").count()
    };
    for (method, path, headers, body, status, code) in [
        ("GET", "/v1", &token, "", 404, "no_such_route"),
        ("GET", "/v1/audit/../audit", &token, "", 404, "no_such_route"),
        ("DELETE", "/v1/audit", &token, "", 405, "method_not_allowed"),
        ("GET", "/v1/audit?colour=red", &token, "", 400, "invalid_request"),
        ("GET", "/v1/audit?limit=0", &token, "", 400, "invalid_request"),
        ("GET", "/v1/audit?limit=1001", &token, "", 400, "invalid_request"),
        ("GET", "/v1/audit?from=yesterday", &token, "", 400, "invalid_request"),
        ("GET", "/v1/audit?outside=nights", &token, "", 400, "invalid_request"),
        ("GET", "/v1/audit?context=a", &token, "", 400, "invalid_request"),
        ("GET", "/v1/audit?cursor=1", &token, "", 400, "invalid_cursor"),
        ("GET", "/v1/audit/reports/client", &token, "", 400, "invalid_request"),
        ("GET", "/v1/changes?wait=26", &token, "", 400, "invalid_request"),
        ("POST", "/v1/audit/events", &token, "{}", 415, "unsupported_media_type"),
        ("POST", "/v1/audit/events", &typed, "{}", 400, "invalid_request"),
        ("POST", "/v1/audit/events", &typed, "[", 400, "invalid_request"),
        ("GET", "/v1/audit", &elsewhere, "", 400, "invalid_region"),
    ] {
        let before = recorded().await;
        let answer = request(&h, method, path, headers, body).await;
        problem(&answer, status, code);
        // A known caller's, where there is a route: one event, whoever refused it.
        let expected = usize::from(!matches!(status, 404 | 405));
        assert_eq!(recorded().await, before + expected, "{method} {path}");
    }
    let answer = request(&h, "DELETE", "/v1/audit", &token, "").await;
    assert_eq!(answer.header("allow"), "GET");
    let large = format!("{{\"batch_id\":\"{}\"}}", "x".repeat(256 * 1024));
    problem(
        &request(&h, "POST", "/v1/audit/events", &typed, &large).await,
        413,
        "body_too_large",
    );
    // What a known caller asked for wrongly is an event of that operation.
    request(&h, "GET", "/v1/audit?colour=red", &token, "").await;
    let event = newest(&h, "QueryAudit").await;
    assert_eq!(event["errorCode"], "invalid_request");
    assert_eq!(event["eventSource"], "bulla");
    assert!(!event.to_string().contains("colour"));
}

#[tokio::test]
async fn a_request_id_is_taken_over_in_a_safe_form_only() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let with = async |id: &str| {
        let headers = format!("{}X-Request-Id: {id}\r\n", ann.header());
        let answer = request(&h, "GET", "/v1/audit?limit=1", &headers, "").await;
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(with("order-17.b_2").await, "order-17.b_2");
    assert_eq!(newest(&h, "QueryAudit").await["requestID"], "order-17.b_2");
    for wrong in ["", "a b", "a\"b", "ü", "<script>", &"x".repeat(65)] {
        let id = with(wrong).await;
        assert_eq!(id.len(), 36, "{wrong}: {id}");
    }
}
