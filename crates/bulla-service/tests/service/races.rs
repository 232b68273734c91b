//! What happens between a read and its use: nobody is taken for a forger, and nothing slips through.

use std::sync::atomic::Ordering;

use bulla_model::Role;
use bulla_service::*;
use bulla_store::Table;

use crate::harness::*;
use crate::memory_store::Step;

/// Lets `node` read rows in `reading`, and commits `change` through another node, seen by this one, before what it read arrives.
async fn change_while_reading<T: Send + 'static>(
    h: &Harness,
    reading: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
    change: impl AsyncFnOnce(Service),
) -> Result<T, ServiceError> {
    let (_, other) = h.node(78).await;
    let mut read = h.store.read.subscribe();
    read.borrow_and_update();
    h.store.hold_reads(true);
    let reading = tokio::spawn(reading);
    read.changed().await.expect("the store lives");
    change(other).await;
    // A commit of its own, which reads nothing: from now on this node knows the change.
    h.service
        .generate_random(&h.operator(), GenerateRandomRequest { number_of_bytes: 1 })
        .await
        .expect("draws");
    h.store.hold_reads(false);
    reading.await.expect("no panic")
}

fn tampered_rows(h: &Harness) -> u64 {
    h.service.metrics().tampered_rows.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_key_that_changes_while_it_is_listed_is_listed_and_no_forgery() {
    let h = Harness::new().await;
    let (key, operator) = (h.key().await, h.operator());
    let (service, call) = (h.service.clone(), h.operator());
    let listed = change_while_reading(
        &h,
        async move {
            let request = ListKeysRequest {
                limit: None,
                marker: None,
            };
            service.list_keys(&call, request).await
        },
        async |other| {
            let key_id = key.key_id.to_string();
            other
                .disable_key(&operator, DisableKeyRequest { key_id })
                .await
                .expect("disables");
        },
    )
    .await;
    assert_eq!(listed.expect("lists").keys, [(key.key_id.clone(), key.arn.clone())]);
    assert_eq!(tampered_rows(&h), 0);
}

#[tokio::test]
async fn an_access_key_that_changes_while_it_is_read_is_no_forgery() {
    let h = Harness::new().await;
    let (arn, _) = h.user("ann", Role::Admin).await;
    let operator = h.operator();
    let keys = h.service.list_access_keys(&operator, arn).await.expect("lists");
    let id = keys[0].access_key_id.clone();
    // A node that has not read it yet.
    let store = h.store.another();
    let fresh = h.open(&store, 7).await.expect("opens");
    let h = Harness {
        store,
        service: fresh.clone(),
        ..h
    };
    let wanted = id.clone();
    let found = change_while_reading(&h, async move { fresh.credential(&wanted).await }, async |other| {
        other
            .set_access_key_enabled(&operator, &id, false)
            .await
            .expect("disables");
    })
    .await;
    assert!(found.expect("reads").is_none(), "disabled by then");
    assert_eq!(tampered_rows(&h), 0);
}

#[tokio::test]
async fn who_was_enabled_again_through_another_node_is_let_in_at_once() {
    let h = Harness::new().await;
    let (arn, ann) = h.user("ann", Role::Admin).await;
    let operator = h.operator();
    let keys = h.service.list_access_keys(&operator, arn.clone()).await.expect("lists");
    let id = keys[0].access_key_id.clone();
    h.service
        .set_principal_enabled(&operator, arn.clone(), false)
        .await
        .expect("disables");
    assert!(h.service.credential(&id).await.expect("reads").is_none());
    let (_, other) = h.node(5).await;
    other
        .set_principal_enabled(&operator, arn, true)
        .await
        .expect("enables");
    // This node commits nothing in between.
    assert!(h.service.credential(&id).await.expect("reads").is_some());
    let drawn = h
        .service
        .generate_random(&ann, GenerateRandomRequest { number_of_bytes: 1 })
        .await;
    drawn.expect("draws");
}

#[tokio::test]
async fn access_keys_that_nobody_has_cost_the_store_no_read_and_few_looks() {
    let h = Harness::new().await;
    let (reads, looks) = (*h.store.read.borrow(), *h.store.begun.borrow());
    let began = std::time::Instant::now();
    let guesses: Vec<_> = (0..2000)
        .map(|n| {
            let service = h.service.clone();
            tokio::spawn(async move { service.credential(&format!("AKIA{n:016}")).await })
        })
        .collect();
    for guess in guesses {
        assert!(guess.await.expect("no panic").expect("reads").is_none());
    }
    let paces = began.elapsed().as_millis() / settings().refusal_check.as_millis();
    assert_eq!(*h.store.read.borrow(), reads, "no row is read");
    let looks = *h.store.begun.borrow() - looks;
    assert!(u128::from(looks) <= paces + 1, "{looks} looks in {paces} paces");
}

#[tokio::test]
async fn a_disabled_access_key_costs_the_store_no_read_either() {
    let h = Harness::new().await;
    let (arn, _) = h.user("ann", Role::Admin).await;
    let keys = h.service.list_access_keys(&h.operator(), arn).await.expect("lists");
    let id = &keys[0].access_key_id;
    h.service
        .set_access_key_enabled(&h.operator(), id, false)
        .await
        .expect("disables");
    assert!(h.service.credential(id).await.expect("reads").is_none());
    let reads = *h.store.read.borrow();
    assert!(h.service.credential(id).await.expect("reads").is_none());
    assert_eq!(*h.store.read.borrow(), reads);
}

#[tokio::test]
async fn an_access_key_made_a_moment_ago_is_known_at_once_on_every_node() {
    let h = Harness::new().await;
    let (_, other) = h.node(5).await;
    assert!(other.credential("AKIA0000000000000000").await.expect("reads").is_none());
    let operator = h.operator();
    for name in ["ann", "ben"] {
        let made = h
            .service
            .create_principal(&operator, name.parse().expect("a name"), Role::Admin)
            .await
            .expect("creates");
        let id = &made.credentials.access_key_id;
        assert!(h.service.credential(id).await.expect("reads").is_some());
        assert!(other.credential(id).await.expect("reads").is_some());
    }
}

#[tokio::test]
async fn who_can_not_be_looked_for_is_not_refused_as_unknown() {
    let h = Harness::new().await;
    h.store.fail_at(Some(Step::Begin));
    let outcome = h.service.credential("AKIA0000000000000000").await;
    assert!(matches!(outcome, Err(ServiceError::Store(_))), "{outcome:?}");
    h.store.fail_at(None);
    assert!(
        h.service
            .credential("AKIA0000000000000000")
            .await
            .expect("reads")
            .is_none()
    );
}

#[tokio::test]
async fn an_access_key_made_while_its_user_is_deleted_does_not_outlive_him() {
    let h = Harness::new().await;
    let (arn, _) = h.user("ann", Role::Admin).await;
    let (operator, service, deleted) = (h.operator(), h.service.clone(), arn.clone());
    let (_, other) = h.node(77).await;
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    h.store.hold(true);
    let deleting = tokio::spawn(async move { service.delete_principal(&operator, deleted).await });
    begun.changed().await.expect("the store lives");
    other
        .create_access_key(&h.operator(), arn.clone())
        .await
        .expect("creates");
    h.store.hold(false);
    deleting.await.expect("no panic").expect("deletes");
    let data = h.store.edit();
    let left = data
        .rows
        .values()
        .filter(|row| row.owner == arn.as_str())
        .map(|row| &row.id);
    assert_eq!(left.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn of_access_keys_that_are_made_at_once_only_two_are_made() {
    let h = Harness::new().await;
    let (arn, _) = h.user("ann", Role::Admin).await;
    let operator = h.operator();
    let (_, other) = h.node(77).await;
    let (a, b, c) = tokio::join!(
        h.service.create_access_key(&operator, arn.clone()),
        other.create_access_key(&operator, arn.clone()),
        h.service.create_access_key(&operator, arn.clone()),
    );
    let made = [a.is_ok(), b.is_ok(), c.is_ok()]
        .into_iter()
        .filter(|made| *made)
        .count();
    assert_eq!(made, 1, "one was there already");
    h.verify();
}

#[tokio::test]
async fn a_key_that_can_not_be_deleted_keeps_no_other_from_it() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (one, two) = (h.key().await, h.key().await);
    for key in [&one, &two] {
        let request = ScheduleKeyDeletionRequest {
            key_id: key.key_id.to_string(),
            pending_window_in_days: Some(7),
        };
        h.service
            .schedule_key_deletion(&operator, request)
            .await
            .expect("schedules");
    }
    h.days(8);
    let first = if one.key_id < two.key_id { &one } else { &two };
    {
        let mut data = h.store.edit();
        let version = data
            .rows
            .iter_mut()
            .find(|((table, _), row)| *table == Table::KeyVersions && row.owner.ends_with(first.key_id.as_str()));
        version.expect("its material").1.mac[0] ^= 1;
    }
    let error = h.service.sweep().await.expect_err("one is tampered with");
    assert!(matches!(error, ServiceError::Tampered { .. }), "{error}");
    let data = h.store.edit();
    let left: Vec<_> = data.rows.keys().filter(|(table, _)| *table == Table::Keys).collect();
    assert_eq!(left.len(), 1, "the other is deleted: {left:?}");
    assert!(left[0].1.ends_with(first.key_id.as_str()));
}

#[tokio::test]
async fn a_key_whose_row_is_tampered_with_keeps_no_other_from_its_deletion_and_leaves_an_event() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (one, two) = (h.key().await, h.key().await);
    let (damaged, due) = if one.key_id < two.key_id {
        (one, two)
    } else {
        (two, one)
    };
    let request = ScheduleKeyDeletionRequest {
        key_id: due.key_id.to_string(),
        pending_window_in_days: Some(7),
    };
    h.service
        .schedule_key_deletion(&operator, request)
        .await
        .expect("schedules");
    h.days(8);
    let row = |key: &KeyMetadata| (Table::Keys, format!("{}/{REGION}/{}", key.account, key.key_id));
    h.store.edit().rows.get_mut(&row(&damaged)).expect("a row").mac[0] ^= 1;
    let error = h.service.sweep().await.expect_err("one is tampered with");
    assert!(
        matches!(error, ServiceError::Tampered { table: "kms_keys", .. }),
        "{error}"
    );
    assert!(!h.store.edit().rows.contains_key(&row(&due)), "the other is deleted");
    let named = |event: &serde_json::Value| {
        let message = event["errorMessage"].as_str().unwrap_or_default();
        event["errorCode"] == "TamperedRow" && message.contains(damaged.key_id.as_str())
    };
    assert!(h.events().iter().any(named), "{:?}", h.events());
}

#[tokio::test]
async fn authentication_failures_that_can_not_be_written_down_are_kept() {
    let h = Harness::new().await;
    h.service
        .record_authentication_failure("InvalidSignatureException", "192.0.2.1");
    h.store.fail_at(Some(Step::Commit));
    h.service.flush_authentication_failures().await;
    h.store.fail_at(None);
    h.service
        .record_authentication_failure("InvalidSignatureException", "192.0.2.1");
    h.service.shutdown().await;
    let event = h.last_event();
    assert!(event.to_string().contains(":2"), "both are counted: {event}");
}

#[tokio::test]
async fn a_head_taken_back_under_a_node_makes_it_not_ready() {
    let h = Harness::new().await;
    let older = h.store.edit().clone();
    h.key().await;
    h.service.ready().await.expect("ready");
    *h.store.edit() = older;
    let error = h.service.ready().await.expect_err("it would refuse everything");
    assert!(matches!(error, ServiceError::Tampered { .. }), "{error}");
}

#[tokio::test]
async fn after_a_failed_commit_only_a_commit_makes_a_node_ready() {
    let h = Harness::new().await;
    // No room for events, though a probe that writes none succeeds.
    h.store.fail_at(Some(Step::Events));
    let refused = h.service.create_key(&h.operator(), create_key_request()).await;
    assert!(matches!(refused, Err(ServiceError::Store(_))));
    assert!(h.service.ready().await.is_err());
    h.store.fail_at(None);
    h.service.ready().await.expect("ready again");
    assert_eq!(h.last_event()["eventName"], "ResumeCommits");
    let events = h.events().len();
    h.service.ready().await.expect("still ready");
    assert_eq!(h.events().len(), events, "readiness alone is no event");
}

#[tokio::test]
async fn a_marker_as_long_as_an_id_may_be_is_refused_as_a_marker() {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let h = Harness::new().await;
    for last in ["a".repeat(512), format!("alias/{}", "a".repeat(500))] {
        let request = ListAliasesRequest {
            key_id: None,
            limit: None,
            marker: Some(URL_SAFE_NO_PAD.encode(format!("1/aliases/{last}"))),
        };
        let answer = h.service.list_aliases(&h.operator(), request).await;
        assert_eq!(refusal(answer).0, "InvalidMarkerException");
    }
}

#[test]
fn a_failing_root_is_an_internal_error_of_which_the_wire_says_nothing() {
    use bulla_kms::{KmsError, KmsErrorKind};
    let error = ServiceError::Root(KmsError::new(KmsErrorKind::NotFound, "wrap", "arn:secret").into());
    assert_eq!(
        (error.code(), error.message(), error.is_internal()),
        ("KMSInternalException", None, true)
    );
}
