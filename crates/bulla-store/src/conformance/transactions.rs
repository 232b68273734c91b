//! One transaction at a time, all of it or nothing.
#![expect(missing_docs, reason = "each case is named by the sentence that it shows")]

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Backend, LONG, SHORT, change, checkpoint, event, head, row};
use crate::{ChangeKind, Store, StoreError, Table, Transaction};

/// Longer than a read takes, shorter than [`LONG`].
const SOON: Duration = Duration::from_secs(20);
/// Long enough to see that something has not happened; a slow machine can't make it fail.
pub(super) const MOMENT: Duration = Duration::from_millis(150);

async fn write_everything(transaction: &mut dyn Transaction) {
    transaction
        .put_row(Table::Keys, &row("key", "owner", 1))
        .await
        .expect("a row");
    transaction
        .append_changes(&[change(1, Table::Keys, "key", ChangeKind::Put)])
        .await
        .expect("a change");
    transaction.append_events(&[event(0), event(1)]).await.expect("events");
    transaction.put_checkpoint(&checkpoint(2)).await.expect("a checkpoint");
    transaction.put_head(&head(2, 1)).await.expect("the head");
}

async fn is_empty(store: &dyn Store) -> bool {
    let lookup = store.lookup(Table::Keys, "key").await.expect("a lookup");
    lookup.row.is_none()
        && lookup.newest_change.is_none()
        && store.head().await.expect("the head").is_none()
        && store.changes(0, 10).await.expect("changes").is_empty()
        && store.events(0, 10).await.expect("events").is_empty()
        && store.checkpoints(0, 10).await.expect("checkpoints").is_empty()
        && store.count_revisions().await.expect("a count") == 0
}

pub async fn a_commit_makes_everything_visible<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    assert!(is_empty(&*store).await);
    let mut transaction = store.begin().await.expect("the lock");
    write_everything(&mut *transaction).await;
    transaction.commit().await.expect("a commit");

    let lookup = store.lookup(Table::Keys, "key").await.expect("a lookup");
    assert_eq!(lookup.row, Some(row("key", "owner", 1)));
    assert_eq!(
        lookup.newest_change,
        Some(change(1, Table::Keys, "key", ChangeKind::Put))
    );
    assert_eq!(store.head().await.expect("the head"), Some(head(2, 1)));
    assert_eq!(
        store.changes(0, 10).await.expect("changes"),
        [change(1, Table::Keys, "key", ChangeKind::Put)]
    );
    assert_eq!(store.events(0, 10).await.expect("events"), [event(0), event(1)]);
    assert_eq!(store.checkpoints(0, 10).await.expect("checkpoints"), [checkpoint(2)]);
    assert_eq!(store.count_revisions().await.expect("a count"), 1);
}

pub async fn a_transaction_that_is_dropped_leaves_nothing<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    write_everything(&mut *transaction).await;
    drop(transaction);
    // And the lock is free again.
    let mut transaction = store.begin().await.expect("the lock");
    assert_eq!(transaction.head().await.expect("the head"), None);
    assert!(is_empty(&*store).await);
    write_everything(&mut *transaction).await;
    drop(transaction);
    let other = backend.open(LONG).await;
    drop(other.begin().await.expect("the lock, from another node"));
    assert!(is_empty(&*other).await);
}

pub async fn a_transaction_sees_its_own_writes<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    assert_eq!(transaction.head().await.expect("the head"), None);
    assert_eq!(transaction.changes(0, 10).await.expect("changes"), []);
    write_everything(&mut *transaction).await;
    assert_eq!(transaction.head().await.expect("the head"), Some(head(2, 1)));
    assert_eq!(
        transaction.changes(0, 10).await.expect("changes"),
        [change(1, Table::Keys, "key", ChangeKind::Put)]
    );
    assert_eq!(transaction.changes(1, 10).await.expect("changes"), []);
    transaction.commit().await.expect("a commit");
}

pub async fn reads_see_committed_rows_only_and_do_not_wait<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let other = backend.open(LONG).await;
    let mut first = store.begin().await.expect("the lock");
    write_everything(&mut *first).await;
    assert!(timeout(SOON, is_empty(&*store)).await.expect("no waiting"));
    assert!(timeout(SOON, is_empty(&*other)).await.expect("no waiting"));
    first.commit().await.expect("a commit");

    let mut second = store.begin().await.expect("the lock");
    second
        .put_row(Table::Keys, &row("key", "other owner", 2))
        .await
        .expect("a row");
    second.put_head(&head(3, 2)).await.expect("the head");
    for store in [&store, &other] {
        let lookup = timeout(SOON, store.lookup(Table::Keys, "key"))
            .await
            .expect("no waiting")
            .expect("a lookup");
        assert_eq!(lookup.row, Some(row("key", "owner", 1)));
        let seen = timeout(SOON, store.head())
            .await
            .expect("no waiting")
            .expect("the head");
        assert_eq!(seen, Some(head(2, 1)));
    }
}

async fn second_waits(first: Arc<dyn Store>, second: Arc<dyn Store>) {
    for size in 1..=3 {
        let mut held = first.begin().await.expect("the lock");
        let waiting = tokio::spawn({
            let second = Arc::clone(&second);
            async move { second.begin().await }
        });
        tokio::pin!(waiting);
        assert!(
            timeout(MOMENT, &mut waiting).await.is_err(),
            "the second has the lock while the first holds it"
        );
        held.put_head(&head(size, 0)).await.expect("the head");
        held.commit().await.expect("a commit");
        let mut second = waiting.await.expect("a task").expect("the lock");
        assert_eq!(second.head().await.expect("the head"), Some(head(size, 0)));
    }
}

pub async fn a_second_transaction_waits_for_the_first<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    second_waits(Arc::clone(&store), store).await;
}

pub async fn a_second_transaction_of_another_node_waits_for_the_first<B: Backend>(backend: Arc<B>) {
    second_waits(backend.open(LONG).await, backend.open(LONG).await).await;
}

async fn second_is_busy(first: Arc<dyn Store>, second: Arc<dyn Store>) {
    // Without a head row, then with one.
    for size in 1..=2 {
        let mut held = first.begin().await.expect("the lock");
        let refused = timeout(SOON, second.begin()).await.expect("an answer");
        assert!(matches!(refused.err(), Some(StoreError::Busy(_))));
        held.put_head(&head(size, 0)).await.expect("the head");
        held.commit().await.expect("a commit");
        drop(second.begin().await.expect("the lock, now that it is free"));
    }
}

pub async fn a_transaction_that_waits_too_long_is_busy<B: Backend>(backend: Arc<B>) {
    let store = backend.open(SHORT).await;
    second_is_busy(Arc::clone(&store), store).await;
}

pub async fn a_transaction_of_another_node_that_waits_too_long_is_busy<B: Backend>(backend: Arc<B>) {
    second_is_busy(backend.open(LONG).await, backend.open(SHORT).await).await;
}

pub async fn after_a_conflict_nothing_can_be_committed<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    transaction.append_events(&[event(0)]).await.expect("an event");
    transaction
        .put_row(Table::Keys, &row("key", "owner", 1))
        .await
        .expect("a row");
    assert!(matches!(
        transaction.append_events(&[event(0)]).await,
        Err(StoreError::Conflict { .. })
    ));
    assert!(transaction.put_head(&head(1, 0)).await.is_err());
    assert!(transaction.commit().await.is_err());
    assert!(is_empty(&*store).await);
    let mut next = store.begin().await.expect("the lock");
    write_everything(&mut *next).await;
    next.commit().await.expect("a commit");
}

pub async fn a_begin_that_is_dropped_holds_no_lock<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let other = backend.open(LONG).await;
    let held = store.begin().await.expect("the lock");
    for waiting in [&store, &other] {
        assert!(
            timeout(MOMENT, waiting.begin()).await.is_err(),
            "two transactions at once"
        );
    }
    drop(held);
    for store in [&store, &other] {
        let mut next = timeout(SOON, store.begin())
            .await
            .expect("no waiting")
            .expect("the lock");
        next.put_head(&head(1, 0)).await.expect("the head");
        next.commit().await.expect("a commit");
    }
}

pub async fn a_statement_that_is_dropped_ends_its_transaction<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let events: Vec<_> = (0..5_000).map(event).collect();
    let mut transaction = store.begin().await.expect("the lock");
    transaction
        .put_row(Table::Keys, &row("key", "owner", 1))
        .await
        .expect("a row");
    // Polled once, so that it is under way, then dropped.
    let mut append = transaction.append_events(&events);
    assert!(futures_poll(append.as_mut()).await, "not done at the first poll");
    drop(append);
    assert!(transaction.append_events(&[event(9_000)]).await.is_err());
    assert!(transaction.commit().await.is_err());

    let mut next = timeout(SOON, store.begin())
        .await
        .expect("no waiting")
        .expect("the lock");
    assert!(is_empty(&*store).await);
    write_everything(&mut *next).await;
    next.commit().await.expect("a commit");
}

/// Polls once; whether the future is still pending.
async fn futures_poll<F: Future + Unpin>(mut future: F) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut future).poll(context).is_pending()))
        .await
}
