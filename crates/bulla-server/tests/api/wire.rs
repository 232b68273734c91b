use std::collections::HashSet;

use serde_json::json;

use crate::harness::{Answer, Harness};

fn has_the_headers_of_aws(answer: &Answer) {
    assert_eq!(
        answer.header("cache-control"),
        "no-cache, no-store, must-revalidate, private"
    );
    assert_eq!(answer.header("expires"), "0");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
    assert!(answer.header("date").ends_with(" GMT"));
    let id = answer.header("x-amzn-requestid");
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'4'));
}

#[tokio::test]
async fn every_answer_has_the_headers_of_aws() {
    let server = Harness::start().await;
    let key = server.key().await;
    let mut ids = HashSet::new();
    for (operation, body) in [
        ("ListKeys", "{}".to_owned()),
        ("EnableKey", json!({"KeyId": key}).to_string()),
        ("EnableKey", "{}".to_owned()),
        ("Sign", "{}".to_owned()),
    ] {
        let answer = server.send(operation, body.as_bytes()).await;
        has_the_headers_of_aws(&answer);
        ids.insert(answer.header("x-amzn-requestid").to_owned());
    }
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn targets_that_name_nothing_are_unknown_operations() {
    let server = Harness::start().await;
    for target in ["Encrypts", "", "encrypt", "Encrypt\u{e9}", &"E".repeat(4000)] {
        let answer = server.send(target, b"{}").await;
        assert_eq!(answer.is_error(400, "UnknownOperationException"), None);
        assert_eq!(answer.text(), r#"{"__type":"UnknownOperationException"}"#);
    }
    let request =
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}";
    server
        .raw(request.as_bytes())
        .await
        .is_error(400, "UnknownOperationException");
}

#[tokio::test]
async fn other_content_types_are_answered_in_xml() {
    let server = Harness::start().await;
    for kind in ["Content-Type: application/json", "Content-Type: text/plain", "X: y"] {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: TrentService.ListKeys\r\n{kind}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        let answer = server.raw(request.as_bytes()).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (404, "<UnknownOperationException/>\n")
        );
    }
    let answer = server
        .raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        .await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().starts_with("<AccessDeniedException>"));
}

#[tokio::test]
async fn the_content_type_may_have_parameters() {
    let server = Harness::dev().await;
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Target: TrentService.ListKeys\r\nContent-Type: Application/X-Amz-Json-1.1; charset=utf-8\r\n\
         Content-Length: 2\r\n\r\n{{}}",
        server.address
    );
    assert_eq!(server.raw(request.as_bytes()).await.status, 200);
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_a_chunked_body_at_its_end() {
    use tokio::io::AsyncWriteExt;
    let server = Harness::dev().await;
    let mut stream = server.connect().await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {}\r\nX-Amz-Target: TrentService.GenerateRandom\r\nContent-Type: application/x-amz-json-1.1\r\n",
        server.address
    );
    let whole = format!("{head}Content-Length: 22\r\n\r\n{{\"NumberOfBytes\":  16}}");
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n7\r\n{{\"Numbe\r\n12\r\nrOfBytes\":     16}}\r\n0\r\n\r\n");
    for (request, stays) in [(&whole, true), (&whole, true), (&chunked, false)] {
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = Answer::read(&mut stream).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.headers.get("connection").is_none_or(|value| value != "close"),
            stays
        );
    }
}
