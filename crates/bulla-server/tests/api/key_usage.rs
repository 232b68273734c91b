use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn the_last_use_of_a_key_is_answered_in_awss_form() {
    let server = Harness::start().await;
    let key = server.key().await;
    let answer = server.ok("GetKeyLastUsage", json!({"KeyId": key})).await;
    let created = answer["KeyCreationDate"].clone();
    assert!(created.is_f64(), "{answer}");
    assert_eq!(
        answer,
        json!({"KeyId": key, "KeyLastUsage": {}, "TrackingStartDate": created, "KeyCreationDate": created})
    );
    server
        .ok("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"}))
        .await;
    let event = server.events().await;
    let event = event
        .iter()
        .find(|event| event["eventName"] == "GenerateDataKey")
        .unwrap();
    let answer = server.ok("GetKeyLastUsage", json!({"KeyId": key})).await;
    assert_eq!(
        answer["KeyLastUsage"],
        json!({
            "Operation": "GenerateDataKey", "Timestamp": created, "CloudTrailEventId": event["eventID"],
            "KmsRequestId": event["requestID"],
        })
    );
    server
        .refused("GetKeyLastUsage", json!({"KeyId": "alias/x"}), "InvalidArnException")
        .await;
    let unknown = json!({"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"});
    server.refused("GetKeyLastUsage", unknown, "NotFoundException").await;
}
