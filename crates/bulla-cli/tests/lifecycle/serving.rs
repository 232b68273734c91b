//! A server and who uses it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

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
    let explain = |action: &str| {
        let question = [
            "policy",
            "explain",
            "--principal",
            "ann",
            "--operation",
            action,
            "--resource",
            "*",
        ];
        let text = on(&data, &question).stdout_text();
        let told = on(&data, &[&question[..], &["--output", "json"]].concat());
        (text, serde_json::from_slice::<Value>(&told.stdout).expect("JSON"))
    };
    let (text, told) = explain("kms:ListKeys");
    assert_eq!(
        (&told["Allowed"], &told["DecidedBy"]),
        (
            &serde_json::json!(true),
            &serde_json::json!([{"policy": "identity policy lists", "statement": 0}])
        )
    );
    assert!(text.contains("identity policy lists, statement 0"), "{text}");
    let (text, told) = explain("kms:CreateKey");
    assert_eq!(
        (&told["Allowed"], &told["DecidedBy"]),
        (&serde_json::json!(false), &serde_json::json!([]))
    );
    let denial = "because no identity-based policy allows the kms:CreateKey action";
    assert!(text.contains(denial) && told["Denial"].as_str().is_some_and(|said| said.ends_with(denial)));
    let names = on(&data, &["principal", "list-policies", "ann", "--output", "json"]);
    let names: Value = serde_json::from_slice(&names.stdout).expect("JSON");
    assert_eq!(names["PolicyNames"], serde_json::json!(["lists"]));
    let shown = on(&data, &["principal", "get-policy", "ann", "lists"]);
    assert_eq!(shown.stdout, format!("{policy}\n").as_bytes());
    assert!(on(&data, &["principal", "delete-policy", "ann", "lists"]).succeeded());
    assert_eq!(lists(&ann), Some(1));
    // What denied is in the server's log.
    let never = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:List*","Resource":"*"}}"#;
    fs::write(document, never).expect("a file");
    assert!(
        on(
            &data,
            &["principal", "put-policy", "ann", "never", "--document", document]
        )
        .succeeded()
    );
    assert_eq!(lists(&ann), Some(1));
    let decided_by = r#"decided_by=[{"policy":"identity policy never","statement":0}]"#;
    server.wait_for_log(decided_by).expect("a line that says so");
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
        (
            vec!["no-second-root".to_owned(), "root-beside-database".to_owned()],
            Some(0)
        )
    );
    let legacy = BullaCommand::new(BULLA)
        .args(doctor)
        .arg("--data-dir")
        .arg(&data)
        .env("KMS_KEY_ALIAS", "alias/x");
    assert_eq!(
        ids(&legacy.run().expect("bulla runs")),
        ["legacy-variable", "no-second-root", "root-beside-database"]
    );
    fs::rename(data.join("root.key"), dir.path().join("kept")).expect("moved");
    assert_eq!(ids(&on(&data, &doctor)), ["root-key-missing", "no-second-root"]);
    fs::copy(dir.path().join("kept"), data.join("root.key")).expect("copied");
    fs::set_permissions(data.join("root.key"), Permissions::from_mode(0o644)).expect("set");
    assert_eq!(
        ids(&on(&data, &doctor)),
        ["root-key-unusable", "no-second-root", "root-beside-database"]
    );
    fs::remove_file(data.join("root.key")).expect("removed");
    fs::remove_file(data.join("bulla.db")).expect("removed");
    fs::copy(dir.path().join("kept"), data.join("root.key")).expect("copied");
    assert_eq!(ids(&on(&data, &doctor)), ["database-unreachable"]);
    assert!(!data.join("bulla.db").exists(), "doctor changes nothing");
}

#[test]
fn doctor_says_whether_the_root_key_lies_beside_the_database() {
    let dir = tempfile::tempdir().expect("a directory");
    let beside = |data: &Path| {
        let found = on(data, &["doctor", "--output", "json"]);
        found
            .stdout_text()
            .contains("docs/troubleshooting.md#root-beside-database")
    };
    let (here, apart, elsewhere) = (
        dir.path().join("here"),
        dir.path().join("apart"),
        dir.path().join("elsewhere"),
    );
    init(&here, &[]);
    assert!(beside(&here));
    fs::create_dir(&elsewhere).expect("made");
    init(&apart, &["--root", &format!("local://{}/r.key", elsewhere.display())]);
    assert!(!beside(&apart));
    let database = format!("sqlite://{}/x.db", elsewhere.display());
    let both = dir.path().join("both");
    init(
        &both,
        &[
            "--root",
            &format!("local://{}/r.key", elsewhere.display()),
            "--database",
            &database,
        ],
    );
    assert!(beside(&both), "a database elsewhere, with the root key beside it there");
}

#[test]
fn a_server_leaves_no_core_and_is_closed_to_other_processes_of_its_user() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("home");
    let binary = dir.path().join("bulla");
    fs::create_dir(&home).expect("made");
    fs::copy(BULLA, &binary).expect("copied");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("set");
    // Files of root say nothing: the server runs as somebody else, where this test may choose.
    let nobody = 65_534;
    let me = fs::metadata(&home).expect("metadata").uid();
    let (user, prefix) = match me {
        0 => {
            chown(&home, Some(nobody), Some(nobody)).expect("given away");
            (
                nobody,
                &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"][..],
            )
        }
        me => (me, &["env"][..]),
    };
    let owner = |id: u32| fs::metadata(format!("/proc/{id}/environ")).expect("it runs").uid();

    // What the system shows of a process that guards nothing, and that it is not shown of this one.
    let mut open = Command::new(prefix[0]);
    let open = open
        .args(&prefix[1..])
        .args(["cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut open = open.spawn().expect("cat runs");
    std::io::Write::write_all(open.stdin.as_mut().expect("piped"), b"x").expect("written");
    std::io::Read::read_exact(open.stdout.as_mut().expect("piped"), &mut [0]).expect("it runs by now");
    assert_eq!(owner(open.id()), user);
    drop(open.stdin.take());
    open.wait().expect("it ends");

    let command = BullaCommand::new(format!("/usr/bin/{}", prefix[0]))
        .args(&prefix[1..])
        .arg(&binary)
        .args(["serve", "--listen", "127.0.0.1:0", "--dev"])
        .env("TMPDIR", &home);
    let server = BullaProcess::start(&command).expect("it starts");
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).expect("readable");
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size"));
    let core: Vec<_> = core.expect("a limit on cores").split_whitespace().take(2).collect();
    assert_eq!(core, ["0", "0"]);
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).expect("readable");
    assert!(status.contains(&format!("Uid:\t{user}\t")), "{status}");
    assert_eq!(
        owner(server.id()),
        0,
        "not dumpable: its files are root's, and only root may trace it"
    );
}

#[test]
fn seal_and_open_look_an_alias_up_in_the_region_of_the_settings() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let (admin, _) = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let run = |command: BullaCommand| command.env("AWS_REGION", "us-east-1").run().expect("bulla runs");
    let made = run(client(
        &server,
        &admin,
        &["key", "create", "--region", "eu-west-1", "--alias", "there"],
    ));
    assert!(made.succeeded(), "{made:?}");
    let seal = || client(&server, &admin, &["seal", "--key", "aws-kms:///alias/there"]).stdin("hello");
    assert_eq!(run(seal()).code, Some(1), "no such alias in the chain's region");
    let sealed = run(seal().env("BULLA_CLIENT__REGION", "eu-west-1"));
    assert!(sealed.succeeded(), "{sealed:?}");
    let open = client(&server, &admin, &["open", "--key", "aws-kms:///alias/there"]).stdin(sealed.stdout);
    assert_eq!(run(open.env("BULLA_CLIENT__REGION", "eu-west-1")).stdout, b"hello");
}
