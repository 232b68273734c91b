//! From `init` to recovery: what a data directory goes through.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::Value;

/// The program under test.
const BULLA: &str = env!("CARGO_BIN_EXE_bulla");

/// An access key.
struct Credentials {
    access_key_id: String,
    secret_access_key: String,
}

fn bulla(args: &[&str]) -> Finished {
    BullaCommand::new(BULLA).args(args).run().expect("bulla runs")
}

fn on(data: &Path, command: &[&str]) -> Finished {
    BullaCommand::new(BULLA)
        .args(command)
        .arg("--data-dir")
        .arg(data)
        .run()
        .expect("bulla runs")
}

/// Makes a data directory and answers with what was printed.
fn init(data: &Path, more: &[&str]) -> (Credentials, Value) {
    let mut command = vec!["init", "--output", "json"];
    command.extend(more);
    let finished = on(data, &command);
    assert!(finished.succeeded(), "{finished:?}");
    let printed: Value = serde_json::from_slice(&finished.stdout).expect("JSON");
    assert_eq!(printed["Version"], 1);
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    (
        Credentials {
            access_key_id: text("AccessKeyId"),
            secret_access_key: text("SecretAccessKey"),
        },
        printed,
    )
}

/// A client command, signed.
fn client(server: &BullaProcess, who: &Credentials, args: &[&str]) -> BullaCommand {
    BullaCommand::new(BULLA)
        .args(args)
        .args(["--endpoint", server.endpoint()])
        .credentials(&who.access_key_id, &who.secret_access_key)
}

fn seal(server: &BullaProcess, who: &Credentials, plaintext: &str) -> Vec<u8> {
    let made = client(server, who, &["key", "create", "--alias", "app"])
        .run()
        .expect("bulla runs");
    assert!(made.succeeded(), "{made:?}");
    let sealed = client(
        server,
        who,
        &["seal", "--key", "aws-kms:///alias/app", "--context", "a=b"],
    )
    .stdin(plaintext);
    let sealed = sealed.run().expect("bulla runs");
    assert!(sealed.succeeded(), "{sealed:?}");
    sealed.stdout
}

fn open(server: &BullaProcess, who: &Credentials, sealed: &[u8]) -> Finished {
    let open = client(
        server,
        who,
        &["open", "--key", "aws-kms:///alias/app", "--context", "a=b"],
    )
    .stdin(sealed);
    open.run().expect("bulla runs")
}

#[test]
fn what_was_sealed_opens_after_a_restart_and_the_log_verifies() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let (admin, _) = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let sealed = seal(&server, &admin, "hello");
    let (status, log) = server.stop().expect("it stops when asked");
    assert!(status.success(), "{log}");
    let server = BullaProcess::production(BULLA, &data).expect("it starts again");
    assert_eq!(open(&server, &admin, &sealed).stdout, b"hello");
    // Beside the running server.
    let verified = on(&data, &["audit", "verify", "--output", "json"]);
    assert!(verified.succeeded(), "{verified:?}");
    let report: Value = serde_json::from_slice(&verified.stdout).expect("JSON");
    assert_eq!(report["Verdict"], "consistent, completeness not vouched for");
    assert!(report["Events"].as_u64() >= Some(4), "{report}");
}

#[test]
fn a_lost_root_key_is_recovered_from_any_two_of_three_shares() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let (admin, printed) = init(&data, &["--recovery-shares", "2/3"]);
    let shares: Vec<&str> = printed["RecoveryShares"]
        .as_array()
        .expect("shares")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let sealed = seal(&server, &admin, "hello");
    server.stop().expect("it stops");

    fs::remove_file(data.join("root.key")).expect("lost");
    let refused = BullaProcess::production(BULLA, &data).expect_err("nothing starts without its root key");
    assert!(refused.logs.contains("bulla root recover"), "{}", refused.logs);
    assert!(!data.join("root.key").exists(), "no key is made in place of a lost one");

    let one = on(&data, &["root", "recover", "--share", shares[0]]);
    assert_eq!(one.code, Some(1), "{one:?}");
    assert!(
        one.stderr.contains("1 different shares were given, 2 are needed"),
        "{one:?}"
    );
    let file = dir.path().join("shares");
    fs::write(&file, format!("{}\n\n  {}\n", shares[2], shares[0].to_uppercase())).expect("written");
    let recovered = on(
        &data,
        &["root", "recover", "--share-file", file.to_str().expect("UTF-8")],
    );
    assert!(recovered.succeeded(), "{recovered:?}");

    let server = BullaProcess::production(BULLA, &data).expect("it starts again");
    assert_eq!(open(&server, &admin, &sealed).stdout, b"hello");
    drop(server);
    assert!(on(&data, &["audit", "verify"]).succeeded());
    let exported = on(&data, &["audit", "export"]).stdout_text();
    assert!(
        exported.contains("\"eventName\":\"ReplaceRoots\""),
        "the recovery is in the log"
    );

    // The shares still work: they were wrapped anew, too.
    fs::remove_file(data.join("root.key")).expect("lost again");
    let again = on(&data, &["root", "recover", "--share", shares[1], "--share", shares[0]]);
    assert!(again.succeeded(), "{again:?}");
    let needless = on(&data, &["root", "recover", "--share", shares[1], "--share", shares[0]]);
    assert!(needless.stderr.contains("nothing is lost"), "{needless:?}");
}

#[test]
fn a_lost_root_key_is_recovered_with_the_second_root() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, second) = (dir.path().join("data"), dir.path().join("second.key"));
    let uri = format!("local://{}", second.display());
    let (admin, _) = init(&data, &["--second-root", &uri]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let sealed = seal(&server, &admin, "hello");
    drop(server.kill9());
    fs::remove_file(data.join("root.key")).expect("lost");
    let recovered = on(&data, &["root", "recover"]);
    assert!(recovered.succeeded(), "{recovered:?}");
    let server = BullaProcess::production(BULLA, &data).expect("it starts again");
    assert_eq!(open(&server, &admin, &sealed).stdout, b"hello");
}

#[test]
fn a_recovery_that_was_killed_before_its_last_step_is_finished_by_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    // As if killed between the commit and the rename.
    fs::rename(data.join("root.key"), data.join("root.key.recovered")).expect("renamed");
    let finished = on(&data, &["root", "recover"]);
    assert!(finished.succeeded(), "{finished:?}");
    BullaProcess::production(BULLA, &data).expect("it starts");
}

#[test]
fn another_stores_root_key_is_refused_and_never_overwritten() {
    let dir = tempfile::tempdir().expect("a directory");
    let (ours, others) = (dir.path().join("ours"), dir.path().join("others"));
    let (_, printed) = init(&ours, &["--recovery-shares", "2/2"]);
    init(&others, &[]);
    fs::copy(others.join("root.key"), ours.join("root.key")).expect("copied");
    let refused = BullaProcess::production(BULLA, &ours).expect_err("the wrong key");
    assert!(
        refused.logs.contains("this root key does not open this store"),
        "{}",
        refused.logs
    );
    let shares = printed["RecoveryShares"].as_array().expect("shares");
    let share = |at: usize| shares[at].as_str().expect("a text");
    let recovered = on(&ours, &["root", "recover", "--share", share(0), "--share", share(1)]);
    assert_eq!(recovered.code, Some(1), "{recovered:?}");
    assert!(recovered.stderr.contains("move it away"), "{recovered:?}");
    let kept = fs::read(ours.join("root.key")).expect("there");
    assert_eq!(kept, fs::read(others.join("root.key")).expect("there"));
}

#[test]
fn production_and_development_directories_never_open_in_the_other_mode() {
    let dir = tempfile::tempdir().expect("a directory");
    let (made, dev) = (dir.path().join("made"), dir.path().join("dev"));
    init(&made, &[]);
    let with_dev = BullaProcess::dev_command(BULLA).arg("--data-dir").arg(&made);
    let refused = BullaProcess::start(&with_dev).expect_err("made by init");
    assert!(
        refused.logs.contains("--dev would let everybody in"),
        "{}",
        refused.logs
    );
    let with_dev = BullaProcess::dev_command(BULLA).arg("--data-dir").arg(&dev);
    BullaProcess::start(&with_dev)
        .expect("a new development directory")
        .stop()
        .expect("it stops");
    BullaProcess::start(&with_dev)
        .expect("and again")
        .stop()
        .expect("it stops");
    let refused = BullaProcess::production(BULLA, &dev).expect_err("made by --dev");
    assert!(refused.logs.contains("development directory"), "{}", refused.logs);
    assert_eq!(on(&dev, &["init"]).code, Some(1));
}

#[test]
fn a_throw_away_service_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let command = BullaProcess::dev_command(BULLA).env("TMPDIR", dir.path());
    let server = BullaProcess::start(&command).expect("it starts");
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 1);
    let anybody = Credentials {
        access_key_id: "any".into(),
        secret_access_key: "thing".into(),
    };
    let sealed = seal(&server, &anybody, "hello");
    assert_eq!(open(&server, &anybody, &sealed).stdout, b"hello");
    let (status, log) = server.stop().expect("it stops");
    assert!(status.success() && log.contains("DEV MODE"), "{log}");
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 0);
}

#[test]
fn a_directory_that_lets_others_in_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    for file in fs::read_dir(&data).expect("readable") {
        let mode = file
            .and_then(|file| file.metadata())
            .expect("metadata")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "no file of it is for others");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("set");
    let refused = BullaProcess::production(BULLA, &data).expect_err("open to others");
    assert!(refused.logs.contains("0755"), "{}", refused.logs);
    let doctor = on(&data, &["doctor", "--output", "json"]);
    assert_eq!(doctor.code, Some(1));
    assert!(
        doctor
            .stdout_text()
            .contains("docs/troubleshooting.md#data-directory-permissions"),
        "{doctor:?}"
    );
}

#[test]
fn an_init_that_was_killed_leaves_nothing_usable_and_the_next_one_starts_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = dir.path().join("whole");
    init(&whole, &[]);
    // The states between the steps, in their order.
    let steps: [&[&str]; 4] = [
        &[],
        &["root.key"],
        &["root.key", "bulla.db"],
        &["root.key", "bulla.db", "audit.pub"],
    ];
    for (step, files) in steps.into_iter().enumerate() {
        let data = dir.path().join(format!("killed-{step}"));
        fs::create_dir(&data).expect("made");
        fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("set");
        fs::write(data.join("mode"), if step == 0 { "" } else { "incomplete" }).expect("written");
        for file in files {
            fs::copy(whole.join(file), data.join(file)).expect("copied");
        }
        let refused = BullaProcess::production(BULLA, &data).expect_err("never finished");
        assert!(refused.logs.contains("never finished"), "{}", refused.logs);
        let (admin, _) = init(&data, &[]);
        let server = BullaProcess::production(BULLA, &data).expect("it starts");
        let sealed = seal(&server, &admin, "hello");
        assert_eq!(open(&server, &admin, &sealed).stdout, b"hello");
    }
}

#[test]
fn credentials_that_can_not_be_printed_leave_no_directory_that_opens() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let full = std::process::Command::new("/bin/sh")
        .args(["-c", "exec \"$0\" init --data-dir \"$1\" > /dev/full", BULLA])
        .arg(&data)
        .output()
        .expect("sh runs");
    assert_eq!(full.status.code(), Some(1));
    assert!(!data.join("root.key").exists() && !data.join("bulla.db").exists());
    init(&data, &[]);
}

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
fn the_log_verifies_and_exports_with_the_public_key_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let key = data.join("audit.pub");
    let checkpoint = dir.path().join("checkpoint");
    fs::write(&checkpoint, on(&data, &["audit", "checkpoint"]).stdout).expect("written");
    assert!(on(&data, &["principal", "create", "ann", "--role", "user"]).succeeded());
    fs::remove_file(data.join("root.key")).expect("removed");
    let key = key.to_str().expect("UTF-8");
    let compared = [
        "audit",
        "verify",
        "--public-key",
        key,
        "--checkpoint",
        checkpoint.to_str().expect("UTF-8"),
    ];
    let verified = on(&data, &compared);
    assert!(verified.succeeded(), "{verified:?}");
    assert!(
        verified.stdout_text().contains("complete up to event 1"),
        "{verified:?}"
    );
    let lines = on(&data, &["audit", "export", "--public-key", key]);
    assert!(lines.succeeded(), "{lines:?}");
    let events: Vec<Value> = lines
        .stdout_text()
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event a line"))
        .collect();
    assert!(
        events.iter().enumerate().all(|(at, event)| event["sequence"] == at),
        "{events:?}"
    );
    let cloudtrail = on(
        &data,
        &[
            "audit",
            "export",
            "--public-key",
            key,
            "--format",
            "cloudtrail",
            "--from",
            "1",
        ],
    );
    let document: Value = serde_json::from_slice(&cloudtrail.stdout).expect("one document");
    assert_eq!(document["Records"].as_array().map(Vec::len), Some(events.len() - 1));
    let proof = on(&data, &["audit", "prove", "1", "--public-key", key]);
    let bundle: Value = serde_json::from_slice(&proof.stdout).expect("a bundle");
    assert_eq!(bundle["sequence"], 1);
    assert_eq!(on(&data, &["audit", "prove", "99", "--public-key", key]).code, Some(2));
}

#[test]
fn a_value_longer_than_a_record_is_refused_and_no_file_is_left() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let key = format!("local://{}", data.join("root.key").display());
    let (long, sealed, opened) = (
        dir.path().join("long"),
        dir.path().join("sealed"),
        dir.path().join("opened"),
    );
    let path = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let file = fs::File::create(&long).expect("made");
    file.set_len(64 * 1024 * 1024 + 1).expect("a hole");
    let refused = bulla(&["seal", "--key", &key, "--in", &path(&long), "--out", &path(&sealed)]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("64 MiB") && !sealed.exists(), "{refused:?}");
    assert_eq!(
        fs::read_dir(dir.path()).expect("readable").count(),
        2,
        "no temporary file is left"
    );
    file.set_len(48 * 1024 * 1024).expect("a hole");
    for format in ["binary", "text", "json"] {
        let done = bulla(&[
            "seal",
            "--key",
            &key,
            "--in",
            &path(&long),
            "--out",
            &path(&sealed),
            "--format",
            format,
        ]);
        assert!(done.succeeded(), "{done:?}");
        assert_eq!(
            fs::metadata(&sealed).expect("there").permissions().mode() & 0o777,
            0o600
        );
        let done = bulla(&["open", "--key", &key, "--in", &path(&sealed), "--out", &path(&opened)]);
        assert!(done.succeeded(), "{format}: {done:?}");
        assert!(
            fs::read(&opened).expect("there") == fs::read(&long).expect("there"),
            "{format}"
        );
    }
    let other = dir.path().join("other");
    fs::copy(&sealed, &other).expect("copied");
    fs::write(&opened, "old").expect("written");
    let wrong = bulla(&[
        "open",
        "--key",
        &key,
        "--in",
        &path(&other),
        "--out",
        &path(&opened),
        "--binding",
        "elsewhere",
    ]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert_eq!(
        fs::read(&opened).expect("there"),
        b"old",
        "a failure leaves the file as it was"
    );
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
