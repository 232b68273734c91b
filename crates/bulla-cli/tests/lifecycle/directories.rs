//! Data directories: made, opened, refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bulla_testkit::{BullaCommand, BullaProcess};
use serde_json::Value;

use crate::harness::{BULLA, Credentials, init, on, open, seal};

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
fn init_makes_its_roots_where_variables_and_files_say() {
    let dir = tempfile::tempdir().expect("a directory");
    let (root, second) = (dir.path().join("r.key"), dir.path().join("s.key"));
    let uri = |path: &Path| format!("local://{}", path.display());
    let by_variable = dir.path().join("by-variable");
    let made = BullaCommand::new(BULLA)
        .args(["init", "--data-dir"])
        .arg(&by_variable)
        .env("BULLA_ROOT__KEY", uri(&root))
        .env("BULLA_ROOT__SECOND", uri(&second))
        .run()
        .expect("bulla runs");
    assert!(made.succeeded(), "{made:?}");
    assert!(!made.stderr.contains("there is no second root"), "{made:?}");
    assert!(root.exists() && second.exists() && !by_variable.join("root.key").exists());
    BullaProcess::production(BULLA, &by_variable).expect("it starts without the variables, too");

    let (by_file, config) = (dir.path().join("by-file"), dir.path().join("x.toml"));
    let other = dir.path().join("other.key");
    fs::write(&config, format!("[root]\nkey = '{}'\n", uri(&other))).expect("written");
    let config = config.to_str().expect("UTF-8");
    init(&by_file, &["--config", config]);
    assert!(other.exists() && !by_file.join("root.key").exists());
    let by_flag = dir.path().join("by-flag");
    init(&by_flag, &["--config", config, "--root", "local"]);
    assert!(by_flag.join("root.key").exists(), "a flag beats a file");
    BullaProcess::production(BULLA, &by_flag).expect("it starts");
}

#[test]
fn the_settings_that_a_killed_init_left_behind_set_nothing_for_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    fs::create_dir(&data).expect("made");
    fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("set");
    fs::write(data.join("mode"), "incomplete").expect("written");
    let left = format!("[root]\nkey = 'local://{}/left.key'\n", dir.path().display());
    fs::write(data.join("bulla.toml"), left).expect("written");
    init(&data, &[]);
    assert!(data.join("root.key").exists() && !dir.path().join("left.key").exists());
}

#[test]
fn a_made_directory_whose_mode_was_damaged_is_refused_and_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    for damage in ["", "in", "produ", "\n"] {
        let data = dir.path().join(format!("data-{}", damage.trim()));
        let _ = fs::remove_dir_all(&data);
        init(&data, &[]);
        let key = fs::read(data.join("root.key")).expect("a root key");
        fs::write(data.join("mode"), damage).expect("damaged");
        let refused = on(&data, &["init"]);
        assert_eq!(refused.code, Some(1), "{damage:?}: {refused:?}");
        assert!(
            refused.stderr.contains("does not say what the directory is"),
            "{refused:?}"
        );
        assert_eq!(fs::read(data.join("root.key")).expect("kept"), key);
        assert!(data.join("bulla.db").exists());
        fs::write(data.join("mode"), "production").expect("mended, as the hint says");
        BullaProcess::production(BULLA, &data).expect("it starts");
    }
}

#[test]
fn serve_dev_keeps_a_directory_that_is_named_by_a_variable_or_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("x.toml");
    fs::write(
        &config,
        format!("[store]\ndata_dir = '{}/by-file'\n", dir.path().display()),
    )
    .expect("written");
    let by_variable = BullaProcess::dev_command(BULLA).env("BULLA_STORE__DATA_DIR", dir.path().join("by-variable"));
    let by_short_name = BullaProcess::dev_command(BULLA).env("BULLA_DATA_DIR", dir.path().join("by-short-name"));
    let by_file = BullaProcess::dev_command(BULLA).arg("--config").arg(&config);
    for (command, name) in [
        (by_variable, "by-variable"),
        (by_short_name, "by-short-name"),
        (by_file, "by-file"),
    ] {
        let server = BullaProcess::start(&command).expect("it starts");
        let anybody = Credentials {
            access_key_id: "any".into(),
            secret_access_key: "thing".into(),
        };
        let sealed = seal(&server, &anybody, "hello");
        server.stop().expect("it stops");
        assert!(dir.path().join(name).join("bulla.db").exists(), "{name}");
        let server = BullaProcess::start(&command).expect("it starts again");
        assert_eq!(open(&server, &anybody, &sealed).stdout, b"hello", "{name}");
    }
}
