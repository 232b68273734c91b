//! Several nodes on one database, and one node after another.
#![expect(missing_docs, reason = "each case is named by the sentence that it shows")]

use std::sync::Arc;

use super::transactions::MOMENT;
use super::{Backend, LONG, change, checkpoint, event, head, row};
use crate::{ChangeKind, Store, Table};

/// Does what a group commit does: the head, one event, one change, one row, a checkpoint.
async fn commit_one(store: &dyn Store) -> u64 {
    let mut transaction = store.begin().await.expect("the lock");
    let size = transaction.head().await.expect("the head").map_or(0, |head| head.size);
    let seen = transaction.changes(size.saturating_sub(1), 10).await.expect("changes");
    assert_eq!(
        seen.len() as u64,
        size.min(1),
        "the lock holder sees what was committed before it"
    );
    let revision = size + 1;
    transaction
        .put_row(Table::Keys, &row("key", "owner", revision))
        .await
        .expect("a row");
    transaction
        .append_changes(&[change(revision, Table::Keys, "key", ChangeKind::Put)])
        .await
        .expect("a change");
    transaction.append_events(&[event(size)]).await.expect("an event");
    transaction
        .put_checkpoint(&checkpoint(revision))
        .await
        .expect("a checkpoint");
    transaction.put_head(&head(revision, revision)).await.expect("the head");
    transaction.commit().await.expect("a commit");
    revision
}

pub async fn a_commit_is_seen_by_another_node_at_once<B: Backend>(backend: Arc<B>) {
    let nodes = [backend.open(LONG).await, backend.open(LONG).await];
    for turn in 0..10 {
        let revision = commit_one(&*nodes[turn % 2]).await;
        for node in &nodes {
            assert_eq!(node.head().await.expect("the head"), Some(head(revision, revision)));
            let lookup = node.lookup(Table::Keys, "key").await.expect("a lookup");
            assert_eq!(lookup.row, Some(row("key", "owner", revision)));
        }
    }
}

pub async fn two_nodes_interleave_without_a_gap<B: Backend>(backend: Arc<B>) {
    let nodes = [backend.open(LONG).await, backend.open(LONG).await];
    let mut tasks = Vec::new();
    for turn in 0..6 {
        let node = Arc::clone(&nodes[turn % 2]);
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                commit_one(&*node).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("no conflict");
    }
    assert_eq!(nodes[0].head().await.expect("the head"), Some(head(60, 60)));
    let events: Vec<_> = (0..60).map(event).collect();
    assert_eq!(nodes[1].events(0, 1_000).await.expect("events"), events);
    assert_eq!(nodes[0].count_revisions().await.expect("a count"), 60);
}

pub async fn what_was_committed_is_there_after_a_reopen<B: Backend>(backend: Arc<B>) {
    for expected in 1..=3 {
        let store = backend.open(LONG).await;
        assert_eq!(commit_one(&*store).await, expected);
    }
    let store = backend.open(LONG).await;
    assert_eq!(store.head().await.expect("the head"), Some(head(3, 3)));
    assert_eq!(
        store.events(0, 10).await.expect("events"),
        [event(0), event(1), event(2)]
    );
    assert_eq!(
        store.checkpoints(0, 10).await.expect("checkpoints"),
        [1, 2, 3].map(checkpoint)
    );
}

pub async fn many_nodes_open_an_empty_database_at_once<B: Backend>(backend: Arc<B>) {
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let backend = Arc::clone(&backend);
        tasks.push(tokio::spawn(async move {
            let store = backend.open(LONG).await;
            commit_one(&*store).await;
        }));
    }
    for task in tasks {
        task.await.expect("a store");
    }
    let store = backend.open(LONG).await;
    assert_eq!(store.head().await.expect("the head"), Some(head(6, 6)));
}

pub async fn a_probe_changes_nothing_that_is_seen<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    store.probe().await.expect("a store that can be written");
    assert_eq!(store.head().await.expect("the head"), None);
    commit_one(&*store).await;
    store.probe().await.expect("a store that can be written");
    assert_eq!(store.head().await.expect("the head"), Some(head(1, 1)));
    assert_eq!(store.count_revisions().await.expect("a count"), 1);
    assert_eq!(store.events(0, 10).await.expect("events"), [event(0)]);
    drop(backend.open(LONG).await);
}

pub async fn a_probe_waits_for_the_transaction<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let held = store.begin().await.expect("the lock");
    let probe = store.probe();
    tokio::pin!(probe);
    assert!(tokio::time::timeout(MOMENT, &mut probe).await.is_err());
    drop(held);
    probe.await.expect("a store that can be written");
}
