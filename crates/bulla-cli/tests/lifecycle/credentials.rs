//! API tokens, groups, roles and tags as the command line manages them, beside a running server that obeys at once.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use bulla_model::{Clock as _, SystemClock};
use bulla_testkit::BullaProcess;
use serde_json::Value;

use crate::harness::{BULLA, client, init, on};

/// What `GET /v1/audit` answers to a token: 200 to an auditor, 403 to whoever may not, 401 to nobody.
fn status(server: &BullaProcess, token: &str) -> u16 {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    let request = format!(
        "GET /v1/audit?limit=1 HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n",
        server.address()
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let status = answer.split(' ').nth(1).expect("a status");
    status.parse().expect("a number")
}

fn json(data: &Path, args: &[&str]) -> Value {
    let done = on(data, &[args, &["--output", "json"]].concat());
    assert!(done.succeeded(), "{args:?}: {done:?}");
    serde_json::from_slice(&done.stdout).expect("JSON")
}

fn done(data: &Path, args: &[&str]) {
    let finished = on(data, args);
    assert!(finished.succeeded(), "{args:?}: {finished:?}");
}

fn text<'v>(of: &'v Value, name: &str) -> &'v str {
    of[name].as_str().expect("a text")
}

/// Every file below the directory.
fn files(of: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(of).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(fs::read(&path).expect("a file"));
        }
    }
    found
}

#[test]
fn an_api_token_is_shown_once_stored_hashed_and_refused_from_when_it_is_disabled() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    json(&data, &["principal", "create", "ann", "--role", "auditor"]);
    let made = json(&data, &["principal", "token", "ann", "--expires", "90d"]);
    let (id, token) = (text(&made, "TokenId"), text(&made, "Token"));
    assert!(token.starts_with(id) && token.len() == 81, "{id}");
    assert_eq!(status(&server, token), 200);
    // Of what was not given out, nothing is anybody.
    let other = if token.ends_with('a') { 'b' } else { 'a' };
    assert_eq!(status(&server, &format!("{}{other}", &token[..80])), 401);
    for (change, expected) in [("disable", 401), ("enable", 200), ("disable", 401)] {
        done(&data, &["principal", "token", change, id]);
        if change == "enable" {
            // A node learns of what others enabled at its own next commit.
            status(&server, token);
        }
        assert_eq!(status(&server, token), expected, "{change}");
    }
    let printed = on(&data, &["principal", "token", "list", "ann"]).stdout_text();
    assert!(
        printed.contains(id) && printed.contains("disabled") && !printed.contains(token),
        "{printed}"
    );
    // The token itself is in no file, its id is.
    server.stop().expect("it stops by itself");
    let holds = |part: &str| {
        let parts = |file: &Vec<u8>| file.windows(part.len()).any(|window| window == part.as_bytes());
        files(&data).iter().any(parts)
    };
    assert!(holds(id) && !holds(token) && !holds(&token[22..]));
    // When it was used last is known once the server that saw it has ended.
    let listed = json(&data, &["principal", "token", "list", "ann"]);
    let described = &listed["Tokens"][0];
    assert_eq!(
        (text(described, "TokenId"), &described["Enabled"]),
        (id, &Value::Bool(false))
    );
    assert!(text(described, "LastUsed") >= text(described, "Created"), "{described}");
    assert!(text(described, "Expires") > text(described, "LastUsed"), "{described}");
    assert_eq!(described.get("Token"), None);
    done(&data, &["principal", "token", "delete", id]);
    assert_eq!(
        json(&data, &["principal", "token", "list", "ann"])["Tokens"],
        serde_json::json!([])
    );
}

#[test]
fn an_api_token_ends_at_its_end_and_with_its_user() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    json(&data, &["principal", "create", "ann", "--role", "auditor"]);
    let end = SystemClock.now().plus_micros(3_000_000).to_string();
    let short = json(&data, &["principal", "token", "ann", "--expires", &end]);
    let long = json(&data, &["principal", "token", "ann"]);
    assert_eq!(long["Expires"], Value::Null);
    let deadline = Instant::now() + Duration::from_secs(60);
    while status(&server, text(&short, "Token")) != 401 {
        assert!(Instant::now() < deadline, "the token has not ended");
    }
    assert_eq!(status(&server, text(&long, "Token")), 200);
    done(&data, &["principal", "delete", "ann"]);
    assert_eq!(status(&server, text(&long, "Token")), 401);
    for wrong in ["soon", "9x", "-1d", "2027-13-01T00:00:00Z"] {
        let refused = on(&data, &["principal", "token", "ann", "--expires", wrong]);
        assert_eq!(refused.code, Some(2), "{wrong}: {refused:?}");
    }
}

#[test]
fn groups_and_tags_give_and_take_beside_a_running_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    json(&data, &["principal", "create", "ann", "--role", "user"]);
    let token = json(&data, &["principal", "token", "ann"]);
    let reads = || {
        // A node learns of what others changed at its own next commit.
        status(&server, text(&token, "Token"));
        status(&server, text(&token, "Token"))
    };
    assert_eq!(reads(), 403);
    let document = dir.path().join("policy.json");
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"bulla:ReadAudit","Resource":"*",
        "Condition":{"StringEquals":{"aws:PrincipalTag/team":"audit"}}}}"#;
    fs::write(&document, policy).expect("a file");
    let document = document.to_str().expect("UTF-8");
    done(&data, &["principal", "group", "create", "staff"]);
    done(
        &data,
        &[
            "principal",
            "put-policy",
            "staff",
            "reads",
            "--of",
            "group",
            "--document",
            document,
        ],
    );
    done(&data, &["principal", "group", "add", "staff", "ann"]);
    // In the group, and without the tag that its policy asks for.
    assert_eq!(reads(), 403);
    done(&data, &["principal", "tag", "set", "ann", "team=audit", "floor=3"]);
    assert_eq!(reads(), 200);
    let tags = json(&data, &["principal", "tag", "list", "ann"]);
    assert!(tags.to_string().contains("floor"), "{tags}");
    let groups = json(&data, &["principal", "group", "list"]);
    assert_eq!(groups["Groups"][0]["Users"], 1, "{groups}");
    done(&data, &["principal", "tag", "remove", "ann", "team"]);
    assert_eq!(reads(), 403);
    done(&data, &["principal", "tag", "set", "ann", "team=audit"]);
    assert_eq!(reads(), 200);
    // A group that has users stays; without it they have nothing of it.
    assert_eq!(on(&data, &["principal", "group", "delete", "staff"]).code, Some(1));
    done(&data, &["principal", "group", "remove", "staff", "ann"]);
    assert_eq!(reads(), 403);
    done(&data, &["principal", "group", "delete", "staff"]);
}

#[test]
fn a_role_is_made_listed_trusted_and_deleted() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let (_, printed) = init(&data, &[]);
    let account = printed["Account"].as_str().unwrap_or("000000000000").to_owned();
    let document = dir.path().join("trust.json");
    let trust = |action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{account}"}},"Action":"{action}"}}}}"#
        )
    };
    let file = document.to_str().expect("UTF-8");
    fs::write(&document, trust("sts:AssumeRole")).expect("a file");
    done(
        &data,
        &[
            "principal",
            "role",
            "create",
            "app",
            "--trust-policy",
            file,
            "--max-session-duration",
            "7200",
        ],
    );
    let listed = json(&data, &["principal", "role", "list"]);
    let role = &listed["Roles"][0];
    assert!(
        text(role, "Arn").ends_with(":role/app") && role.to_string().contains("7200"),
        "{listed}"
    );
    let shown = on(&data, &["principal", "role", "get-trust-policy", "app"]).stdout_text();
    assert_eq!(shown.trim(), trust("sts:AssumeRole"));
    fs::write(&document, trust("sts:*")).expect("a file");
    done(
        &data,
        &["principal", "role", "put-trust-policy", "app", "--document", file],
    );
    let shown = on(&data, &["principal", "role", "get-trust-policy", "app"]).stdout_text();
    assert_eq!(shown.trim(), trust("sts:*"));
    fs::write(&document, "{}").expect("a file");
    let refused = on(
        &data,
        &["principal", "role", "put-trust-policy", "app", "--document", file],
    );
    assert_eq!(refused.code, Some(1), "{refused:?}");
    done(&data, &["principal", "role", "delete", "app"]);
    assert_eq!(
        json(&data, &["principal", "role", "list"])["Roles"],
        serde_json::json!([])
    );
    let again = on(&data, &["principal", "role", "delete", "app"]);
    assert_eq!(again.code, Some(1), "{again:?}");
}

#[test]
fn what_is_sealed_under_a_key_is_explained_with_what_the_caller_may_do_to_that_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let (admin, _) = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let made = client(&server, &admin, &["key", "create", "--output", "json"]).run();
    let made: Value = serde_json::from_slice(&made.expect("bulla runs").stdout).expect("JSON");
    let arn = made.pointer("/KeyMetadata/Arn").or_else(|| made.get("Arn"));
    let key = arn.and_then(Value::as_str).expect("an ARN").to_owned();
    let parts: Vec<&str> = key.split(':').collect();
    let token = |of: &str| format!("arn:aws:bulla:{}:{}:token/{of}/stripe", parts[3], parts[4]);
    json(&data, &["principal", "create", "ann", "--role", "user"]);
    let document = dir.path().join("policy.json");
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Reads", "Effect": "Allow", "Action": "bulla:GetToken", "Resource": token("a")},
        {"Sid": "Stop", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": key,
            "Condition": {"StringEquals": {"kms:EncryptionContext:stage": "live"}}}]});
    fs::write(&document, policy.to_string()).expect("a file");
    let file = document.to_str().expect("UTF-8");
    done(&data, &["principal", "put-policy", "ann", "reads", "--document", file]);
    let explain = |of: &str, stage: &str, more: &[&str]| {
        let (resource, stage) = (token(of), format!("stage={stage}"));
        let question = [
            "policy",
            "explain",
            "--principal",
            "ann",
            "--operation",
            "bulla:GetToken",
            "--context",
            &stage,
        ];
        json(&data, &[&question[..], &["--resource", &resource], more].concat())
    };
    let under = ["--key", key.as_str()];
    let allowed = explain("a", "test", &under);
    assert_eq!(
        (&allowed["Allowed"], &allowed["DecidedBy"][0]["sid"]),
        (&Value::Bool(true), &Value::from("Reads"))
    );
    assert_eq!(explain("b", "test", &under)["Allowed"], false);
    // Who is denied the use of the key is denied what is sealed under it; without the key, nothing tells so.
    let denied = explain("a", "live", &under);
    assert_eq!(
        (&denied["Allowed"], &denied["DecidedBy"][0]["sid"]),
        (&Value::Bool(false), &Value::from("Stop"))
    );
    assert_eq!(explain("a", "live", &[])["Allowed"], true);
}
