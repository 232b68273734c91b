//! The formats, read by Python programs that were written from `spec/` alone.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use bulla_testkit::BullaProcess;
use bulla_testkit::load::Connection;
use serde_json::{Value, json};
use support::{BULLA, Credentials, bulla, client_script, in_venv, init, socket_address};

/// The key of `spec/vectors/audit-log.json`, which is no running service's.
const ANOTHER_KEY: &str = "bulla.example/audit+a2522ec1+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c";

#[test]
fn the_vectors_replay_in_python_from_the_specifications_alone() {
    client_script(
        "check_vectors.py",
        &[concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/vectors")],
    );
}

#[test]
fn a_proof_of_a_running_services_log_verifies_in_python_and_a_changed_one_does_not() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    make_calls(&server, &credentials);
    server.stop().expect("it stops by itself");

    let proved = bulla([
        "audit".as_ref(),
        "prove".as_ref(),
        "3".as_ref(),
        "--data-dir".as_ref(),
        data.as_os_str(),
    ]);
    assert!(proved.succeeded(), "{proved:?}");
    let key = fs::read_to_string(data.join("audit.pub")).expect("init keeps the public key");
    let file = dir.path().join("proof.json");
    let verify = |bundle: &[u8], key: &str| {
        fs::write(&file, bundle).expect("the proof is written");
        verify_proof(&file, key)
    };

    let bundle: Value = serde_json::from_slice(&proved.stdout).expect("JSON");
    let said = verify(&proved.stdout, &key).expect("the proof verifies");
    assert_eq!(said, format!("verified event 3 of {}\n", bundle["size"]));

    let no_path = "the path does not lead to the checkpoint's root";
    let changes = [
        ("/event", 40, no_path),
        ("/inclusionPath/0", 20, no_path),
        ("/checkpoint", 3, "a signature does not verify"),
    ];
    for (member, at, reason) in changes {
        let mut changed = bundle.clone();
        let value = changed.pointer_mut(member).expect("the member is there");
        *value = with_another_character(value.as_str().expect("a text"), at).into();
        refused(verify(changed.to_string().as_bytes(), &key), reason, member);
    }

    let mut changed = bundle;
    changed["sequence"] = json!(2);
    refused(verify(changed.to_string().as_bytes(), &key), no_path, "sequence");

    refused(
        verify(&proved.stdout, ANOTHER_KEY),
        "the bundle's key is not the trusted one",
        "another key",
    );
}

fn make_calls(server: &BullaProcess, credentials: &Credentials) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut signer = credentials.signer(server);
        let mut connection = Connection::open(socket_address(server)).await.expect("it accepts");
        let mut key = Value::Null;
        for operation in ["CreateKey", "CreateAlias", "Encrypt", "DescribeKey", "DisableKey"] {
            let body = match operation {
                "CreateKey" => json!({}),
                "CreateAlias" => json!({ "AliasName": "alias/app", "TargetKeyId": key }),
                "Encrypt" => json!({ "KeyId": key, "Plaintext": "AAAA", "EncryptionContext": { "línea": "線" } }),
                _ => json!({ "KeyId": key }),
            };
            let mut request = Vec::new();
            signer.request_now(&mut request, operation, body.to_string().as_bytes());
            let answer = connection.exchange(&request).await.expect("an answer");
            let answer = answer.expect_ok().expect("status 200");
            if operation == "CreateKey" {
                let answer: Value = serde_json::from_slice(answer.body).expect("JSON");
                key = answer["KeyMetadata"]["KeyId"].clone();
            }
        }
    });
}

/// Runs `verify_proof.py`: what it printed, or on stderr why it refused.
fn verify_proof(bundle: &Path, key: &str) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/verify_proof.py");
    let mut command = Command::new(in_venv("python3"));
    let output = command.arg(script).arg(bundle).arg(key).output().expect("python runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout)),
        Some(1) => Err(text(&output.stderr)),
        code => unreachable!("exit code {code:?}: {}", text(&output.stderr)),
    }
}

fn refused(verdict: Result<String, String>, reason: &str, what: &str) {
    assert_eq!(verdict, Err(format!("refused: {reason}\n")), "{what} was changed");
}

/// The text with the character at `at` replaced by one that Base64 has too.
fn with_another_character(text: &str, at: usize) -> String {
    let other = if text[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
