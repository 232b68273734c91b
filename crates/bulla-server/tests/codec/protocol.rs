use serde_json::json;

use crate::{PLAIN, Running};

#[tokio::test]
async fn what_was_encoded_decodes_over_any_path_with_the_protos_members_only() {
    let codec = Running::open().await;
    let sealed = codec.post("/encode", "", PLAIN).await;
    assert_eq!(sealed.status, 200);
    assert_eq!(sealed.header("content-type"), Some("application/json"));
    let payloads = sealed.json();
    let payload = payloads["payloads"][0].as_object().unwrap();
    assert_eq!(payload.keys().collect::<Vec<_>>(), ["data", "metadata"]);
    assert_eq!(payload["metadata"]["encoding"], "YmluYXJ5L2J1bGxhLXYx");
    for path in [
        "/decode",
        "/decode/",
        "//any//prefix//codec//decode?preserveStorageRefs=true",
        "/codec/default/decode",
        "/default/decode",
    ] {
        let opened = codec.post(path, "", &sealed.body).await;
        assert_eq!((opened.status, &*opened.body), (200, PLAIN.as_bytes()), "{path}");
    }
    let other = codec.post("/codec/other/decode", "", &sealed.body).await;
    assert_eq!(other.status, 422);
    assert_eq!(other.message(), "payload 0: it does not open in this namespace");
    let by_header = codec.post("/decode", "x-namespace: other\r\n", &sealed.body).await;
    assert_eq!(by_header.status, 422);
}

#[tokio::test]
async fn what_can_not_be_read_is_a_4xx_with_a_plain_sentence() {
    let codec = Running::open().await;
    for (path, headers, body, status) in [
        ("/codec/a/encode", "x-namespace: b\r\n", PLAIN, 400),
        ("/codec/a%2Fb/encode", "", PLAIN, 400),
        ("/encode", "", "{", 400),
        ("/encode", "", r#"{"payloads":[{"data":"hunter2!"}]}"#, 400),
        ("/encode", "content-encoding: br\r\n", PLAIN, 415),
        ("/encode", "content-encoding: gzip\r\n", PLAIN, 400),
        ("/download", "", PLAIN, 404),
        ("/codec/default/download", "", PLAIN, 404),
        ("/", "", PLAIN, 404),
    ] {
        let answer = codec.post(path, headers, body).await;
        assert_eq!(answer.status, status, "{path} {body}");
        let message = answer.message();
        assert!(!message.is_empty() && !message.contains("hunter2"), "{message}");
    }
    let get = codec.get("/encode", "").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST, OPTIONS")));
    assert_eq!(codec.post("/health", "", "").await.status, 405);
}

#[tokio::test]
async fn bodies_are_limited_also_in_what_gzip_hides() {
    let codec = Running::open().await;
    let large = format!(r#"{{"payloads":[{{"data":"{}"}}]}}"#, "A".repeat(9 * 1024 * 1024));
    assert_eq!(codec.post("/encode", "", &large).await.status, 413);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let hidden = codec
        .post("/encode", "content-encoding: gzip\r\n", gzip(large.as_bytes()))
        .await;
    assert_eq!(hidden.status, 413);
    // 2 MB of data, both ways compressed.
    let fits = format!(r#"{{"payloads":[{{"data":"{}"}}]}}"#, "AAAA".repeat(700_000));
    let headers = "content-encoding: gzip\r\naccept-encoding: gzip\r\n";
    let sealed = codec.post("/encode", headers, gzip(fits.as_bytes())).await;
    assert_eq!((sealed.status, sealed.header("content-encoding")), (200, Some("gzip")));
    assert!(sealed.header("vary").unwrap().contains("Accept-Encoding"));
    let opened = codec.post("/decode", "content-encoding: gzip\r\n", &sealed.body).await;
    assert_eq!((opened.status, opened.header("content-encoding")), (200, None));
    assert!(opened.body == fits.as_bytes());
}

#[tokio::test]
async fn the_replaced_servers_calls_and_pages_work_as_documented() {
    let codec = Running::open().await;
    let asked = json!({"payloads": [{
        "metadata": {"encoding": "json/plain"},
        "data": "eyJpZCI6MTIzLCJuYW1lIjoiSm9obiJ9",
    }]});
    let sealed = codec.post("/encode", "", asked.to_string()).await.json();
    assert_eq!(
        sealed["payloads"][0]["metadata"],
        json!({"encoding": "binary/encrypted"})
    );
    for member in ["kms_key_id", "encrypted_data_key", "algorithm", "data"] {
        assert!(sealed["payloads"][0][member].is_string(), "{member}");
    }
    assert_eq!(codec.post("/decode", "", sealed.to_string()).await.json(), asked);
    assert_eq!(codec.get("/health", "").await.status, 200);
    assert_eq!(codec.get("/readyz", "").await.status, 200);
    let stats = codec.get("/stats", "").await.json();
    assert_eq!(stats["cached_keys_count"], 2);
    assert_eq!(stats["current_key_expired"], false);
    for member in ["current_key_age", "current_key_expires_in"] {
        assert!(stats[member].as_str().unwrap().ends_with('s'), "{member}");
    }
    let metrics = String::from_utf8(codec.get("/metrics", "").await.body).unwrap();
    for line in [
        "bulla_codec_requests_total{operation=\"encode\",status=\"200\"} 1",
        "bulla_codec_payloads_sealed_total 1",
        "bulla_codec_payloads_opened_total 1",
        "bulla_codec_current_key_expired 0",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}
