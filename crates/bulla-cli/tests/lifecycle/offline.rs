//! What needs no service's secrets, or no room.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::harness::{bulla, init, on};

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
