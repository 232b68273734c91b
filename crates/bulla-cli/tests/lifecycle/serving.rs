//! A server and who uses it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::Value;

use crate::harness::{BULLA, Credentials, client, init, on};

#[test]
fn a_user_that_is_disabled_beside_a_running_server_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let (admin, _) = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let made = on(
        &data,
        &["principal", "create", "ann", "--role", "admin", "--output", "json"],
    );
    let printed: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    let ann = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    };
    assert!(
        client(&server, &ann, &["key", "list"])
            .run()
            .expect("bulla runs")
            .succeeded()
    );
    assert!(on(&data, &["principal", "disable", "ann"]).succeeded());
    let refused = client(&server, &ann, &["key", "list"]).run().expect("bulla runs");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(on(&data, &["principal", "enable", "ann"]).succeeded());
    // A node learns of what others enabled at its own next commit.
    assert!(
        client(&server, &admin, &["key", "list"])
            .run()
            .expect("bulla runs")
            .succeeded()
    );
    assert!(
        client(&server, &ann, &["key", "list"])
            .run()
            .expect("bulla runs")
            .succeeded()
    );
    assert!(on(&data, &["principal", "access-key", "delete", &ann.access_key_id]).succeeded());
    assert_eq!(
        client(&server, &ann, &["key", "list"]).run().expect("bulla runs").code,
        Some(1)
    );
}

#[test]
fn an_identity_policy_that_is_given_beside_a_running_server_decides_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let (admin, _) = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let made = on(
        &data,
        &["principal", "create", "ann", "--role", "user", "--output", "json"],
    );
    let printed: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    let ann = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    };
    let lists = |who: &Credentials| client(&server, who, &["key", "list"]).run().expect("bulla runs").code;
    assert_eq!((lists(&admin), lists(&ann)), (Some(0), Some(1)));
    let document = dir.path().join("policy.json");
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:List*","Resource":"*"}}"#;
    fs::write(&document, policy).expect("a file");
    let document = document.to_str().expect("text");
    let put = ["principal", "put-policy", "ann", "lists", "--document", document];
    assert!(on(&data, &put).succeeded());
    assert_eq!(lists(&ann), Some(0));
    let names = on(&data, &["principal", "list-policies", "ann", "--output", "json"]);
    let names: Value = serde_json::from_slice(&names.stdout).expect("JSON");
    assert_eq!(names["PolicyNames"], serde_json::json!(["lists"]));
    let shown = on(&data, &["principal", "get-policy", "ann", "lists"]);
    assert_eq!(shown.stdout, format!("{policy}\n").as_bytes());
    assert!(on(&data, &["principal", "delete-policy", "ann", "lists"]).succeeded());
    assert_eq!(lists(&ann), Some(1));
    fs::write(document, "{}").expect("a file");
    let refused = on(&data, &put);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let said = &refused.stderr;
    assert!(said.contains("missing required field Statement"), "{said}");
}

#[test]
fn off_loopback_plain_http_and_dev_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let plain = BullaCommand::new(BULLA)
        .args(["serve", "--listen", "0.0.0.0:0", "--data-dir"])
        .arg(&data);
    let refused = BullaProcess::start(&plain).expect_err("plain HTTP");
    assert!(refused.logs.contains("--behind-tls-proxy"), "{}", refused.logs);
    BullaProcess::start(&plain.arg("--behind-tls-proxy"))
        .expect("a proxy is in front")
        .stop()
        .expect("it stops");
    let dev = BullaCommand::new(BULLA).args(["serve", "--dev", "--listen", "0.0.0.0:0"]);
    let refused = BullaProcess::start(&dev).expect_err("everybody");
    assert!(refused.logs.contains("--dev-allow-remote"), "{}", refused.logs);
}

#[test]
fn the_announcement_is_in_the_log_whatever_its_form_and_filter() {
    let quiet = BullaProcess::dev_command(BULLA)
        .args(["--log-format", "json"])
        .env("BULLA_LOG", "error");
    let server = BullaProcess::start(&quiet).expect("it announces itself");
    let log = server.logs();
    let line = log.lines().find(|line| line.contains("listening")).expect("a line");
    let event: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(event["message"], format!("bulla is listening on {}", server.endpoint()));
}

#[test]
fn doctor_names_what_is_wrong_with_its_anchor() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let ids = |finished: &Finished| -> Vec<String> {
        let document: Value = serde_json::from_slice(&finished.stdout).expect("JSON");
        let list = document["Findings"].as_array().expect("findings").clone();
        list.iter()
            .map(|finding| finding["Id"].as_str().expect("a text").to_owned())
            .collect()
    };
    let doctor = ["doctor", "--output", "json"];
    assert_eq!(ids(&on(&data, &doctor)), ["no-data-directory"]);
    init(&data, &[]);
    let finished = on(&data, &doctor);
    assert_eq!(
        (ids(&finished), finished.code),
        (vec!["no-second-root".to_owned()], Some(0))
    );
    let legacy = BullaCommand::new(BULLA)
        .args(doctor)
        .arg("--data-dir")
        .arg(&data)
        .env("KMS_KEY_ALIAS", "alias/x");
    assert_eq!(
        ids(&legacy.run().expect("bulla runs")),
        ["legacy-variable", "no-second-root"]
    );
    fs::rename(data.join("root.key"), dir.path().join("kept")).expect("moved");
    assert_eq!(ids(&on(&data, &doctor)), ["root-key-missing", "no-second-root"]);
    fs::copy(dir.path().join("kept"), data.join("root.key")).expect("copied");
    fs::set_permissions(data.join("root.key"), Permissions::from_mode(0o644)).expect("set");
    assert_eq!(ids(&on(&data, &doctor)), ["root-key-unusable", "no-second-root"]);
    fs::remove_file(data.join("root.key")).expect("removed");
    fs::remove_file(data.join("bulla.db")).expect("removed");
    fs::copy(dir.path().join("kept"), data.join("root.key")).expect("copied");
    assert_eq!(ids(&on(&data, &doctor)), ["database-unreachable"]);
    assert!(!data.join("bulla.db").exists(), "doctor changes nothing");
}
