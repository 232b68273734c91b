use bulla_crypto::SystemRandom;
use bulla_server::{AuthMode, Server, ServerConfig, ServerError};
use serde_json::Value;

use crate::harness::{Answer, Harness};

async fn list(server: &Harness, headers: &str) -> Answer {
    let request = format!(
        "POST / HTTP/1.1\r\n{headers}X-Amz-Target: TrentService.CreateKey\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    server.raw(request.as_bytes()).await
}

async fn arn_of_new_key(server: &Harness, headers: &str) -> String {
    let answer = list(server, &format!("Host: {}\r\n{headers}", server.address)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    match &answer.json()["KeyMetadata"]["Arn"] {
        Value::String(arn) => arn.clone(),
        other => panic!("no ARN: {other}"),
    }
}

#[tokio::test]
async fn anybody_is_the_administrator_of_the_account_that_he_names() {
    let server = Harness::dev().await;
    for (headers, place) in [
        ("", "us-east-1:000000000000:"),
        ("Authorization: Bearer x\r\n", "us-east-1:000000000000:"),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=test/20200101/eu-west-1/kms/aws4_request, Signature=0\r\n",
            "eu-west-1:000000000000:",
        ),
        (
            "Authorization: AWS4-HMAC-SHA256 Credential=111122223333/20200101/eu-central-1/kms/aws4_request, Signature=0\r\n",
            "eu-central-1:111122223333:",
        ),
    ] {
        let arn = arn_of_new_key(&server, headers).await;
        assert!(arn.starts_with(&format!("arn:aws:kms:{place}")), "{arn}");
    }
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let server = Harness::dev().await;
    for headers in [
        "Host: evil.example\r\n",
        "Host: localhost\r\nOrigin: https://evil.example\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: evil.example\r\nHost: localhost\r\n",
        "Host: localhost.\r\n",
        "Host: localhost\r\nOrigin: app://localhost\r\n",
        "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: http://evil.example\r\n",
        "",
    ] {
        assert_eq!(list(&server, headers).await.status, 403, "{headers}");
    }
    for headers in [
        "Host: localhost:1\r\n",
        "Host: [::1]\r\nOrigin: http://localhost:8080\r\n",
    ] {
        assert_eq!(list(&server, headers).await.status, 200, "{headers}");
    }
}

#[tokio::test]
async fn the_name_in_the_request_line_counts_as_a_host() {
    let server = Harness::dev().await;
    for (target, status) in [("http://evil.example/healthz", 403), ("http://localhost/healthz", 200)] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(server.raw(request.as_bytes()).await.status, status, "{target}");
    }
}

#[tokio::test]
async fn a_remote_dev_server_answers_no_page_of_a_browsers_extension() {
    let server = Harness::with(|config| {
        config.auth = AuthMode::Dev;
        config.allow_remote_dev = true;
    })
    .await;
    for (origin, status) in [("chrome-extension://abcdefgh", 403), ("http://bulla:4599", 200)] {
        let answer = list(&server, &format!("Host: bulla\r\nOrigin: {origin}\r\n")).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_remote_dev_server_answers_its_own_pages_and_those_of_the_browsers_machine_only() {
    let server = Harness::with(|config| {
        config.auth = AuthMode::Dev;
        config.allow_remote_dev = true;
    })
    .await;
    for (host, origin, status) in [
        ("10.0.0.5:4599", "http://10.0.0.9", 403),
        ("10.0.0.5:4599", "http://203.0.113.7:8080", 403),
        ("10.0.0.5:4599", "http://[2001:db8::1]", 403),
        ("10.0.0.5:4599", "http://intranet", 403),
        ("10.0.0.5:4599", "http://10.0.0.5:8080", 200),
        ("10.0.0.5:4599", "http://localhost:3000", 200),
        ("bulla", "https://BULLA:4599", 200),
    ] {
        let answer = list(&server, &format!("Host: {host}\r\nOrigin: {origin}\r\n")).await;
        assert_eq!(answer.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_signing_server_does_not_care_for_host_names() {
    let server = Harness::start().await;
    assert_eq!(list(&server, "Host: kms.example\r\n").await.status, 400);
}

#[tokio::test]
async fn only_what_is_safe_is_listened_on() {
    let server = Harness::dev().await;
    let bind = |config: ServerConfig| {
        let clock = std::sync::Arc::new(bulla_testkit::TestClock::default());
        Server::bind(config, server.service.clone(), clock, std::sync::Arc::new(SystemRandom))
    };
    let mut config = ServerConfig::new("0.0.0.0:0".parse().unwrap());
    assert!(matches!(
        bind(config.clone()).await,
        Err(ServerError::PlainHttpOffLoopback(_))
    ));
    config.behind_tls_proxy = true;
    assert!(bind(config.clone()).await.is_ok());
    config.auth = AuthMode::Dev;
    assert!(matches!(
        bind(config.clone()).await,
        Err(ServerError::DevOffLoopback(_))
    ));
    config.allow_remote_dev = true;
    assert!(bind(config).await.is_ok());
    let taken = ServerConfig::new(server.address);
    assert!(matches!(bind(taken).await, Err(ServerError::Listen { .. })));
}
