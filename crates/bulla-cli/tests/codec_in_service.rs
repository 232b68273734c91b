//! The Temporal codec in `bulla serve`: keys of the service, policies, the audit log.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use bulla_testkit::BullaProcess;
use serde_json::{Value, json};
use support::{BULLA, bulla, init, socket_address};

const PLAIN: &str = r#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"eyJpZCI6MTIzfQ=="}]}"#;

/// Posts to a server; gives status and body.
fn post(server: &BullaProcess, path: &str, headers: &str, body: &str) -> (u16, String) {
    send(server, "POST", path, headers, body)
}

fn send(server: &BullaProcess, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(socket_address(server)).expect("it listens");
    let (host, length) = (server.address(), body.len());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The events of a name, oldest first.
fn events(data: &Path, name: &str) -> Vec<Value> {
    let data = data.to_str().expect("UTF-8");
    let tail = bulla(["audit", "export", "--data-dir", data]);
    assert!(tail.succeeded(), "{tail:?}");
    let lines = String::from_utf8(tail.stdout).expect("UTF-8");
    let events = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = events.map(|line| line.get("event").cloned().unwrap_or(line));
    events.filter(|event| event["eventName"] == name).collect()
}

#[test]
fn a_dev_server_makes_a_key_for_each_namespace_and_records_each_request() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let command = BullaProcess::dev_command(BULLA).arg("--data-dir").arg(&data);
    let server = BullaProcess::start(&command).expect("a dev server starts");
    let (status, sealed) = post(&server, "/codec/payments.eu/encode", "", PLAIN);
    assert_eq!(status, 200, "{sealed}");
    for _ in 0..2 {
        assert_eq!(
            post(&server, "/codec/payments.eu/decode", "", &sealed),
            (200, PLAIN.to_owned())
        );
    }
    assert_eq!(post(&server, "/codec/other/decode", "", &sealed).0, 422);
    // What a caller writes beside a record is neither decided about nor recorded as a key that was used.
    let mut forged: Value = serde_json::from_str(&sealed).expect("JSON");
    let id = forged["payloads"][0]["metadata"]["bulla-key-id"].take();
    forged["payloads"][0]["metadata"]["bulla-key-id"] = "YnVsbGE6YWxpYXMveA==".into();
    let (status, again) = post(&server, "/codec/payments.eu/encode", "", &forged.to_string());
    assert_eq!(
        (status, serde_json::from_str::<Value>(&again).expect("JSON")),
        (200, forged)
    );
    assert_eq!(
        post(
            &server,
            "/codec/payments.eu/decode",
            "origin: http://evil.example\r\n",
            &sealed
        )
        .0,
        403
    );
    let local = post(
        &server,
        "/codec/payments.eu/decode",
        "origin: http://localhost:8233\r\n",
        &sealed,
    );
    assert_eq!(local.0, 200);
    assert_eq!(post(&server, "/v1/codec/rotate", "", "").0, 200);
    server.stop().expect("it stops by itself");
    let encodes = events(&data, "EncodePayload");
    assert_eq!(encodes.len(), 2);
    let keys = encodes.iter().map(|event| &event["additionalEventData"]["keys"]);
    for keys in keys {
        let key = keys[0].as_str().map(base64_of);
        assert_eq!(
            (keys.as_array().map(Vec::len), key.as_deref()),
            (Some(1), id.as_str()),
            "{keys}"
        );
    }
    assert_eq!(encodes[0]["requestParameters"]["namespace"], "payments.eu");
    assert_eq!(encodes[0]["requestParameters"]["payloadCount"], 1);
    let context = json!({"bulla:purpose": "temporal-payload", "namespace": "payments.eu"});
    assert_eq!(encodes[0]["requestParameters"]["encryptionContext"], context);
    let decodes = events(&data, "DecodePayload");
    let hits: Vec<_> = decodes.iter().map(|event| event["cacheHit"].clone()).collect();
    assert_eq!(decodes.len(), 4, "{decodes:?}");
    assert_eq!(hits[..2], [json!(false), json!(true)]);
    assert_eq!(decodes[2]["errorCode"], "PayloadRefused");
    assert_eq!(events(&data, "EnsureKey").len(), 2);
    assert_eq!(events(&data, "RotateCodec").len(), 1);
}

#[test]
fn policies_and_the_keys_state_decide_each_request_of_a_production_service() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let at = data.to_str().expect("UTF-8");
    let text = |args: &[&str]| {
        let done = bulla(args.iter().copied().chain(["--data-dir", at]));
        assert!(done.succeeded(), "{args:?} {done:?}");
        String::from_utf8(done.stdout).expect("UTF-8")
    };
    let may = [
        ("worker", json!(["bulla:EncodePayload", "bulla:RotateCodec"])),
        ("support", json!("bulla:DecodePayload")),
    ];
    for (who, action) in may {
        text(&["principal", "create", who, "--role", "user"]);
        let policy = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": action, "Resource": "arn:aws:bulla:*:*:codec/prod",
        }]});
        let file = dir.path().join(format!("{who}.json"));
        std::fs::write(&file, policy.to_string()).expect("written");
        text(&[
            "principal",
            "put-policy",
            who,
            "codec",
            "--document",
            file.to_str().expect("UTF-8"),
        ]);
    }
    let token = |who: &str| {
        let printed = text(&["principal", "token", who, "--output", "json"]);
        let printed: Value = serde_json::from_str(&printed).expect("JSON");
        format!(
            "authorization: Bearer {}\r\n",
            printed["Token"].as_str().expect("a token")
        )
    };
    let (worker, support) = (token("worker"), token("support"));
    let table = dir.path().join("codec.toml");
    std::fs::write(
        &table,
        "unknown = 'deny'\n[[namespace]]\npattern = '*'\nkey = 'bulla:///alias/codec'\n",
    )
    .expect("written");
    let command = BullaProcess::production_command(BULLA, &data).env("BULLA_CODEC__TABLE", &table);
    let server = BullaProcess::start(&command).expect("it starts");
    let mut signer = bulla_testkit::Signer::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        "us-east-1",
        server.address(),
    );
    let mut ask = |target: &str, body: Value| {
        let mut request = Vec::new();
        signer.request_now(&mut request, target, body.to_string().as_bytes());
        let answer = bulla_testkit::load::once(socket_address(&server), &request).expect(target);
        serde_json::from_slice::<Value>(&answer).unwrap_or_default()
    };
    let key = ask("CreateKey", json!({}))["KeyMetadata"]["KeyId"].clone();
    ask("CreateAlias", json!({"AliasName": "alias/codec", "TargetKeyId": key}));

    let (status, sealed) = post(&server, "/codec/prod/encode", &worker, PLAIN);
    assert_eq!(status, 200, "{sealed}");
    let opened = post(&server, "/codec/prod/decode", &support, &sealed);
    assert_eq!(opened, (200, PLAIN.to_owned()));
    for (path, who, status) in [
        ("/codec/prod/decode", &*worker, 403),
        ("/codec/prod/encode", &*support, 403),
        ("/codec/test/encode", &*worker, 403),
        ("/codec/prod/decode", "", 401),
        ("/codec/prod/decode", "authorization: Bearer bulla_x\r\n", 401),
        ("/v1/codec/rotate", &*worker, 403),
    ] {
        assert_eq!(post(&server, path, who, &sealed).0, status, "{path} {who}");
    }
    // The data key is in memory; the key's state decides all the same.
    ask("DisableKey", json!({"KeyId": key}));
    assert_eq!(post(&server, "/codec/prod/decode", &support, &sealed).0, 403);
    assert_eq!(post(&server, "/codec/prod/encode", &worker, PLAIN).0, 403);
    ask("EnableKey", json!({"KeyId": key}));
    assert_eq!(post(&server, "/codec/prod/decode", &support, &sealed).0, 200);
    // Of payloads under two keys, of which one refuses, neither is handed out, and no event says otherwise.
    let second = ask("CreateKey", json!({}))["KeyMetadata"]["KeyId"].clone();
    ask(
        "UpdateAlias",
        json!({"AliasName": "alias/codec", "TargetKeyId": second}),
    );
    let rotate = format!("{worker}x-namespace: prod\r\n");
    assert_eq!(post(&server, "/v1/codec/rotate", &rotate, "").0, 200);
    let payload = |sealed: &str| serde_json::from_str::<Value>(sealed).expect("JSON")["payloads"][0].clone();
    let later = post(&server, "/codec/prod/encode", &worker, PLAIN).1;
    let both = json!({"payloads": [payload(&sealed), payload(&later)]}).to_string();
    assert_eq!(post(&server, "/codec/prod/decode", &support, &both).0, 200);
    let last = [&key, &second].into_iter().max_by_key(|key| key.as_str()).expect("two");
    ask("DisableKey", json!({"KeyId": last}));
    assert_eq!(post(&server, "/codec/prod/decode", &support, &both).0, 403);
    assert_eq!(post(&server, "/codec/prod/decode", &support, "{").0, 400);
    let stats = send(&server, "GET", "/codec/stats", &support, "").1;
    assert!(!stats.contains("prod"), "{stats}");
    server.stop().expect("it stops by itself");
    let denied = events(&data, "DecodePayload");
    let successes = denied
        .iter()
        .filter(|event| event.get("errorCode").is_none_or(Value::is_null));
    assert_eq!(successes.count(), 2 + 2, "{denied:?}");
    assert!(
        denied.iter().any(|event| event["errorCode"] == "BadRequest"),
        "{denied:?}"
    );
    assert_eq!(events(&data, "DescribeCodec")[0]["errorCode"], "AccessDeniedException");
    assert!(
        denied.iter().any(|event| event["errorCode"] == "AccessDeniedException"),
        "{denied:?}"
    );
}
