//! Somebody who can write to the database: each row that decides is edited, copied, deleted, or brought back from an older backup.
//!
//! Each attack must be refused by the service (the operation that depends on the row does not succeed, or the service does not start)
//! and named by `bulla audit verify`.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use bulla_testkit::load::Connection;
use bulla_testkit::{BullaProcess, Signer};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Row as _};
use support::{BULLA, Credentials, bulla, init, socket_address};

/// An operation that depends on what was attacked; tells whether it succeeded.
type Depends<'a> = &'a dyn Fn(&History, &BullaProcess) -> bool;

/// A service with history: what it looked like before its last changes (`old`), and what it looks like now (`new`).
struct History {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    administrator: Credentials,
    second: Credentials,
    key: String,
    other: String,
    blob: String,
}

impl History {
    /// Key A (rotated) and B, an alias, a second administrator; then A is disabled, the alias moved, the second administrator disabled.
    fn write() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = dir.path().join("data");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let administrator = init(&data, &[]);
        let second = principal(&data, "second");
        let server = BullaProcess::production(BULLA, &data).expect("it starts");
        let ask = |operation: &str, body: Value| {
            let (status, answer) = runtime.block_on(call(&server, &administrator, operation, &body));
            assert_eq!(status, 200, "{operation}: {answer}");
            answer
        };
        let key = ask("CreateKey", json!({}))["KeyMetadata"]["KeyId"]
            .as_str()
            .expect("an id")
            .to_owned();
        let other = ask("CreateKey", json!({}))["KeyMetadata"]["KeyId"]
            .as_str()
            .expect("an id")
            .to_owned();
        ask("CreateAlias", json!({ "AliasName": "alias/app", "TargetKeyId": key }));
        let sealed = ask("Encrypt", json!({ "KeyId": key, "Plaintext": "AAAA" }));
        let blob = sealed["CiphertextBlob"].as_str().expect("a blob").to_owned();
        ask("RotateKeyOnDemand", json!({ "KeyId": key }));
        server.stop().expect("it stops by itself");
        copy(&data, &dir.path().join("old"));

        let server = BullaProcess::production(BULLA, &data).expect("it starts");
        let ask = |operation: &str, body: Value| {
            let (status, answer) = runtime.block_on(call(&server, &administrator, operation, &body));
            assert_eq!(status, 200, "{operation}: {answer}");
        };
        ask("DisableKey", json!({ "KeyId": key }));
        ask("UpdateAlias", json!({ "AliasName": "alias/app", "TargetKeyId": other }));
        server.stop().expect("it stops by itself");
        let disabled = bulla([
            "principal".as_ref(),
            "disable".as_ref(),
            "second".as_ref(),
            "--data-dir".as_ref(),
            data.as_os_str(),
        ]);
        assert!(disabled.succeeded(), "{disabled:?}");
        Self {
            dir,
            runtime,
            administrator,
            second,
            key,
            other,
            blob,
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn old(&self) -> PathBuf {
        self.dir.path().join("old")
    }

    /// Copies the data directory, lets the attacker at its database, and checks that the attack is named and refused.
    fn attack(
        &self,
        name: &str,
        statements: &[String],
        named: &[&str],
        depends: &dyn Fn(&Self, &BullaProcess) -> bool,
    ) {
        let data = self.dir.path().join(name);
        copy(&self.data(), &data);
        let changed = self.runtime.block_on(execute(&data, statements));
        assert!(changed > 0, "{name}: the attack changed nothing");

        let verified = bulla([
            "audit".as_ref(),
            "verify".as_ref(),
            "--data-dir".as_ref(),
            data.as_os_str(),
        ]);
        assert_eq!(verified.code, Some(1), "{name}: verify accepts it: {verified:?}");
        let said = verified.stdout_text() + &verified.stderr;
        for word in named {
            assert!(said.contains(word), "{name}: verify does not name {word}:\n{said}");
        }
        if let Ok(server) = BullaProcess::production(BULLA, &data) {
            assert!(!depends(self, &server), "{name}: the service went along with it");
            drop(server);
        }
        std::fs::remove_dir_all(&data).expect("the copy goes");
    }

    fn succeeds(&self, server: &BullaProcess, credentials: &Credentials, operation: &str, body: &Value) -> bool {
        self.runtime.block_on(call(server, credentials, operation, body)).0 == 200
    }
}

#[test]
fn a_row_that_decides_and_was_edited_copied_or_deleted_is_refused_and_named() {
    let history = History::write();
    let tables: [(&str, Depends<'_>); 8] = [
        ("settings", &uses_anything),
        ("store_keys", &uses_anything),
        ("audit_keys", &uses_anything),
        ("principals", &uses_administrator_and_second),
        ("access_keys", &uses_administrator_and_second),
        ("kms_keys", &uses_both_keys),
        ("key_versions", &opens_or_seals),
        ("aliases", &uses_alias),
    ];
    for (table, depends) in tables {
        let edits = [
            (
                "body",
                format!("UPDATE {table} SET body = CAST(REPLACE(CAST(body AS TEXT), '1', '2') AS BLOB)"),
            ),
            ("mac", format!("UPDATE {table} SET mac = zeroblob(32)")),
            ("owner", format!("UPDATE {table} SET owner = owner || 'x'")),
            ("revision", format!("UPDATE {table} SET revision = revision + 1")),
            ("deleted", format!("DELETE FROM {table}")),
        ];
        for (what, sql) in edits {
            history.attack(&format!("{table}-{what}"), &[sql], &[table], depends);
        }
    }
}

#[test]
fn a_value_of_an_impossible_form_hides_nothing_else() {
    let history = History::write();
    let of_one = format!("UPDATE kms_keys SET mac = x'00' WHERE id LIKE '%{}'", history.key);
    let of_all = "UPDATE kms_keys SET revision = 'soon'".to_owned();
    let attacks = [
        ("mac", of_one, &uses_described_key as Depends<'_>),
        ("revision", of_all, &uses_both_keys),
    ];
    for (what, damage, depends) in attacks {
        let delete = "DELETE FROM aliases".to_owned();
        let named = ["kms_keys", "aliases"];
        history.attack(&format!("impossible-{what}"), &[damage, delete], &named, depends);
    }
}

#[test]
fn a_change_that_was_forged_removed_or_added_is_refused_and_named() {
    let history = History::write();
    for (what, sql) in [
        ("mac", "UPDATE changes SET mac = zeroblob(32) WHERE revision = 3"),
        ("kind", "UPDATE changes SET kind = 3 - kind WHERE revision = 3"),
        ("row", "UPDATE changes SET row_id = row_id || 'x' WHERE revision = 3"),
        ("removed", "DELETE FROM changes WHERE revision = 3"),
    ] {
        history.attack(
            &format!("changes-{what}"),
            &[sql.to_owned()],
            &["change feed was tampered with"],
            &uses_anything,
        );
    }
    // As if another had disabled it again: nothing of it is genuine.
    let added = "INSERT INTO changes SELECT revision + 1000, ordinal, count, table_name, row_id, kind, mac FROM changes \
                 WHERE table_name = 'kms_keys'";
    history.attack(
        "changes-added",
        &[added.to_owned()],
        &["lies beyond it"],
        &uses_anything,
    );
}

#[test]
fn a_row_copied_over_another_is_refused_and_named() {
    let history = History::write();
    for (table, depends) in [
        ("principals", &uses_second as Depends<'_>),
        ("access_keys", &uses_second),
        ("kms_keys", &uses_disabled_key),
        ("key_versions", &opens_or_seals),
    ] {
        let from_newest = format!(
            "UPDATE {table} SET (body, mac, revision) = (SELECT body, mac, revision FROM {table} ORDER BY revision DESC LIMIT 1)"
        );
        let from_oldest = format!(
            "UPDATE {table} SET (body, mac, revision) = (SELECT body, mac, revision FROM {table} ORDER BY revision, id LIMIT 1)"
        );
        history.attack(&format!("{table}-newest"), &[from_newest], &[table], depends);
        history.attack(&format!("{table}-oldest"), &[from_oldest], &[table], depends);
    }
}

#[test]
fn a_row_brought_back_from_an_older_backup_is_refused_and_named() {
    let history = History::write();
    let attach = format!("ATTACH '{}' AS old", history.old().join("bulla.db").display());
    let attacks: [(&str, Depends<'_>); 3] = [
        ("kms_keys", &uses_disabled_key),
        ("aliases", &uses_alias),
        ("principals", &uses_second),
    ];
    for (table, depends) in attacks {
        let bring_back = format!("INSERT OR REPLACE INTO main.{table} SELECT * FROM old.{table}");
        let forget = format!(
            "DELETE FROM main.changes WHERE table_name = '{table}' AND revision > (SELECT MAX(revision) FROM old.changes)"
        );
        let rename = format!(
            "UPDATE main.changes SET row_id = row_id || 'x' WHERE table_name = '{table}' AND revision > (SELECT MAX(revision) FROM old.changes)"
        );
        history.attack(
            &format!("{table}-older"),
            &[attach.clone(), bring_back.clone()],
            &[table],
            depends,
        );
        history.attack(
            &format!("{table}-older-forgotten"),
            &[attach.clone(), bring_back.clone(), forget],
            &[table],
            depends,
        );
        history.attack(
            &format!("{table}-older-renamed"),
            &[attach.clone(), bring_back, rename],
            &[table],
            depends,
        );
    }
}

#[test]
fn a_log_cut_back_with_everything_else_is_seen_against_a_checkpoint_kept_elsewhere() {
    let history = History::write();
    let checkpoint = history.dir.path().join("checkpoint");
    let kept = bulla([
        "audit".as_ref(),
        "checkpoint".as_ref(),
        "--data-dir".as_ref(),
        history.data().as_os_str(),
    ]);
    assert!(kept.succeeded(), "{kept:?}");
    std::fs::write(&checkpoint, &kept.stdout).expect("the checkpoint is kept");
    let verify = |with_checkpoint: bool| {
        let mut arguments = vec![
            "audit".into(),
            "verify".into(),
            "--data-dir".into(),
            history.old().into_os_string(),
        ];
        if with_checkpoint {
            arguments.extend(["--checkpoint".into(), checkpoint.clone().into_os_string()]);
        }
        bulla(arguments)
    };
    let alone = verify(false);
    assert!(alone.succeeded(), "an older whole is consistent in itself: {alone:?}");
    assert!(
        alone.stdout_text().contains("completeness not vouched for"),
        "{alone:?}"
    );
    let compared = verify(true);
    assert_eq!(compared.code, Some(1), "{compared:?}");
    assert!(
        (compared.stdout_text() + &compared.stderr).contains("cut off the end of the log"),
        "{compared:?}"
    );
}

fn uses_anything(history: &History, server: &BullaProcess) -> bool {
    history.succeeds(
        server,
        &history.administrator,
        "Encrypt",
        &json!({ "KeyId": history.other, "Plaintext": "AAAA" }),
    )
}

fn uses_administrator_and_second(history: &History, server: &BullaProcess) -> bool {
    uses_anything(history, server) || uses_second(history, server)
}

fn uses_second(history: &History, server: &BullaProcess) -> bool {
    history.succeeds(server, &history.second, "ListKeys", &json!({}))
}

fn uses_both_keys(history: &History, server: &BullaProcess) -> bool {
    uses_disabled_key(history, server) || uses_anything(history, server) || uses_described_key(history, server)
}

fn uses_described_key(history: &History, server: &BullaProcess) -> bool {
    let key = json!({ "KeyId": history.key });
    history.succeeds(server, &history.administrator, "DescribeKey", &key)
}

fn uses_disabled_key(history: &History, server: &BullaProcess) -> bool {
    history.succeeds(
        server,
        &history.administrator,
        "Decrypt",
        &json!({ "CiphertextBlob": history.blob }),
    ) || history.succeeds(
        server,
        &history.administrator,
        "Encrypt",
        &json!({ "KeyId": history.key, "Plaintext": "AAAA" }),
    )
}

fn opens_or_seals(history: &History, server: &BullaProcess) -> bool {
    uses_anything(history, server)
        || history.succeeds(
            server,
            &history.administrator,
            "Decrypt",
            &json!({ "CiphertextBlob": history.blob }),
        )
}

fn uses_alias(history: &History, server: &BullaProcess) -> bool {
    history.succeeds(
        server,
        &history.administrator,
        "Encrypt",
        &json!({ "KeyId": "alias/app", "Plaintext": "AAAA" }),
    )
}

/// Makes another administrator and returns the credentials.
fn principal(data: &Path, name: &str) -> Credentials {
    let arguments = [
        "principal",
        "create",
        name,
        "--role",
        "admin",
        "--output",
        "json",
        "--data-dir",
    ]
    .map(AsRef::as_ref);
    let made = bulla(arguments.into_iter().chain([data.as_os_str()]));
    assert!(made.succeeded(), "{made:?}");
    let printed: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    }
}

async fn call(server: &BullaProcess, credentials: &Credentials, operation: &str, body: &Value) -> (u16, Value) {
    let mut signer: Signer = credentials.signer(server);
    let mut request = Vec::new();
    signer.request_now(&mut request, operation, body.to_string().as_bytes());
    let mut connection = Connection::open(socket_address(server)).await.expect("it accepts");
    let answer = connection.exchange(&request).await.expect("an answer");
    (answer.status, serde_json::from_slice(answer.body).unwrap_or_default())
}

/// Runs the statements on the copy's database and says how many rows they changed.
async fn execute(data: &Path, statements: &[String]) -> u64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("bulla.db"));
    let mut connection = options.connect().await.expect("the attacker opens the database");
    let mut changed = 0;
    for statement in statements {
        changed += connection
            .execute(sqlx::AssertSqlSafe(statement.clone()))
            .await
            .expect("the attacker knows SQL")
            .rows_affected();
    }
    let row = connection
        .fetch_one("PRAGMA wal_checkpoint(TRUNCATE)")
        .await
        .expect("a checkpoint");
    assert_eq!(row.get::<i64, _>(0), 0, "nobody else has the copy open");
    connection.close().await.expect("it closes");
    changed
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .expect("cp runs");
    assert!(copied.success());
}
