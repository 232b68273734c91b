//! What goes wrong with a PostgreSQL server: each fault for real, each with its own error, nothing lost.

#[path = "support/raw.rs"]
mod raw;
#[path = "support/server.rs"]
mod server;

use std::time::Duration;

use bulla_store::{EventRow, HeadRow, Store, StoreError, Transaction};
use bulla_store_sql::{OpenOptions, SqlStore};

use crate::raw::execute;
use crate::server::Database;

async fn database() -> Database {
    Database::create("BULLA_TEST_POSTGRES_URL").await
}

fn with(url: &str, parameters: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{parameters}")
}

async fn open(url: &str) -> Result<SqlStore, StoreError> {
    SqlStore::open(OpenOptions::new(url).lock_timeout(Duration::from_secs(1))).await
}

/// Ends every other connection to the database.
async fn cut_connections(url: &str) {
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    execute(url, others).await;
}

async fn write(store: &SqlStore, sequence: u64) -> Box<dyn Transaction> {
    let mut transaction = store.begin().await.expect("the lock");
    transaction
        .append_events(&[EventRow {
            sequence,
            event: vec![1],
        }])
        .await
        .expect("an event");
    let head = HeadRow {
        size: sequence + 1,
        metadata_revision: 0,
        state: Vec::new(),
        checkpoint: String::new(),
    };
    transaction.put_head(&head).await.expect("the head");
    transaction
}

#[tokio::test]
async fn a_server_that_acknowledges_before_it_is_durable_is_refused() {
    let database = database().await;
    for value in ["off", "local", "remote_write"] {
        match open(&with(
            &database.url,
            &format!("options=-c%20synchronous_commit%3D{value}"),
        ))
        .await
        {
            Err(StoreError::NotDurable { setting }) => {
                assert!(
                    setting.starts_with(&format!("synchronous_commit is {value}")),
                    "{setting}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
    for value in ["on", "remote_apply"] {
        open(&with(
            &database.url,
            &format!("options=-c%20synchronous_commit%3D{value}"),
        ))
        .await
        .expect("a store");
    }
    database.destroy().await;
}

#[tokio::test]
async fn a_server_that_only_reads_is_read_only() {
    let database = database().await;
    drop(open(&database.url).await.expect("a store"));
    let reading = with(&database.url, "options=-c%20default_transaction_read_only%3Don");
    let store = open(&reading).await.expect("a store");
    assert_eq!(store.head().await.expect("the head"), None);
    assert!(matches!(store.probe().await, Err(StoreError::ReadOnly(_))));
    database.destroy().await;
}

#[tokio::test]
async fn a_connection_that_broke_while_idle_is_replaced() {
    let database = database().await;
    let store = open(&database.url).await.expect("a store");
    write(&store, 0).await.commit().await.expect("a commit");
    assert_eq!(store.events(0, 10).await.expect("events").len(), 1);
    cut_connections(&database.url).await;
    assert_eq!(store.events(0, 10).await.expect("events").len(), 1);
    write(&store, 1).await.commit().await.expect("a commit");
    assert_eq!(store.head().await.expect("the head").expect("a head").size, 2);
    database.destroy().await;
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_commit_leaves_the_outcome_unknown() {
    let database = database().await;
    let store = open(&database.url).await.expect("a store");
    let transaction = write(&store, 0).await;
    cut_connections(&database.url).await;
    assert!(matches!(transaction.commit().await, Err(StoreError::Unknown(_))));
    assert_eq!(store.head().await.expect("the head"), None);
    write(&store, 0).await.commit().await.expect("a commit");
    database.destroy().await;
}

#[tokio::test]
async fn a_connection_that_breaks_inside_a_transaction_is_unavailable() {
    let database = database().await;
    let store = open(&database.url).await.expect("a store");
    let mut transaction = write(&store, 0).await;
    cut_connections(&database.url).await;
    let refused = transaction
        .append_events(&[EventRow {
            sequence: 1,
            event: vec![1],
        }])
        .await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(transaction.commit().await.is_err());
    assert_eq!(store.events(0, 10).await.expect("events"), []);
    database.destroy().await;
}

#[tokio::test]
async fn a_newer_schema_and_a_foreign_one_are_refused() {
    let database = database().await;
    drop(open(&database.url).await.expect("a store"));
    for statement in ["UPDATE schema_version SET version = 8", "DROP TABLE schema_version"] {
        execute(&database.url, statement).await;
        assert!(
            matches!(open(&database.url).await, Err(StoreError::Schema { known: 7, .. })),
            "{statement}"
        );
    }
    database.destroy().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_its_password_is_not_told() {
    let refused = open("postgres://bulla:hunter2@127.0.0.1:1/bulla")
        .await
        .expect_err("no server");
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
    assert!(!format!("{refused:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_table_that_is_gone_is_corrupt() {
    let database = database().await;
    let store = open(&database.url).await.expect("a store");
    execute(&database.url, "DROP TABLE audit_events").await;
    assert!(matches!(store.events(0, 1).await, Err(StoreError::Corrupt { .. })));
    database.destroy().await;
}

#[tokio::test]
async fn a_connection_that_writes_keeps_its_durability_whatever_the_server_is_told_later() {
    let database = database().await;
    let store = open(&database.url).await.expect("a store");
    // A trigger sees what the store's own connection has; nobody else's is touched.
    for statement in [
        "CREATE TABLE seen (value text, source text)",
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO seen SELECT setting, source FROM pg_settings WHERE name = 'synchronous_commit'; RETURN NEW; END $$",
        "CREATE TRIGGER see BEFORE UPDATE ON schema_version FOR EACH ROW EXECUTE FUNCTION see()",
    ] {
        execute(&database.url, statement).await;
    }
    store.probe().await.expect("writes");
    execute(
        &database.url,
        "DO $$ BEGIN ASSERT (SELECT bool_and(value = 'on' AND source = 'session') AND count(*) = 1 FROM seen); END $$",
    )
    .await;
    database.destroy().await;
}
