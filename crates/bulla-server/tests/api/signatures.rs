use bulla_service::{Call, Caller};
use bulla_testkit::Signer;

use crate::harness::{Harness, NOW, REGION};

/// Signs `{}` for ListKeys, lets a test change the bytes, and sends them.
async fn forged(server: &Harness, change: impl FnOnce(String) -> String) -> (u16, String, String) {
    let request = String::from_utf8(server.signed("ListKeys", b"{}")).unwrap();
    let answer = server.raw(change(request).as_bytes()).await;
    let body = answer.json();
    (
        answer.status,
        body["__type"].as_str().unwrap().to_owned(),
        body["message"].as_str().unwrap_or_default().to_owned(),
    )
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
                        and signing method. Consult the service documentation for details.";

#[tokio::test]
async fn a_wrong_secret_does_not_match() {
    let server = Harness::start().await;
    let id = &server.initialised.credentials.access_key_id;
    let mut bytes = Vec::new();
    Signer::new(id, "wrong", REGION, &server.address.to_string()).request(&mut bytes, "ListKeys", b"{}", NOW);
    assert_eq!(
        server
            .raw(&bytes)
            .await
            .is_error(400, "InvalidSignatureException")
            .as_deref(),
        Some(MISMATCH)
    );
    // The right key is derived and cached now or later; the wrong one never gets in.
    server.ok("ListKeys", serde_json::json!({})).await;
    assert_eq!(
        server
            .raw(&bytes)
            .await
            .is_error(400, "InvalidSignatureException")
            .as_deref(),
        Some(MISMATCH)
    );
}

#[tokio::test]
async fn an_unknown_access_key_is_not_recognised() {
    let server = Harness::start().await;
    let mut bytes = Vec::new();
    Signer::new("AKIAIOSFODNN7EXAMPLE", "secret", REGION, &server.address.to_string())
        .request(&mut bytes, "ListKeys", b"{}", NOW);
    let said = server.raw(&bytes).await.is_error(400, "UnrecognizedClientException");
    assert_eq!(
        said.as_deref(),
        Some("The security token included in the request is invalid.")
    );
}

#[tokio::test]
async fn what_is_changed_after_signing_is_refused() {
    let server = Harness::start().await;
    let invalid = |message: &str| (400, "InvalidSignatureException".to_owned(), message.to_owned());
    let body = forged(&server, |request| request.replace("{}", "[]")).await;
    assert_eq!(body, invalid(MISMATCH));
    let target = forged(&server, |request| {
        request.replace(
            "X-Amz-Target: TrentService.ListKeys",
            "X-Amz-Target: TrentService.CreateKey",
        )
    })
    .await;
    assert_eq!(target, invalid(MISMATCH));
    let region = forged(&server, |request| request.replace("/us-east-1/", "/us-east-2/")).await;
    assert_eq!(region, invalid(MISMATCH));
    let service = forged(&server, |request| request.replace("/kms/", "/s3/")).await;
    assert_eq!(
        service,
        invalid("Credential should be scoped to correct service: 'kms'. ")
    );
    let added = forged(&server, |request| {
        request.replace("\r\n\r\n", "\r\nX-Amz-Meta: 1\r\n\r\n")
    })
    .await;
    assert_eq!(
        added,
        invalid("'x-amz-meta' must be a 'SignedHeader' in the AWS Authorization.")
    );
    let query = forged(&server, |request| {
        request.replace("POST / ", "POST /?X-Amz-Algorithm=AWS4-HMAC-SHA256 ")
    })
    .await;
    assert_eq!(
        query,
        invalid("Presigned requests are not accepted: sign the request in its Authorization header.")
    );
}

#[tokio::test]
async fn old_and_future_dates_are_refused() {
    let server = Harness::start().await;
    for (date, message) in [
        (
            "20251231T235459Z",
            "Signature expired: 20251231T235459Z is now earlier than 20251231T235500Z (20260101T000000Z - 5 min.)",
        ),
        (
            "20260101T000501Z",
            "Signature not yet current: 20260101T000501Z is still later than 20260101T000500Z (20260101T000000Z + 5 min.)",
        ),
    ] {
        let mut bytes = Vec::new();
        server.signer(REGION).request(&mut bytes, "ListKeys", b"{}", date);
        assert_eq!(
            server
                .raw(&bytes)
                .await
                .is_error(400, "InvalidSignatureException")
                .as_deref(),
            Some(message)
        );
    }
}

#[tokio::test]
async fn a_request_without_a_signature_has_no_token() {
    let server = Harness::start().await;
    let request = String::from_utf8(server.signed("ListKeys", b"{}")).unwrap();
    let without: Vec<&str> = request
        .split("\r\n")
        .filter(|line| !line.starts_with("Authorization"))
        .collect();
    let answer = server.raw(without.join("\r\n").as_bytes()).await;
    assert_eq!(
        answer.is_error(400, "MissingAuthenticationTokenException").as_deref(),
        Some("Missing Authentication Token")
    );
}

#[tokio::test]
async fn session_tokens_are_not_known_here() {
    let server = Harness::start().await;
    let token = forged(&server, |request| {
        request
            .replace("\r\n\r\n", "\r\nX-Amz-Security-Token: t\r\n\r\n")
            .replace(
                "host;x-amz-date;x-amz-target",
                "host;x-amz-date;x-amz-security-token;x-amz-target",
            )
    })
    .await;
    assert_eq!(token.1, "UnrecognizedClientException");
}

#[tokio::test]
async fn regions_that_are_not_served_are_named() {
    let server = Harness::with(|config| config.regions = vec!["eu-west-1".parse().unwrap()]).await;
    let said = server
        .send("ListKeys", b"{}")
        .await
        .is_error(400, "InvalidSignatureException");
    assert_eq!(
        said.as_deref(),
        Some("Credential should be scoped to a valid region, not 'us-east-1'. ")
    );
    let mut bytes = Vec::new();
    server.signer("eu-west-1").request(&mut bytes, "ListKeys", b"{}", NOW);
    assert_eq!(server.raw(&bytes).await.status, 200);
}

#[tokio::test]
async fn a_cached_signing_key_does_not_outlive_its_access_key() {
    let server = Harness::start().await;
    let account = server.service.account().clone();
    let operator = Call {
        caller: Caller::operator(account),
        region: REGION.parse().unwrap(),
        request_id: "test".into(),
        source_ip: "in-process".into(),
        user_agent: "".into(),
        secure_transport: true,
    };
    let access_key = &server.initialised.credentials.access_key_id;
    server.ok("ListKeys", serde_json::json!({})).await;
    for (enabled, status) in [(false, 400), (true, 200)] {
        server
            .service
            .set_access_key_enabled(&operator, access_key, enabled)
            .await
            .unwrap();
        assert_eq!(server.send("ListKeys", b"{}").await.status, status);
    }
    server.service.delete_access_key(&operator, access_key).await.unwrap();
    server
        .refused("ListKeys", serde_json::json!({}), "UnrecognizedClientException")
        .await;
}
