//! Requests to a server, over sockets.

use std::io::{Read, Write};
use std::net::TcpStream;

use bulla_testkit::BullaProcess;
use serde_json::Value;

use crate::support::socket_address;

/// Asks, and gives status and body; `headers` end in `\r\n`, and a body that is null is none.
pub(crate) fn ask(server: &BullaProcess, method: &str, path: &str, headers: &str, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(socket_address(server)).expect("it listens");
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let kind = if body.is_empty() {
        ""
    } else {
        "content-type: application/json\r\n"
    };
    let (host, length) = (server.address(), body.len());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}{kind}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// What a get answers: the value, or the code of the problem.
pub(crate) fn get(server: &BullaProcess, path: &str, headers: &str) -> String {
    let (_, answer) = ask(server, "GET", path, headers, &Value::Null);
    let text = answer["value"].as_str().or(answer["code"].as_str());
    text.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Puts a token, and fails where it is not taken.
pub(crate) fn put(server: &BullaProcess, path: &str, headers: &str, value: &str) {
    let body = serde_json::json!({"value": value, "ttl_seconds": 900});
    let (status, answer) = ask(server, "PUT", path, headers, &body);
    assert_eq!(status, 200, "{answer}");
}
