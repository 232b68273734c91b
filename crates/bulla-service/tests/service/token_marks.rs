//! Which versions of tokens are too old: raised with the events that say so, known to all nodes, not to be edited, forgotten when spent.

use bulla_model::{BullaArn, Role};
use bulla_service::*;
use bulla_store::{Row, Table};

use crate::harness::*;
use crate::memory_store::Data;

fn place(h: &Harness, client: &str) -> TokenPlace {
    TokenPlace::new(&h.initialised.account, client, &format!("{client}/place"))
}

fn version(h: &Harness, version: u64, lasts: Lasts) -> TokenVersion {
    TokenVersion {
        place: place(h, "acme"),
        version,
        lasts,
    }
}

fn access(h: &Harness, token: Option<TokenVersion>) -> Access {
    let region = REGION.parse().expect("a region");
    let resource = BullaArn::new(&region, &h.initialised.account, "token", &["acme", "stripe"]);
    let mut access = Access::new("bulla:GetToken", "GetToken", true, resource);
    access.token = token;
    access
}

/// Reads a version; answers whether it is to be believed.
async fn reads(h: &Harness, service: &Service, number: u64) -> bool {
    let seen = version(h, number, Lasts::Always);
    let accessed = service.access(&h.operator(), access(h, Some(seen))).await;
    !accessed.expect("allowed").outdated
}

async fn writes(h: &Harness, service: &Service, number: u64, lasts: Lasts) -> Concluded {
    let operator = h.operator();
    let announced = service.announce(&operator, access(h, None)).await;
    let mut announced = announced.expect("announces");
    announced.wrote(version(h, number, lasts));
    let concluding = service.conclude(&operator, announced, Ok(Default::default()));
    concluding.await.expect("concludes")
}

fn marks(h: &Harness) -> usize {
    let data = h.store.edit();
    data.rows
        .keys()
        .filter(|(table, _)| *table == Table::TokenMarks)
        .count()
}

#[tokio::test]
async fn an_older_version_is_refused_by_every_node_and_after_a_restart_and_the_event_says_so() {
    let h = Harness::new().await;
    let (_, other) = h.node(7).await;
    assert!(reads(&h, &other, 5).await, "nothing is known yet");
    assert!(!writes(&h, &h.service, 9, Lasts::Always).await.barred);
    // The other node has not heard of it, until it commits.
    assert!(!reads(&h, &other, 5).await);
    assert_eq!(h.last_event()["errorCode"], "TokenReplayed");
    assert!(reads(&h, &other, 9).await);
    let restarted = h.open(&h.store.another(), 8).await.expect("opens");
    assert_eq!(
        restarted.lowest_token_version(&place(&h, "acme")).await.expect("reads"),
        9
    );
    assert!(!reads(&h, &restarted, 8).await);
    assert_eq!(
        restarted
            .lowest_token_version(&place(&h, "other"))
            .await
            .expect("reads"),
        0
    );
    // A newer one that nobody announced, as a library without the service writes it, is remembered once it is read.
    assert!(reads(&h, &other, 12).await);
    assert!(!reads(&h, &h.service, 9).await);
    h.verify();
}

#[tokio::test]
async fn an_epoch_bars_everything_of_its_client_up_to_it_and_nobody_elses() {
    let h = Harness::new().await;
    let (_, other) = h.node(7).await;
    writes(&h, &h.service, 5, Lasts::Always).await;
    assert!(reads(&h, &other, 5).await);
    let account = &h.initialised.account;
    h.service.bar_tokens(account, "acme", 10).await.expect("bars");
    h.service
        .bar_tokens(account, "acme", 7)
        .await
        .expect("it does not fall");
    assert!(!reads(&h, &other, 10).await);
    // What was being written meanwhile is not given out either.
    assert!(writes(&h, &other, 10, Lasts::Always).await.barred);
    assert!(reads(&h, &other, 11).await);
    let elsewhere = h.service.lowest_token_version(&place(&h, "acme2")).await;
    assert_eq!(elsewhere.expect("reads"), 0);
    h.verify();
}

#[tokio::test]
async fn a_refusal_raises_no_mark() {
    let h = Harness::new().await;
    let (_, ann) = h.user("ann", Role::User).await;
    let seen = version(&h, 9, Lasts::Always);
    let denied = h.service.access(&ann, access(&h, Some(seen))).await;
    assert!(matches!(denied, Err(ServiceError::AccessDenied(_))));
    assert_eq!(marks(&h), 0);
}

#[tokio::test]
async fn a_mark_that_was_edited_deleted_or_taken_back_is_named() {
    let h = Harness::new().await;
    writes(&h, &h.service, 5, Lasts::Always).await;
    let row = |data: &Data| {
        let mut rows = data.rows.iter();
        let found = rows.find(|((table, _), _)| *table == Table::TokenMarks);
        found.map(|(key, row)| (key.clone(), row.clone())).expect("a mark")
    };
    let (key, older) = row(&h.store.edit());
    writes(&h, &h.service, 9, Lasts::Always).await;
    let (_, newer) = row(&h.store.edit());
    let lowered = Row {
        body: String::from_utf8(newer.body.clone())
            .expect("JSON")
            .replace('9', "3")
            .into_bytes(),
        ..newer.clone()
    };
    for hostile in [Some(lowered), Some(older), None] {
        {
            let mut data = h.store.edit();
            data.rows.remove(&key);
            data.rows.extend(hostile.map(|row| (key.clone(), row)));
        }
        // A node that starts with it, and so has nothing cached.
        let node = h.open(&h.store.another(), 9).await.expect("opens");
        let seen = version(&h, 5, Lasts::Always);
        let refused = node.access(&h.operator(), access(&h, Some(seen))).await;
        assert!(matches!(refused, Err(ServiceError::Tampered { .. })), "{refused:?}");
        assert_eq!(h.last_event()["errorCode"], "TamperedRow");
        let lowest = node.lowest_token_version(&place(&h, "acme")).await;
        assert!(matches!(lowest, Err(ServiceError::Tampered { .. })));
    }
    h.store.edit().rows.insert(key, newer);
    assert!(!reads(&h, &h.service, 5).await);
}

#[tokio::test]
async fn two_nodes_that_write_and_read_at_once_end_with_the_highest_version() {
    let h = Harness::new().await;
    let (_, other) = h.node(7).await;
    let mut tasks = Vec::new();
    for number in 1..=40 {
        let service = if number % 2 == 0 { &h.service } else { &other };
        tasks.push(writes(&h, service, number, Lasts::Always));
    }
    futures::future::join_all(tasks).await;
    for service in [&h.service, &other] {
        assert!(!reads(&h, service, 39).await);
        assert!(reads(&h, service, 40).await);
    }
    assert_eq!(marks(&h), 1);
    h.verify();
}

#[tokio::test]
async fn marks_go_when_what_they_bar_has_expired_or_is_barred_by_the_epoch() {
    let h = Harness::new().await;
    let soon = h.clock_now().plus_days(2);
    writes(&h, &h.service, 5, Lasts::Until(soon)).await;
    // A deletion bars what was before it for as long as that lasts.
    writes(&h, &h.service, 6, Lasts::Deleted).await;
    h.days(2);
    assert_eq!(
        h.service.sweep().await.expect("sweeps").marks,
        0,
        "another node's clock may be behind"
    );
    let lowest = h.service.lowest_token_version(&place(&h, "acme")).await;
    assert_eq!(lowest.expect("reads"), 6);
    h.days(1);
    let (_, other) = h.node(7).await;
    let (a, b) = tokio::join!(h.service.sweep(), other.sweep());
    assert_eq!(a.expect("sweeps").marks + b.expect("sweeps").marks, 1);
    assert_eq!(marks(&h), 0);

    writes(&h, &h.service, 20, Lasts::Always).await;
    h.days(4000);
    assert_eq!(
        h.service.sweep().await.expect("sweeps").marks,
        0,
        "it could be brought back for ever"
    );
    let account = &h.initialised.account;
    h.service.bar_tokens(account, "acme", 20).await.expect("bars");
    assert_eq!(h.service.sweep().await.expect("sweeps").marks, 1);
    assert_eq!(marks(&h), 1, "the epoch stays");
    assert!(!reads(&h, &other, 20).await);
    h.verify();
}

#[tokio::test]
async fn a_batch_of_events_is_forgotten_after_thirty_days_and_not_before() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let batch = AssertedBatch {
        id: "one".to_owned(),
        events: vec![AssertedEvent {
            name: "Open".to_owned(),
            time_micros: 0,
            context: context(&[]),
            resource: None,
            count: 1,
            cache_hit: None,
            purpose: None,
            error_code: None,
            details: Default::default(),
        }],
    };
    let bring = async || {
        let recorded = h.service.record_asserted(&admin, batch.clone()).await;
        recorded.expect("records").replayed
    };
    assert!(!bring().await);
    h.days(29);
    assert_eq!(h.service.sweep().await.expect("sweeps").batches, 0);
    assert!(bring().await);
    h.days(1);
    assert_eq!(h.service.sweep().await.expect("sweeps").batches, 1);
    assert!(!bring().await);
    h.verify();
}
