//! Rows, their newest change, and listings.
#![expect(missing_docs, reason = "each case is named by the sentence that it shows")]

use std::sync::Arc;

use super::{Backend, LONG, change, row};
use crate::{Change, ChangeKind, Lookup, Row, RowFilter, Store, Table};

async fn put(store: &dyn Store, table: Table, rows: &[Row]) {
    let mut transaction = store.begin().await.expect("the lock");
    for row in rows {
        transaction.put_row(table, row).await.expect("a row");
    }
    transaction.commit().await.expect("a commit");
}

async fn append(store: &dyn Store, changes: &[Change]) {
    let mut transaction = store.begin().await.expect("the lock");
    transaction.append_changes(changes).await.expect("changes");
    transaction.commit().await.expect("a commit");
}

async fn lookup(store: &dyn Store, table: Table, id: &str) -> Lookup {
    store.lookup(table, id).await.expect("a lookup")
}

async fn ids(store: &dyn Store, filter: RowFilter<'_>, after: Option<&str>, limit: u32) -> Vec<String> {
    let rows = store
        .list(Table::Aliases, filter, after, limit)
        .await
        .expect("a listing");
    rows.into_iter()
        .map(|lookup| lookup.row.expect("a row in each").id)
        .collect()
}

pub async fn a_row_that_never_was_is_absent<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    for table in Table::ALL {
        assert_eq!(
            lookup(&*store, table, "nothing").await,
            Lookup {
                row: None,
                newest_change: None
            }
        );
        assert_eq!(
            store.list(table, RowFilter::All, None, 10).await.expect("a listing"),
            []
        );
        assert_eq!(
            store
                .list(table, RowFilter::Owner("nobody"), None, 10)
                .await
                .expect("a listing"),
            []
        );
    }
}

pub async fn a_row_is_written_and_written_over<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    put(&*store, Table::Keys, &[row("key", "owner", 1)]).await;
    put(
        &*store,
        Table::Keys,
        &[row("key", "another", 2), row("key", "third", 3)],
    )
    .await;
    assert_eq!(
        lookup(&*store, Table::Keys, "key").await.row,
        Some(row("key", "third", 3))
    );
    assert_eq!(
        store
            .list(Table::Keys, RowFilter::Owner("owner"), None, 10)
            .await
            .expect("a listing"),
        []
    );
    assert_eq!(
        store
            .list(Table::Keys, RowFilter::All, None, 10)
            .await
            .expect("a listing")
            .len(),
        1
    );
}

pub async fn a_row_is_deleted_and_its_change_stays<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    put(&*store, Table::Keys, &[row("key", "owner", 1), row("kez", "owner", 1)]).await;
    append(&*store, &[change(1, Table::Keys, "key", ChangeKind::Put)]).await;
    let mut transaction = store.begin().await.expect("the lock");
    transaction.delete_row(Table::Keys, "key").await.expect("a deletion");
    transaction
        .append_changes(&[change(2, Table::Keys, "key", ChangeKind::Delete)])
        .await
        .expect("a change");
    transaction.commit().await.expect("a commit");

    let deleted = Lookup {
        row: None,
        newest_change: Some(change(2, Table::Keys, "key", ChangeKind::Delete)),
    };
    assert_eq!(lookup(&*store, Table::Keys, "key").await, deleted);
    assert_eq!(
        lookup(&*store, Table::Keys, "kez").await.row,
        Some(row("kez", "owner", 1))
    );
}

pub async fn deleting_nothing_does_nothing<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    put(&*store, Table::Keys, &[row("key", "owner", 1)]).await;
    let mut transaction = store.begin().await.expect("the lock");
    transaction
        .delete_row(Table::Keys, "KEY")
        .await
        .expect("nothing to delete");
    transaction
        .delete_row(Table::Principals, "key")
        .await
        .expect("nothing to delete");
    transaction.commit().await.expect("a commit");
    assert_eq!(
        lookup(&*store, Table::Keys, "key").await.row,
        Some(row("key", "owner", 1))
    );
}

pub async fn the_newest_change_is_the_one_with_the_highest_revision_and_ordinal<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    put(&*store, Table::Keys, &[row("key", "owner", 10)]).await;
    let one = |revision, ordinal, kind| Change {
        ordinal,
        count: 3,
        ..change(revision, Table::Keys, "key", kind)
    };
    // Appended out of order; 10 sorts before 9 as text.
    append(
        &*store,
        &[
            one(10, 0, ChangeKind::Put),
            one(10, 2, ChangeKind::Delete),
            one(10, 1, ChangeKind::Put),
        ],
    )
    .await;
    append(&*store, &[one(9, 2, ChangeKind::Put), one(2, 2, ChangeKind::Put)]).await;
    let newest = Some(one(10, 2, ChangeKind::Delete));
    assert_eq!(lookup(&*store, Table::Keys, "key").await.newest_change, newest);
    let listed = store
        .list(Table::Keys, RowFilter::All, None, 10)
        .await
        .expect("a listing");
    assert_eq!(
        listed,
        [Lookup {
            row: Some(row("key", "owner", 10)),
            newest_change: newest
        }]
    );
}

pub async fn changes_of_other_tables_and_ids_are_not_mixed_in<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    put(
        &*store,
        Table::Keys,
        &[row("a", "owner", 1), row("b", "owner", 2), row("c", "owner", 3)],
    )
    .await;
    let changes = [
        change(1, Table::Keys, "a", ChangeKind::Put),
        change(2, Table::Keys, "b", ChangeKind::Put),
        change(3, Table::Aliases, "a", ChangeKind::Delete),
        change(4, Table::Keys, "A", ChangeKind::Delete),
        change(5, Table::Keys, "aa", ChangeKind::Delete),
    ];
    append(&*store, &changes).await;
    assert_eq!(
        lookup(&*store, Table::Keys, "a").await.newest_change.as_ref(),
        Some(&changes[0])
    );
    assert_eq!(
        lookup(&*store, Table::Aliases, "a").await.newest_change.as_ref(),
        Some(&changes[2])
    );
    let listed = store
        .list(Table::Keys, RowFilter::Owner("owner"), None, 10)
        .await
        .expect("a listing");
    let newest: Vec<_> = listed.iter().map(|lookup| lookup.newest_change.as_ref()).collect();
    assert_eq!(newest, [Some(&changes[0]), Some(&changes[1]), None]);
}

pub async fn a_row_without_a_change_is_shown_without_one<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    put(&*store, Table::Keys, &[row("key", "owner", 1)]).await;
    let alone = Lookup {
        row: Some(row("key", "owner", 1)),
        newest_change: None,
    };
    assert_eq!(lookup(&*store, Table::Keys, "key").await, alone);
    assert_eq!(
        store
            .list(Table::Keys, RowFilter::All, None, 10)
            .await
            .expect("a listing"),
        [alone]
    );
}

const ODD_IDS: [&str; 24] = [
    "0",
    "000000000000/us-east-1/alias/a",
    "000000000000/us-east-1/alias/a_b",
    "000000000000/us-east-1/alias/aB",
    "10",
    "9",
    "A",
    "Z",
    "_",
    "a",
    "a ",
    "a  b",
    "a'b\"`",
    "a-b",
    "a_b",
    "aa",
    "b",
    "z",
    "~",
    "é",
    "e\u{301}",
    "ﬀ",
    "漢",
    "😀",
];

fn sorted(ids: &[&str]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    ids
}

pub async fn ids_are_listed_in_the_order_of_their_bytes<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let rows: Vec<_> = ODD_IDS.iter().rev().map(|id| row(id, "owner", 1)).collect();
    put(&*store, Table::Aliases, &rows).await;
    assert_eq!(ids(&*store, RowFilter::All, None, 1_000).await, sorted(&ODD_IDS));
    assert_eq!(
        ids(&*store, RowFilter::Owner("owner"), None, 1_000).await,
        sorted(&ODD_IDS)
    );
}

pub async fn ids_that_look_alike_are_different<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let alike = [
        "key",
        "KEY",
        "Key",
        "key ",
        " key",
        "kéy",
        "ke\u{301}y",
        "key\t",
        "key\u{200b}",
        "ｋey",
    ];
    let rows: Vec<_> = alike
        .iter()
        .zip(1..)
        .map(|(id, revision)| row(id, id, revision))
        .collect();
    put(&*store, Table::Aliases, &rows).await;
    for row in rows {
        assert_eq!(lookup(&*store, Table::Aliases, &row.id).await.row, Some(row.clone()));
        assert_eq!(ids(&*store, RowFilter::Owner(&row.owner), None, 10).await, [row.id]);
    }
}

pub async fn a_listing_is_paged<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let rows: Vec<_> = ODD_IDS.iter().map(|id| row(id, "owner", 1)).collect();
    put(&*store, Table::Aliases, &rows).await;
    put(&*store, Table::Aliases, &[row("m", "stranger", 1)]).await;
    for limit in [1, 2, 7, 24, 25] {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = ids(
                &*store,
                RowFilter::Owner("owner"),
                seen.last().map(String::as_str),
                limit,
            )
            .await;
            assert!(page.len() <= limit as usize);
            let last = page.len() < limit as usize;
            seen.extend(page);
            if last {
                break;
            }
        }
        assert_eq!(seen, sorted(&ODD_IDS), "in pages of {limit}");
    }
    // After an id that is not there.
    assert_eq!(ids(&*store, RowFilter::All, Some("l"), 1).await, ["m"]);
    assert_eq!(ids(&*store, RowFilter::All, Some("\u{10ffff}"), 10).await, [""; 0]);
}

pub async fn a_listing_by_owner_takes_the_owner_literally<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let owners = [
        "",
        "owner",
        "OWNER",
        "owner ",
        "own%",
        "own_r",
        "' OR 1=1 --",
        "owner\\",
    ];
    let rows: Vec<_> = owners
        .iter()
        .zip(1..)
        .map(|(owner, i)| row(&format!("row {i}"), owner, i))
        .collect();
    put(&*store, Table::Aliases, &rows).await;
    for row in rows {
        assert_eq!(ids(&*store, RowFilter::Owner(&row.owner), None, 10).await, [row.id]);
    }
    assert_eq!(ids(&*store, RowFilter::Owner("%"), None, 10).await, [""; 0]);
}

pub async fn bodies_keep_every_byte<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    let mut mac = [0; 32];
    mac.copy_from_slice(&bytes[240..272]);
    let rows = [
        Row {
            body: bytes,
            mac,
            ..row("all bytes", "owner", 1)
        },
        Row {
            body: Vec::new(),
            mac: [0; 32],
            ..row("no bytes", "owner", 1)
        },
        Row {
            body: vec![0],
            mac: [255; 32],
            ..row("a zero", "owner", 1)
        },
        Row {
            body: b"\\x00'--\xff\xfe".to_vec(),
            ..row("escapes", "owner", 1)
        },
    ];
    put(&*store, Table::KeyVersions, &rows).await;
    append(
        &*store,
        &[Change {
            mac,
            ..change(1, Table::KeyVersions, "all bytes", ChangeKind::Put)
        }],
    )
    .await;
    for row in &rows {
        assert_eq!(
            lookup(&*store, Table::KeyVersions, &row.id).await.row.as_ref(),
            Some(row)
        );
    }
    let newest = lookup(&*store, Table::KeyVersions, "all bytes")
        .await
        .newest_change
        .expect("a change");
    assert_eq!(newest.mac, mac);
}

pub async fn every_table_keeps_its_own_rows<B: Backend>(backend: Arc<B>) {
    let store = backend.open(LONG).await;
    let mut transaction = store.begin().await.expect("the lock");
    for (table, revision) in Table::ALL.into_iter().zip(1..) {
        transaction
            .put_row(table, &row("id", "owner", revision))
            .await
            .expect("a row");
        let put = change(revision, table, "id", ChangeKind::Put);
        transaction.append_changes(&[put]).await.expect("a change");
    }
    transaction.commit().await.expect("a commit");
    for (table, revision) in Table::ALL.into_iter().zip(1..) {
        let found = lookup(&*store, table, "id").await;
        assert_eq!(found.row, Some(row("id", "owner", revision)));
        assert_eq!(
            found.newest_change,
            Some(change(revision, table, "id", ChangeKind::Put))
        );
    }
}
