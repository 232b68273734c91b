//! Events of libraries and vaults elsewhere: the principal is the caller, what they say is marked as theirs, a batch is taken once.

use bulla_model::Role;
use serde_json::{Value, json};

use crate::client::*;
use crate::harness::Harness;

const PATH: &str = "/v1/audit/events";

fn batch(id: &str, events: &[Value]) -> Value {
    json!({"batch_id": id, "events": events})
}

fn open(client: &str) -> Value {
    json!({"name": "Open", "time": "2025-12-31T23:59:58.5Z", "context": {"client_id": client}, "cache_hit": true, "count": 3,
        "resource": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "purpose": "token"})
}

#[tokio::test]
async fn events_are_stamped_with_who_brought_them_and_marked_as_his_word() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::User).await;
    ann.give(
        &h,
        json!({"Effect": "Allow", "Action": "bulla:WriteAudit", "Resource": "*"}),
    )
    .await;
    let mut failed = open("b");
    failed["error_code"] = "WrongContext".into();
    let answer = ann.post(&h, PATH, &batch("one", &[open("a"), failed])).await;
    assert_eq!(
        answer.json(),
        json!({"events": 2, "replayed": false}),
        "{}",
        answer.text()
    );
    let events = events(&h).await;
    let asserted: Vec<_> = events
        .iter()
        .filter(|event| event["eventSource"] == "bulla.client")
        .collect();
    assert_eq!(asserted.len(), 2);
    let first = asserted[0];
    assert_eq!(first["userIdentity"]["arn"], ann.arn.as_str());
    assert_eq!(first["eventTime"], "2026-01-01T00:00:00.000000Z");
    assert_eq!(
        first["additionalEventData"],
        json!({"assertedTime": "2025-12-31T23:59:58.500000Z", "batchId": "one", "clientAsserted": true, "count": 3, "index": 0})
    );
    assert_eq!((&first["cacheHit"], &first["purpose"]), (&json!(true), &json!("token")));
    assert_eq!(asserted[1]["errorCode"], "WrongContext");
    // They are accesses like any other.
    let auditor = User::new(&h, "eve", Role::Auditor).await;
    let report = auditor.get(&h, "/v1/audit/reports/client?client=a").await.json();
    assert_eq!(report["events"][0]["eventName"], "Open");
}

#[tokio::test]
async fn a_batch_of_one_name_is_taken_once_however_often_and_from_however_many_it_comes() {
    let h = Harness::start().await;
    let (ann, bob) = (
        User::new(&h, "ann", Role::Admin).await,
        User::new(&h, "bob", Role::Admin).await,
    );
    let same = batch("one", &[open("a")]);
    let (one, two, three) = tokio::join!(
        ann.post(&h, PATH, &same),
        ann.post(&h, PATH, &same),
        ann.post(&h, PATH, &same)
    );
    let taken = [one, two, three].map(|answer| answer.json()["replayed"] == json!(false));
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
    assert_eq!(
        ann.post(&h, PATH, &same).await.json(),
        json!({"events": 1, "replayed": true})
    );
    // Another content under the same name is refused; the same name of somebody else is another batch.
    problem(
        &ann.post(&h, PATH, &batch("one", &[open("b")])).await,
        409,
        "already_exists",
    );
    assert_eq!(
        bob.post(&h, PATH, &same).await.json(),
        json!({"events": 1, "replayed": false})
    );
    let events = events(&h).await;
    assert_eq!(events.iter().filter(|event| event["eventName"] == "Open").count(), 2);
}

#[tokio::test]
async fn what_is_too_much_or_no_event_is_refused_whole() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let mut many = vec![open("a"); 101];
    for (wrong, status) in [
        (batch("", &[open("a")]), 400),
        (batch("a/b", &[open("a")]), 400),
        (batch(&"x".repeat(65), &[open("a")]), 400),
        (batch("one", &[]), 400),
        (batch("one", &many), 400),
        (
            batch(
                "one",
                &[open("a"), json!({"name": "open", "time": "2026-01-01T00:00:00Z"})],
            ),
            400,
        ),
        (batch("one", &[open("a"), json!({"name": "Open", "time": "now"})]), 400),
        (
            batch(
                "one",
                &[
                    open("a"),
                    json!({"name": "Open", "time": "2026-01-01T00:00:00Z", "count": 0}),
                ],
            ),
            400,
        ),
        (
            batch(
                "one",
                &[
                    open("a"),
                    json!({"name": "Open", "time": "2026-01-01T00:00:00Z", "resource": "x"}),
                ],
            ),
            400,
        ),
        (
            batch(
                "one",
                &[
                    open("a"),
                    json!({"name": "Open", "time": "2026-01-01T00:00:00Z", "principal": "root"}),
                ],
            ),
            400,
        ),
    ] {
        let answer = ann.post(&h, PATH, &wrong).await;
        problem(&answer, status, "invalid_request");
    }
    assert!(
        events(&h)
            .await
            .iter()
            .all(|event| event["eventSource"] != "bulla.client")
    );
    many.truncate(100);
    assert_eq!(ann.post(&h, PATH, &batch("one", &many)).await.json()["events"], 100);
}
