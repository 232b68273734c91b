//! What lies outside the limits is refused before the database sees it, the same on every database.
#![expect(missing_docs, reason = "each case is named by the sentence that it shows")]

use std::sync::Arc;

use super::{Backend, LONG, change, checkpoint, event, head, row};
use crate::{Change, ChangeKind, CheckpointRow, EventRow, HeadRow, Row, RowFilter, StoreError, Table};

fn is_limit<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Limit { .. }))
}

pub async fn a_listing_takes_1_to_1000_rows<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    for limit in [0, 1_001, u32::MAX] {
        assert!(is_limit(store.list(Table::Keys, RowFilter::All, None, limit).await));
    }
    let mut transaction = store.begin().await.expect("the lock");
    for i in 0..1_001 {
        transaction
            .put_row(Table::Keys, &row(&format!("{i:04}"), "owner", 1))
            .await
            .expect("a row");
    }
    transaction.commit().await.expect("a commit");
    let listed = store
        .list(Table::Keys, RowFilter::All, None, 1_000)
        .await
        .expect("a listing");
    assert_eq!(listed.len(), 1_000);
    assert_eq!(listed[999].row, Some(row("0999", "owner", 1)));
    assert_eq!(
        store
            .list(Table::Keys, RowFilter::All, None, 1)
            .await
            .expect("a listing")
            .len(),
        1
    );
}

pub async fn events_and_checkpoints_and_changes_take_1_to_10000_rows<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    for limit in [0, 10_001, u32::MAX] {
        assert!(is_limit(store.events(0, limit).await));
        assert!(is_limit(store.checkpoints(0, limit).await));
        assert!(is_limit(store.changes(0, limit).await));
        assert!(is_limit(transaction.changes(0, limit).await));
    }
    for limit in [1, 10_000] {
        assert_eq!(store.events(0, limit).await.expect("events"), []);
        assert_eq!(store.checkpoints(0, limit).await.expect("checkpoints"), []);
        assert_eq!(store.changes(0, limit).await.expect("changes"), []);
        assert_eq!(transaction.changes(0, limit).await.expect("changes"), []);
    }
}

pub async fn an_id_takes_1_to_512_bytes_and_no_zero<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    for id in ["", "a\0b", &"x".repeat(513), &"é".repeat(257)] {
        assert!(is_limit(transaction.put_row(Table::Keys, &row(id, "owner", 1)).await));
        assert!(is_limit(transaction.delete_row(Table::Keys, id).await));
        let named = change(1, Table::Keys, id, ChangeKind::Put);
        assert!(is_limit(transaction.append_changes(&[named]).await));
        assert!(is_limit(store.lookup(Table::Keys, id).await));
    }
    let longest = ["x".repeat(512), "é".repeat(256), "😀".repeat(128)];
    for (id, revision) in longest.iter().zip(1..) {
        transaction
            .put_row(Table::Keys, &row(id, "owner", revision))
            .await
            .expect("a row");
        transaction
            .append_changes(&[change(revision, Table::Keys, id, ChangeKind::Put)])
            .await
            .expect("a change");
    }
    transaction.commit().await.expect("a commit");
    for (id, revision) in longest.iter().zip(1..) {
        let lookup = store.lookup(Table::Keys, id).await.expect("a lookup");
        assert_eq!(lookup.row, Some(row(id, "owner", revision)));
        assert_eq!(
            lookup.newest_change,
            Some(change(revision, Table::Keys, id, ChangeKind::Put))
        );
        let after = store
            .list(Table::Keys, RowFilter::All, Some(id), 10)
            .await
            .expect("a listing");
        assert_eq!(after.len() as u64, 3 - revision);
    }
}

pub async fn an_owner_takes_0_to_512_bytes_and_no_zero<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    for owner in ["a\0b", &"x".repeat(513)] {
        assert!(is_limit(transaction.put_row(Table::Keys, &row("key", owner, 1)).await));
        assert!(is_limit(
            store.list(Table::Keys, RowFilter::Owner(owner), None, 10).await
        ));
    }
    let longest = "é".repeat(256);
    transaction
        .put_row(Table::Keys, &row("none", "", 1))
        .await
        .expect("a row");
    transaction
        .put_row(Table::Keys, &row("long", &longest, 1))
        .await
        .expect("a row");
    transaction.commit().await.expect("a commit");
    for (owner, id) in [("", "none"), (&longest, "long")] {
        let listed = store
            .list(Table::Keys, RowFilter::Owner(owner), None, 10)
            .await
            .expect("a listing");
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].row, Some(row(id, owner, 1)));
    }
}

pub async fn a_body_takes_0_bytes_to_1_mebibyte<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let of = |id: &str, size| Row {
        body: vec![0xa5; size],
        ..row(id, "owner", 1)
    };
    let mut transaction = store.begin().await.expect("the lock");
    assert!(is_limit(
        transaction.put_row(Table::Keys, &of("key", (1 << 20) + 1)).await
    ));
    let rows = [of("empty", 0), of("largest", 1 << 20)];
    for row in &rows {
        transaction.put_row(Table::Keys, row).await.expect("a row");
    }
    transaction.commit().await.expect("a commit");
    for row in rows {
        assert_eq!(
            store.lookup(Table::Keys, &row.id).await.expect("a lookup").row,
            Some(row)
        );
    }
}

pub async fn an_event_takes_0_bytes_to_256_kibibytes<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let of = |sequence, size| EventRow {
        sequence,
        event: vec![0xa5; size],
    };
    let mut transaction = store.begin().await.expect("the lock");
    assert!(is_limit(
        transaction.append_events(&[event(0), of(1, (256 << 10) + 1)]).await
    ));
    let events = [of(0, 0), of(1, 256 << 10)];
    transaction.append_events(&events).await.expect("events");
    transaction.commit().await.expect("a commit");
    assert_eq!(store.events(0, 10).await.expect("events"), events);
}

pub async fn the_head_and_checkpoints_have_limits<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let long = |size: usize| "é".repeat(size / 2);
    let mut transaction = store.begin().await.expect("the lock");
    let too_long = CheckpointRow {
        size: 1,
        note: long(16_386),
    };
    assert!(is_limit(transaction.put_checkpoint(&too_long).await));
    let zero = CheckpointRow {
        size: 1,
        note: String::from("a\0b"),
    };
    assert!(is_limit(transaction.put_checkpoint(&zero).await));
    assert!(is_limit(
        transaction
            .put_head(&HeadRow {
                state: vec![0; 4_097],
                ..head(1, 1)
            })
            .await
    ));
    assert!(is_limit(
        transaction
            .put_head(&HeadRow {
                checkpoint: too_long.note,
                ..head(1, 1)
            })
            .await
    ));

    let largest = HeadRow {
        state: vec![255; 4_096],
        checkpoint: long(16_384),
        ..head(1, 1)
    };
    transaction.put_head(&largest).await.expect("the head");
    let notes = [
        CheckpointRow {
            size: 0,
            note: String::new(),
        },
        CheckpointRow {
            size: 1,
            note: long(16_384),
        },
    ];
    for note in &notes {
        transaction.put_checkpoint(note).await.expect("a checkpoint");
    }
    transaction.commit().await.expect("a commit");
    assert_eq!(store.head().await.expect("the head"), Some(largest));
    assert_eq!(store.checkpoints(0, 10).await.expect("checkpoints"), notes[1..]);
    let mut transaction = store.begin().await.expect("the lock");
    let smallest = HeadRow {
        size: 0,
        metadata_revision: 0,
        state: Vec::new(),
        checkpoint: String::new(),
    };
    transaction.put_head(&smallest).await.expect("the head");
    transaction.commit().await.expect("a commit");
    assert_eq!(store.head().await.expect("the head"), Some(smallest));
}

pub async fn numbers_fit_into_63_bits<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    const LARGEST: u64 = i64::MAX as u64;
    let mut transaction = store.begin().await.expect("the lock");
    for number in [LARGEST + 1, u64::MAX] {
        assert!(is_limit(
            transaction.put_row(Table::Keys, &row("key", "owner", number)).await
        ));
        assert!(is_limit(
            transaction
                .append_changes(&[change(number, Table::Keys, "key", ChangeKind::Put)])
                .await
        ));
        assert!(is_limit(transaction.append_events(&[event(number)]).await));
        assert!(is_limit(transaction.put_checkpoint(&checkpoint(number)).await));
        assert!(is_limit(transaction.put_head(&head(number, 1)).await));
        assert!(is_limit(transaction.put_head(&head(1, number)).await));
    }
    assert!(is_limit(
        transaction
            .append_changes(&[change(0, Table::Keys, "key", ChangeKind::Put)])
            .await
    ));
    let beyond = Change {
        ordinal: 1,
        ..change(1, Table::Keys, "key", ChangeKind::Put)
    };
    assert!(is_limit(transaction.append_changes(&[beyond]).await));

    let last = Change {
        ordinal: u32::MAX - 1,
        count: u32::MAX,
        ..change(LARGEST, Table::Keys, "key", ChangeKind::Put)
    };
    transaction
        .put_row(Table::Keys, &row("key", "owner", LARGEST))
        .await
        .expect("a row");
    transaction
        .append_changes(std::slice::from_ref(&last))
        .await
        .expect("a change");
    transaction.append_events(&[event(LARGEST)]).await.expect("an event");
    transaction
        .put_checkpoint(&checkpoint(LARGEST))
        .await
        .expect("a checkpoint");
    transaction.put_head(&head(LARGEST, LARGEST)).await.expect("the head");
    transaction.commit().await.expect("a commit");
    let lookup = store.lookup(Table::Keys, "key").await.expect("a lookup");
    assert_eq!(lookup.row, Some(row("key", "owner", LARGEST)));
    assert_eq!(lookup.newest_change, Some(last));
    assert_eq!(store.events(LARGEST, 10).await.expect("events"), [event(LARGEST)]);
    assert_eq!(store.events(LARGEST + 1, 10).await.expect("events"), []);
    assert_eq!(store.head().await.expect("the head"), Some(head(LARGEST, LARGEST)));
}

pub async fn a_value_outside_the_limits_leaves_the_transaction_usable<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    transaction.append_events(&[event(0)]).await.expect("an event");
    let large = EventRow {
        sequence: 2,
        event: vec![0; 1 << 20],
    };
    assert!(is_limit(transaction.append_events(&[event(1), large]).await));
    transaction
        .append_events(&[event(1)])
        .await
        .expect("nothing of the refused batch was written");
    transaction.commit().await.expect("a commit");
    assert_eq!(store.events(0, 10).await.expect("events"), [event(0), event(1)]);
}
