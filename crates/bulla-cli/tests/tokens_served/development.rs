//! `bulla serve --dev`.

use std::path::Path;
use std::process::Command;

use bulla_testkit::BullaProcess;
use serde_json::{Value, json};

use crate::http::{ask, get, put};
use crate::support::BULLA;

#[test]
fn the_readmes_two_curl_commands_store_and_read_a_token() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let readme = include_str!("../../../../README.md");
    let block = readme
        .split("```")
        .map(|block| block.trim_start_matches("sh\n"))
        .find(|block| block.contains("/v1/tokens/"))
        .expect("the README shows a token");
    assert_eq!(block.trim().lines().count(), 2, "two commands");
    let block = block.replace("http://127.0.0.1:4599", server.endpoint());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &block])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(printed.contains(r#""value":"tok_1""#), "{printed}");
    let (_, logs) = server.stop().expect("it stops by itself");
    assert!(!logs.contains("tok_1"), "{logs}");
}

#[test]
fn a_token_ends_with_its_time_and_with_a_fresh_start_and_comes_back_with_the_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let command = BullaProcess::dev_command(BULLA).arg("--data-dir").arg(&data);
    let server = BullaProcess::start(&command).expect("a dev server starts");
    put(&server, "/v1/tokens/acme/stripe", "", "kept");
    let short = json!({"value": "short", "ttl_seconds": 60});
    assert_eq!(ask(&server, "PUT", "/v1/tokens/acme/adyen", "", &short).0, 200);
    server.stop().expect("it stops by itself");

    let server = BullaProcess::start(&command).expect("it starts again");
    assert_eq!(get(&server, "/v1/tokens/acme/stripe", ""), "kept");
    assert_eq!(get(&server, "/v1/tokens/acme/adyen", ""), "short");
    let ahead = json!({"advanceSeconds": 60});
    assert_eq!(ask(&server, "POST", "/dev/clock", "", &ahead).0, 200);
    assert_eq!(get(&server, "/v1/tokens/acme/adyen", ""), "not_found");
    let (_, page) = ask(&server, "GET", "/v1/tokens?client=acme", "", &Value::Null);
    assert_eq!(page["tokens"].as_array().map(Vec::len), Some(1), "{page}");
    // A client is a key of its own, and of another account's callers, too.
    let other = "Authorization: AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-1/bulla/aws4_request, SignedHeaders=host, Signature=0\r\n";
    assert_eq!(get(&server, "/v1/tokens/acme/stripe", other), "kept");
    assert_eq!(get(&server, "/v1/tokens/globex/stripe", ""), "not_found");
    server.stop().expect("it stops by itself");
}

#[test]
fn the_example_for_node_shares_a_token_with_nothing_but_fetch() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tokens-node");
    let package = std::fs::read_to_string(example.join("package.json")).expect("a package");
    let package: Value = serde_json::from_str(&package).expect("JSON");
    assert!(package.get("dependencies").is_none() && package.get("devDependencies").is_none());
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let output = Command::new("npm")
        .args(["start", "--silent"])
        .current_dir(&example)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", std::env::temp_dir())
        .env("npm_config_update_notifier", "false")
        .env("BULLA_ENDPOINT", server.endpoint())
        .output()
        .expect("npm runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines[0],
        "both have the same token: true; the provider was asked 1 time(s)"
    );
    assert_eq!(lines[2], "after the revocation the other instance finds: null");
    assert!(lines[3].starts_with("too long a value is refused: HTTP 4"), "{printed}");
    let (_, logs) = server.stop().expect("it stops by itself");
    assert!(!logs.contains("access-1"), "{logs}");
}
