//! An `init` that does not come to its end.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use bulla_testkit::{BullaCommand, BullaProcess};
use serde_json::Value;

use crate::harness::{Client, refusal};
use crate::support::{BULLA, Credentials, init};

/// Whatever a killed `init` left is refused and made anew by the next, or it is whole and its credentials were printed.
fn after_a_killed_init(data: &Path, printed: &str) -> bool {
    let again = BullaCommand::new(BULLA)
        .args(["init", "--output", "json", "--data-dir"])
        .arg(data)
        .run()
        .expect("init runs");
    let whole = again.stderr.contains("is a production data directory already");
    assert!(again.succeeded() || whole, "{again:?}");
    if whole {
        assert!(
            printed.contains("SecretAccessKey"),
            "it was finished before its credentials were printed"
        );
    }
    let printed = if whole { printed.to_owned() } else { again.stdout_text() };
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    let credentials = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    };
    let server = BullaProcess::production(BULLA, data).expect("it starts");
    let mut client = Client::new(&credentials);
    let key = client.new_key(&server);
    client.seal(&server, &key);
    client.nothing_is_lost(&server, data);
    whole
}

#[test]
fn an_init_killed_at_any_step_is_done_anew_or_done() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut killed, mut step) = (0, 1);
    loop {
        let data = dir.path().join(format!("step-{step}"));
        // Killed as it enters the n-th call that makes something durable or visible.
        let output = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-e"])
            .arg("trace=mkdir,fsync,fdatasync,rename,unlink,ftruncate")
            .arg("-e")
            .arg(format!(
                "inject=mkdir,fsync,fdatasync,rename,unlink,ftruncate:signal=KILL:when={step}"
            ))
            .args([BULLA, "init", "--output", "json", "--data-dir"])
            .arg(&data)
            .output()
            .expect("strace runs");
        if output.status.success() {
            break;
        }
        killed += 1;
        let incomplete = !fs::read_to_string(data.join("mode")).is_ok_and(|mode| mode.starts_with("production"));
        if incomplete {
            let logs = refusal(&data);
            assert!(
                logs.contains("hint: ") && (logs.contains("never finished") || logs.contains("no data directory")),
                "{logs}"
            );
        }
        let whole = after_a_killed_init(&data, &String::from_utf8_lossy(&output.stdout));
        assert_eq!(whole, !incomplete);
        step += 1;
    }
    assert!(killed >= 5, "it was killed at steps of its own: {killed}");
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing is synchronised by it: the moments at which it dies are spread over its life"
)]
fn an_init_killed_at_any_time_is_done_anew_or_done() {
    let dir = tempfile::tempdir().expect("a directory");
    let started = Instant::now();
    init(&dir.path().join("timed"), &[]);
    let whole = started.elapsed();
    for round in 0..20_u32 {
        let data = dir.path().join(format!("round-{round}"));
        let mut child = Command::new(BULLA)
            .args(["init", "--output", "json", "--data-dir"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("init starts");
        std::thread::sleep(whole * round / 18);
        drop(child.kill());
        let output = child.wait_with_output().expect("it is gone");
        after_a_killed_init(&data, &String::from_utf8_lossy(&output.stdout));
    }
}
