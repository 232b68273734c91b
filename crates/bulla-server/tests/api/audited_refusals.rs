//! What is refused before the service hears of it is in the audit log, too: by whom, or how often and from where.

use serde_json::{Value, json};

use crate::harness::Harness;

impl Harness {
    /// Every event so far, read beside the façade; the reading itself comes after them.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let operator = bulla_service::Call {
            caller: bulla_service::Caller::operator(self.initialised.account.clone()),
            region: crate::harness::REGION.parse().unwrap(),
            request_id: "test".into(),
            source_ip: "in-process".into(),
            user_agent: "test/1".into(),
            secure_transport: true,
        };
        let rows = self.service.read_audit_events(&operator, 0, 10_000).await.unwrap();
        rows.iter()
            .map(|row| serde_json::from_slice(&row.event).unwrap())
            .collect()
    }
}

#[tokio::test]
async fn every_operation_of_which_nothing_can_be_read_leaves_its_event() {
    let server = Harness::start().await;
    for route in bulla_server::ROUTES {
        assert_eq!(server.send(route.name, b"secret-input").await.status, 400);
        let event = server.events().await.pop().unwrap();
        assert_eq!(event["eventName"], route.name);
        assert_eq!(event["userIdentity"]["userName"], "admin");
        assert_eq!(event["sourceIPAddress"], "127.0.0.1");
        assert!(event["errorCode"].is_string(), "{event}");
        assert!(!event.to_string().contains("secret-input"));
    }
}

#[tokio::test]
async fn members_out_of_their_limits_leave_an_event_without_their_values() {
    let server = Harness::start().await;
    let input = json!({"KeyId": "secret id", "Plaintext": "", "EncryptionAlgorithm": "secret-algorithm"});
    let said = server.refused("Encrypt", input, "ValidationException").await.unwrap();
    assert!(said.contains("secret"));
    let event = server.events().await.pop().unwrap();
    assert_eq!(
        (&event["eventName"], &event["errorCode"]),
        (&json!("Encrypt"), &json!("ValidationException"))
    );
    assert_eq!(event["readOnly"], true);
    assert!(!event.to_string().contains("secret"), "{event}");
}

#[tokio::test]
async fn what_is_refused_as_not_built_leaves_an_event() {
    let server = Harness::start().await;
    let recipient = json!({"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": "AAAA"});
    let input = json!({"NumberOfBytes": 1, "Recipient": recipient});
    server
        .refused("GenerateRandom", input, "UnsupportedOperationException")
        .await;
    let event = server.events().await.pop().unwrap();
    assert_eq!(event["errorCode"], "UnsupportedOperationException");
    assert_eq!(event["eventName"], "GenerateRandom");
}

#[tokio::test]
async fn an_unknown_operation_of_a_known_caller_leaves_an_event_and_of_an_unknown_one_a_count() {
    let server = Harness::start().await;
    let answer = server.send("SecretName", b"{}").await;
    answer.is_error(400, "UnknownOperationException");
    let event = server.events().await.pop().unwrap();
    assert_eq!(event["eventName"], "UnknownOperation");
    assert_eq!(event["errorCode"], "UnknownOperationException");
    assert_eq!(event["userIdentity"]["userName"], "admin");
    assert!(!event.to_string().contains("SecretName"));
    let before = server.events().await.len();
    let unsigned = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: TrentService.SecretName\r\n\
                    Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}";
    let answer = server.raw(unsigned.as_bytes()).await;
    answer.is_error(400, "UnknownOperationException");
    // One more: the reading.
    assert_eq!(server.events().await.len(), before + 1);
}

#[tokio::test]
async fn what_nobody_signed_for_is_one_event_with_reasons_and_addresses() {
    let server = Harness::start().await;
    let too_large = vec![b'x'; 1024 * 1024 + 1];
    assert_eq!(server.send("ListKeys", &too_large).await.status, 413);
    let request = String::from_utf8(server.signed("ListKeys", b"{}")).unwrap();
    for signature in ["Signature=0", "Signature=1"] {
        let at = request.find("Signature=").unwrap();
        let mut forged = request.clone();
        forged.replace_range(at..at + signature.len(), signature);
        if forged != request {
            server
                .raw(forged.as_bytes())
                .await
                .is_error(400, "InvalidSignatureException");
        }
    }
    let no_json = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(server.raw(no_json.as_bytes()).await.status, 403);
    server.service.flush_authentication_failures().await;
    let event = server.events().await.pop().unwrap();
    assert_eq!(event["eventName"], "AuthenticationFailures");
    let parameters = &event["requestParameters"];
    assert_eq!(parameters["reasons"]["RequestEntityTooLargeException"], 1);
    assert_eq!(parameters["reasons"]["UnknownOperationException"], 1);
    assert!(parameters["reasons"]["InvalidSignatureException"].as_u64() >= Some(1));
    assert_eq!(parameters["sources"], json!({"127.0.0.1": parameters["count"]}));
}

#[tokio::test]
async fn a_request_that_succeeds_is_one_event_and_no_more() {
    let server = Harness::start().await;
    let before = server.events().await.len();
    server.ok("ListKeys", json!({})).await;
    let events = server.events().await;
    assert_eq!(events.len(), before + 2, "the first reading and ListKeys");
    assert_eq!(events.last().unwrap()["eventName"], "ListKeys");
}

#[tokio::test]
async fn a_request_that_takes_too_long_leaves_an_event() {
    let server = Harness::with(|config| config.limits.request = std::time::Duration::from_millis(25)).await;
    // Making a key of 4,096 bits takes longer than that; with luck it does not, once.
    for _ in 0..10 {
        let answer = server
            .send("CreateKey", br#"{"KeySpec":"RSA_4096","KeyUsage":"SIGN_VERIFY"}"#)
            .await;
        if answer.status == 200 {
            continue;
        }
        assert_eq!(answer.status, 500);
        let events = server.events().await;
        let refused = events
            .iter()
            .find(|event| event["errorCode"] == "DependencyTimeoutException");
        let event = refused.expect("an event");
        assert_eq!(
            (&event["eventName"], &event["userIdentity"]["userName"]),
            (&json!("CreateKey"), &json!("admin"))
        );
        return;
    }
    panic!("ten keys within 25 ms each");
}
