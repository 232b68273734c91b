//! Who waits for changes: all hear of one at once, and no more wait than may.

use std::time::Duration;

use bulla_service::*;
use futures::future::join_all;

use crate::harness::*;

const WAIT: Duration = Duration::from_secs(25);
const MOST: usize = 512;

#[tokio::test]
async fn all_who_wait_hear_of_a_change_and_one_too_many_is_turned_away() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let now = h
        .service
        .changes_since(&operator, 0, Duration::ZERO)
        .await
        .expect("reads")
        .revision;
    let waiting: Vec<_> = (0..MOST)
        .map(|_| {
            let (service, call) = (h.service.clone(), operator.clone());
            tokio::spawn(async move { service.changes_since(&call, now, WAIT).await })
        })
        .collect();
    // Each of them waits as soon as it has run once.
    for _ in 0..MOST {
        tokio::task::yield_now().await;
    }
    let refused = h.service.changes_since(&operator, now, WAIT).await;
    assert_eq!(refusal(refused).0, "ThrottlingException");
    let disable = DisableKeyRequest {
        key_id: key.key_id.to_string(),
    };
    h.service.disable_key(&operator, disable).await.expect("disables");
    let heard = tokio::time::timeout(Duration::from_secs(20), join_all(waiting)).await;
    for answer in heard.expect("all are answered before the wait is over") {
        let changes = answer.expect("no panic").expect("an answer");
        assert_eq!((changes.revision, changes.keys), (now + 1, vec![key.arn.to_string()]));
    }
    h.verify();
}

#[tokio::test]
async fn what_another_node_changed_is_heard_of_too() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let now = h
        .service
        .changes_since(&operator, 0, Duration::ZERO)
        .await
        .expect("reads")
        .revision;
    let (_, other) = h.node(7).await;
    let (service, call) = (h.service.clone(), operator.clone());
    let waiting = tokio::spawn(async move { service.changes_since(&call, now, WAIT).await });
    let disable = DisableKeyRequest {
        key_id: key.key_id.to_string(),
    };
    other.disable_key(&operator, disable).await.expect("disables");
    let heard = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    let changes = heard
        .expect("before the wait is over")
        .expect("no panic")
        .expect("an answer");
    assert_eq!(changes.keys, [key.arn.to_string()]);
    assert!(!changes.everything && !changes.principals);
}
