//! The log, asked by filters and by the standing reports, in pages.

use bulla_crypto::Context;
use bulla_model::{BullaArn, Role};
use bulla_service::{Access, Call, Caller};
use serde_json::{Value, json};

use crate::client::*;
use crate::harness::{Harness, REGION};

/// An access of the operator's to a token of a client's.
async fn access(h: &Harness, client: &str) {
    let call = operator(h);
    let access = Access {
        context: Context::from_pairs([("client_id", client)]).unwrap(),
        ..Access::new(
            "bulla:GetToken",
            "GetToken",
            true,
            BullaArn::new(&call.region, call.caller.account(), "token", &[client, "stripe"]),
        )
    };
    h.service.access(&call, access).await.unwrap();
}

fn names(page: &Value) -> Vec<&str> {
    let events = page["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["eventName"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn each_filter_finds_its_events_and_no_others() {
    let h = Harness::start().await;
    let (auditor, user) = (
        User::new(&h, "ann", Role::Auditor).await,
        User::new(&h, "bob", Role::User).await,
    );
    let key = h.key().await;
    h.ok("DisableKey", json!({"KeyId": key})).await;
    access(&h, "a").await;
    access(&h, "b").await;
    user.get(&h, "/v1/audit").await;
    let get = async |query: &str| {
        let answer = auditor.get(&h, &format!("/v1/audit?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()
    };
    assert_eq!(names(&get(&format!("key={key}")).await), ["CreateKey", "DisableKey"]);
    assert_eq!(names(&get("event=DisableKey").await), ["DisableKey"]);
    let of_a = get("context=client_id%3Da&event=GetToken").await;
    assert_eq!(of_a["events"].as_array().unwrap().len(), 1);
    assert_eq!(of_a["events"][0]["resources"][0]["type"], "Bulla::Token");
    assert_eq!(names(&get("client=b").await), ["GetToken"]);
    assert_eq!(names(&get(&format!("principal={}", user.arn)).await), ["QueryAudit"]);
    assert_eq!(names(&get("error=AccessDeniedException").await), ["QueryAudit"]);
    assert_eq!(names(&get("error=any").await), ["QueryAudit"]);
    assert_eq!(names(&get("from=2026-01-02T00:00:00Z").await), [""; 0]);
    // The clock stands at midnight, UTC, of a Thursday.
    assert!(names(&get("outside=Mon-Fri%2008:00-18:00").await).contains(&"GetToken"));
    assert_eq!(names(&get("outside=Mon-Fri%2008:00-18:00%20%2B09:00").await), [""; 0]);
}

#[tokio::test]
async fn pages_lead_through_the_whole_log_once() {
    let h = Harness::start().await;
    let auditor = User::new(&h, "ann", Role::Auditor).await;
    for _ in 0..7 {
        access(&h, "a").await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = auditor
            .get(&h, &format!("/v1/audit?client=a&limit=2{cursor}"))
            .await
            .json();
        let events = page["events"].as_array().unwrap();
        assert!(events.len() <= 2);
        found.extend(events.iter().map(|event| event["sequence"].as_u64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found.len(), 7);
    assert!(found.is_sorted());
}

#[tokio::test]
async fn the_four_reports_say_who_accessed_what() {
    let h = Harness::start().await;
    let (auditor, user) = (
        User::new(&h, "ann", Role::Auditor).await,
        User::new(&h, "bob", Role::User).await,
    );
    access(&h, "a").await;
    access(&h, "a").await;
    access(&h, "b").await;
    user.get(&h, "/v1/changes").await;
    let get = async |path: &str| auditor.get(&h, &format!("/v1/audit/reports/{path}")).await.json();
    assert_eq!(names(&get("client?client=a").await), ["GetToken", "GetToken"]);
    assert_eq!(names(&get("denied").await), ["ReadChanges"]);
    assert_eq!(names(&get("denied?error=DisabledException").await), [""; 0]);
    assert_eq!(names(&get("outside-hours?client=b").await), ["GetToken"]);
    assert_eq!(
        names(&get("outside-hours?client=b&outside=Mon-Sun%2000:00-24:00").await),
        [""; 0]
    );
    let principals = get("principals").await;
    let root = format!("arn:aws:iam::{}:root", h.service.account());
    assert_eq!(principals["principals"][0]["principal"], root);
    assert_eq!(principals["principals"][0]["accesses"], 3);
    assert_eq!(
        (&principals["others"], &principals["next_cursor"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test]
async fn another_account_sees_its_own_events_only() {
    let h = Harness::dev().await;
    let call = |account: &str| Call {
        caller: Caller::dev_admin(account.parse().unwrap()),
        region: REGION.parse().unwrap(),
        request_id: "x".into(),
        source_ip: "in-process".into(),
        user_agent: "".into(),
        secure_transport: true,
    };
    let own = h.service.account().to_string();
    for account in [own.as_str(), "999999999999"] {
        let call = call(account);
        let arn = BullaArn::new(&call.region, call.caller.account(), "token", &["a", "p"]);
        h.service
            .access(&call, Access::new("bulla:GetToken", "GetToken", true, arn))
            .await
            .unwrap();
    }
    let signed_for = |account: &str| {
        format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={account}/20260101/{REGION}/bulla/aws4_request, SignedHeaders=host, Signature=x\r\n"
        )
    };
    let theirs = request(&h, "GET", "/v1/audit", &signed_for("999999999999"), "")
        .await
        .json();
    let events = theirs["events"].as_array().unwrap();
    assert!(!events.is_empty());
    for event in events {
        assert_eq!(event["userIdentity"]["accountId"], "999999999999", "{event}");
    }
    let all = request(&h, "GET", "/v1/audit?event=GetToken", &signed_for(&own), "")
        .await
        .json();
    assert_eq!(all["events"].as_array().unwrap().len(), 2);
}
