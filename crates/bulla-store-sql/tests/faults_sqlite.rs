//! What goes wrong with a SQLite file: each fault for real, each with its own error, nothing lost.

#[path = "support/raw.rs"]
mod raw;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bulla_store::{Change, ChangeKind, CheckpointRow, EventRow, HeadRow, Row, RowFilter, Store, StoreError, Table};
use bulla_store_sql::{OpenOptions, SqlStore};
use sqlx::{AnyConnection, Connection};
use tempfile::TempDir;

fn file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("bulla.db");
    (directory, path)
}

fn url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

async fn open(path: &Path) -> Result<SqlStore, StoreError> {
    SqlStore::open(OpenOptions::sqlite_file(path).lock_timeout(Duration::from_millis(300))).await
}

/// Commits events of 10 KB each, with their head, and answers the log's new size.
async fn commit_events(store: &SqlStore, count: u64) -> Result<u64, StoreError> {
    let mut transaction = store.begin().await?;
    let size = transaction.head().await?.map_or(0, |head| head.size);
    let events: Vec<_> = (size..size + count)
        .map(|sequence| EventRow {
            sequence,
            event: vec![b'e'; 10_000],
        })
        .collect();
    transaction.append_events(&events).await?;
    let size = size + count;
    transaction
        .put_checkpoint(&CheckpointRow {
            size,
            note: String::from("note"),
        })
        .await?;
    let head = HeadRow {
        size,
        metadata_revision: 0,
        state: Vec::new(),
        checkpoint: String::from("note"),
    };
    transaction.put_head(&head).await?;
    transaction.commit().await?;
    Ok(size)
}

/// The log holds exactly `size` events, and says so.
async fn assert_size(store: &SqlStore, size: u64) {
    assert_eq!(store.head().await.expect("the head").map_or(0, |head| head.size), size);
    let events = store.events(0, 10_000).await.expect("events");
    assert_eq!(events.len() as u64, size);
    assert!(
        events
            .iter()
            .zip(0..)
            .all(|(event, sequence)| event.sequence == sequence && event.event.len() == 10_000)
    );
}

#[tokio::test]
async fn files_are_the_owners_alone() {
    let (_directory, path) = file();
    let store = open(&path).await.expect("a store");
    commit_events(&store, 1).await.expect("a commit");
    for suffix in ["", "-wal", "-shm"] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        let mode = file.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_missing_directory_is_not_made() {
    let (directory, _) = file();
    let refused = open(&directory.path().join("missing/bulla.db")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))));
    assert!(!directory.path().join("missing").exists());
}

#[tokio::test]
async fn a_full_file_refuses_and_keeps_what_it_has() {
    let (_directory, path) = file();
    let options = OpenOptions::sqlite_file(&path).sqlite_max_pages(400);
    let store = SqlStore::open(options).await.expect("a store");
    let mut size = 0;
    let refused = loop {
        match commit_events(&store, 3).await {
            Ok(committed) => size = committed,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert!(size > 30);
    assert_size(&store, size).await;
    drop(store);
    let store = open(&path).await.expect("a store");
    assert_size(&store, size).await;
    // With room it goes on.
    assert_eq!(commit_events(&store, 3).await.expect("a commit"), size + 3);
}

#[tokio::test]
async fn a_limit_on_file_sizes_refuses_and_keeps_what_was_acknowledged() {
    const CHILD: &str = "BULLA_TEST_LIMITED_FILE";
    #[expect(
        clippy::disallowed_methods,
        reason = "the environment tells the child which file to fill"
    )]
    if let Ok(path) = std::env::var(CHILD) {
        let store = open(Path::new(&path)).await.expect("a store");
        loop {
            match commit_events(&store, 1).await {
                Ok(size) => println!("acknowledged {size}"),
                Err(error) => {
                    println!("refused {error:?}");
                    return;
                }
            }
        }
    }
    let (_directory, path) = file();
    // SIGXFSZ ignored, the kernel answers EFBIG. Blocks are 512 bytes.
    let output = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 2000; exec \"$0\" --exact --nocapture --test-threads=1 \"$1\"")
        .arg(std::env::current_exe().expect("this test"))
        .arg("a_limit_on_file_sizes_refuses_and_keeps_what_was_acknowledged")
        .env(CHILD, &path)
        .output()
        .expect("a shell");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let acknowledged = output
        .lines()
        .filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
        .max();
    let acknowledged: u64 = acknowledged.expect("some commits");
    assert!(output.lines().any(|line| line.starts_with("refused Full")), "{output}");
    assert_size(&open(&path).await.expect("a store"), acknowledged).await;
}

#[tokio::test]
async fn a_file_that_another_process_locks_is_busy() {
    let (_directory, path) = file();
    let store = open(&path).await.expect("a store");
    commit_events(&store, 1).await.expect("a commit");
    let mut other = AnyConnection::connect(&url(&path)).await.expect("a connection");
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .expect("the lock");
    assert!(matches!(store.begin().await.err(), Some(StoreError::Busy(_))));
    assert!(matches!(store.probe().await, Err(StoreError::Busy(_))));
    assert_size(&store, 1).await;
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut other)
        .await
        .expect("a roll-back");
    commit_events(&store, 1).await.expect("a commit");
}

#[tokio::test]
async fn a_file_opened_for_reading_only_is_read_and_not_written() {
    let (_directory, path) = file();
    let reader = OpenOptions::sqlite_file(&path).read_only(true);
    assert!(SqlStore::open(reader.clone()).await.is_err());
    assert!(!path.exists());
    let store = open(&path).await.expect("a store");
    commit_events(&store, 2).await.expect("a commit");
    let reader = SqlStore::open(reader).await.expect("a reader");
    assert_size(&reader, 2).await;
    assert!(matches!(reader.begin().await.err(), Some(StoreError::ReadOnly(_))));
    assert!(matches!(reader.probe().await, Err(StoreError::ReadOnly(_))));
    commit_events(&store, 1).await.expect("a commit");
    assert_size(&reader, 3).await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_corrupt_and_stays_as_it_is() {
    let (_directory, path) = file();
    let text = b"This is a letter to my grandmother, and by no means a database.\n".repeat(100);
    std::fs::write(&path, &text).expect("a file");
    let refused = open(&path).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert_eq!(std::fs::read(&path).expect("a file"), text);
}

#[tokio::test]
async fn damaged_pages_are_corrupt() {
    let (_directory, path) = file();
    let store = open(&path).await.expect("a store");
    commit_events(&store, 50).await.expect("a commit");
    // The last to close moves everything from the write-ahead log into the file.
    store.close().await;
    let sound = std::fs::read(&path).expect("a file");

    // All but the schema.
    let mut damaged = sound.clone();
    damaged[8_192..].fill(0xa5);
    std::fs::write(&path, &damaged).expect("a file");
    assert!(matches!(open(&path).await, Err(StoreError::Corrupt { .. })));

    // The tree of the events alone: pages that hold no table of the schema.
    let mut damaged = sound.clone();
    let mut hits = 0;
    for page in damaged.chunks_mut(8_192).skip(1) {
        if page.windows(16).any(|bytes| bytes == [b'e'; 16]) {
            page.fill(0xa5);
            hits += 1;
        }
    }
    assert!(hits > 50);
    std::fs::write(&path, &damaged).expect("a file");
    let store = open(&path).await.expect("a store");
    let refused = store.events(0, 100).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    store.close().await;

    // Half of the file.
    std::fs::write(&path, &sound[..sound.len() / 2]).expect("a file");
    let refused = match open(&path).await {
        Ok(store) => store.events(0, 100).await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
}

#[tokio::test]
async fn rows_with_values_of_an_impossible_form_are_shown_as_nobody_wrote_them() {
    let (_directory, path) = file();
    let store = open(&path).await.expect("a store");
    let statements = [
        "UPDATE kms_keys SET mac = x'00'",
        "UPDATE kms_keys SET revision = -1",
        "UPDATE kms_keys SET revision = 'soon'",
        "UPDATE kms_keys SET revision = 1.5",
        "UPDATE kms_keys SET owner = x'ff'",
        "UPDATE kms_keys SET body = 7",
        "UPDATE changes SET kind = 3",
        "UPDATE changes SET ordinal = 4294967296",
        "UPDATE changes SET mac = 'a text of 32 bytes, but no bytes.'",
        "UPDATE changes SET count = x'00'",
    ];
    for statement in statements {
        let mut transaction = store.begin().await.expect("the lock");
        let row = Row {
            id: "key".into(),
            owner: "owner".into(),
            revision: 1,
            body: vec![1],
            mac: [1; 32],
        };
        transaction.put_row(Table::Keys, &row).await.expect("a row");
        let (id, table, kind) = (String::from("key"), Table::Keys, ChangeKind::Put);
        let change = Change {
            revision: 1,
            ordinal: 0,
            count: 1,
            table,
            id,
            kind,
            mac: [1; 32],
        };
        transaction.append_changes(&[change]).await.expect("a change");
        transaction.commit().await.expect("a commit");
        assert!(store.lookup(Table::Keys, "key").await.is_ok());
        raw::execute(&url(&path), statement).await;
        let lookup = store.lookup(Table::Keys, "key").await.expect("a row");
        let (row, newest) = (
            lookup.row.clone().expect("a row"),
            lookup.newest_change.clone().expect("a change"),
        );
        assert_eq!((&*row.id, &*newest.id), ("key", "key"), "{statement}");
        let is_damaged = row.mac == [0; 32] || newest.mac == [0; 32];
        assert!(is_damaged, "{statement}: {lookup:?}");
        let listed = store.list(Table::Keys, RowFilter::All, None, 10).await.expect("a list");
        assert_eq!(listed, [lookup], "{statement}");
        raw::execute(&url(&path), "DELETE FROM changes").await;
    }
    raw::execute(&url(&path), "DROP TABLE audit_events").await;
    assert!(matches!(store.events(0, 1).await, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn a_newer_schema_and_a_foreign_one_are_refused_and_not_touched() {
    for (statement, found) in [
        ("UPDATE schema_version SET version = 99", "version 99"),
        ("UPDATE schema_version SET version = 0", "not Bulla's"),
        ("UPDATE schema_version SET application = 'other'", "not Bulla's"),
        ("DELETE FROM schema_version", "not Bulla's"),
        ("DROP TABLE schema_version", "not Bulla's"),
        (
            "DROP TABLE schema_version; CREATE TABLE schema_version (version_num TEXT)",
            "not Bulla's",
        ),
    ] {
        let (_directory, path) = file();
        drop(open(&path).await.expect("a store"));
        raw::execute(&url(&path), statement).await;
        for options in [
            OpenOptions::sqlite_file(&path),
            OpenOptions::sqlite_file(&path).read_only(true),
        ] {
            match SqlStore::open(options).await {
                Err(StoreError::Schema { found: text, .. }) => assert!(text.starts_with(found), "{text}"),
                other => panic!("{statement}: {other:?}"),
            }
        }
    }
    let (_directory, path) = file();
    std::fs::write(&path, b"").expect("a file");
    raw::execute(&url(&path), "CREATE TABLE django_migrations (id INTEGER)").await;
    assert!(matches!(open(&path).await, Err(StoreError::Schema { .. })));
}

#[tokio::test]
async fn a_store_of_the_first_version_is_migrated_and_keeps_its_rows() {
    let (_directory, path) = file();
    let store = open(&path).await.expect("a store");
    let row = Row {
        id: "key".into(),
        owner: "owner".into(),
        revision: 1,
        body: b"{}".to_vec(),
        mac: [7; 32],
    };
    let mut transaction = store.begin().await.expect("the lock");
    transaction.put_row(Table::Keys, &row).await.expect("a row");
    transaction.commit().await.expect("a commit");
    store.close().await;
    // What the first version did not have.
    raw::execute(
        &url(&path),
        "DROP TABLE grants; DROP TABLE key_usage; DROP TABLE api_tokens; DROP TABLE audit_batches; DROP TABLE roles; DROP TABLE user_groups; DROP TABLE token_marks; UPDATE schema_version SET version = 1",
    )
    .await;
    match SqlStore::open(OpenOptions::sqlite_file(&path).read_only(true)).await {
        Err(StoreError::Schema { found, known: 7 }) => assert_eq!(found, "version 1, not migrated"),
        other => panic!("{other:?}"),
    }
    let store = open(&path).await.expect("a store");
    assert_eq!(
        store.lookup(Table::Keys, "key").await.expect("a lookup").row,
        Some(row.clone())
    );
    let mut transaction = store.begin().await.expect("the lock");
    transaction.put_row(Table::Grants, &row).await.expect("a row");
    transaction.commit().await.expect("a commit");
    assert_eq!(
        store.lookup(Table::Grants, "key").await.expect("a lookup").row,
        Some(row)
    );
}

#[tokio::test]
async fn an_empty_file_opened_for_reading_only_is_no_store() {
    let (_directory, path) = file();
    std::fs::write(&path, b"").expect("a file");
    let refused = SqlStore::open(OpenOptions::sqlite_file(&path).read_only(true)).await;
    assert!(matches!(refused, Err(StoreError::Schema { .. })), "{refused:?}");
}

#[tokio::test]
async fn urls_with_parameters_and_unknown_schemes_are_refused() {
    let (_directory, path) = file();
    for url in [
        format!("{}?vfs=unix-none", url(&path)),
        String::from("redis://localhost"),
        String::new(),
    ] {
        assert!(SqlStore::connect(&url).await.is_err(), "{url}");
    }
    assert!(!path.exists());
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_not_available() {
    let (_directory, path) = file();
    let store = open(&path).await.expect("a store");
    commit_events(&store, 1).await.expect("a commit");
    store.close().await;
    assert!(matches!(store.head().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.begin().await.err(), Some(StoreError::Unavailable(_))));
}
