//! Who waits for changes: all hear of one at once, and no more wait than may.

use std::time::Duration;

use bulla_model::{GrantConstraints, GrantOperation, Role};
use bulla_service::*;
use futures::future::join_all;

use crate::harness::*;

const WAIT: Duration = Duration::from_secs(25);
/// Of one principal.
const MOST: usize = 256;

#[tokio::test]
async fn all_who_wait_hear_of_a_change_and_one_too_many_is_turned_away() {
    let h = Harness::new().await;
    let (operator, key) = (h.operator(), h.key().await);
    let (_, third) = h.user("third", Role::Admin).await;
    let now = h
        .service
        .changes_since(&operator, 0, Duration::ZERO)
        .await
        .expect("reads")
        .revision;
    let admin = h.admin().await;
    let waiting: Vec<_> = [&operator, &admin]
        .into_iter()
        .flat_map(|call| std::iter::repeat_n(call.clone(), MOST))
        .map(|call| {
            let service = h.service.clone();
            tokio::spawn(async move { service.changes_since(&call, now, WAIT).await })
        })
        .collect();
    // Each of them waits as soon as it has run once.
    for _ in 0..2 * MOST {
        tokio::task::yield_now().await;
    }
    // The account's are as many as may be; another account's can wait, too.
    for full in [&operator, &third] {
        let refused = h.service.changes_since(full, now, WAIT).await;
        assert_eq!(refusal(refused).0, "ThrottlingException");
    }
    let stranger = call(Caller::operator("444455556666".parse().expect("an account")));
    let short = Duration::from_millis(1);
    h.service.changes_since(&stranger, now, short).await.expect("waits");
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

async fn since(h: &Harness, caller: &Call, since: u64) -> Changes {
    let read = h.service.changes_since(caller, since, Duration::ZERO).await;
    read.expect("reads")
}

#[tokio::test]
async fn a_grant_on_every_key_that_is_given_or_taken_is_told() {
    let h = Harness::new().await;
    let operator = h.operator();
    let (ann, _) = h.user("ann", Role::User).await;
    let before = since(&h, &operator, 0).await.revision;
    let give = GiveGrantRequest {
        key_id: "*".to_owned(),
        grantee_principal: ann.to_string(),
        operations: vec![GrantOperation::Decrypt],
        constraints: GrantConstraints::default(),
    };
    h.service.give_grant(&operator, give).await.expect("gives");
    let given = since(&h, &operator, before).await;
    assert!(given.principals && given.revision > before, "{given:?}");
    let take = TakeGrantRequest {
        key_id: "*".to_owned(),
        grantee_principal: ann.to_string(),
    };
    h.service.take_grant(&operator, take).await.expect("takes");
    assert!(since(&h, &operator, given.revision).await.principals);
}

#[tokio::test]
async fn a_change_whose_row_is_taken_from_the_feed_is_told_nevertheless() {
    let h = Harness::new().await;
    let (operator, key, other) = (h.operator(), h.key().await, h.key().await);
    let before = since(&h, &operator, 0).await.revision;
    let disable = DisableKeyRequest {
        key_id: key.key_id.to_string(),
    };
    h.service.disable_key(&operator, disable).await.expect("disables");
    let account = operator.caller.account();
    for renamed in [None, Some(format!("{account}/{REGION}/{}", other.key_id))] {
        let newest = {
            let mut data = h.store.edit();
            let newest = data.changes.pop().expect("a change");
            if let Some(id) = renamed {
                data.changes.push(bulla_store::Change { id, ..newest.clone() });
            }
            newest
        };
        assert_eq!(since(&h, &operator, before).await.keys, [key.arn.to_string()]);
        let mut data = h.store.edit();
        data.changes.retain(|change| change.revision < newest.revision);
        data.changes.push(newest);
    }
    h.verify();
}

#[tokio::test]
async fn what_other_accounts_do_with_their_principals_is_not_told_and_wakes_nobody() {
    let h = Harness::new().await;
    let operator = h.operator();
    let theirs = call(Caller::operator("444455556666".parse().expect("an account")));
    let before = since(&h, &operator, 0).await.revision;
    let (service, waiter) = (h.service.clone(), operator.clone());
    let waiting = tokio::spawn(async move { service.changes_since(&waiter, before, WAIT).await });
    tokio::task::yield_now().await;
    let create = |call: Call| {
        let service = h.service.clone();
        async move {
            let name = "bob".parse().expect("a name");
            service
                .create_principal(&call, name, Role::User)
                .await
                .expect("creates")
        }
    };
    create(theirs.clone()).await;
    let own = since(&h, &operator, before).await;
    assert!(!own.principals && own.revision > before, "{own:?}");
    assert!(since(&h, &theirs, before).await.principals);
    assert!(!waiting.is_finished());
    create(operator).await;
    let heard = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    let changes = heard.expect("in time").expect("no panic").expect("an answer");
    assert!(changes.principals && changes.revision > own.revision, "{changes:?}");
}
