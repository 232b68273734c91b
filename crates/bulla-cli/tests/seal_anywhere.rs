//! `bulla seal` in one process, `bulla open` in another, under keys of moto, of Bulla and of a root key file.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use support::{BULLA, from_test_script, in_venv, init};

/// Makes a key with the alias `alias/<name>` by the AWS CLI, which knows nothing of Bulla.
fn make_alias(endpoint: &str, name: &str, env: &[(&str, &str)]) {
    let script = format!(
        "KEY=$({aws} kms create-key --query KeyMetadata.KeyId --output text --endpoint-url {endpoint}) && \
         {aws} kms create-alias --alias-name alias/{name} --target-key-id $KEY --endpoint-url {endpoint}",
        aws = in_venv("aws").display()
    );
    let output = std::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(env.iter().copied())
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn run(command: &str, key: &str, context: &str, stdin: &[u8], env: &[(&str, &str)]) -> Finished {
    let mut bulla = BullaCommand::new(BULLA)
        .args([command, "--key", key, "--context", context])
        .stdin(stdin.to_vec());
    for (name, value) in env {
        bulla = bulla.env(name, value);
    }
    bulla.run().expect("bulla runs")
}

fn seals_and_opens(key: &str, env: &[(&str, &str)]) {
    let plaintext: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let sealed = run("seal", key, "client_id=client_123", &plaintext, env);
    assert!(sealed.succeeded(), "{}", sealed.stderr);
    assert!(
        !sealed.stdout.windows(16).any(|window| window == &plaintext[..16]),
        "nothing of it lies in the clear"
    );
    let opened = run("open", key, "client_id=client_123", &sealed.stdout, env);
    assert!(opened.succeeded(), "{}", opened.stderr);
    assert_eq!(opened.stdout, plaintext);

    let refused = run("open", key, "client_id=client_124", &sealed.stdout, env);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.is_empty(), "nothing of it was written");
    let mut changed = sealed.stdout;
    let middle = changed.len() / 2;
    changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
    let refused = run("open", key, "client_id=client_123", &changed, env);
    assert_eq!((refused.code, refused.stdout.len()), (Some(1), 0));
}

#[test]
fn a_value_sealed_under_a_key_of_moto_opens_in_another_process() {
    let endpoint = from_test_script("BULLA_TEST_MOTO_URL");
    let env = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "any"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
    ];
    make_alias(&endpoint, "seal-anywhere", &env);
    seals_and_opens("aws-kms:///alias/seal-anywhere", &env);
}

#[test]
fn a_value_sealed_under_a_key_of_bulla_opens_in_another_process() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let env = [
        ("AWS_ENDPOINT_URL", server.endpoint()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.as_str()),
    ];
    make_alias(server.endpoint(), "app", &env);
    seals_and_opens("aws-kms:///alias/app", &env);
    server.stop().expect("it stops by itself");
}

#[test]
fn a_value_sealed_under_a_root_key_file_opens_in_another_process() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    init(&dir.path().join("data"), &[]);
    let key = format!("local://{}", dir.path().join("data/root.key").display());
    seals_and_opens(&key, &[]);
}
