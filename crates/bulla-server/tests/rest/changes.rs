//! What caches elsewhere must drop, told at once and waited for.

use std::time::Duration;

use bulla_model::Role;
use serde_json::json;

use crate::client::*;
use crate::harness::{Harness, REGION};

#[tokio::test]
async fn a_change_is_named_and_who_waits_hears_of_it_at_once() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let key = h.key().await;
    let arn = format!("arn:aws:kms:{REGION}:{}:key/{key}", h.service.account());
    let all = ann.get(&h, "/v1/changes?since=0").await.json();
    assert_eq!(all["keys"], json!([arn]));
    assert_eq!((&all["principals"], &all["everything"]), (&json!(true), &json!(false)));
    let revision = all["revision"].as_u64().unwrap();
    let none = ann.get(&h, &format!("/v1/changes?since={revision}")).await.json();
    assert_eq!(
        none,
        json!({"revision": revision, "everything": false, "keys": [], "aliases": [], "principals": false})
    );
    let path = format!("/v1/changes?since={revision}&wait=25");
    let (heard, _) = tokio::join!(
        tokio::time::timeout(Duration::from_secs(20), ann.get(&h, &path)),
        h.ok("DisableKey", json!({"KeyId": key}))
    );
    let heard = heard.expect("an answer before the wait is over").json();
    assert_eq!(
        (&heard["keys"], &heard["revision"]),
        (&json!([arn]), &json!(revision + 1))
    );
    h.ok("CreateAlias", json!({"AliasName": "alias/app", "TargetKeyId": key}))
        .await;
    let alias = ann.get(&h, &format!("/v1/changes?since={}", revision + 1)).await.json();
    assert_eq!(
        alias["aliases"],
        json!([format!("arn:aws:kms:{REGION}:{}:alias/app", h.service.account())])
    );
    // A revision that this service never had is another database's.
    let ahead = ann.get(&h, "/v1/changes?since=99999&wait=25").await.json();
    assert_eq!(ahead["everything"], true);
}

#[tokio::test]
async fn who_may_not_does_not_wait_and_who_may_not_any_more_hears_nothing() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::User).await;
    let began = std::time::Instant::now();
    problem(&ann.get(&h, "/v1/changes?wait=25").await, 403, "access_denied");
    ann.give(
        &h,
        json!({"Effect": "Allow", "Action": "bulla:ReadChanges", "Resource": "*"}),
    )
    .await;
    let revision = ann.get(&h, "/v1/changes").await.json()["revision"].clone();
    let path = format!("/v1/changes?since={revision}&wait=25");
    let operator = operator(&h);
    let (answer, taken) = tokio::join!(
        ann.get(&h, &path),
        h.service
            .delete_principal_policy(&operator, ann.arn.clone(), "given".to_owned())
    );
    taken.unwrap();
    problem(&answer, 403, "access_denied");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_request_whose_time_is_over_is_an_event_of_its_caller() {
    let h = Harness::with(|config| config.limits.request = Duration::from_millis(200)).await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let now = ann.get(&h, "/v1/changes?since=0").await.json()["revision"].clone();
    let answer = ann.get(&h, &format!("/v1/changes?since={now}&wait=25")).await;
    problem(&answer, 500, "internal");
    let event = newest(&h, "ReadChanges").await;
    assert_eq!(event["errorCode"], "internal");
    assert_eq!(event["userIdentity"]["arn"], ann.arn.as_str());
    assert_eq!(event["requestID"], answer.header("x-request-id"));
}
