use std::time::Duration;

use bulla_service::*;
use serde_json::{Value, json};

use crate::harness::*;

#[tokio::test]
async fn an_event_says_who_what_when_and_with_which_version() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    h.clock.advance(Duration::from_micros(1_234_567));
    let made = h
        .service
        .encrypt(&admin, encrypt_request(key.key_id.as_str()))
        .await
        .expect("encrypts");
    let event = h.last_event();
    assert_eq!(event["eventName"], "Encrypt");
    assert_eq!(event["eventSource"], "kms.amazonaws.com");
    assert_eq!(event["eventTime"], "2026-01-01T00:00:01.234567Z");
    assert_eq!(event["awsRegion"], "us-east-1");
    assert_eq!(event["sourceIPAddress"], "192.0.2.7");
    assert_eq!(event["userAgent"], "test/1");
    assert_eq!(event["requestID"], &*admin.request_id);
    assert_eq!(
        event["requestParameters"],
        json!({"keyId": key.key_id.as_str(), "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"tenant": "a"}})
    );
    assert_eq!(
        event["resources"],
        json!([{"ARN": key.arn.as_str(), "accountId": "111122223333", "type": "AWS::KMS::Key"}])
    );
    assert_eq!(event["userIdentity"]["type"], "IAMUser");
    assert_eq!(
        event["userIdentity"]["accessKeyId"],
        h.initialised.credentials.access_key_id.as_str()
    );
    assert_eq!(event["userIdentity"]["userName"], "admin");
    assert_eq!(event["keyVersion"], made.key_material_id.to_string());
    assert_eq!(event["cacheHit"], false);
    assert!(event["errorCode"].is_null() && event["changes"].is_null());
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    assert_eq!(h.last_event()["cacheHit"], true);
    h.verify();
}

#[tokio::test]
async fn every_operation_leaves_exactly_one_event_good_or_bad() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let id = key.key_id.to_string();
    let s = &h.service;
    let blob = encrypt(s, &admin, &id).await;
    macro_rules! one_event {
        ($name:literal, $call:expr) => {{
            let before = h.events().len();
            let result = $call.await;
            let events = h.events();
            assert_eq!(events.len(), before + 1, $name);
            let event = events.last().expect("an event");
            assert_eq!(event["eventName"], $name);
            assert_eq!(
                event["errorCode"].as_str(),
                result.as_ref().err().map(|error: &ServiceError| error.code()),
                $name
            );
        }};
    }
    for id in [id.clone(), "nonsense".to_owned()] {
        let key_id = || id.clone();
        one_event!(
            "DescribeKey",
            s.describe_key(
                &admin,
                DescribeKeyRequest {
                    key_id: key_id(),
                    grant_tokens: Vec::new()
                }
            )
        );
        one_event!("Encrypt", s.encrypt(&admin, encrypt_request(&id)));
        one_event!(
            "Decrypt",
            s.decrypt(
                &admin,
                DecryptRequest {
                    key_id: Some(key_id()),
                    ..decrypt_request(&blob)
                }
            )
        );
        one_event!("GenerateDataKey", s.generate_data_key(&admin, data_key_request(&id)));
        one_event!(
            "RotateKeyOnDemand",
            s.rotate_key_on_demand(&admin, RotateKeyOnDemandRequest { key_id: key_id() })
        );
        one_event!(
            "EnableKeyRotation",
            s.enable_key_rotation(
                &admin,
                EnableKeyRotationRequest {
                    key_id: key_id(),
                    rotation_period_in_days: None
                }
            )
        );
        one_event!(
            "GetKeyRotationStatus",
            s.get_key_rotation_status(&admin, GetKeyRotationStatusRequest { key_id: key_id() })
        );
        one_event!(
            "ListKeyRotations",
            s.list_key_rotations(
                &admin,
                ListKeyRotationsRequest {
                    key_id: key_id(),
                    include_all_material: true,
                    limit: None,
                    marker: None
                }
            )
        );
        one_event!(
            "DisableKeyRotation",
            s.disable_key_rotation(&admin, DisableKeyRotationRequest { key_id: key_id() })
        );
        one_event!(
            "UpdateKeyDescription",
            s.update_key_description(
                &admin,
                UpdateKeyDescriptionRequest {
                    key_id: key_id(),
                    description: "d".into()
                }
            )
        );
        one_event!(
            "CreateAlias",
            s.create_alias(
                &admin,
                CreateAliasRequest {
                    alias_name: "alias/app".into(),
                    target_key_id: key_id()
                }
            )
        );
        one_event!(
            "UpdateAlias",
            s.update_alias(
                &admin,
                UpdateAliasRequest {
                    alias_name: "alias/app".into(),
                    target_key_id: key_id()
                }
            )
        );
        one_event!(
            "ListAliases",
            s.list_aliases(
                &admin,
                ListAliasesRequest {
                    key_id: Some(key_id()),
                    limit: None,
                    marker: None
                }
            )
        );
        one_event!(
            "DeleteAlias",
            s.delete_alias(
                &admin,
                DeleteAliasRequest {
                    alias_name: "alias/app".into()
                }
            )
        );
        one_event!(
            "DisableKey",
            s.disable_key(&admin, DisableKeyRequest { key_id: key_id() })
        );
        one_event!("EnableKey", s.enable_key(&admin, EnableKeyRequest { key_id: key_id() }));
        one_event!(
            "ScheduleKeyDeletion",
            s.schedule_key_deletion(
                &admin,
                ScheduleKeyDeletionRequest {
                    key_id: key_id(),
                    pending_window_in_days: None
                }
            )
        );
        one_event!(
            "CancelKeyDeletion",
            s.cancel_key_deletion(&admin, CancelKeyDeletionRequest { key_id: key_id() })
        );
    }
    one_event!("CreateKey", s.create_key(&admin, create_key_request()));
    one_event!(
        "ListKeys",
        s.list_keys(
            &admin,
            ListKeysRequest {
                limit: Some(5000),
                marker: None
            }
        )
    );
    one_event!(
        "GenerateRandom",
        s.generate_random(&admin, GenerateRandomRequest { number_of_bytes: 8 })
    );
    one_event!("ReadAudit", s.read_audit_events(&admin, 0, 5));
    one_event!("ReadCheckpoint", s.read_checkpoint(&admin));
    one_event!("ListPrincipals", s.list_principals(&admin));
    h.verify();
}

#[tokio::test]
async fn the_event_is_durable_before_the_answer() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    h.store.hold(true);
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    let task = tokio::spawn({
        let (service, call, request) = (h.service.clone(), admin, encrypt_request(key.key_id.as_str()));
        async move { service.encrypt(&call, request).await }
    });
    begun.changed().await.expect("lives");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!task.is_finished(), "no answer while its event is not durable");
    let before = h.events().len();
    h.store.hold(false);
    task.await.expect("no panic").expect("encrypts");
    assert_eq!(h.events().len(), before + 1);
}

#[tokio::test]
async fn failures_to_authenticate_are_one_event_with_their_number() {
    let h = Harness::new().await;
    let before = h.events().len();
    for n in 0..1000 {
        let kind = if n % 4 == 0 {
            "UnrecognizedClientException"
        } else {
            "InvalidSignatureException"
        };
        h.service.record_authentication_failure(kind, "192.0.2.9");
    }
    h.service.shutdown().await;
    let events = h.events();
    assert_eq!(events.len(), before + 1);
    let event = events.last().expect("an event");
    assert_eq!(event["eventName"], "AuthenticationFailures");
    assert_eq!(event["requestParameters"]["count"], 1000);
    assert_eq!(
        event["requestParameters"]["reasons"],
        json!({"InvalidSignatureException": 750, "UnrecognizedClientException": 250})
    );
    assert_eq!(event["requestParameters"]["sources"], json!({"192.0.2.9": 1000}));
    assert_eq!(event["requestParameters"]["otherSources"], 0);
    h.verify();
}

#[tokio::test]
async fn of_many_sources_an_event_names_those_that_failed_most() {
    let h = Harness::new().await;
    for n in 0..5000_u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string();
        h.service
            .record_authentication_failure("InvalidSignatureException", &address);
        h.service
            .record_authentication_failure("InvalidSignatureException", "2001:db8::9");
    }
    h.service.shutdown().await;
    let parameters = h.last_event()["requestParameters"].clone();
    let sources = parameters["sources"].as_object().expect("an object");
    assert_eq!(sources.len(), 20);
    let named: u64 = sources.values().filter_map(Value::as_u64).sum();
    assert!(sources["2001:db8::9"].as_u64() > Some(4900), "{sources:?}");
    assert_eq!(Some(10_000 - named), parameters["otherSources"].as_u64());
    assert!(h.store.edit().events.last().expect("an event").event.len() < 4096);
}

#[tokio::test]
async fn a_request_refused_for_its_form_is_an_event_without_what_was_sent() {
    let h = Harness::new().await;
    let refusal = Refusal {
        operation: "Encrypt",
        event_source: "kms.amazonaws.com",
        read_only: true,
        code: "SerializationException",
    };
    h.service
        .record_refusal(&h.admin().await, refusal)
        .await
        .expect("records");
    let event = h.last_event();
    assert_eq!(event["eventName"], "Encrypt");
    assert_eq!(event["errorCode"], "SerializationException");
    assert_eq!(event["errorMessage"], Value::Null);
    assert_eq!(event["requestParameters"], Value::Null);
    assert_eq!(event["userIdentity"]["userName"], "admin");
    assert_eq!(event["sourceIPAddress"], "192.0.2.7");
    h.verify();
}

#[tokio::test]
async fn a_refusal_of_who_was_disabled_meanwhile_says_so() {
    let h = Harness::new().await;
    let (arn, ann) = h.user("ann", bulla_model::Role::Admin).await;
    h.service
        .set_principal_enabled(&h.operator(), arn, false)
        .await
        .expect("disables");
    let refusal = Refusal {
        operation: "CreateKey",
        event_source: "kms.amazonaws.com",
        read_only: false,
        code: "ValidationException",
    };
    let outcome = h.service.record_refusal(&ann, refusal).await;
    assert!(matches!(outcome, Err(ServiceError::UnrecognizedClient)), "{outcome:?}");
    assert_eq!(h.last_event()["errorCode"], "UnrecognizedClientException");
}

#[tokio::test]
async fn a_refusal_that_can_not_be_recorded_is_not_answered() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    h.store.fail_at(Some(crate::memory_store::Step::Commit));
    let refusal = Refusal {
        operation: "Encrypt",
        event_source: "kms.amazonaws.com",
        read_only: true,
        code: "ValidationException",
    };
    let outcome = h.service.record_refusal(&admin, refusal).await;
    assert!(matches!(outcome, Err(ServiceError::Store(_))), "{outcome:?}");
}

#[tokio::test]
async fn long_texts_of_clients_are_cut_in_events() {
    let h = Harness::new().await;
    let mut call = h.admin().await;
    call.user_agent = "é".repeat(100_000).into();
    call.request_id = "r".repeat(100_000).into();
    let long = DescribeKeyRequest {
        key_id: "x".repeat(100_000),
        grant_tokens: Vec::new(),
    };
    assert_eq!(
        refusal(h.service.describe_key(&call, long).await).0,
        "NotFoundException"
    );
    assert!(h.store.edit().events.last().expect("an event").event.len() < 8192);
}
