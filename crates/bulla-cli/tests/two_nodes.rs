//! Two processes on one database rotate, import, disable and delete the same keys at once: their one audit log, replayed from its first
//! event, is a history that AWS's state machine allows, event by event.

#![expect(clippy::panic, reason = "a test may panic")]

#[path = "../../bulla-store-sql/tests/support/raw.rs"]
mod raw;
#[path = "../../bulla-store-sql/tests/support/server.rs"]
mod server;
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::collections::BTreeMap;

use bulla_testkit::BullaProcess;
use serde_json::Value;
use support::{BULLA, bulla, client_script, init};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Enabled,
    Disabled,
    PendingDeletion,
    PendingImport,
}

/// A key as the log has it so far.
#[derive(Debug)]
struct Key {
    state: State,
    external: bool,
    /// Whether a cancelled deletion leads back to waiting for material.
    has_material: bool,
    rotations: u64,
}

impl Key {
    fn new(external: bool) -> Self {
        Self {
            state: if external { State::PendingImport } else { State::Enabled },
            external,
            has_material: !external,
            rotations: 0,
        }
    }

    /// AWS's code for a use of the key.
    fn refusal(&self) -> Option<&'static str> {
        match self.state {
            State::Enabled => None,
            State::Disabled => Some("DisabledException"),
            State::PendingDeletion | State::PendingImport => Some("KMSInvalidStateException"),
        }
    }

    fn invalid(condition: bool) -> Option<&'static str> {
        condition.then_some("KMSInvalidStateException")
    }

    /// What an operation must have been answered with, now; then what it changes.
    fn step(&mut self, name: &str, code: Option<&str>) {
        use State::{Disabled, Enabled, PendingDeletion, PendingImport};
        let waits = matches!(self.state, PendingDeletion | PendingImport);
        let expected = match name {
            "Encrypt" | "Decrypt" => self.refusal(),
            "RotateKeyOnDemand" => self
                .refusal()
                .or((self.rotations == 25).then_some("LimitExceededException")),
            "EnableKey" | "DisableKey" => Self::invalid(waits),
            "ScheduleKeyDeletion" => Self::invalid(self.state == PendingDeletion),
            "CancelKeyDeletion" => Self::invalid(self.state != PendingDeletion),
            "GetParametersForImport" | "ImportKeyMaterial" => Self::invalid(self.state == PendingDeletion),
            // Of a key without material, AWS does not document it.
            "DeleteImportedKeyMaterial" if self.state == PendingImport => code.and(Some("KMSInvalidStateException")),
            "DeleteImportedKeyMaterial" | "CreateKey" | "ListKeyRotations" | "DescribeKey" => None,
            other => panic!("{other} was not called"),
        };
        assert_eq!(code, expected, "{name} of {self:?}");
        if code.is_some() {
            return;
        }
        match name {
            "EnableKey" => self.state = Enabled,
            "DisableKey" => self.state = Disabled,
            "ScheduleKeyDeletion" => self.state = PendingDeletion,
            "CancelKeyDeletion" => self.state = if self.has_material { Disabled } else { PendingImport },
            "RotateKeyOnDemand" => self.rotations += 1,
            "ImportKeyMaterial" => {
                self.has_material = true;
                if self.state == PendingImport {
                    self.state = Enabled;
                }
            }
            "DeleteImportedKeyMaterial" => {
                self.has_material = false;
                self.state = PendingImport;
            }
            _ => {}
        }
    }
}

fn keys_of(event: &Value) -> Vec<String> {
    let resources = event["resources"].as_array().into_iter().flatten();
    let arns = resources.filter_map(|resource| resource["ARN"].as_str());
    arns.filter(|arn| arn.contains(":key/")).map(str::to_owned).collect()
}

#[test]
fn two_processes_that_rotate_import_and_delete_at_once_write_one_legal_history() {
    one_legal_history(&[]);
}

#[test]
fn two_processes_on_postgresql_write_one_legal_history() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let database = runtime.block_on(server::Database::create("BULLA_TEST_POSTGRES_URL"));
    one_legal_history(&[("BULLA_STORE__DATABASE", &database.url)]);
    runtime.block_on(database.destroy());
}

fn one_legal_history(env: &[(&str, &str)]) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (data, counted) = (dir.path().join("data"), dir.path().join("counted.json"));
    let credentials = init(&data, env);
    let one = BullaProcess::production(BULLA, &data).expect("it starts");
    let two = BullaProcess::production(BULLA, &data).expect("so does the other");
    client_script(
        "boto3_two_nodes.py",
        &[
            one.endpoint(),
            &credentials.access_key_id,
            &credentials.secret_access_key,
            two.endpoint(),
            &counted.display().to_string(),
        ],
    );
    one.stop().expect("it stops by itself");
    two.stop().expect("so does the other");

    let data = data.display().to_string();
    let verified = bulla(["audit", "verify", "--data-dir", &data]);
    assert!(verified.succeeded(), "{verified:?}");
    let exported = bulla(["audit", "export", "--data-dir", &data]);
    assert!(exported.succeeded(), "{}", exported.stderr);
    let mut keys: BTreeMap<String, Key> = BTreeMap::new();
    let mut steps = 0;
    for line in exported
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let event: Value = serde_json::from_slice(line).expect("an event is JSON");
        let name = event["eventName"].as_str().expect("a name").to_owned();
        let code = event["errorCode"].as_str();
        for arn in keys_of(&event) {
            if name == "CreateKey" && code.is_none() {
                let external = event["requestParameters"]["origin"] == "EXTERNAL";
                keys.insert(arn, Key::new(external));
            } else if let Some(key) = keys.get_mut(&arn) {
                key.step(&name, code);
                steps += 1;
            }
        }
    }
    let counted: Value = serde_json::from_slice(&std::fs::read(counted).expect("it was written")).expect("JSON");
    for (arn, rotations) in counted["rotations"].as_object().expect("by key") {
        assert_eq!(Some(keys[arn].rotations), rotations.as_u64(), "{arn}");
    }
    assert_eq!(keys.values().any(|key| key.external), counted["imported"].is_string());
    assert!(steps > 200, "{steps}");
}
