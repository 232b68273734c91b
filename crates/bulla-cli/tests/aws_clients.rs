//! The unmodified AWS SDK for Python and the AWS CLI against the whole program.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::path::Path;
use std::process::Command;

use bulla_testkit::BullaProcess;
use support::{BULLA, client_script, from_test_script, in_venv, init};

#[test]
fn boto3_drives_every_operation_of_a_dev_server() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    client_script("boto3_operations.py", &[server.endpoint()]);
    server.stop().expect("it stops by itself");
}

#[test]
fn boto3_imports_material_that_another_library_wrapped() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    client_script("boto3_import.py", &[server.endpoint()]);
    server.stop().expect("it stops by itself");
}

#[test]
fn boto3_meets_awss_errors_where_credentials_dates_regions_or_bodies_are_wrong() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let credentials = init(&dir.path().join("data"), &[]);
    let server = BullaProcess::production(BULLA, dir.path().join("data")).expect("it starts");
    client_script(
        "boto3_signatures.py",
        &[
            server.endpoint(),
            &credentials.access_key_id,
            &credentials.secret_access_key,
        ],
    );
    server.stop().expect("it stops by itself");
}

#[test]
fn what_was_sealed_before_two_rotations_and_a_restart_opens_with_empty_caches() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let state = dir.path().join("state.json");
    let credentials = init(&data, &[]);
    let arguments = |endpoint: &str, phase: &str| {
        vec![
            endpoint.to_owned(),
            credentials.access_key_id.clone(),
            credentials.secret_access_key.clone(),
            phase.to_owned(),
            state.display().to_string(),
        ]
    };
    for phase in ["seal", "open"] {
        let server = BullaProcess::production(BULLA, &data).expect("it starts");
        let arguments = arguments(server.endpoint(), phase);
        client_script(
            "boto3_restart.py",
            &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        );
        server.stop().expect("it stops by itself");
    }
}

#[test]
fn the_aws_encryption_sdk_seals_and_opens_with_every_suite_keyrings_and_its_cache() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    client_script("encryption_sdk.py", &[server.endpoint()]);
    server.stop().expect("it stops by itself");
}

#[test]
fn the_aws_sdk_for_javascript_drives_a_production_server() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let credentials = init(&dir.path().join("data"), &[]);
    let server = BullaProcess::production(BULLA, dir.path().join("data")).expect("it starts");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/js/operations.mjs");
    let output = Command::new("node")
        .arg("--no-deprecation")
        .arg(&script)
        .args([
            server.endpoint(),
            &credentials.access_key_id,
            &credentials.secret_access_key,
        ])
        .env("BULLA_TEST_NODE_MODULES", from_test_script("BULLA_TEST_NODE_MODULES"))
        .output()
        .expect("node runs");
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    server.stop().expect("it stops by itself");
}

/// The first screen of the README is a promise: its commands run here as they stand, against the port that they name or another.
#[test]
fn the_readmes_aws_commands_work_as_they_stand() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let readme = include_str!("../../../README.md");
    let block = readme
        .split("```")
        .map(|block| block.trim_start_matches("sh\n"))
        .find(|block| block.contains("aws kms create-key"))
        .expect("the README shows the AWS CLI");
    assert_eq!(
        block.lines().filter(|line| line.contains("aws kms ")).count(),
        5,
        "five lines"
    );
    let block = block.replace("http://127.0.0.1:4599", server.endpoint());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let aws = in_venv("aws");
    let path = format!("{}:/usr/bin:/bin", aws.parent().unwrap_or(Path::new("/")).display());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &block])
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", dir.path())
        .output()
        .expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{printed}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(printed.lines().last(), Some("aGVsbG8="), "{printed}");
    server.stop().expect("it stops by itself");
}
