//! Asking the log: what is answered is what was signed, whose events an account is shown, and that each question is an event.

use bulla_audit::{EventFilter, leaf_hash};
use bulla_crypto::Context;
use bulla_model::{EncryptionAlgorithm, Role};
use bulla_service::*;
use serde_json::Value;

use crate::harness::*;
use crate::memory_store::Data;

const OTHER: &str = "444455556666";

fn all() -> AuditQuery {
    AuditQuery {
        limit: 1000,
        ..AuditQuery::default()
    }
}

fn of_other_account() -> Call {
    call(Caller::operator(OTHER.parse().expect("an account")))
}

/// Events as an account is shown them.
async fn shown(h: &Harness, caller: &Call) -> Vec<Value> {
    let page = h.service.query_audit(caller, all()).await.expect("answers");
    let events = page.events.iter();
    events
        .map(|row| serde_json::from_slice(&row.event).expect("JSON"))
        .collect()
}

/// Says in the event of a sequence that somebody else did it; every event after it fits again.
fn forge(data: &mut Data, sequence: usize) {
    let mut last = None;
    for row in &mut data.events[sequence..] {
        let text = String::from_utf8(row.event.clone()).expect("UTF-8");
        let edited = match last {
            None => text.replace("user/admin", "user/xxxxx"),
            Some(hash) => {
                let event: Value = serde_json::from_str(&text).expect("JSON");
                text.replace(event["previousHash"].as_str().expect("a hash"), &format!("{hash}"))
            }
        };
        row.event = edited.into_bytes();
        last = Some(leaf_hash(&row.event));
    }
}

#[tokio::test]
async fn an_event_that_was_edited_or_taken_away_is_answered_to_nobody() {
    type Edit = fn(&mut Data, usize);
    let edits: [(&str, Edit); 6] = [
        ("edited", |data, at| {
            let text = String::from_utf8(data.events[at].event.clone()).expect("UTF-8");
            data.events[at].event = text.replace("user/admin", "user/xxxxx").into_bytes();
        }),
        ("edited, and all that follow", forge),
        ("no event any more", |data, at| data.events[at].event = b"x".to_vec()),
        ("gone", |data, at| drop(data.events.remove(at))),
        ("exchanged", |data, at| {
            let (one, two) = (data.events[at].event.clone(), data.events[at + 1].event.clone());
            (data.events[at].event, data.events[at + 1].event) = (two, one);
        }),
        ("gone with all that follow", |data, at| data.events.truncate(at)),
    ];
    for (what, edit) in edits {
        let h = Harness::new().await;
        let (admin, key) = (h.admin().await, h.key().await);
        for _ in 0..3 {
            encrypt(&h.service, &admin, key.key_id.as_str()).await;
        }
        h.service.query_audit(&admin, all()).await.expect("answers");
        let encrypted = h.events().iter().position(|event| event["eventName"] == "Encrypt");
        edit(&mut h.store.edit(), encrypted.expect("an event"));
        for filter in [
            EventFilter::default(),
            // Finding the place by time believes no more than that.
            EventFilter {
                from_micros: Some(h.clock.read()),
                ..EventFilter::default()
            },
        ] {
            let query = AuditQuery { filter, ..all() };
            let refused = h.service.query_audit(&admin, query.clone()).await;
            assert!(
                matches!(
                    &refused,
                    Err(ServiceError::Tampered {
                        table: "audit_events",
                        ..
                    })
                ),
                "{what}: {refused:?}"
            );
            if what != "gone with all that follow" {
                let newest = h.store.edit().events.last().expect("an event").event.clone();
                let newest: Value = serde_json::from_slice(&newest).expect("JSON");
                assert_eq!(newest["errorCode"], "TamperedRow", "{what}");
            }
            let counted = h.service.count_principals(&admin, query).await;
            assert!(matches!(counted, Err(ServiceError::Tampered { .. })), "{what}");
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_are_vouched_for_on_every_node() {
    let h = Harness::new().await;
    let (admin, key) = (h.admin().await, h.key().await);
    let (_, other) = h.node(7).await;
    for n in 0..12 {
        let node = if n % 2 == 0 { &h.service } else { &other };
        encrypt(node, &admin, key.key_id.as_str()).await;
    }
    let end = h.events().len() as u64;
    for node in [&h.service, &other] {
        for limit in [1, 2, 5, 1000] {
            let (mut from, mut found) = (Some(0), 0);
            while let Some(at) = from.filter(|at| *at < end) {
                let query = AuditQuery {
                    limit,
                    from: at,
                    ..AuditQuery::default()
                };
                let page = node.query_audit(&admin, query).await.expect("answers");
                found += page.events.iter().filter(|row| row.sequence < end).count() as u64;
                from = page.next;
            }
            assert_eq!(found, end, "by {limit}");
        }
    }
    h.verify();
}

#[tokio::test]
async fn a_question_out_of_its_limits_is_an_event_too() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    for limit in [0, 1001] {
        let before = h.events().len();
        let query = AuditQuery {
            limit,
            ..AuditQuery::default()
        };
        assert_eq!(
            refusal(h.service.query_audit(&admin, query).await).0,
            "ValidationException"
        );
        let events = h.events();
        assert_eq!(events.len(), before + 1);
        assert_eq!(events[before]["errorCode"], "ValidationException");
    }
}

#[tokio::test]
async fn an_account_sees_who_assumed_its_role_or_used_its_key_beside_another() {
    let h = Harness::new().await;
    let theirs = of_other_account();
    let request = CreateRoleRequest {
        name: "app".parse().expect("a name"),
        trust_policy: r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}"#
            .to_owned(),
        max_session_seconds: 3_600,
    };
    let role = h.service.create_role(&theirs, request).await.expect("creates").arn;
    let name = "eve".parse().expect("a name");
    let eve = h.service.create_principal(&theirs, name, Role::Auditor).await;
    let eve = h.call(&eve.expect("creates").credentials.access_key_id).await;
    let admin = h.admin().await;
    let assumed = h.service.assume_role(
        &admin,
        AssumeRoleRequest {
            role_arn: role.to_string(),
            role_session_name: "visitor".to_owned(),
            ..AssumeRoleRequest::default()
        },
    );
    assumed.await.expect("assumes");
    let event = h.last_event();
    assert_eq!(event["recipientAccountId"], OTHER);
    let (from, to) = (h.key().await, {
        let open = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}}"#;
        let request = CreateKeyRequest {
            policy: Some(open.to_owned()),
            ..create_key_request()
        };
        h.service.create_key(&theirs, request).await.expect("creates").key
    });
    let ciphertext_blob = encrypt(&h.service, &admin, from.key_id.as_str()).await;
    let again = ReEncryptRequest {
        ciphertext_blob,
        source_key_id: None,
        source_encryption_context: context(&[("tenant", "a")]),
        source_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        destination_key_id: to.arn.to_string(),
        destination_encryption_context: Context::default(),
        destination_encryption_algorithm: EncryptionAlgorithm::SymmetricDefault,
        grant_tokens: Vec::new(),
        dry_run: false,
    };
    h.service.re_encrypt(&admin, again).await.expect("seals anew");
    let names = |events: &[Value]| by_name(events);
    let seen = names(&shown(&h, &eve).await);
    assert_eq!((seen.get("AssumeRole"), seen.get("ReEncrypt")), (Some(&1), Some(&1)));
    assert_eq!(seen.get("Encrypt"), None);
    let read = h.service.read_audit_events(&eve, 0, 10_000).await.expect("reads");
    let read = read.iter().map(|row| serde_json::from_slice(&row.event).expect("JSON"));
    assert_eq!(names(&read.collect::<Vec<_>>()).get("Encrypt"), None);
}

#[tokio::test]
async fn what_a_client_says_of_a_key_is_shown_to_its_own_account() {
    let h = Harness::new().await;
    let theirs = of_other_account();
    let own = h.key().await;
    let key = create_key(&h.service, &theirs).await;
    let batch = |resource: String| AssertedBatch {
        id: "one".to_owned(),
        events: vec![AssertedEvent {
            resource: Some(resource),
            ..asserted()
        }],
    };
    let ann = h.user("ann", Role::Admin).await.1;
    h.service
        .record_asserted(&ann, batch(key.arn.to_string()))
        .await
        .expect("records");
    h.service
        .record_asserted(&theirs, batch(own.arn.to_string()))
        .await
        .expect("records");
    let opened: Vec<Value> = shown(&h, &theirs)
        .await
        .into_iter()
        .filter(|event| event["eventName"] == "Open")
        .collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0]["userIdentity"]["accountId"], OTHER);
    assert_eq!(opened[0]["recipientAccountId"], OTHER);
}

fn asserted() -> AssertedEvent {
    AssertedEvent {
        name: "Open".to_owned(),
        count: 1,
        ..AssertedEvent::default()
    }
}

#[tokio::test]
async fn a_denial_on_the_log_or_the_feed_holds_whatever_region_is_asked_in() {
    let h = Harness::new().await;
    let (arn, mut ann) = h.user("ann", Role::Admin).await;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"bulla:*",
        "Resource":["arn:aws:bulla::111122223333:audit/log","arn:aws:bulla::111122223333:changes/feed"]}}"#;
    let operator = h.operator();
    let put = h
        .service
        .put_principal_policy(&operator, arn, "p".to_owned(), policy.to_owned());
    put.await.expect("puts");
    for region in [REGION, "eu-west-1"] {
        ann.region = region.parse().expect("a region");
        let denied = "AccessDeniedException";
        assert_eq!(refusal(h.service.query_audit(&ann, all()).await).0, denied);
        assert_eq!(
            refusal(h.service.changes_since(&ann, 0, std::time::Duration::ZERO).await).0,
            denied
        );
        let batch = AssertedBatch {
            id: "one".to_owned(),
            events: vec![asserted()],
        };
        assert_eq!(refusal(h.service.record_asserted(&ann, batch).await).0, denied);
    }
}
