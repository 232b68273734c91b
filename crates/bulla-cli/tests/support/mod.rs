//! What the tests that run the whole program share.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use bulla_testkit::{BullaCommand, BullaProcess, Finished, Signer};
use serde_json::Value;

/// The program under test.
pub(crate) const BULLA: &str = env!("CARGO_BIN_EXE_bulla");

/// An administrator's credentials, as `bulla init` prints them.
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl Credentials {
    pub(crate) fn signer(&self, server: &BullaProcess) -> Signer {
        Signer::new(
            &self.access_key_id,
            &self.secret_access_key,
            "eu-west-1",
            server.address(),
        )
    }
}

/// Makes a production data directory with `bulla init`, in the environment given.
pub(crate) fn init(data_dir: &Path, env: &[(&str, &str)]) -> Credentials {
    let mut command = BullaCommand::new(BULLA)
        .args(["init", "--output", "json", "--data-dir"])
        .arg(data_dir);
    for (name, value) in env {
        command = command.env(name, value);
    }
    let finished = command.run().expect("bulla init runs");
    assert!(finished.succeeded(), "{finished:?}");
    let printed: Value = serde_json::from_slice(&finished.stdout).expect("the credentials are JSON");
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    }
}

/// Runs `bulla` with these arguments to its end.
pub(crate) fn bulla<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Finished {
    BullaCommand::new(BULLA).args(args).run().expect("bulla runs")
}

pub(crate) fn socket_address(server: &BullaProcess) -> SocketAddr {
    server
        .address()
        .parse()
        .expect("the harness gives an address with a port")
}

/// A setting of `scripts/test`.
#[expect(
    clippy::disallowed_methods,
    reason = "scripts/test says by its environment where things are"
)]
pub(crate) fn from_test_script(name: &str) -> String {
    std::env::var(name).expect("the test script sets what the tests need: run ./scripts/test")
}

/// A program of the Python environment that `scripts/test` made.
pub(crate) fn in_venv(program: &str) -> PathBuf {
    Path::new(&from_test_script("BULLA_TEST_VENV"))
        .join("bin")
        .join(program)
}

/// Runs a script of `tests/clients` and fails with what it printed unless it succeeds.
pub(crate) fn client_script(script: &str, arguments: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = Command::new(in_venv("python3"));
    command.arg(&path).args(arguments);
    let output = command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "{script} failed\n{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
