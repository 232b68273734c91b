//! Directories, credentials, and commands on both.

use std::path::Path;

use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::Value;

/// The program under test.
pub(crate) const BULLA: &str = env!("CARGO_BIN_EXE_bulla");

/// An access key.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

pub(crate) fn bulla(args: &[&str]) -> Finished {
    BullaCommand::new(BULLA).args(args).run().expect("bulla runs")
}

pub(crate) fn on(data: &Path, command: &[&str]) -> Finished {
    BullaCommand::new(BULLA)
        .args(command)
        .arg("--data-dir")
        .arg(data)
        .run()
        .expect("bulla runs")
}

/// Makes a data directory and answers with what was printed.
pub(crate) fn init(data: &Path, more: &[&str]) -> (Credentials, Value) {
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
pub(crate) fn client(server: &BullaProcess, who: &Credentials, args: &[&str]) -> BullaCommand {
    BullaCommand::new(BULLA)
        .args(args)
        .args(["--endpoint", server.endpoint()])
        .credentials(&who.access_key_id, &who.secret_access_key)
}

pub(crate) fn seal(server: &BullaProcess, who: &Credentials, plaintext: &str) -> Vec<u8> {
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

pub(crate) fn open(server: &BullaProcess, who: &Credentials, sealed: &[u8]) -> Finished {
    let open = client(
        server,
        who,
        &["open", "--key", "aws-kms:///alias/app", "--context", "a=b"],
    )
    .stdin(sealed);
    open.run().expect("bulla runs")
}
