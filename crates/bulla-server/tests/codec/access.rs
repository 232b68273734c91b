use std::sync::Arc;
use std::sync::atomic::Ordering;

use bulla_model::SystemClock;
use bulla_server::ServerError;
use bulla_server::codec::{CodecServer, TableGate};
use serde_json::json;

use crate::{PLAIN, Running, config, listen};

const WORKER: &str = "authorization: Bearer worker-token\r\n";
const ROTATOR: &str = "authorization: Bearer rotator-token\r\n";
const READER: &str = "authorization: Bearer reader-token\r\n";

#[tokio::test]
async fn the_table_says_who_may_do_what_in_which_namespace() {
    let codec = Running::closed().await;
    let sealed = codec.post("/encode", WORKER, PLAIN).await;
    assert_eq!(sealed.status, 200);
    for (path, who, status) in [
        ("/decode", READER, 200),
        ("/encode", READER, 403),
        ("/codec/other/decode", READER, 403),
        ("/codec/other/encode", WORKER, 200),
        ("/decode", "", 401),
        ("/decode", "authorization: Bearer nobody\r\n", 401),
        ("/decode", "authorization: Basic eDp5\r\n", 401),
        ("/decode", "authorization: Bearer a.b.c\r\n", 401),
    ] {
        assert_eq!(codec.post(path, who, &sealed.body).await.status, status, "{path} {who}");
    }
    let twice = format!("{WORKER}{READER}");
    assert_eq!(codec.post("/decode", &twice, &sealed.body).await.status, 401);
    let stranger = codec.post("/decode", "", &sealed.body).await;
    assert_eq!(stranger.header("www-authenticate"), Some("Bearer"));
    assert_eq!(codec.post("/v1/codec/rotate", READER, "").await.status, 403);
    let rotated = codec.post("/v1/codec/rotate", WORKER, "").await;
    assert_eq!(
        (rotated.status, rotated.json()["renewed_data_keys"].as_u64()),
        (200, Some(2))
    );
}

#[tokio::test]
async fn who_may_not_causes_no_call_to_a_key_provider() {
    let codec = Running::closed().await;
    for (path, who) in [("/encode", READER), ("/encode", ""), ("/v1/codec/rotate", "")] {
        codec.post(path, who, PLAIN).await;
    }
    assert_eq!(codec.provider.calls().total() + codec.provider.calls().describe, 0);
}

#[tokio::test]
async fn every_request_leaves_a_line_with_principal_namespace_count_keys_and_hits() {
    let codec = Running::closed().await;
    let sealed = codec.post("/encode", WORKER, PLAIN).await;
    codec.post("/decode", READER, &sealed.body).await;
    codec.post("/decode", READER, &sealed.body).await;
    codec.post("/codec/other/decode", READER, &sealed.body).await;
    codec.post("/codec/other/decode", WORKER, &sealed.body).await;
    let lines = codec.lines();
    let brief: Vec<_> = lines
        .iter()
        .map(|line| {
            json!([
                line["eventName"],
                line["principal"],
                line["namespace"],
                line["payloadCount"],
                line["keys"],
                line["cacheHits"],
                line["cacheMisses"],
                line["errorCode"]
            ])
        })
        .collect();
    assert_eq!(
        brief,
        [
            json!(["EncodePayload", "worker", "default", 1, ["memory:key-a"], 0, 1, null]),
            json!(["DecodePayload", "reader", "default", 1, ["memory:key-a"], 0, 1, null]),
            json!(["DecodePayload", "reader", "default", 1, ["memory:key-a"], 1, 0, null]),
            json!([
                "DecodePayload",
                "reader",
                "other",
                1,
                ["memory:key-a"],
                0,
                1,
                "AccessDenied"
            ]),
            json!([
                "DecodePayload",
                "worker",
                "other",
                1,
                ["memory:key-a"],
                0,
                1,
                "PayloadRefused"
            ]),
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line["sourceIPAddress"] == "127.0.0.1" && line["eventTime"].is_string())
    );
    assert!(!serde_json::to_string(&lines).unwrap().contains("eyJpZCI6MTIzfQ"));
}

#[tokio::test]
async fn what_can_not_be_recorded_is_not_answered() {
    let codec = Running::open().await;
    let sealed = codec.post("/encode", "", PLAIN).await;
    codec.log.broken.store(true, Ordering::SeqCst);
    for (path, body) in [("/decode", &sealed.body[..]), ("/encode", PLAIN.as_bytes())] {
        let answer = codec.post(path, "", body).await;
        assert_eq!(answer.status, 503);
        assert!(!String::from_utf8(answer.body).unwrap().contains("payloads"));
    }
}

#[tokio::test]
async fn each_principal_has_a_rate() {
    let mut slow = config();
    slow.rate_per_second = 2;
    let codec = Running::with(slow, |log| TableGate::open(log, Arc::new(SystemClock))).await;
    let mut refused = None;
    for _ in 0..50 {
        let answer = codec.post("/encode", "", PLAIN).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
}

#[tokio::test]
async fn names_of_namespaces_are_for_who_shows_a_name() {
    let codec = Running::closed().await;
    codec.post("/encode", WORKER, PLAIN).await;
    assert!(codec.get("/stats", "").await.json().get("namespaces").is_none());
    let known = codec.get("/stats", READER).await.json();
    assert_eq!(known["namespaces"]["default"]["sealed"], 1);
    let metrics = codec.get("/metrics", "").await;
    assert!(!String::from_utf8(metrics.body).unwrap().contains("default"));
    codec.post("/codec/other/encode", WORKER, PLAIN).await;
    let names = async |who: &str| {
        let known = codec.get("/stats", who).await.json();
        let names = known["namespaces"]
            .as_object()
            .map(|names| names.keys().cloned().collect::<Vec<_>>());
        (names.unwrap_or_default().join(" "), known["sealed"].as_u64().unwrap())
    };
    let rotator = "authorization: Bearer rotator-token\r\n";
    assert_eq!(names(WORKER).await, ("default other".to_owned(), 2));
    assert_eq!(names(READER).await, ("default".to_owned(), 2));
    assert_eq!(names(rotator).await, (String::new(), 2));
}

#[tokio::test]
async fn who_may_nothing_puts_no_namespaces_keys_out_of_memory() {
    let codec = Running::closed().await;
    let sealed = codec.post("/encode", WORKER, PLAIN).await;
    assert_eq!(codec.post("/decode", WORKER, &sealed.body).await.status, 200);
    for index in 0..1_100 {
        let denied = codec
            .post(&format!("/codec/n{index}/decode"), READER, r#"{"payloads":[]}"#)
            .await;
        assert!([403, 429].contains(&denied.status));
    }
    codec.provider.set_down(true);
    assert_eq!(codec.post("/decode", WORKER, &sealed.body).await.status, 200);
}

#[tokio::test]
async fn what_is_refused_before_it_is_decided_leaves_a_line_too() {
    let mut small = config();
    small.limits.body_bytes = 1_000;
    let codec = Running::with(small, |log| {
        Running::table(log, Vec::new(), Arc::new(crate::Published::default()))
    })
    .await;
    let packed = format!("{WORKER}content-encoding: br\r\n");
    let malformed = format!("{WORKER}x-namespace: a/b\r\n");
    for (path, headers, body, status, code) in [
        ("/decode", "", PLAIN, 401, "Unauthenticated"),
        (
            "/v1/codec/rotate",
            "authorization: Bearer guessed\r\n",
            "",
            401,
            "Unauthenticated",
        ),
        ("/decode", WORKER, "{", 400, "BadRequest"),
        ("/decode", &malformed, PLAIN, 400, "BadRequest"),
        ("/encode", WORKER, &"x".repeat(1_001), 413, "PayloadTooLarge"),
        ("/encode", &packed, PLAIN, 415, "UnsupportedMediaType"),
    ] {
        let lines = codec.lines().len();
        assert_eq!(codec.post(path, headers, body).await.status, status, "{path}");
        let new = codec.lines().split_off(lines);
        assert_eq!(new.len(), 1, "{path} {headers}");
        assert_eq!(
            (&new[0]["errorCode"], &new[0]["sourceIPAddress"]),
            (&json!(code), &json!("127.0.0.1"))
        );
        let known = headers.starts_with(WORKER);
        assert_eq!(new[0]["principal"], if known { json!("worker") } else { json!(null) });
        assert!(new[0].get("unrecordedRefusals").is_none());
    }
}

#[tokio::test]
async fn an_answer_that_can_not_be_written_is_no_success_in_the_record() {
    let codec = Running::closed().await;
    let binary = r#"{"payloads":[{"metadata":{"encoding":"YmluYXJ5L3BsYWlu","odd":"/w=="},"data":""}]}"#;
    let sealed = codec.post("/encode", WORKER, binary).await.json();
    let record = sealed["payloads"][0]["data"].clone();
    let parsed = base64_simd::STANDARD.decode_to_vec(record.as_str().unwrap()).unwrap();
    let wrapped = bulla_crypto::record::Record::parse(&parsed)
        .unwrap()
        .wrapped_key()
        .to_vec();
    // In the replaced server's shape, metadata is text.
    let asked = json!({"payloads": [{
        "metadata": {"encoding": "binary/encrypted"}, "data": record, "kms_key_id": "key-a",
        "encrypted_data_key": base64_simd::STANDARD.encode_to_string(wrapped), "algorithm": "AES-256-GCM",
    }]});
    let refused = codec.post("/decode", WORKER, asked.to_string()).await;
    assert_eq!(refused.status, 422);
    assert_eq!(codec.lines().last().unwrap()["errorCode"], "PayloadRefused");
}

#[tokio::test]
async fn off_loopback_nobody_is_served_without_a_name_or_a_cipher_unless_that_is_said() {
    let codec = || {
        let namespaces = bulla_temporal::Namespaces::new(Vec::new(), bulla_temporal::Unknown::Deny);
        let settings = bulla_temporal::PayloadCodec::default_settings();
        let random = Arc::new(bulla_crypto::SystemRandom);
        let codec = bulla_temporal::PayloadCodec::new(namespaces, settings, random.clone());
        let gate = TableGate::open(Arc::new(crate::Log::default()), Arc::new(SystemClock));
        Arc::new(bulla_server::codec::Codec::new(
            Arc::new(codec),
            Arc::new(gate),
            config(),
            random,
        ))
    };
    let mut open = listen("0.0.0.0:0");
    open.open = true;
    let refused = CodecServer::bind(open.clone(), codec()).await.unwrap_err();
    assert!(matches!(refused, ServerError::OpenCodecOffLoopback(_)));
    open.anybody = true;
    let refused = CodecServer::bind(open.clone(), codec()).await.unwrap_err();
    assert!(matches!(refused, ServerError::PlainHttpOffLoopback(_)));
    open.behind_tls_proxy = true;
    assert!(CodecServer::bind(open, codec()).await.is_ok());
    let refused = CodecServer::bind(listen("0.0.0.0:0"), codec()).await.unwrap_err();
    assert!(matches!(refused, ServerError::PlainHttpOffLoopback(_)));
    // Others reach it through a proxy on this machine.
    let mut behind = listen("127.0.0.1:0");
    behind.open = true;
    assert!(CodecServer::bind(behind.clone(), codec()).await.is_ok());
    behind.behind_tls_proxy = true;
    let refused = CodecServer::bind(behind.clone(), codec()).await.unwrap_err();
    assert!(matches!(refused, ServerError::OpenCodecOffLoopback(_)));
    behind.behind_tls_proxy = false;
    behind.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let refused = CodecServer::bind(behind.clone(), codec()).await.unwrap_err();
    assert!(matches!(refused, ServerError::OpenCodecOffLoopback(_)));
    behind.anybody = true;
    assert!(CodecServer::bind(behind, codec()).await.is_ok());
}

#[tokio::test]
async fn the_record_names_the_keys_that_were_used_and_not_what_the_caller_writes_beside_a_record() {
    let codec = Running::closed().await;
    let sealed = codec.post("/encode", WORKER, PLAIN).await.json();
    let mut forged = sealed["payloads"][0].clone();
    let mut payloads = Vec::new();
    for index in 0..100 {
        let name = base64_simd::STANDARD.encode_to_string(format!("bulla:alias/a{index}"));
        forged["metadata"]["bulla-key-id"] = name.into();
        payloads.push(forged.clone());
    }
    let body = json!({ "payloads": payloads });
    let again = codec.post("/encode", WORKER, body.to_string()).await;
    assert_eq!((again.status, again.json()), (200, body));
    let lines = codec.lines();
    assert_eq!(lines[1]["keys"], json!(["memory:key-a"]));
    assert_eq!(lines[1]["payloadCount"], 100);
}

#[tokio::test]
async fn who_may_rotate_some_namespaces_rotates_those_alone_and_the_record_says_what_came_of_it() {
    let codec = Running::closed().await;
    for path in ["/codec/prod-a/encode", "/codec/prod-b/encode", "/codec/default/encode"] {
        assert_eq!(codec.post(path, WORKER, PLAIN).await.status, 200);
    }
    let rotate = async |who: &str, namespace: &str| {
        let header = match namespace {
            "" => String::new(),
            name => format!("x-namespace: {name}\r\n"),
        };
        let answer = codec.post("/v1/codec/rotate", &format!("{who}{header}"), "").await;
        (answer.status, answer.json()["renewed_data_keys"].as_u64())
    };
    assert_eq!(rotate(ROTATOR, "prod-a").await, (200, Some(1)));
    assert_eq!(rotate(ROTATOR, "").await, (403, None));
    assert_eq!(rotate(ROTATOR, "default").await, (403, None));
    assert_eq!(rotate(ROTATOR, "a/b").await, (400, None));
    assert_eq!(rotate(WORKER, "").await, (200, Some(3)));
    codec.provider.set_down(true);
    assert_eq!(rotate(WORKER, "prod-b").await, (503, None));
    let lines = codec.lines();
    let rotations: Vec<_> = lines
        .iter()
        .filter(|line| line["eventName"] == "RotateCodec")
        .map(|line| json!([line["principal"], line["namespace"], line["errorCode"]]))
        .collect();
    assert_eq!(
        rotations,
        [
            json!(["rotator", "prod-a", null]),
            json!(["rotator", null, "AccessDenied"]),
            json!(["rotator", "default", "AccessDenied"]),
            json!(["rotator", null, "BadRequest"]),
            json!(["worker", null, null]),
            json!(["worker", "prod-b", "KeyUnavailable"]),
        ]
    );
}
