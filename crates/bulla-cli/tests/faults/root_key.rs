//! The root key is gone, wrong or damaged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bulla_testkit::BullaProcess;
use serde_json::Value;

use crate::harness::{Client, doctor_finds, on, refusal};
use crate::support::{BULLA, Credentials, init};

#[test]
fn a_root_key_that_is_missing_wrong_damaged_or_open_to_others_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    let credentials = init(&data, &[]);
    init(&other, &[]);
    let mut client = Client::new(&credentials);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let key = client.new_key(&server);
    client.seal(&server, &key);
    server.stop().expect("it stops by itself");
    let (root, kept) = (data.join("root.key"), dir.path().join("kept"));
    fs::rename(&root, &kept).expect("moved");

    let restore = |from: &Path, mode: u32| {
        fs::copy(from, &root).expect("copied");
        fs::set_permissions(&root, Permissions::from_mode(mode)).expect("set");
    };
    let says = |words: &[&str], finding: &str| {
        let logs = refusal(&data);
        for word in words.iter().chain(&["error: ", "hint: "]) {
            assert!(logs.contains(word), "{word} is not said: {logs}");
        }
        let findings = doctor_finds(&data);
        assert!(findings.iter().any(|found| found == finding), "{findings:?}");
    };
    says(&["root.key", "bulla root recover"], "root-key-missing");
    restore(&other.join("root.key"), 0o600);
    says(&["this root key does not open this store"], "root-key-wrong");
    restore(&kept, 0o644);
    says(&["0644", "chmod"], "root-key-unusable");
    restore(&kept, 0o600);
    fs::write(&root, "not a key").expect("written");
    says(&["root.key"], "root-key-unusable");

    restore(&kept, 0o600);
    let server = BullaProcess::production(BULLA, &data).expect("it starts with its own key");
    client.nothing_is_lost(&server, &data);
}

#[test]
fn a_lost_root_is_recovered_by_the_second_root_and_the_shares_go_on_working() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let second = format!("local://{}", dir.path().join("second.key").display());
    let made = on(
        &data,
        &[
            "init",
            "--output",
            "json",
            "--second-root",
            &second,
            "--recovery-shares",
            "2/3",
        ],
    );
    assert!(made.succeeded(), "{made:?}");
    let printed: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    let credentials = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    };
    let share = |at: usize| printed["RecoveryShares"][at].as_str().expect("a share");
    let shares = |one: usize, other: usize| {
        let path = dir.path().join(format!("shares-{one}-{other}"));
        fs::write(&path, format!("{}\n{}\n", share(one), share(other))).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    };
    let mut client = Client::new(&credentials);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let key = client.new_key(&server);
    client.seal(&server, &key);
    drop(server.kill9());
    let lost = dir.path().join("lost.key");
    let recoveries: [&[&str]; 4] = [
        &["root", "recover"],
        &["root", "recover", "--share-file", &shares(0, 2)],
        &["root", "recover"],
        &["root", "recover", "--share-file", &shares(2, 1)],
    ];
    for recover in recoveries {
        fs::rename(data.join("root.key"), &lost).expect("lost");
        let logs = refusal(&data);
        assert!(logs.contains("bulla root recover"), "{logs}");
        let recovered = on(&data, recover);
        assert!(recovered.succeeded(), "{recovered:?}");
        assert!(
            !recovered.stderr.contains("recovery:"),
            "no share is given up: {recovered:?}"
        );
        let server = BullaProcess::production(BULLA, &data).expect("it starts");
        client.seal(&server, &key);
        client.nothing_is_lost(&server, &data);
        server.stop().expect("it stops by itself");
    }
    // Who finds the lost key opens nothing with it.
    fs::rename(&lost, data.join("root.key")).expect("found");
    let logs = refusal(&data);
    assert!(logs.contains("this root key does not open this store"), "{logs}");
}
