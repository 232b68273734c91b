//! `bulla codec` alone, with a dev server in the place of AWS KMS.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use bulla_testkit::{BullaCommand, BullaProcess, Signer, load};
use serde_json::{Value, json};
use support::{BULLA, socket_address};

const PLAIN: &str = r#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"eyJpZCI6MTIzfQ=="}]}"#;

fn ask(server: &BullaProcess, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(socket_address(server)).expect("it listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: codec\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, body.to_owned())
}

fn encode(codec: &BullaProcess, body: &str) -> String {
    let (status, sealed) = ask(codec, "POST", "/default/encode", body);
    assert_eq!(status, 200, "{sealed}");
    sealed
}

fn decodes(codec: &BullaProcess, sealed: &str, body: &str) {
    assert_eq!(ask(codec, "POST", "/default/decode", sealed), (200, body.to_owned()));
}

/// Calls the service that stands for AWS KMS.
fn kms(server: &BullaProcess, target: &str, body: &Value) -> Value {
    let mut request = Vec::new();
    let mut signer = Signer::new("111122223333", "any", "us-east-1", server.address());
    signer.request_now(&mut request, target, body.to_string().as_bytes());
    let answer = load::once(socket_address(server), &request).expect(target);
    serde_json::from_slice(&answer).unwrap_or_default()
}

fn new_key(server: &BullaProcess) -> Value {
    kms(server, "CreateKey", &json!({}))["KeyMetadata"]["KeyId"].clone()
}

/// The same, with the alias that the codec's commands name.
fn new_key_of_the_alias(server: &BullaProcess) -> Value {
    let key = new_key(server);
    kms(
        server,
        "CreateAlias",
        &json!({"AliasName": "alias/codec", "TargetKeyId": key}),
    );
    key
}

/// As the server that Bulla replaces was started.
fn command(server: &BullaProcess, dir: &Path) -> BullaCommand {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    BullaCommand::new(BULLA)
        .args(["codec", "--endpoint", server.endpoint(), "--access-log"])
        .arg(dir.join("access.log"))
        .env("PORT", port.expect("a free port").port().to_string())
        .env("KMS_KEY_ALIAS", "alias/codec")
        .env("DATA_KEY_ROTATION_INTERVAL", "1800")
        .env("KMS_CACHE_TTL", "7200")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "111122223333")
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_EC2_METADATA_DISABLED", "true")
}

fn start(server: &BullaProcess, dir: &Path) -> BullaProcess {
    BullaProcess::start(&command(server, dir)).expect("a codec starts")
}

#[test]
fn the_replaced_servers_variables_are_honoured_and_a_hang_up_renews_data_keys_under_a_moved_alias() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let first = new_key(&server);
    kms(
        &server,
        "CreateAlias",
        &json!({"AliasName": "alias/codec", "TargetKeyId": first}),
    );
    let codec = start(&server, dir.path());
    let before = encode(&codec, PLAIN);
    let stats: Value = serde_json::from_str(&ask(&codec, "GET", "/stats", "").1).expect("JSON");
    let left = stats["current_key_expires_in"].as_str().expect("a duration");
    assert!(left.starts_with("29m") || left.starts_with("30m"), "{left}");
    let second = new_key(&server);
    kms(
        &server,
        "UpdateAlias",
        &json!({"AliasName": "alias/codec", "TargetKeyId": second}),
    );
    codec.hang_up();
    codec.wait_for_log("data keys were renewed").expect("it renews them");
    let after = encode(&codec, PLAIN);
    let key_of = |sealed: &str| {
        let sealed: Value = serde_json::from_str(sealed).expect("JSON");
        sealed["payloads"][0]["metadata"]["bulla-key-id"].clone()
    };
    assert_ne!(key_of(&before), key_of(&after));
    let fresh = start(&server, dir.path());
    for codec in [&codec, &fresh] {
        decodes(codec, &before, PLAIN);
        decodes(codec, &after, PLAIN);
    }
    let record = std::fs::read_to_string(dir.path().join("access.log")).expect("a record");
    assert_eq!(record.lines().count(), 6);
    for process in [codec, fresh, server] {
        process.stop().expect("it stops by itself");
    }
}

#[test]
fn what_sixteen_writers_seal_across_rotations_is_opened_by_a_fresh_process() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let keys = [new_key(&server), new_key(&server)];
    kms(
        &server,
        "CreateAlias",
        &json!({"AliasName": "alias/codec", "TargetKeyId": keys[0]}),
    );
    let codec = start(&server, dir.path());
    let body = |writer: usize, value: usize| PLAIN.replace("eyJpZCI6MTIzfQ==", &format!("{writer:04}{value:04}"));
    let written: Vec<Vec<String>> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16)
            .map(|writer| {
                let codec = &codec;
                scope.spawn(move || (0..10).map(|value| encode(codec, &body(writer, value))).collect())
            })
            .collect();
        for round in 0..6 {
            kms(
                &server,
                "UpdateAlias",
                &json!({"AliasName": "alias/codec", "TargetKeyId": keys[(round + 1) % 2]}),
            );
            assert_eq!(ask(&codec, "POST", "/v1/codec/rotate", "").0, 200);
        }
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer"))
            .collect()
    });
    codec.stop().expect("it stops by itself");
    let fresh = start(&server, dir.path());
    for (writer, sealed) in written.iter().enumerate() {
        for (value, sealed) in sealed.iter().enumerate() {
            decodes(&fresh, sealed, &body(writer, value));
        }
    }
    fresh.stop().expect("it stops by itself");
    server.stop().expect("it stops by itself");
}

#[test]
fn a_codec_whose_kms_was_killed_goes_on_with_what_is_warm_and_refuses_what_is_cold_in_time() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    new_key_of_the_alias(&server);
    let (warm, cold) = (start(&server, dir.path()), start(&server, dir.path()));
    let sealed = encode(&warm, PLAIN);
    decodes(&warm, &sealed, PLAIN);
    server.kill9();
    decodes(&warm, &sealed, PLAIN);
    encode(&warm, PLAIN);
    for (path, body) in [("/default/decode", &*sealed), ("/default/encode", PLAIN)] {
        let began = std::time::Instant::now();
        let (status, answer) = ask(&cold, "POST", path, body);
        assert_eq!(status, 503, "{answer}");
        assert!(!answer.contains("payloads"), "{answer}");
        assert!(
            began.elapsed() < std::time::Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
    }
    assert_eq!(ask(&cold, "GET", "/health", "").0, 200);
    for process in [warm, cold] {
        process.stop().expect("it stops by itself");
    }
}

#[test]
fn a_history_of_a_thousand_events_opens_cold_with_a_call_to_kms_for_each_of_its_data_keys() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let key = new_key_of_the_alias(&server);
    let codec = start(&server, dir.path());
    let (mut plain, mut history) = (Vec::new(), Vec::new());
    for part in 0..4 {
        let events: Vec<Value> = (0..250)
            .map(|event| json!({"data": format!("{:08}", part * 250 + event), "metadata": {"encoding": "anNvbi9wbGFpbg=="}}))
            .collect();
        let sealed = encode(&codec, &json!({ "payloads": events }).to_string());
        let sealed: Value = serde_json::from_str(&sealed).expect("JSON");
        history.extend(sealed["payloads"].as_array().expect("payloads").clone());
        plain.extend(events);
        assert_eq!(ask(&codec, "POST", "/v1/codec/rotate", "").0, 200);
    }
    codec.stop().expect("it stops by itself");
    let described = kms(&server, "DescribeKey", &json!({ "KeyId": key }));
    let arn = format!(
        "aws-kms://{}",
        described["KeyMetadata"]["Arn"].as_str().expect("an ARN")
    );
    let history = json!({ "payloads": history }).to_string();
    // An alias is resolved first: only then is it known whose keys may open.
    for (uri, calls) in [(&*arn, 4), ("aws-kms:///alias/codec", 5)] {
        let command = command(&server, dir.path()).args(["--key", uri]);
        let fresh = BullaProcess::start(&command).expect("a codec starts");
        let (status, opened) = ask(&fresh, "POST", "/default/decode", &history);
        assert_eq!(status, 200, "{opened}");
        let opened: Value = serde_json::from_str(&opened).expect("JSON");
        assert_eq!(opened, json!({ "payloads": plain }));
        let stats: Value = serde_json::from_str(&ask(&fresh, "GET", "/stats", "").1).expect("JSON");
        assert_eq!(
            (&stats["kms_calls"], &stats["cached_keys_count"]),
            (&json!(calls), &json!(4))
        );
        fresh.stop().expect("it stops by itself");
    }
    server.stop().expect("it stops by itself");
}

#[test]
fn a_request_of_as_many_small_payloads_as_it_may_have_stays_within_the_memory_of_the_deployment() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    new_key_of_the_alias(&server);
    let codec = start(&server, dir.path());
    let many = format!("{{\"payloads\":[{}]}}", vec!["{}"; 16_384].join(","));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let sealed = encode(&codec, &many);
                assert_eq!(sealed.matches("YmluYXJ5L2J1bGxhLXYx").count(), 16_384);
            });
        }
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", codec.id())).expect("it runs");
    let most = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a size");
    let most_kib: u64 = most.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(most_kib < 128 * 1024, "{most_kib} KiB");
    codec.stop().expect("it stops by itself");
    server.stop().expect("it stops by itself");
}

#[test]
fn a_record_that_was_moved_is_begun_anew_when_the_process_is_told_to() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let key = new_key(&server);
    kms(
        &server,
        "CreateAlias",
        &json!({"AliasName": "alias/codec", "TargetKeyId": key}),
    );
    let codec = start(&server, dir.path());
    encode(&codec, PLAIN);
    let (path, moved) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    std::fs::rename(&path, &moved).expect("it is moved");
    codec.hang_up();
    codec.wait_for_log("the record was opened again").expect("it opens it");
    encode(&codec, PLAIN);
    for path in [path, moved] {
        let lines = std::fs::read_to_string(path).expect("a record");
        assert_eq!(lines.lines().count(), 1);
        assert!(serde_json::from_str::<Value>(&lines).is_ok());
    }
    codec.stop().expect("it stops by itself");
    server.stop().expect("it stops by itself");
}

#[test]
fn a_codec_that_asks_nobody_his_name_stays_on_this_machine() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let refused = command(&server, dir.path()).args(["--listen", "0.0.0.0:0"]).run();
    let refused = refused.expect("bulla runs");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("hint: name tokens, issuers or a client authority"),
        "{refused:?}"
    );
    let none = BullaCommand::new(BULLA).args(["codec"]).run().expect("bulla runs");
    assert_eq!(none.code, Some(2));
    assert!(none.stderr.contains("no key is named"), "{none:?}");
    server.stop().expect("it stops by itself");
}
