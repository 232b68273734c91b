use serde_json::{Value, json};

use crate::harness::Harness;

const DAY: i64 = 86_400;
const JSON: &str = "Content-Type: application/json\r\n";

async fn key(server: &Harness, input: Value) -> String {
    let made = server.dev_ok("CreateKey", input).await;
    made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

async fn advance(server: &Harness, seconds: i64) -> Value {
    let answer = server
        .post("/dev/clock", JSON, &json!({"advanceSeconds": seconds}).to_string())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn what_is_due_when_the_clock_is_moved_is_done_when_it_answers() {
    let server = Harness::dev().await;
    let (rotating, going) = (key(&server, json!({})).await, key(&server, json!({})).await);
    server
        .dev_ok(
            "EnableKeyRotation",
            json!({"KeyId": rotating, "RotationPeriodInDays": 90}),
        )
        .await;
    server
        .dev_ok("ScheduleKeyDeletion", json!({"KeyId": going, "PendingWindowInDays": 7}))
        .await;
    let before = server
        .dev_ok("Encrypt", json!({"KeyId": rotating, "Plaintext": "AAAA"}))
        .await;

    let moved = advance(&server, 8 * DAY).await;
    assert_eq!(
        (&moved["rotated"], &moved["deleted"]),
        (&json!(0), &json!(1)),
        "{moved}"
    );
    assert_eq!(moved["now"], "2026-01-09T00:00:00Z");
    let answer = server.dev_send("DescribeKey", json!({"KeyId": going})).await;
    answer.is_error(400, "NotFoundException");

    let moved = advance(&server, 83 * DAY).await;
    assert_eq!(
        (&moved["rotated"], &moved["deleted"]),
        (&json!(1), &json!(0)),
        "{moved}"
    );
    let rotations = server.dev_ok("ListKeyRotations", json!({"KeyId": rotating})).await;
    assert_eq!(rotations["Rotations"][0]["RotationType"], "AUTOMATIC");
    let date = rotations["Rotations"][0]["RotationDate"].as_f64().unwrap();
    assert_eq!(date, 1_767_225_600.0 + 91.0 * DAY as f64);
    let opened = server
        .dev_ok("Decrypt", json!({"CiphertextBlob": before["CiphertextBlob"]}))
        .await;
    assert_eq!(opened["Plaintext"], "AAAA");
}

#[tokio::test]
async fn the_clock_is_set_to_a_moment_and_never_back() {
    let server = Harness::dev().await;
    let shown = server.get("/dev/clock").await.json();
    assert_eq!(shown, json!({"now": "2026-01-01T00:00:00Z", "aheadSeconds": 0.0}));
    let set = |body: &'static str| server.post("/dev/clock", JSON, body);
    let answer = set(r#"{"now":"2026-01-02T01:00:00.5+01:00"}"#).await;
    assert_eq!(answer.json()["now"], "2026-01-02T00:00:00.5Z");
    assert_eq!(server.get("/dev/clock").await.json()["aheadSeconds"], 86_400.5);
    for wrong in [
        r#"{"now":"2026-01-02T00:00:00Z"}"#,
        r#"{"now":"2226-01-02T00:00:00Z"}"#,
        r#"{"now":"tomorrow"}"#,
        r#"{"advanceSeconds":-1}"#,
        r#"{"advanceSeconds":4000000000}"#,
        r#"{"advanceSeconds":1,"now":"2027-01-01T00:00:00Z"}"#,
        r#"{"setSeconds":1}"#,
        "",
        "[]",
    ] {
        assert_eq!(set(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(server.get("/dev/clock").await.json()["aheadSeconds"], 86_400.5);
    assert_eq!(server.get("/dev/reset").await.status, 405);
}

#[tokio::test]
async fn a_reset_leaves_no_key_of_any_account_and_puts_the_clock_back() {
    let server = Harness::dev().await;
    for number in 0..3 {
        let id = key(&server, json!({})).await;
        server.dev_ok("RotateKeyOnDemand", json!({"KeyId": id})).await;
        let alias = json!({"AliasName": format!("alias/a{number}"), "TargetKeyId": id});
        server.dev_ok("CreateAlias", alias).await;
    }
    let other = "Authorization: AWS4-HMAC-SHA256 Credential=111122223333/20200101/eu-central-1/kms/aws4_request, Signature=0\r\n\
                 X-Amz-Target: TrentService.CreateKey\r\nContent-Type: application/x-amz-json-1.1\r\n";
    let there = server.post("/", other, "{}").await;
    let sealed = server
        .dev_ok("GenerateDataKey", json!({"KeyId": "alias/a1", "KeySpec": "AES_256"}))
        .await;
    advance(&server, DAY).await;

    let answer = server.post("/dev/reset", "", "").await;
    assert_eq!(
        (answer.status, &answer.json()["now"]),
        (200, &json!("2026-01-01T00:00:00Z"))
    );
    assert_eq!(server.dev_ok("ListKeys", json!({})).await["Keys"], json!([]));
    assert_eq!(server.dev_ok("ListAliases", json!({})).await["Aliases"], json!([]));
    let other = other.replace("CreateKey", "DescribeKey");
    let body = json!({"KeyId": there.json()["KeyMetadata"]["KeyId"]}).to_string();
    server.post("/", &other, &body).await.is_error(400, "NotFoundException");
    let answer = server
        .dev_send("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}))
        .await;
    assert_eq!(answer.status, 400);
    key(&server, json!({})).await;
}

#[tokio::test]
async fn foreign_pages_reach_none_of_it() {
    let server = Harness::dev().await;
    for path in ["/dev/reset", "/dev/clock"] {
        let answer = server.post(path, "Origin: https://evil.example\r\n", "{}").await;
        assert_eq!(answer.status, 403, "{path}");
    }
}

#[tokio::test]
async fn a_server_that_verifies_signatures_has_none_of_it() {
    let server = Harness::start().await;
    let id = server.key().await;
    for path in ["/dev/reset", "/dev/clock", "/dev/"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
        assert_eq!(
            server.post(path, "", r#"{"advanceSeconds":1}"#).await.status,
            404,
            "{path}"
        );
    }
    server.ok("DescribeKey", json!({"KeyId": id})).await;
}

fn tags(list: &[(&str, &str)]) -> Value {
    list.iter()
        .map(|(key, value)| json!({"TagKey": key, "TagValue": value}))
        .collect()
}

const ID: &str = "00000000-0000-4000-8000-000000000042";
/// 32 times 7.
const MATERIAL: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

#[tokio::test]
async fn creation_tags_choose_a_keys_id_and_its_material() {
    let server = Harness::dev().await;
    let input = json!({"Tags": tags(&[("_custom_id_", ID), ("_custom_key_material_", MATERIAL), ("team", "x")])});
    assert_eq!(key(&server, input.clone()).await, ID);
    let kept = server.dev_ok("ListResourceTags", json!({"KeyId": ID})).await;
    let kept: Vec<&str> = kept["Tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["TagKey"].as_str().unwrap())
        .collect();
    assert_eq!(kept, ["_custom_id_", "team"], "the material is kept nowhere else");
    let sealed = server
        .dev_ok("Encrypt", json!({"KeyId": ID, "Plaintext": "AAAA"}))
        .await;
    server
        .dev_send("CreateKey", input.clone())
        .await
        .is_error(400, "AlreadyExistsException");

    // The same id and material make the same key again: what was sealed before a reset opens after it.
    server.post("/dev/reset", "", "").await;
    key(&server, input).await;
    let opened = server
        .dev_ok("Decrypt", json!({"CiphertextBlob": sealed["CiphertextBlob"]}))
        .await;
    assert_eq!(
        (&opened["Plaintext"], opened["KeyId"].as_str().unwrap().ends_with(ID)),
        (&json!("AAAA"), true)
    );

    let mac = json!({
        "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Tags": tags(&[("_custom_key_material_", MATERIAL)]),
    });
    let mac = key(&server, mac).await;
    let made = server
        .dev_ok(
            "GenerateMac",
            json!({"KeyId": mac, "Message": "bWVzc2FnZQ==", "MacAlgorithm": "HMAC_SHA_256"}),
        )
        .await;
    let expected = aws_lc_rs::hmac::sign(
        &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 32]),
        b"message",
    );
    assert_eq!(made["Mac"], base64_simd::STANDARD.encode_to_string(expected.as_ref()));
}

#[tokio::test]
async fn creation_tags_that_choose_nothing_possible_are_refused() {
    let server = Harness::dev().await;
    for wrong in [
        json!({"Tags": tags(&[("_custom_id_", "my-key")])}),
        json!({"Tags": tags(&[("_custom_id_", "mrk-00000000000000000000000000000042")])}),
        json!({"MultiRegion": true, "Tags": tags(&[("_custom_id_", ID)])}),
        json!({"Tags": tags(&[("_custom_key_material_", "BwcH")])}),
        json!({"Tags": tags(&[("_custom_key_material_", "not base64")])}),
        json!({"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "Tags": tags(&[("_custom_key_material_", MATERIAL)])}),
    ] {
        server
            .dev_send("CreateKey", wrong)
            .await
            .is_error(400, "ValidationException");
    }
    assert_eq!(server.dev_ok("ListKeys", json!({})).await["Keys"], json!([]));
}

#[tokio::test]
async fn a_server_that_verifies_signatures_takes_creation_tags_for_tags() {
    let server = Harness::start().await;
    let input = json!({"Tags": tags(&[("_custom_id_", ID), ("_custom_key_material_", MATERIAL)])});
    let (first, second) = (
        server.ok("CreateKey", input.clone()).await,
        server.ok("CreateKey", input).await,
    );
    let metadata = |made: &Value| made["KeyMetadata"].clone();
    assert_ne!(metadata(&first)["KeyId"], json!(ID));
    assert_ne!(
        metadata(&first)["CurrentKeyMaterialId"],
        metadata(&second)["CurrentKeyMaterialId"]
    );
    let kept = server
        .ok("ListResourceTags", json!({"KeyId": metadata(&first)["KeyId"]}))
        .await;
    assert_eq!(kept["Tags"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_clock_is_moved_by_json_and_by_nothing_that_a_form_sends() {
    let server = Harness::dev().await;
    let body = r#"{"advanceSeconds":1}"#;
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
    ] {
        assert_eq!(server.post("/dev/clock", headers, body).await.status, 415, "{headers}");
    }
    let headers = "Content-Type: application/json; charset=utf-8\r\n";
    assert_eq!(server.post("/dev/clock", headers, body).await.status, 200);
}
