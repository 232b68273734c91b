//! The database is locked, can't be written, or is damaged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use bulla_testkit::{BullaCommand, BullaProcess};
use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::harness::{Client, Fault, becomes, copy, doctor_finds, file_size, is_internal_error, on, refusal, status};
use crate::support::{BULLA, init};

#[test]
fn a_database_that_another_process_locks_refuses_until_it_is_released() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let mut client = Client::new(&credentials);
    let impatient = |command: BullaCommand| command.env("BULLA_STORE__LOCK_TIMEOUT_SECONDS", "1");
    let command = impatient(BullaProcess::production_command(BULLA, &data));
    let server = BullaProcess::start(&command).expect("it starts");
    let key = client.new_key(&server);
    client.seal(&server, &key);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut stranger = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data.join("bulla.db"));
        let mut stranger = options.connect().await.expect("it opens");
        stranger.execute("BEGIN IMMEDIATE").await.expect("it locks");
        stranger
    });
    let asked = Instant::now();
    let refused = client.ask(&server, "CreateKey", &json!({}));
    assert!(is_internal_error(&refused), "{refused:?}");
    assert!(asked.elapsed() >= Duration::from_secs(1), "it waited for the lock");
    server
        .wait_for_log("the store is locked by another transaction")
        .expect("the log says why");
    becomes(&server, 503);
    assert_eq!(status(&server, "/healthz"), 200);
    let refused = BullaProcess::start(&command).expect_err("who can't write does not serve");
    assert!(
        refused.logs.contains("locked") && refused.logs.contains("hint: "),
        "{}",
        refused.logs
    );

    runtime.block_on(async {
        stranger.execute("ROLLBACK").await.expect("it lets go");
        stranger.close().await.expect("it closes");
    });
    becomes(&server, 200);
    client.seal(&server, &key);
    let listed = client.done(&server, "ListKeys", &json!({}));
    assert_eq!(
        listed["Keys"].as_array().map(Vec::len),
        Some(1),
        "what was refused was not done"
    );
    client.nothing_is_lost(&server, &data);
}

#[test]
fn a_database_that_can_not_be_written_is_refused_at_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let (database, run_as) = (data.join("bulla.db"), 65_534);
    let read_only = || fs::set_permissions(&database, Permissions::from_mode(0o400)).expect("set");
    read_only();
    // The superuser writes to what is read-only: so another user serves it.
    let root = rustix_is_root();
    let as_user = |arguments: &[&str]| {
        let command = if root {
            BullaCommand::new("/usr/bin/setpriv").args(["--reuid=65534", "--regid=65534", "--clear-groups", BULLA])
        } else {
            BullaCommand::new(BULLA)
        };
        command.args(arguments).arg("--data-dir").arg(&data)
    };
    let own = |user: u32| {
        for path in [dir.path(), &data] {
            std::os::unix::fs::chown(path, Some(user), Some(user)).expect("given away");
        }
        for file in fs::read_dir(&data).expect("readable") {
            let path = file.expect("a file").path();
            std::os::unix::fs::chown(path, Some(user), Some(user)).expect("given away");
        }
    };
    if root {
        own(run_as);
    }
    let refused = BullaProcess::start(&as_user(&["serve", "--listen", "127.0.0.1:0"])).expect_err("it refuses");
    assert!(
        refused.logs.contains("the database can't be written") && refused.logs.contains("hint: "),
        "{}",
        refused.logs
    );
    assert!(refused.logs.contains("read-only"), "{}", refused.logs);
    // SQLite gave the files beside it the same mode.
    for file in fs::read_dir(&data).expect("readable") {
        fs::set_permissions(file.expect("a file").path(), Permissions::from_mode(0o600)).expect("set");
    }
    let server =
        BullaProcess::start(&as_user(&["serve", "--listen", "127.0.0.1:0"])).expect("it starts when it may write");
    Client::new(&credentials).new_key(&server);
}

fn rustix_is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[test]
fn a_database_that_is_garbage_cut_or_gone_is_refused_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = dir.path().join("whole");
    init(&whole, &[]);
    let garbage = |data: &Path| fs::write(data.join("bulla.db"), "not a database ".repeat(5000)).expect("written");
    let cut = |data: &Path| {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(data.join("bulla.db"))
            .expect("opens");
        file.set_len(file_size(data.join("bulla.db")) / 2).expect("cut");
    };
    let empty = |data: &Path| fs::write(data.join("bulla.db"), "").expect("written");
    let gone = |data: &Path| fs::remove_file(data.join("bulla.db")).expect("removed");
    let faults: [(&str, Fault<'_>, &str, &str); 4] = [
        ("garbage", &garbage, "not a SQLite database", "tampered-store"),
        ("cut", &cut, "damaged", "tampered-store"),
        (
            "empty",
            &empty,
            "there is no service in this database",
            "database-schema",
        ),
        (
            "gone",
            &gone,
            "there is no service in this database",
            "database-unreachable",
        ),
    ];
    for (name, fault, said, found) in faults {
        let data = dir.path().join(name);
        copy(&whole, &data);
        fault(&data);
        let findings = doctor_finds(&data);
        assert!(findings.iter().any(|finding| finding == found), "{name}: {findings:?}");
        let logs = refusal(&data);
        assert!(
            logs.contains(said) && logs.contains("error: ") && logs.contains("hint: "),
            "{name}: {logs}"
        );
        let verified = on(&data, &["audit", "verify"]);
        assert!(!verified.succeeded() && verified.code.is_some(), "{name}: {verified:?}");
    }
}

#[test]
fn any_page_that_is_overwritten_is_refused_or_not_needed() {
    const PAGE: usize = 8192;
    let dir = tempfile::tempdir().expect("a directory");
    let whole = dir.path().join("whole");
    let credentials = init(&whole, &[]);
    let mut client = Client::new(&credentials);
    let server = BullaProcess::production(BULLA, &whole).expect("it starts");
    let key = client.new_key(&server);
    let blob = client.seal(&server, &key);
    let alias = json!({ "AliasName": "alias/app", "TargetKeyId": key });
    client.done(&server, "CreateAlias", &alias);
    server.stop().expect("it stops by itself");
    let bytes = fs::read(whole.join("bulla.db")).expect("readable");
    assert_eq!(bytes.get(16..18), Some(&[0x20, 0x00][..]), "pages of 8 KiB");
    assert!(
        !whole.join("bulla.db-wal").exists(),
        "a server that stopped leaves one whole file"
    );
    let tables: Vec<i64> = client.runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(whole.join("bulla.db"));
        let mut connection = options.connect().await.expect("it opens");
        let tables = sqlx::query_as("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'");
        let tables: Vec<(String, i64)> = tables.fetch_all(&mut connection).await.expect("it answers");
        let mut filled = Vec::new();
        for (name, page) in tables {
            let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {name}")));
            let rows: i64 = rows.fetch_one(&mut connection).await.expect("it answers");
            if rows > 0 {
                filled.push(page);
            }
        }
        filled
    });
    let mut unseen = Vec::new();
    for page in 0..bytes.len() / PAGE {
        let data = dir.path().join(format!("page-{page}"));
        copy(&whole, &data);
        let mut damaged = bytes.clone();
        damaged[page * PAGE..][..PAGE].fill(0xa5);
        fs::write(data.join("bulla.db"), damaged).expect("written");
        let verified = on(&data, &["audit", "verify"]);
        assert!(
            matches!(verified.code, Some(0 | 1)) && !verified.stderr.contains("panicked"),
            "page {page}: {verified:?}"
        );
        let mut harmed = !verified.succeeded();
        match BullaProcess::production(BULLA, &data) {
            Err(refused) => {
                assert!(refused.logs.contains("error: "), "page {page}: {}", refused.logs);
                harmed = true;
            }
            Ok(server) => {
                let answer = client.ask(&server, "Decrypt", &json!({ "CiphertextBlob": blob }));
                if answer.0 == 200 {
                    assert_eq!(answer.1["Plaintext"], "AAAA", "page {page}");
                } else {
                    assert!(is_internal_error(&answer), "page {page}: {answer:?}");
                    harmed = true;
                }
                assert!(!server.logs().contains("panicked"), "page {page}: {}", server.logs());
            }
        }
        if !harmed {
            unseen.push(page);
        }
        fs::remove_dir_all(&data).expect("the copy goes");
    }
    // Indexes and empty tables that no question needed may be damaged unseen; what lies in a table may not.
    let of_tables = |page: &usize| tables.iter().any(|table| *page as i64 + 1 == *table);
    assert!(!unseen.iter().any(of_tables), "damage that nobody saw: {unseen:?}");
    assert!(unseen.len() < bytes.len() / PAGE / 2, "{unseen:?}");
}
