//! The root key is lost.

use std::fs;
use std::path::Path;

use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::Value;

use crate::harness::{BULLA, init, on, open, seal};

/// Gives shares on stdin.
fn recover(data: &Path, shares: &[&str]) -> Finished {
    BullaCommand::new(BULLA)
        .args(["root", "recover", "--share-file", "-", "--data-dir"])
        .arg(data)
        .stdin(shares.join("\n"))
        .run()
        .expect("bulla runs")
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

    let one = recover(&data, &[shares[0]]);
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
    let again = recover(&data, &[shares[1], shares[0]]);
    assert!(again.succeeded(), "{again:?}");
    let needless = recover(&data, &[shares[1], shares[0]]);
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
    let recovered = recover(&ours, &[share(0), share(1)]);
    assert_eq!(recovered.code, Some(1), "{recovered:?}");
    assert!(recovered.stderr.contains("move it away"), "{recovered:?}");
    let kept = fs::read(ours.join("root.key")).expect("there");
    assert_eq!(kept, fs::read(others.join("root.key")).expect("there"));
}

#[test]
fn a_recovery_that_was_killed_never_puts_its_key_over_another() {
    let dir = tempfile::tempdir().expect("a directory");
    let (ours, others) = (dir.path().join("ours"), dir.path().join("others"));
    init(&ours, &[]);
    init(&others, &[]);
    fs::rename(ours.join("root.key"), ours.join("root.key.recovered")).expect("renamed");
    fs::copy(others.join("root.key"), ours.join("root.key")).expect("copied");
    let refused = on(&ours, &["root", "recover"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("move it away"), "{refused:?}");
    let kept = fs::read(ours.join("root.key")).expect("there");
    assert_eq!(kept, fs::read(others.join("root.key")).expect("there"));
}

#[test]
fn two_root_keys_that_differ_in_their_extension_are_recovered_beside_each_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = (dir.path().join("data-a"), dir.path().join("data-b"));
    let root = |name: &str| format!("local://{}/{name}", dir.path().display());
    let (_, printed) = init(&a, &["--root", &root("root.a"), "--recovery-shares", "2/2"]);
    init(&b, &["--root", &root("root.b")]);
    // As if the recovery of b had been killed before its last step.
    fs::rename(dir.path().join("root.b"), dir.path().join("root.b.recovered")).expect("renamed");
    fs::remove_file(dir.path().join("root.a")).expect("lost");
    let shares: Vec<&str> = printed["RecoveryShares"]
        .as_array()
        .expect("shares")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(recover(&a, &shares).succeeded());
    assert!(on(&b, &["root", "recover"]).succeeded(), "b's key is still there");
    for data in [a, b] {
        BullaProcess::production(BULLA, &data).expect("it starts");
    }
}
