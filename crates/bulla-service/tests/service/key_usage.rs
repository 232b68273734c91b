use bulla_model::Role;
use bulla_service::*;
use bulla_store::Table;

use crate::harness::*;
use crate::memory_store::Step;

async fn last_usage(service: &Service, call: &Call, key_id: &str) -> Result<GetKeyLastUsageResponse, ServiceError> {
    let request = GetKeyLastUsageRequest {
        key_id: key_id.to_owned(),
    };
    service.get_key_last_usage(call, request).await
}

async fn last_use(service: &Service, call: &Call, key: &KeyMetadata) -> Option<KeyUse> {
    let answer = last_usage(service, call, key.key_id.as_str()).await;
    answer.expect("answers").last_use
}

#[tokio::test]
async fn a_key_tells_its_last_use_and_the_event_of_it() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    let unused = last_usage(&h.service, &admin, key.arn.as_str()).await.expect("answers");
    assert_eq!((unused.key_id.clone(), unused.last_use), (key.key_id.clone(), None));
    assert_eq!((unused.created, unused.tracking_start), (key.created, key.created));
    let blob = encrypt(&h.service, &admin, key.key_id.as_str()).await;
    let event = h.last_event();
    let used = last_use(&h.service, &admin, &key).await.expect("used");
    assert_eq!(used.operation, "Encrypt");
    assert_eq!(event["eventID"], used.event_id);
    assert_eq!(event["requestID"], used.request_id);
    h.days(1);
    h.service
        .decrypt(&admin, decrypt_request(&blob))
        .await
        .expect("decrypts");
    let used = last_use(&h.service, &admin, &key).await.expect("used");
    assert_eq!(
        (used.operation.as_str(), used.time),
        ("Decrypt", key.created.plus_days(1))
    );
    assert_eq!(h.last_event()["eventName"], "GetKeyLastUsage");
    h.verify();
}

#[tokio::test]
async fn a_reencryption_uses_both_keys() {
    let h = Harness::new().await;
    let (admin, from, to) = (h.admin().await, h.key().await, h.key().await);
    let ciphertext_blob = encrypt(&h.service, &admin, from.key_id.as_str()).await;
    let request = ReEncryptRequest {
        ciphertext_blob,
        source_encryption_context: context(&[("tenant", "a")]),
        source_key_id: None,
        source_encryption_algorithm: bulla_model::EncryptionAlgorithm::SymmetricDefault,
        destination_key_id: to.key_id.to_string(),
        destination_encryption_context: context(&[]),
        destination_encryption_algorithm: bulla_model::EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    h.service.re_encrypt(&admin, request).await.expect("re-encrypts");
    for key in [from, to] {
        let used = last_use(&h.service, &admin, &key).await.expect("used");
        assert_eq!(used.operation, "ReEncrypt");
    }
}

#[tokio::test]
async fn what_fails_or_is_tried_only_or_uses_no_material_is_no_use() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    let mut dry = encrypt_request(key.key_id.as_str());
    dry.dry_run = true;
    assert_eq!(
        refusal(h.service.encrypt(&admin, dry).await).0,
        "DryRunOperationException"
    );
    let describe = DescribeKeyRequest {
        key_id: key.key_id.to_string(),
        grant_tokens: Vec::new(),
    };
    h.service.describe_key(&admin, describe).await.expect("describes");
    let key_id = key.key_id.to_string();
    h.service
        .rotate_key_on_demand(&admin, RotateKeyOnDemandRequest { key_id: key_id.clone() })
        .await
        .expect("rotates");
    h.service
        .disable_key(&admin, DisableKeyRequest { key_id: key_id.clone() })
        .await
        .expect("disables");
    assert_eq!(
        refusal(h.service.encrypt(&admin, encrypt_request(&key_id)).await).0,
        "DisabledException"
    );
    assert_eq!(last_use(&h.service, &admin, &key).await, None);
}

#[tokio::test]
async fn the_last_use_survives_a_restart_and_reaches_other_nodes() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    let used = last_use(&h.service, &admin, &key).await.expect("used");
    let (_, other) = h.node(5).await;
    assert_eq!(last_use(&other, &admin, &key).await, None, "not written down yet");
    h.service.shutdown().await;
    assert_eq!(last_use(&other, &admin, &key).await, Some(used.clone()));
    h.days(400);
    let (_, later) = h.node(6).await;
    let answer = last_usage(&later, &admin, key.key_id.as_str()).await.expect("answers");
    assert_eq!(answer.last_use, Some(used));
    assert_eq!(answer.tracking_start, key.created, "it was kept all the time");
    // It is in no change feed and no event, and `audit verify` goes on.
    h.verify();
    assert!(later.verify_rows(&mut |row| panic!("{row}")).await.is_ok());
}

#[tokio::test]
async fn a_store_of_an_earlier_version_keeps_uses_from_its_first_start_on() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    h.days(30);
    // Nothing was ever written down: as a store of an earlier version.
    let (_, node) = h.node(5).await;
    let answer = last_usage(&node, &admin, key.key_id.as_str()).await.expect("answers");
    assert_eq!(
        (answer.tracking_start, answer.created),
        (key.created.plus_days(30), key.created)
    );
    encrypt(&node, &admin, key.key_id.as_str()).await;
    node.shutdown().await;
    h.days(30);
    let (_, node) = h.node(6).await;
    let answer = last_usage(&node, &admin, key.key_id.as_str()).await.expect("answers");
    assert_eq!(answer.tracking_start, key.created.plus_days(30));
}

#[tokio::test]
async fn uses_that_can_not_be_written_down_are_kept_and_hold_up_nobody() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    h.store.fail_at(Some(Step::PutRow));
    h.service.flush_key_usage().await;
    h.store.fail_at(None);
    assert!(last_use(&h.service, &admin, &key).await.is_some());
    h.service.flush_key_usage().await;
    let (_, other) = h.node(5).await;
    assert!(last_use(&other, &admin, &key).await.is_some());
}

#[tokio::test]
async fn a_forged_last_use_is_refused_and_named() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    h.service.flush_key_usage().await;
    {
        let mut data = h.store.edit();
        let row = data
            .rows
            .get_mut(&(Table::KeyUsage, key.arn.to_string()))
            .expect("a row");
        let text = String::from_utf8(row.body.clone()).expect("JSON");
        row.body = text.replace("Encrypt", "Decrypt").into_bytes();
    }
    let refused = last_usage(&h.service, &admin, key.key_id.as_str()).await;
    assert!(matches!(refused, Err(ServiceError::Tampered { .. })), "{refused:?}");
    assert_eq!(h.last_event()["errorCode"], "TamperedRow");
}

#[tokio::test]
async fn what_is_known_of_a_key_goes_with_it() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    h.service.flush_key_usage().await;
    let deletion = ScheduleKeyDeletionRequest {
        key_id: key.key_id.to_string(),
        pending_window_in_days: Some(7),
    };
    h.service
        .schedule_key_deletion(&admin, deletion)
        .await
        .expect("schedules");
    assert!(last_use(&h.service, &admin, &key).await.is_some(), "in every state");
    h.days(8);
    h.service.sweep().await.expect("sweeps");
    h.service.flush_key_usage().await;
    let row = (Table::KeyUsage, key.arn.to_string());
    assert!(!h.store.edit().rows.contains_key(&row));
    assert_eq!(
        refusal(last_usage(&h.service, &admin, key.key_id.as_str()).await).0,
        "NotFoundException"
    );
}

#[tokio::test]
async fn who_may_not_ask_is_refused() {
    let h = Harness::new().await;
    let key = h.key().await;
    let id = key.key_id.as_str();
    let (_, user) = h.user("ursula", Role::User).await;
    let (_, auditor) = h.user("otto", Role::Auditor).await;
    assert_eq!(
        refusal(last_usage(&h.service, &user, id).await).0,
        "AccessDeniedException"
    );
    assert_eq!(h.last_event()["errorCode"], "AccessDeniedException");
    last_usage(&h.service, &auditor, id).await.expect("answers");
    let admin = h.admin().await;
    assert_eq!(
        refusal(last_usage(&h.service, &admin, "alias/app").await).0,
        "InvalidArnException"
    );
}

#[tokio::test]
async fn a_forged_beginning_of_the_tracking_is_refused_and_not_written_over() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    h.service.flush_key_usage().await;
    let id = (Table::KeyUsage, "tracking".to_owned());
    h.store.edit().rows.get_mut(&id).expect("a row").body[0] ^= 1;
    let forged = h.store.edit().rows[&id].clone();
    let error = h.open(&h.store, 5).await.expect_err("refused");
    assert!(
        matches!(&error, OpenError::Tampered { table: "key_usage", .. }),
        "{error:?}"
    );
    assert_eq!(h.store.edit().rows[&id], forged);
}
