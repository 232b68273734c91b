//! The head, events, checkpoints and the change feed.
#![expect(missing_docs, reason = "each case is named by the sentence that it shows")]

use std::sync::Arc;

use super::{Backend, LONG, change, checkpoint, event, head};
use crate::{Change, ChangeKind, EventRow, Store, StoreError, Table};

async fn append(store: &dyn Store, events: &[EventRow]) {
    let mut transaction = store.begin().await.expect("the lock");
    transaction.append_events(events).await.expect("events");
    transaction.commit().await.expect("a commit");
}

fn conflict(result: Result<(), StoreError>) -> Option<String> {
    match result {
        Err(StoreError::Conflict { what }) => Some(what),
        _ => None,
    }
}

pub async fn there_is_no_head_before_the_first<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    assert_eq!(store.head().await.expect("the head"), None);
    let mut transaction = store.begin().await.expect("the lock");
    assert_eq!(transaction.head().await.expect("the head"), None);
}

pub async fn the_head_is_written_over<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    for size in 1..=3 {
        let mut transaction = store.begin().await.expect("the lock");
        transaction.put_head(&head(size + 10, 7)).await.expect("the head");
        transaction.put_head(&head(size, size)).await.expect("the head");
        assert_eq!(transaction.head().await.expect("the head"), Some(head(size, size)));
        transaction.commit().await.expect("a commit");
        assert_eq!(store.head().await.expect("the head"), Some(head(size, size)));
    }
}

pub async fn ten_thousand_events_are_paged_in_order<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut all: Vec<_> = (0..10_007).map(event).collect();
    all.reverse();
    append(&*store, &all).await;
    all.reverse();
    assert_eq!(store.events(0, 10_000).await.expect("events"), all[..10_000]);
    let mut seen = Vec::new();
    loop {
        let page = store.events(seen.len() as u64, 999).await.expect("events");
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, all);
    assert_eq!(store.events(10_006, 10).await.expect("events"), all[10_006..]);
    assert_eq!(store.events(10_007, 10).await.expect("events"), []);
    assert_eq!(store.events(u64::MAX, 10).await.expect("events"), []);
}

pub async fn events_keep_every_byte<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let all: Vec<u8> = (0..=255).collect();
    let events = [all, Vec::new(), vec![0], "{\"é\":\"\\u0000\"}".as_bytes().to_vec()];
    let events: Vec<_> = events
        .into_iter()
        .zip(0..)
        .map(|(event, sequence)| EventRow { sequence, event })
        .collect();
    append(&*store, &events).await;
    assert_eq!(store.events(0, 10).await.expect("events"), events);
}

pub async fn an_event_that_exists_conflicts<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    append(&*store, &[event(16), event(17), event(18)]).await;
    let mut transaction = store.begin().await.expect("the lock");
    let other = EventRow {
        sequence: 17,
        event: b"other".to_vec(),
    };
    assert_eq!(
        conflict(transaction.append_events(&[other]).await).as_deref(),
        Some("event 17")
    );
    drop(transaction);
    assert_eq!(store.events(17, 1).await.expect("events"), [event(17)]);
}

pub async fn an_event_that_exists_conflicts_inside_a_batch<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    append(&*store, &[event(50)]).await;
    let batch: Vec<_> = (0..100).map(event).collect();
    let mut transaction = store.begin().await.expect("the lock");
    assert!(conflict(transaction.append_events(&batch).await).is_some());
    drop(transaction);
    let mut transaction = store.begin().await.expect("the lock");
    assert!(conflict(transaction.append_events(&[event(1), event(2), event(1)]).await).is_some());
    drop(transaction);
    assert_eq!(store.events(0, 1_000).await.expect("events"), [event(50)]);
}

pub async fn checkpoints_are_paged_in_order<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let sizes = [1, 2, 9, 10, 11, 100, 1_000, 70_000];
    let mut transaction = store.begin().await.expect("the lock");
    for size in sizes.into_iter().rev() {
        transaction
            .put_checkpoint(&checkpoint(size))
            .await
            .expect("a checkpoint");
    }
    transaction.commit().await.expect("a commit");
    let all = sizes.map(checkpoint);
    assert_eq!(store.checkpoints(0, 10_000).await.expect("checkpoints"), all);
    assert_eq!(store.checkpoints(0, 3).await.expect("checkpoints"), all[..3]);
    assert_eq!(store.checkpoints(9, 3).await.expect("checkpoints"), all[3..6]);
    assert_eq!(store.checkpoints(70_000, 3).await.expect("checkpoints"), []);
    assert_eq!(store.checkpoints(u64::MAX, 3).await.expect("checkpoints"), []);
}

pub async fn a_checkpoint_that_exists_conflicts<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    transaction.put_checkpoint(&checkpoint(5)).await.expect("a checkpoint");
    transaction.commit().await.expect("a commit");
    let mut transaction = store.begin().await.expect("the lock");
    assert_eq!(
        conflict(transaction.put_checkpoint(&checkpoint(5)).await).as_deref(),
        Some("checkpoint 5")
    );
}

pub async fn changes_are_paged_in_order<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut all = Vec::new();
    for revision in 1..=40 {
        let count = u32::try_from(revision % 3 + 1).expect("a small number");
        for ordinal in 0..count {
            let kind = if ordinal == 1 {
                ChangeKind::Delete
            } else {
                ChangeKind::Put
            };
            let table = Table::ALL[revision as usize % Table::ALL.len()];
            all.push(Change {
                ordinal,
                count,
                ..change(revision, table, &format!("id_{revision}"), kind)
            });
        }
    }
    let mut transaction = store.begin().await.expect("the lock");
    let shuffled: Vec<_> = all.iter().rev().cloned().collect();
    transaction.append_changes(&shuffled).await.expect("changes");
    assert_eq!(transaction.changes(0, 10_000).await.expect("changes"), all);
    transaction.commit().await.expect("a commit");

    let after = |revision| all.iter().filter(move |change| change.revision > revision).cloned();
    for revision in [0, 1, 17, 39, 40] {
        let expected: Vec<_> = after(revision).collect();
        assert_eq!(store.changes(revision, 10_000).await.expect("changes"), expected);
        let expected: Vec<_> = after(revision).take(5).collect();
        assert_eq!(store.changes(revision, 5).await.expect("changes"), expected);
    }
    assert_eq!(store.changes(u64::MAX, 10).await.expect("changes"), []);
}

pub async fn a_change_that_exists_conflicts<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    transaction
        .append_changes(&[change(3, Table::Keys, "key", ChangeKind::Put)])
        .await
        .expect("a change");
    transaction.commit().await.expect("a commit");
    let mut transaction = store.begin().await.expect("the lock");
    let other = change(3, Table::Aliases, "alias", ChangeKind::Delete);
    assert_eq!(
        conflict(transaction.append_changes(&[other]).await).as_deref(),
        Some("a change of revision 3")
    );
    drop(transaction);
    assert_eq!(
        store.changes(0, 10).await.expect("changes"),
        [change(3, Table::Keys, "key", ChangeKind::Put)]
    );
}

pub async fn revisions_are_counted_once_each<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    assert_eq!(store.count_revisions().await.expect("a count"), 0);
    let mut transaction = store.begin().await.expect("the lock");
    let of = |revision, ordinal| Change {
        ordinal,
        count: 2,
        ..change(revision, Table::Keys, "key", ChangeKind::Put)
    };
    transaction
        .append_changes(&[of(1, 0), of(1, 1), of(2, 0), of(5, 1)])
        .await
        .expect("changes");
    transaction.commit().await.expect("a commit");
    assert_eq!(store.count_revisions().await.expect("a count"), 3);
}

pub async fn appending_nothing_does_nothing<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    transaction.append_events(&[]).await.expect("no events");
    transaction.append_changes(&[]).await.expect("no changes");
    transaction.commit().await.expect("a commit");
    assert_eq!(store.events(0, 10).await.expect("events"), []);
}
