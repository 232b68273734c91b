use serde_json::json;

use crate::harness::Harness;

#[tokio::test]
async fn what_is_no_json_object_is_a_serialization_error() {
    let server = Harness::start().await;
    let deep_list = format!("{{\"KeyId\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_object = format!("{}1{}", "{\"KeyId\":".repeat(10_000), "}".repeat(10_000));
    let deep_unknown = format!("{{\"Unknown\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        &b""[..],
        b"{",
        b"null",
        b"7",
        b"[]",
        b"\"text\"",
        b"{\"KeyId\":\"\xff\xfe\"}",
        b"{\"KeyId\":\"a\0b\"}",
        b"{\"KeyId\":\"\\ud800\"}",
        deep_list.as_bytes(),
        deep_object.as_bytes(),
        deep_unknown.as_bytes(),
    ] {
        server
            .send("DescribeKey", body)
            .await
            .is_error(400, "SerializationException");
    }
}

#[tokio::test]
async fn tags_are_checked_one_by_one() {
    let server = Harness::start().await;
    let said = server
        .refused(
            "CreateKey",
            json!({"Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": ""}]}),
            "ValidationException",
        )
        .await;
    assert_eq!(
        said.as_deref(),
        Some(
            "2 validation errors detected: Value '' at 'tags.2.member.tagKey' failed to satisfy constraint: Member must have length \
             greater than or equal to 1; Value null at 'tags.2.member.tagValue' failed to satisfy constraint: Member must not be null"
        )
    );
    server
        .refused(
            "CreateKey",
            json!({"Tags": [{"TagKey": "aws:x", "TagValue": ""}]}),
            "TagException",
        )
        .await;
}
