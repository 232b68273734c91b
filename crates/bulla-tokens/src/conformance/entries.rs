//! What a store promises of entries.

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, delete, place, store, write};
use crate::store::{Condition, Entry, MAX_VERSION, Write, Written};

/// Two that have the store open see one another's writes.
pub async fn what_one_wrote_another_reads(backend: impl Backend) {
    let (a, b) = (backend.open().await, backend.open().await);
    store(&a, &place("c", "p"), write(5, b"record")).await;
    let entry = Entry {
        version: 5,
        record: Some(b"record".to_vec()),
    };
    assert_eq!(b.read(&place("c", "p")).await.expect("read"), Some(entry));
}

/// Absence is no error.
pub async fn what_was_never_there_is_absent(backend: impl Backend) {
    let a = backend.open().await;
    assert_eq!(a.read(&place("c", "p")).await.expect("read"), None);
    assert_eq!(
        a.write(&place("c", "p"), &delete(1)).await.expect("write"),
        Written::Absent
    );
    a.probe().await.expect("it is there");
}

/// Zeros, line ends and a hundred thousand bytes come back as they were.
pub async fn a_record_keeps_every_byte_and_may_be_large(backend: impl Backend) {
    let a = backend.open().await;
    let record: Vec<u8> = (0..100_000u32).map(|i| (i % 256) as u8).collect();
    store(&a, &place("c", "p"), write(1, &record)).await;
    let entry = a.read(&place("c", "p")).await.expect("read").expect("an entry");
    assert!(entry.record.expect("a record") == record);
}

/// No two names meet.
pub async fn odd_names_and_long_ones_are_places_of_their_own(backend: impl Backend) {
    let a = backend.open().await;
    let long = "é".repeat(512);
    let names = [
        "a", "a:b", "{a}", "a}", "{", "/", "a/b", "*", "%3A", " ", "\n", "\u{0}", "☃", &long,
    ];
    let mut version = 0;
    for client in names {
        for provider in names {
            version += 1;
            store(
                &a,
                &place(client, provider),
                write(version, version.to_string().as_bytes()),
            )
            .await;
        }
    }
    let mut expected = 0;
    for client in names {
        for provider in names {
            expected += 1;
            let entry = a.read(&place(client, provider)).await.expect("read").expect("an entry");
            assert_eq!(entry.version, expected, "{client:?} {provider:?}");
        }
    }
}

/// An older or equal version is refused, and told which is there.
pub async fn a_version_never_goes_back(backend: impl Backend) {
    let a = backend.open().await;
    store(&a, &place("c", "p"), write(9, b"nine")).await;
    for version in [1, 8, 9] {
        let written = a
            .write(&place("c", "p"), &write(version, b"other"))
            .await
            .expect("write");
        assert_eq!(written, Written::Conflict(9));
    }
    // Compared as numbers, not as short text.
    store(&a, &place("c", "p"), write(10, b"ten")).await;
    let entry = a.read(&place("c", "p")).await.expect("read").expect("an entry");
    assert_eq!(entry.record.as_deref(), Some(&b"ten"[..]));
}

/// Who lost his answer may ask again.
pub async fn a_write_that_is_repeated_is_stored_once(backend: impl Backend) {
    let a = backend.open().await;
    let first = Write {
        condition: Condition::Version(0),
        ..write(3, b"x")
    };
    store(&a, &place("c", "p"), first).await;
    store(&a, &place("c", "p"), first).await;
}

/// Conditions are checked against what is there.
pub async fn a_condition_that_does_not_hold_changes_nothing(backend: impl Backend) {
    let a = backend.open().await;
    let at = place("c", "p");
    let on = |version, expected| Write {
        condition: Condition::Version(expected),
        ..write(version, b"y")
    };
    assert_eq!(a.write(&at, &on(5, 4)).await.expect("write"), Written::Conflict(0));
    store(&a, &at, on(5, 0)).await;
    assert_eq!(a.write(&at, &on(6, 0)).await.expect("write"), Written::Conflict(5));
    assert_eq!(a.write(&at, &on(6, 4)).await.expect("write"), Written::Conflict(5));
    store(&a, &at, on(6, 5)).await;
}

/// A deleted entry is no live one, and its version still counts.
pub async fn a_deleted_entry_leaves_its_version(backend: impl Backend) {
    let a = backend.open().await;
    let at = place("c", "p");
    store(&a, &at, write(5, b"x")).await;
    store(&a, &at, delete(6)).await;
    let tombstone = Entry {
        version: 6,
        record: None,
    };
    assert_eq!(a.read(&at).await.expect("read"), Some(tombstone));
    assert_eq!(a.write(&at, &delete(7)).await.expect("write"), Written::Absent);
    assert_eq!(
        a.write(&at, &write(6, b"old")).await.expect("write"),
        Written::Conflict(6)
    );
    let fresh = Write {
        condition: Condition::Version(0),
        ..write(7, b"new")
    };
    store(&a, &at, fresh).await;
}

/// The store's own time to live.
pub async fn what_has_outlived_its_time_is_absent(backend: impl Backend) {
    let a = backend.open().await;
    let short = Write {
        keep: Some(Duration::from_millis(300)),
        ..write(5, b"x")
    };
    store(&a, &place("c", "short"), short).await;
    store(&a, &place("c", "long"), write(5, b"x")).await;
    assert!(a.read(&place("c", "short")).await.expect("read").is_some());
    backend.pass(Duration::from_millis(400)).await;
    assert_eq!(a.read(&place("c", "short")).await.expect("read"), None);
    assert_eq!(
        a.list(place("c", "long").client()).await.expect("list"),
        [place("c", "long")]
    );
}

/// Compare and swap, from many at once.
pub async fn of_many_writers_with_one_condition_one_wins(backend: impl Backend) {
    let stores = [backend.open().await, backend.open().await];
    store(&stores[0], &place("c", "p"), write(1, b"first")).await;
    let tasks: Vec<_> = (0..20u64)
        .map(|i| {
            let store = Arc::clone(&stores[(i % 2) as usize]);
            tokio::spawn(async move {
                let record = i.to_be_bytes();
                let swap = Write {
                    condition: Condition::Version(1),
                    ..write(100 + i, &record)
                };
                store.write(&place("c", "p"), &swap).await.expect("write") == Written::Stored
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.expect("a task"));
    }
    assert_eq!(winners, 1);
}

/// Revocation deletes, and nothing older can be written after it.
pub async fn a_revoked_client_has_nothing_and_starts_above_its_epoch(backend: impl Backend) {
    let a = backend.open().await;
    store(&a, &place("c", "p"), write(5, b"x")).await;
    store(&a, &place("c", "q"), write(6, b"x")).await;
    store(&a, &place("other", "p"), write(5, b"x")).await;
    let client = place("c", "p").client().clone();
    assert_eq!(a.revoke(&client, 10).await.expect("revoke"), 2);
    assert_eq!(a.revoke(&client, 9).await.expect("revoke again"), 0);
    assert_eq!(a.read(&place("c", "p")).await.expect("read"), None);
    assert!(a.list(&client).await.expect("list").is_empty());
    let late = a.write(&place("c", "p"), &write(10, b"late")).await.expect("write");
    assert_eq!(late, Written::Conflict(10));
    store(&a, &place("c", "p"), write(11, b"new")).await;
    assert!(a.read(&place("other", "p")).await.expect("read").is_some());
}

/// Somebody else's bytes do not say which versions come next.
pub async fn an_entry_that_is_not_believed_is_written_over_under_any_version(backend: impl Backend) {
    let a = backend.open().await;
    let at = place("c", "p");
    store(&a, &at, write(MAX_VERSION, b"planted")).await;
    assert_eq!(
        a.write(&at, &write(7, b"x")).await.expect("write"),
        Written::Conflict(MAX_VERSION)
    );
    let over = |version, unbelieved| Write {
        unbelieved: Some(unbelieved),
        ..write(version, b"x")
    };
    assert_eq!(
        a.write(&at, &over(7, 8)).await.expect("write"),
        Written::Conflict(MAX_VERSION),
        "another one is meant"
    );
    store(&a, &at, over(7, MAX_VERSION)).await;
    assert_eq!(a.read(&at).await.expect("read").map(|entry| entry.version), Some(7));
}

/// No epoch is there for good.
pub async fn an_epoch_that_nobody_of_the_vault_wrote_is_replaced(backend: impl Backend) {
    let a = backend.open().await;
    let at = place("c", "p");
    a.revoke(at.client(), MAX_VERSION)
        .await
        .expect("as somebody else might");
    assert_eq!(
        a.write(&at, &write(20, b"x")).await.expect("write"),
        Written::Conflict(MAX_VERSION)
    );
    a.revoke(at.client(), 10).await.expect("revoked");
    store(&a, &at, write(11, b"x")).await;
}
