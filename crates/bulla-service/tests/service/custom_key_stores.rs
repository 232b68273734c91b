//! The answers of an account without a custom key store.

use bulla_model::Role;
use bulla_service::*;
use serde_json::json;

use crate::harness::*;

fn describe() -> DescribeCustomKeyStoresRequest {
    DescribeCustomKeyStoresRequest {
        custom_key_store_id: None,
        custom_key_store_name: None,
        limit: None,
        marker: None,
    }
}

/// What each operation answers to a caller, by name.
async fn all(service: &Service, call: &Call) -> Vec<(&'static str, Result<(), ServiceError>)> {
    let id = || "cks-1234567890abcdef0".to_owned();
    let connect = ConnectCustomKeyStoreRequest {
        custom_key_store_id: id(),
    };
    let disconnect = DisconnectCustomKeyStoreRequest {
        custom_key_store_id: id(),
    };
    let delete = DeleteCustomKeyStoreRequest {
        custom_key_store_id: id(),
    };
    let update = UpdateCustomKeyStoreRequest {
        custom_key_store_id: id(),
        new_custom_key_store_name: Some("new".to_owned()),
    };
    let create = CreateCustomKeyStoreRequest {
        custom_key_store_name: "mine".to_owned(),
        custom_key_store_type: Some("AWS_CLOUDHSM".to_owned()),
    };
    vec![
        (
            "ConnectCustomKeyStore",
            service.connect_custom_key_store(call, connect).await,
        ),
        (
            "DisconnectCustomKeyStore",
            service.disconnect_custom_key_store(call, disconnect).await,
        ),
        (
            "DeleteCustomKeyStore",
            service.delete_custom_key_store(call, delete).await,
        ),
        (
            "UpdateCustomKeyStore",
            service.update_custom_key_store(call, update).await,
        ),
        (
            "CreateCustomKeyStore",
            service.create_custom_key_store(call, create).await,
        ),
        (
            "DescribeCustomKeyStores",
            service.describe_custom_key_stores(call, describe()).await,
        ),
    ]
}

#[tokio::test]
async fn there_is_no_custom_key_store_and_none_can_be_made() {
    let h = Harness::new().await;
    for (name, answer) in all(&h.service, &h.admin().await).await {
        match name {
            "DescribeCustomKeyStores" => answer.expect("describes none"),
            "CreateCustomKeyStore" => assert_eq!(refusal(answer).0, "UnsupportedOperationException"),
            // AWS's text is not confirmed.
            _ => assert_eq!(
                refusal(answer),
                (
                    "CustomKeyStoreNotFoundException",
                    "Custom key store cks-1234567890abcdef0 does not exist".to_owned()
                )
            ),
        }
    }
    let events = h.events();
    let of = |name: &str| {
        events
            .iter()
            .find(|event| event["eventName"] == name)
            .expect("an event")
    };
    assert_eq!(
        of("DeleteCustomKeyStore")["errorCode"],
        "CustomKeyStoreNotFoundException"
    );
    assert_eq!(
        of("DeleteCustomKeyStore")["requestParameters"],
        json!({"customKeyStoreId": "cks-1234567890abcdef0"})
    );
    assert_eq!(of("CreateCustomKeyStore")["errorCode"], "UnsupportedOperationException");
    assert_eq!(of("DescribeCustomKeyStores")["readOnly"], true);
}

#[tokio::test]
async fn a_custom_key_store_that_is_named_is_not_found() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    for (id, name, code) in [
        (Some("cks-1"), None, "CustomKeyStoreNotFoundException"),
        (None, Some("mine"), "CustomKeyStoreNotFoundException"),
        // Not confirmed.
        (Some("cks-1"), Some("mine"), "ValidationException"),
    ] {
        let request = DescribeCustomKeyStoresRequest {
            custom_key_store_id: id.map(str::to_owned),
            custom_key_store_name: name.map(str::to_owned),
            ..describe()
        };
        assert_eq!(
            refusal(h.service.describe_custom_key_stores(&admin, request).await).0,
            code
        );
    }
    let marked = DescribeCustomKeyStoresRequest {
        marker: Some("x".to_owned()),
        ..describe()
    };
    let refused = h.service.describe_custom_key_stores(&admin, marked).await;
    assert_eq!(refusal(refused).0, "InvalidMarkerException");
}

#[tokio::test]
async fn who_may_not_ask_learns_nothing_of_custom_key_stores() {
    let h = Harness::new().await;
    let (_, user) = h.user("ursula", Role::User).await;
    let (_, auditor) = h.user("otto", Role::Auditor).await;
    for (_, answer) in all(&h.service, &user).await {
        assert_eq!(refusal(answer).0, "AccessDeniedException");
        assert_eq!(h.last_event()["errorCode"], "AccessDeniedException");
    }
    h.service
        .describe_custom_key_stores(&auditor, describe())
        .await
        .expect("describes");
}
