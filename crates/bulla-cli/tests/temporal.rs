//! A real Temporal server, its command line and its SDKs through `bulla codec`.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::path::Path;
use std::process::Command;

use support::{BULLA, from_test_script, in_venv};

#[test]
fn workers_command_line_web_ui_and_schedule_of_a_real_server_read_everything_across_rotations_and_a_restart() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = root.join("tests/clients/temporal");
    let temporal = Path::new(&from_test_script("BULLA_TEST_TEMPORAL")).join("bin");
    let mut command = Command::new(temporal.join("python3"));
    let examples = root.join("../../examples/temporal/python");
    let output = command
        .arg(scripts.join("real_server.py"))
        .env_clear()
        .env("PATH", from_test_script("PATH"))
        .env("PYTHONPATH", format!("{}:{}", scripts.display(), examples.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("BULLA", BULLA)
        .env("TEMPORAL", temporal.join("temporal"))
        .env("AWS", in_venv("aws"))
        .env("NODE", "node")
        .env("NODE_MODULES", from_test_script("BULLA_TEST_TEMPORAL_MODULES"))
        .env("EXAMPLES", root.join("../../examples/temporal"))
        .env("DIR", dir.path())
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
