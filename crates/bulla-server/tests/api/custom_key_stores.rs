use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn an_account_has_no_custom_key_stores() {
    let server = Harness::start().await;
    assert_eq!(
        server.ok("DescribeCustomKeyStores", json!({})).await,
        json!({"CustomKeyStores": [], "Truncated": false})
    );
    for (operation, input) in [
        ("DescribeCustomKeyStores", json!({"CustomKeyStoreName": "mine"})),
        ("ConnectCustomKeyStore", json!({"CustomKeyStoreId": "cks-1"})),
        ("DisconnectCustomKeyStore", json!({"CustomKeyStoreId": "cks-1"})),
        ("DeleteCustomKeyStore", json!({"CustomKeyStoreId": "cks-1"})),
        (
            "UpdateCustomKeyStore",
            json!({"CustomKeyStoreId": "cks-1", "NewCustomKeyStoreName": "x"}),
        ),
    ] {
        server
            .refused(operation, input, "CustomKeyStoreNotFoundException")
            .await;
    }
}

#[tokio::test]
async fn a_custom_key_store_is_refused_and_its_password_is_nowhere() {
    let server = Harness::start().await;
    let secret = "Hush4711hush";
    let input = json!({
        "CustomKeyStoreName": "mine", "CloudHsmClusterId": "cluster-2a23b4cdefg", "KeyStorePassword": secret,
        "TrustAnchorCertificate": "-----BEGIN CERTIFICATE-----",
    });
    let said = server
        .refused("CreateCustomKeyStore", input, "UnsupportedOperationException")
        .await;
    assert!(said.is_some_and(|text| text.starts_with("Custom key stores are not supported")));
    let input = json!({"CustomKeyStoreName": "mine", "KeyStorePassword": "Hush47"});
    let said = server
        .refused("CreateCustomKeyStore", input, "ValidationException")
        .await;
    assert!(said.is_some_and(|text| !text.contains("Hush")));
    let log = server.events().await;
    assert!(log.iter().any(|event| event["eventName"] == "CreateCustomKeyStore"));
    assert!(log.iter().all(|event| !event.to_string().contains("Hush")));
}
