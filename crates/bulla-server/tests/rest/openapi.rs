//! The OpenAPI document: valid, as committed, and true of what the server answers.
//!
//! Needs `BULLA_TEST_VENV`, which `scripts/test` sets. `BULLA_UPDATE_DOCS=1` writes `docs/openapi.json` anew.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use bulla_model::Role;
use bulla_server::openapi;
use serde_json::{Value, json};

use crate::client::*;
use crate::tokens::with_tokens;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json")
}

#[test]
fn the_committed_document_is_the_one_that_the_table_makes() {
    let made = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
    if env::var_os("BULLA_UPDATE_DOCS").is_some() {
        fs::write(committed(), &made).unwrap();
    }
    let found = fs::read_to_string(committed()).unwrap();
    assert!(
        found == made,
        "docs/openapi.json is old: run this test with BULLA_UPDATE_DOCS=1"
    );
}

#[tokio::test]
async fn the_document_is_valid_and_the_answers_are_what_it_says() {
    let h = with_tokens().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let served = request(&h, "GET", "/v1/openapi.json", "", "").await;
    assert_eq!(served.json(), openapi());
    let batch = json!({"batch_id": "one", "events": [{"name": "Open", "time": "2026-01-01T00:00:00Z", "context": {"client_id": "a"}}]});
    let mut exchanges = vec![json!([
        "POST",
        "/v1/audit/events",
        ann.post(&h, "/v1/audit/events", &batch).await.json(),
        batch
    ])];
    let grant = json!({"key": "*", "principal": ann.arn.as_str(), "operations": ["Encrypt"], "constraints": {"context_equals": {"a": "b"}}});
    let given = ann.post(&h, "/v1/grants", &grant).await.json();
    exchanges.push(json!(["POST", "/v1/grants", given, grant]));
    for path in [
        "/v1/grants",
        "/v1/audit",
        "/v1/audit/reports/client?client=a",
        "/v1/audit/reports/outside-hours",
        "/v1/audit/reports/principals",
        "/v1/audit/reports/denied",
        "/v1/changes",
    ] {
        exchanges.push(json!([
            "GET",
            path.split('?').next(),
            ann.get(&h, path).await.json(),
            null
        ]));
    }
    let token = json!({"value": "s3cret", "ttl_seconds": 900, "type": "Bearer", "scopes": ["read"], "metadata": {"account": "42"}});
    let batch =
        json!({"tokens": [{"client": "a", "provider": "stripe"}, {"client": "a", "provider": "none", "name": "n"}]});
    for (method, path, of, body) in [
        ("PUT", "/v1/tokens/a/stripe", "/v1/tokens/{client}/{provider}", token),
        (
            "PUT",
            "/v1/tokens/a/stripe?name=n",
            "/v1/tokens/{client}/{provider}",
            json!({"value_base64": "/wA="}),
        ),
        (
            "GET",
            "/v1/tokens/a/stripe",
            "/v1/tokens/{client}/{provider}",
            Value::Null,
        ),
        (
            "GET",
            "/v1/tokens/a/stripe?name=n",
            "/v1/tokens/{client}/{provider}",
            Value::Null,
        ),
        ("GET", "/v1/tokens?client=a", "/v1/tokens", Value::Null),
        ("GET", "/v1/tokens/stats", "/v1/tokens/stats", Value::Null),
        ("POST", "/v1/tokens/batch-get", "/v1/tokens/batch-get", batch),
        (
            "PUT",
            "/v1/tokens/a/stripe/grant",
            "/v1/tokens/{client}/{provider}/grant",
            json!({"refresh_token": "r0"}),
        ),
        (
            "POST",
            "/v1/tokens/a/fetched/refresh",
            "/v1/tokens/{client}/{provider}/refresh",
            Value::Null,
        ),
        (
            "DELETE",
            "/v1/tokens/a/stripe",
            "/v1/tokens/{client}/{provider}",
            Value::Null,
        ),
        ("POST", "/v1/tokens/a/revoke", "/v1/tokens/{client}/revoke", Value::Null),
    ] {
        let answer = ann.send(&h, method, path, &body).await.json();
        exchanges.push(json!([method, of, answer, body]));
    }
    let take = format!("/v1/grants?key=*&principal={}", ann.arn.as_str());
    let taken = ann.send(&h, "DELETE", &take, &Value::Null).await.json();
    exchanges.push(json!(["DELETE", "/v1/grants", taken, null]));
    exchanges.push(json!([
        "PROBLEM",
        "",
        ann.get(&h, "/v1/audit?limit=0").await.json(),
        null
    ]));
    let directory = tempfile::tempdir().unwrap();
    let (document, answers) = (
        directory.path().join("openapi.json"),
        directory.path().join("answers.json"),
    );
    fs::write(&document, &served.body).unwrap();
    fs::write(&answers, serde_json::to_vec(&exchanges).unwrap()).unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "scripts/test says by its environment where things are"
    )]
    let venv = env::var("BULLA_TEST_VENV").expect("the test script sets what the tests need: run ./scripts/test");
    let checked = Command::new(Path::new(&venv).join("bin/python3"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/check_openapi.py"))
        .args([&document, &answers])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(
        String::from_utf8_lossy(&checked.stdout),
        "22 answers are as documented\n"
    );
}
