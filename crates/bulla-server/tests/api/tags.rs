use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn tags_come_back_as_they_were_set() {
    let server = Harness::start().await;
    let key = server.key().await;
    let tags = json!([{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": ""}]);
    let answer = server
        .send(
            "TagResource",
            json!({"KeyId": key, "Tags": tags}).to_string().as_bytes(),
        )
        .await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let listed = server.ok("ListResourceTags", json!({"KeyId": key})).await;
    assert_eq!(listed, json!({"Tags": tags, "Truncated": false}));
    let page = server.ok("ListResourceTags", json!({"KeyId": key, "Limit": 1})).await;
    assert_eq!(page["Truncated"], true);
    let rest = json!({"KeyId": key, "Limit": 1, "Marker": page["NextMarker"]});
    assert_eq!(
        server.ok("ListResourceTags", rest).await,
        json!({"Tags": [tags[1]], "Truncated": false})
    );
    server
        .ok("UntagResource", json!({"KeyId": key, "TagKeys": ["a", "x"]}))
        .await;
    let listed = server.ok("ListResourceTags", json!({"KeyId": key})).await;
    assert_eq!(listed["Tags"], json!([tags[1]]));
}

#[tokio::test]
async fn what_aws_refuses_of_tags_is_refused() {
    let server = Harness::start().await;
    let key = server.key().await;
    let reserved = json!({"KeyId": key, "Tags": [{"TagKey": "aws:x", "TagValue": ""}]});
    assert_eq!(
        server.refused("TagResource", reserved, "TagException").await.as_deref(),
        Some("Tags beginning with aws: are reserved")
    );
    let long = json!({"KeyId": key, "Tags": [{"TagKey": "k", "TagValue": "v".repeat(257)}]});
    let said = server.refused("TagResource", long, "ValidationException").await;
    assert!(said.is_some_and(|text| text.contains("at 'tags.1.member.tagValue' failed")));
    let alias = json!({"KeyId": "alias/x", "TagKeys": ["a"]});
    server.refused("UntagResource", alias, "InvalidArnException").await;
    let none = json!({"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"});
    server.refused("ListResourceTags", none, "NotFoundException").await;
    let limit = json!({"KeyId": key, "Limit": 51});
    server.refused("ListResourceTags", limit, "ValidationException").await;
    let marker = json!({"KeyId": key, "Marker": "x"});
    server
        .refused("ListResourceTags", marker, "InvalidMarkerException")
        .await;
}
