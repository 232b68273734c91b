//! What a store promises of leases.

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, place, store, write};
use crate::store::{Acquired, Lease, TokenStore, Write, Written};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

async fn take(store: &Arc<dyn TokenStore>, holder: &str, time: Duration) -> Lease {
    let acquired = store.acquire(&place("c", "p"), holder, time).await;
    let lease = match acquired.expect("an answer") {
        Acquired::Lease(lease) => Some(lease),
        Acquired::Held(_) => None,
    };
    lease.expect("nobody else has it")
}

async fn is_held(store: &Arc<dyn TokenStore>, holder: &str) -> bool {
    let acquired = store.acquire(&place("c", "p"), holder, LONG).await.expect("an answer");
    matches!(acquired, Acquired::Held(left) if left <= LONG)
}

/// Who comes second is told how long it may take.
pub async fn a_lease_has_one_holder(backend: impl Backend) {
    let (a, b) = (backend.open().await, backend.open().await);
    take(&a, "a", LONG).await;
    assert!(is_held(&b, "b").await);
    // Each place has its own.
    let other = b.acquire(&place("c", "q"), "b", LONG).await.expect("an answer");
    assert!(matches!(other, Acquired::Lease(_)));
}

/// Giving back is for the holder alone.
pub async fn a_lease_that_was_given_back_can_be_taken(backend: impl Backend) {
    let a = backend.open().await;
    let first = take(&a, "a", LONG).await;
    let stranger = Lease {
        holder: "b".to_owned(),
        ..first.clone()
    };
    a.release(&place("c", "p"), &stranger).await.expect("no error");
    assert!(is_held(&a, "b").await);
    a.release(&place("c", "p"), &first).await.expect("released");
    assert!(take(&a, "b", LONG).await.number > first.number);
}

/// A holder that stopped does not hold for ever.
pub async fn a_lease_ends_by_itself_and_the_next_number_is_greater(backend: impl Backend) {
    let a = backend.open().await;
    let first = take(&a, "a", SHORT).await;
    backend.pass(SHORT + Duration::from_millis(100)).await;
    let second = take(&a, "b", LONG).await;
    assert!(second.number > first.number);
    // The first one, awake again, takes nothing away.
    a.release(&place("c", "p"), &first).await.expect("no error");
    assert!(is_held(&a, "c").await);
}

/// A lost answer is asked for again.
pub async fn an_attempt_that_asks_twice_has_one_lease(backend: impl Backend) {
    let a = backend.open().await;
    assert_eq!(take(&a, "a", LONG).await, take(&a, "a", LONG).await);
}

/// Fencing: the lease is compared in the same step.
pub async fn a_write_needs_the_lease_that_it_names(backend: impl Backend) {
    let a = backend.open().await;
    let at = place("c", "p");
    let first = take(&a, "a", SHORT).await;
    let under = |lease, version| Write {
        lease: Some(lease),
        ..write(version, b"x")
    };
    store(&a, &at, under(&first, 1)).await;
    backend.pass(SHORT + Duration::from_millis(100)).await;
    assert_eq!(
        a.write(&at, &under(&first, 2)).await.expect("write"),
        Written::LeaseLost
    );
    let second = take(&a, "b", LONG).await;
    assert_eq!(
        a.write(&at, &under(&first, 2)).await.expect("write"),
        Written::LeaseLost
    );
    store(&a, &at, under(&second, 2)).await;
}

/// From many at once.
pub async fn of_many_who_ask_for_a_lease_one_gets_it(backend: impl Backend) {
    let stores = [backend.open().await, backend.open().await];
    let tasks: Vec<_> = (0..20)
        .map(|i: usize| {
            let store = Arc::clone(&stores[i % 2]);
            tokio::spawn(async move {
                let acquired = store.acquire(&place("c", "p"), &format!("holder-{i}"), LONG).await;
                matches!(acquired.expect("an answer"), Acquired::Lease(_))
            })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += u32::from(task.await.expect("a task"));
    }
    assert_eq!(winners, 1);
}

/// A fetch that was under way can't write.
pub async fn a_revoked_client_has_no_leases(backend: impl Backend) {
    let a = backend.open().await;
    let at = place("c", "p");
    store(&a, &at, write(1, b"x")).await;
    let lease = take(&a, "a", LONG).await;
    a.revoke(at.client(), 10).await.expect("revoked");
    let late = Write {
        lease: Some(&lease),
        ..write(20, b"late")
    };
    assert_eq!(a.write(&at, &late).await.expect("write"), Written::LeaseLost);
}

/// The index did not name it, and its version is above the epoch: what is fetched under it comes of what was revoked all the same.
pub async fn a_lease_of_before_a_revocation_is_nobodys_though_nothing_was_there(backend: impl Backend) {
    let (a, at) = (backend.open().await, place("c", "p"));
    let lease = take(&a, "a", LONG).await;
    a.revoke(at.client(), 10).await.expect("revoked");
    let late = Write {
        lease: Some(&lease),
        ..write(20, b"late")
    };
    assert_eq!(a.write(&at, &late).await.expect("write"), Written::LeaseLost);
    assert_eq!(a.read(&at).await.expect("read"), None);
    let next = take(&a, "b", LONG).await;
    store(
        &a,
        &at,
        Write {
            lease: Some(&next),
            ..write(20, b"x")
        },
    )
    .await;
}
