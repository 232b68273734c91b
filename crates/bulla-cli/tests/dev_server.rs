//! `bulla serve --dev` as tests of other programs use it: there at once, with a clock and a reset; and nothing of it in production.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bulla_testkit::BullaProcess;
use serde_json::{Value, json};
use support::{BULLA, init, socket_address};

/// Sends a request and reads its answer: the status and the body.
/// `/dev/clock` takes nothing that a form of a foreign page sends.
const JSON: &str = "Content-Type: application/json\r\n";

fn http(server: &BullaProcess, method: &str, path: &str, headers: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(socket_address(server)).expect("it listens");
    let (address, length) = (server.address(), body.len());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|text| text.parse().ok())
        .expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn kms(server: &BullaProcess, operation: &str, input: &Value) -> (u16, Value) {
    let headers = format!("X-Amz-Target: TrentService.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n");
    http(server, "POST", "/", &headers, &input.to_string())
}

/// Processor time that a process has had so far, over all of its threads.
fn processor_time(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let ticks = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a count"));
    // Linux counts them in hundredths of a second for programs, on each architecture.
    Duration::from_millis(10 * ticks.sum::<u64>())
}

#[test]
fn a_dev_server_is_ready_for_well_under_a_second_of_work() {
    let started = |_| {
        let server = BullaProcess::dev(BULLA).expect("a dev server starts");
        let (status, _) = http(&server, "GET", "/readyz", "", "");
        assert_eq!(status, 200);
        let took = processor_time(server.id());
        server.stop().expect("it stops by itself");
        took
    };
    // Work, and not the time on the wall: what else the machine does is not the server's. In a build without optimisation.
    let least = (0..5).map(started).min().expect("five");
    assert!(
        least > Duration::ZERO && least < Duration::from_millis(800),
        "{least:?}"
    );
}

#[test]
fn a_dev_server_rotates_and_deletes_when_its_clock_is_moved_and_forgets_when_it_is_reset() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let (_, made) = kms(&server, "CreateKey", &json!({}));
    let key = json!({ "KeyId": made["KeyMetadata"]["KeyId"] });
    kms(&server, "EnableKeyRotation", &key);
    let (status, moved) = http(&server, "POST", "/dev/clock", JSON, r#"{"advanceSeconds":31622400}"#);
    assert_eq!((status, &moved["rotated"]), (200, &json!(1)), "{moved}");
    kms(&server, "ScheduleKeyDeletion", &key);
    let (_, moved) = http(&server, "POST", "/dev/clock", JSON, r#"{"advanceSeconds":2592000}"#);
    assert_eq!(moved["deleted"], 1, "{moved}");
    let (status, refused) = kms(&server, "DescribeKey", &key);
    assert_eq!((status, &refused["__type"]), (400, &json!("NotFoundException")));

    kms(&server, "CreateKey", &json!({}));
    let (status, reset) = http(&server, "POST", "/dev/reset", "", "");
    assert_eq!((status, &reset["aheadSeconds"]), (200, &json!(0.0)));
    assert_eq!(kms(&server, "ListKeys", &json!({})).1["Keys"], json!([]));
    server.stop().expect("it stops by itself");
}

#[test]
fn a_production_server_has_neither_a_clock_nor_a_reset() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    for (method, path) in [("GET", "/dev/clock"), ("POST", "/dev/clock"), ("POST", "/dev/reset")] {
        assert_eq!(
            http(&server, method, path, "", r#"{"advanceSeconds":1}"#).0,
            404,
            "{path}"
        );
    }
    server.stop().expect("it stops by itself");
}
