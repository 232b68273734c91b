use bulla_model::{Role, Tag};
use bulla_service::*;
use serde_json::json;

use crate::harness::*;

fn tag(key: &str, value: &str) -> Tag {
    Tag {
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

async fn put(h: &Harness, key_id: &str, tags: &[Tag]) -> Result<(), ServiceError> {
    let request = TagResourceRequest {
        key_id: key_id.to_owned(),
        tags: tags.to_vec(),
    };
    h.service.tag_resource(&h.admin().await, request).await
}

async fn take(h: &Harness, key_id: &str, keys: &[&str]) -> Result<(), ServiceError> {
    let request = UntagResourceRequest {
        key_id: key_id.to_owned(),
        tag_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    h.service.untag_resource(&h.admin().await, request).await
}

fn list(key_id: &str, limit: Option<u32>, marker: Option<String>) -> ListResourceTagsRequest {
    ListResourceTagsRequest {
        key_id: key_id.to_owned(),
        limit,
        marker,
    }
}

async fn tags_of(h: &Harness, key_id: &str) -> Vec<Tag> {
    let listed = h
        .service
        .list_resource_tags(&h.admin().await, list(key_id, None, None))
        .await;
    listed.expect("lists").tags
}

#[tokio::test]
async fn tags_are_added_changed_listed_in_order_and_removed() {
    let h = Harness::new().await;
    let key = h.key().await;
    let id = key.key_id.as_str();
    put(&h, id, &[tag("team", "a"), tag("é", "")]).await.expect("tags");
    put(&h, key.arn.as_str(), &[tag("team", "b"), tag("Team", "c")])
        .await
        .expect("tags");
    assert_eq!(
        tags_of(&h, id).await,
        [tag("Team", "c"), tag("team", "b"), tag("é", "")]
    );
    take(&h, id, &["Team", "never there", "Team"]).await.expect("untags");
    assert_eq!(tags_of(&h, id).await, [tag("team", "b"), tag("é", "")]);
    take(&h, id, &[]).await.expect("untags nothing");
    h.verify();
}

#[tokio::test]
async fn the_events_of_tagging_say_what_was_tagged_with_what() {
    let h = Harness::new().await;
    let key = h.key().await;
    let id = key.key_id.as_str();
    put(&h, id, &[tag("team", "a")]).await.expect("tags");
    let event = h.last_event();
    assert_eq!(
        (&event["eventName"], &event["readOnly"]),
        (&json!("TagResource"), &json!(false))
    );
    assert_eq!(
        event["requestParameters"],
        json!({"keyId": id, "tags": [{"tagKey": "team", "tagValue": "a"}]})
    );
    assert_eq!(event["resources"][0]["ARN"], key.arn.as_str());
    assert_eq!(event["changes"][0]["table"], "kms_keys");
    put(&h, id, &[tag("team", "a")]).await.expect("tags as before");
    assert!(
        h.last_event()["changes"].is_null(),
        "nothing changes where nothing is new"
    );
    take(&h, id, &["team"]).await.expect("untags");
    let event = h.last_event();
    assert_eq!(event["requestParameters"], json!({"keyId": id, "tagKeys": ["team"]}));
    tags_of(&h, id).await;
    assert_eq!(h.last_event()["eventName"], "ListResourceTags");
}

#[tokio::test]
async fn tags_out_of_awss_rules_are_refused_in_its_words_and_leave_an_event() {
    let h = Harness::new().await;
    let key = h.key().await;
    let id = key.key_id.as_str();
    let many: Vec<Tag> = (0..51).map(|n| tag(&n.to_string(), "")).collect();
    for (tags, message) in [
        (&[tag("a", "1"), tag("a", "2")][..], "Duplicate tag keys"),
        (&[tag("AWS:x", "")], "Tags beginning with aws: are reserved"),
        (&many, "Too many tags"),
    ] {
        assert_eq!(refusal(put(&h, id, tags).await), ("TagException", message.to_owned()));
        assert_eq!(h.last_event()["errorCode"], "TagException");
    }
    assert_eq!(tags_of(&h, id).await, []);
}

#[tokio::test]
async fn a_key_has_fifty_tags_and_no_more() {
    let h = Harness::new().await;
    let key = h.key().await;
    let id = key.key_id.as_str();
    let fifty: Vec<Tag> = (10..60).map(|n| tag(&n.to_string(), "")).collect();
    put(&h, id, &fifty).await.expect("tags");
    // AWS's text is not confirmed.
    assert_eq!(refusal(put(&h, id, &[tag("x", "")]).await).0, "LimitExceededException");
    put(&h, id, &[tag("10", "changed")]).await.expect("changes one");
    let admin = h.admin().await;
    let (mut seen, mut marker) = (Vec::new(), None);
    loop {
        let page = h
            .service
            .list_resource_tags(&admin, list(id, Some(20), marker))
            .await
            .expect("lists");
        assert!(page.tags.len() <= 20);
        seen.extend(page.tags);
        marker = page.next_marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 50);
    assert_eq!(seen[0], tag("10", "changed"));
    assert!(seen.is_sorted());
}

#[tokio::test]
async fn pages_of_tags_go_on_after_keys_of_any_characters() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (id, long) = (key.key_id.as_str(), "\u{ffff}".repeat(128));
    put(&h, id, &[tag("a\n", ""), tag(&long, "")]).await.expect("tags");
    let admin = h.admin().await;
    let first = h
        .service
        .list_resource_tags(&admin, list(id, Some(1), None))
        .await
        .expect("lists");
    assert_eq!(first.tags, [tag("a\n", "")]);
    let second = list(id, Some(1), first.next_marker);
    let second = h.service.list_resource_tags(&admin, second).await.expect("lists");
    assert_eq!((second.tags, second.next_marker), (vec![tag(&long, "")], None));
    for limit in [0, 51] {
        let refused = h.service.list_resource_tags(&admin, list(id, Some(limit), None)).await;
        assert_eq!(refusal(refused).0, "ValidationException");
    }
    let refused = h
        .service
        .list_resource_tags(&admin, list(id, None, Some("no marker".into())))
        .await;
    assert_eq!(refusal(refused).0, "InvalidMarkerException");
}

#[tokio::test]
async fn keys_pending_deletion_keep_the_tags_they_have() {
    let h = Harness::new().await;
    let key = h.key().await;
    let id = key.key_id.as_str();
    put(&h, id, &[tag("team", "a")]).await.expect("tags");
    let deletion = ScheduleKeyDeletionRequest {
        key_id: id.to_owned(),
        pending_window_in_days: None,
    };
    h.service
        .schedule_key_deletion(&h.admin().await, deletion)
        .await
        .expect("schedules");
    let expected = ("KMSInvalidStateException", format!("{} is pending deletion.", key.arn));
    assert_eq!(refusal(put(&h, id, &[tag("x", "")]).await), expected);
    assert_eq!(refusal(take(&h, id, &["team"]).await), expected);
    assert_eq!(tags_of(&h, id).await, [tag("team", "a")]);
}

#[tokio::test]
async fn aliases_and_unknown_keys_are_not_tagged() {
    let h = Harness::new().await;
    assert_eq!(
        refusal(put(&h, "alias/app", &[tag("a", "")]).await).0,
        "InvalidArnException"
    );
    let unknown = "1234abcd-12ab-34cd-56ef-1234567890ab";
    assert_eq!(refusal(put(&h, unknown, &[tag("a", "")]).await).0, "NotFoundException");
    assert_eq!(refusal(take(&h, "alias/app", &["a"]).await).0, "InvalidArnException");
    assert_eq!(refusal(take(&h, unknown, &["a"]).await).0, "NotFoundException");
    let admin = h.admin().await;
    for (key_id, code) in [("alias/app", "InvalidArnException"), (unknown, "NotFoundException")] {
        let listed = h.service.list_resource_tags(&admin, list(key_id, None, None)).await;
        assert_eq!(refusal(listed).0, code);
    }
}

#[tokio::test]
async fn who_may_not_tag_does_not_and_auditors_read_tags() {
    let h = Harness::new().await;
    let key = h.key().await;
    let id = key.key_id.as_str();
    let (_, user) = h.user("ursula", Role::User).await;
    let (_, auditor) = h.user("otto", Role::Auditor).await;
    for call in [&user, &auditor] {
        let tagging = TagResourceRequest {
            key_id: id.to_owned(),
            tags: vec![tag("a", "")],
        };
        assert_eq!(
            refusal(h.service.tag_resource(call, tagging).await).0,
            "AccessDeniedException"
        );
        assert_eq!(h.last_event()["errorCode"], "AccessDeniedException");
        let untagging = UntagResourceRequest {
            key_id: id.to_owned(),
            tag_keys: vec!["a".to_owned()],
        };
        assert_eq!(
            refusal(h.service.untag_resource(call, untagging).await).0,
            "AccessDeniedException"
        );
    }
    let denied = h.service.list_resource_tags(&user, list(id, None, None)).await;
    assert_eq!(refusal(denied).0, "AccessDeniedException");
    h.service
        .list_resource_tags(&auditor, list(id, None, None))
        .await
        .expect("lists");
}
