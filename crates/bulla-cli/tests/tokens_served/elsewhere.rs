//! Clients' keys that are held elsewhere: AWS KMS, emulated by moto, and another Bulla.

use std::process::Command;

use bulla_testkit::{BullaCommand, BullaProcess};
use serde_json::{Value, json};

use crate::commands::{events, token_header};
use crate::http::{ask, get, put};
use crate::redis_server::RedisServer;
use crate::support::{BULLA, Credentials, from_test_script, in_venv, init};

/// Two services with one store, whose clients' keys are held at `kms`.
fn the_whole_flow(kms: &str, credentials: &Credentials, disables: bool) {
    let (id, secret) = (&credentials.access_key_id, &credentials.secret_access_key);
    let directory = tempfile::tempdir().expect("a directory");
    // The three calls, as they are printed, by the AWS CLI.
    let printed = BullaCommand::new(BULLA).args(["token", "client", "add", "acme", "--provider", "aws-kms", "--print"]);
    let printed = printed.run().expect("bulla runs");
    assert!(printed.succeeded(), "{printed:?}");
    let calls = printed.stdout_text();
    assert_eq!(calls.matches("aws kms ").count(), 3, "{calls}");
    let path = in_venv("aws");
    let path = format!("{}:/usr/bin:/bin", path.parent().expect("a directory").display());
    let made = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &calls])
        .env_clear()
        .envs([
            ("PATH", path.as_str()),
            ("AWS_ENDPOINT_URL", kms),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
        ])
        .envs([("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)])
        .output()
        .expect("bash runs");
    assert!(
        made.status.success(),
        "{calls} {}",
        String::from_utf8_lossy(&made.stderr)
    );
    // And made.
    let added = BullaCommand::new(BULLA)
        .args([
            "token",
            "client",
            "add",
            "globex",
            "--provider",
            "aws-kms",
            "--endpoint",
            kms,
        ])
        .credentials(id, secret)
        .env("AWS_REGION", "eu-west-1");
    let added = added.run().expect("bulla runs");
    assert!(added.succeeded(), "{added:?}");

    let data = directory.path().join("data");
    init(&data, &[]);
    let serve = BullaProcess::production_command(BULLA, &data)
        .args([
            "--token-store",
            "embedded",
            "--token-key",
            "aws-kms:///alias/tokens-{client}",
        ])
        .credentials(id, secret)
        .env("BULLA_TOKENS__POLL_SECONDS", "1")
        .env("AWS_ENDPOINT_URL", kms)
        .env("AWS_REGION", "eu-west-1");
    let (one, other) = (
        BullaProcess::start(&serve).expect("it starts"),
        BullaProcess::start(&serve).expect("so does the other"),
    );
    let admin = token_header(&data, "admin");
    for client in ["acme", "globex"] {
        let path = format!("/v1/tokens/{client}/stripe");
        put(&one, &path, &admin, client);
        assert_eq!(get(&other, &path, &admin), client);
        assert_eq!(get(&other, &path, &admin), client);
    }
    let (status, problem) = ask(&one, "PUT", "/v1/tokens/nobody/stripe", &admin, &json!({"value": "x"}));
    assert_eq!((status, &problem["code"]), (409, &json!("key_not_found")));
    let hits: Vec<_> = events(&data, "GetToken")
        .iter()
        .map(|event| event["cacheHit"].clone())
        .collect();
    assert_eq!(hits, [json!(false), json!(true), json!(false), json!(true)]);

    if disables {
        disabling_ends_its_clients_tokens(kms, credentials, &other, &admin, &added_key(&added.stdout_text()));
    }
    let (status, page) = ask(&one, "GET", "/v1/tokens?client=acme", &admin, &Value::Null);
    assert_eq!(
        (status, page["tokens"].as_array().map(Vec::len)),
        (200, Some(1)),
        "{page}"
    );
    one.stop().expect("it stops by itself");
    other.stop().expect("so does the other");
}

/// A key that is disabled there ends its client's tokens within the poll.
fn disabling_ends_its_clients_tokens(
    kms: &str,
    credentials: &Credentials,
    server: &BullaProcess,
    admin: &str,
    key: &str,
) {
    let disable = BullaCommand::new(BULLA)
        .args(["key", "disable", key, "--provider", "aws-kms", "--endpoint", kms])
        .credentials(&credentials.access_key_id, &credentials.secret_access_key)
        .env("AWS_REGION", "eu-west-1");
    let disabled = disable.run().expect("bulla runs");
    assert!(disabled.succeeded(), "{disabled:?}");
    let begin = std::time::Instant::now();
    while get(server, "/v1/tokens/globex/stripe", admin) == "globex" {
        assert!(begin.elapsed().as_secs() < 30, "the poll is every second");
    }
    assert_eq!(get(server, "/v1/tokens/globex/stripe", admin), "key_disabled");
    assert_eq!(get(server, "/v1/tokens/acme/stripe", admin), "acme");
}

/// The id of the key that `client add` printed.
fn added_key(printed: &str) -> String {
    let line = printed.lines().find(|line| line.starts_with("key"));
    let arn = line.and_then(|line| line.split_whitespace().last());
    let id = arn.and_then(|arn| arn.rsplit('/').next());
    id.expect("a line with the key").to_owned()
}

#[test]
fn the_served_vault_works_with_keys_of_moto() {
    let any = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "any".to_owned(),
    };
    // moto goes on using a key that is disabled.
    the_whole_flow(&from_test_script("BULLA_TEST_MOTO_URL"), &any, false);
}

#[test]
fn the_served_vault_works_with_keys_of_another_bulla() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("keys");
    let admin = init(&data, &[]);
    let keys = BullaProcess::production(BULLA, &data).expect("it starts");
    the_whole_flow(keys.endpoint(), &admin, true);
    keys.stop().expect("it stops by itself");
}

#[test]
fn the_variables_of_the_replaced_systems_are_enough() {
    let (kms, redis) = (from_test_script("BULLA_TEST_MOTO_URL"), RedisServer::start());
    let aws = |command: BullaCommand| {
        command
            .credentials("AKIDEXAMPLE", "any")
            .env("AWS_ENDPOINT_URL", &kms)
            .env("AWS_REGION", "eu-west-1")
    };
    let made = aws(BullaCommand::new(BULLA).args(["key", "create", "--provider", "aws-kms", "--output", "json"]));
    let made = made.run().expect("bulla runs");
    assert!(made.succeeded(), "{made:?}");
    let text = made.stdout_text();
    let (_, id) = text.split_once(":key/").expect("an ARN");
    let id = id.split('"').next().expect("a key id");
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    init(&data, &[]);
    let serve = aws(BullaProcess::production_command(BULLA, &data))
        .env("REDIS_URL", redis.url())
        .env("KMS_KEY_ID", id);
    let server = BullaProcess::start(&serve).expect("it starts");
    let admin = token_header(&data, "admin");
    for client in ["acme", "globex"] {
        put(&server, &format!("/v1/tokens/{client}/stripe"), &admin, client);
        assert_eq!(get(&server, &format!("/v1/tokens/{client}/stripe"), &admin), client);
    }
    // One key for all, each under its own context: what is one client's does not open as another's.
    let place = |client: &str| format!("bulla:tokens:{{{client}}}:t:stripe:default");
    redis.set(&place("acme"), &redis.get(&place("globex")));
    assert_eq!(get(&server, "/v1/tokens/acme/stripe", &admin), "token_not_authentic");
    assert_eq!(get(&server, "/v1/tokens/globex/stripe", &admin), "globex");
    let (_, logs) = server.stop().expect("it stops by itself");
    assert!(
        logs.contains("KMS_KEY_ID names one key for the tokens of all clients"),
        "{logs}"
    );
}
