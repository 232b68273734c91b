//! The disk is full, the database is locked, read-only or damaged, the root key is gone: a clear error, nothing that was acknowledged
//! is lost, nothing is done without its event, and the service works again once the fault is gone.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bulla_testkit::load::Connection;
use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use support::{BULLA, Credentials, bulla, init, socket_address};

type Fault<'a> = &'a dyn Fn(&Path);

/// A client of one server that remembers what was acknowledged.
struct Client<'a> {
    credentials: &'a Credentials,
    runtime: tokio::runtime::Runtime,
    requests: HashSet<String>,
    blobs: Vec<String>,
}

impl<'a> Client<'a> {
    fn new(credentials: &'a Credentials) -> Self {
        Self {
            credentials,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime"),
            requests: HashSet::new(),
            blobs: Vec::new(),
        }
    }

    fn ask(&mut self, server: &BullaProcess, operation: &str, body: &Value) -> (u16, Value) {
        let (status, id, answer) = self.runtime.block_on(async {
            let mut request = Vec::new();
            let mut signer = self.credentials.signer(server);
            signer.request_now(&mut request, operation, body.to_string().as_bytes());
            let mut connection = Connection::open(socket_address(server)).await.expect("it accepts");
            let answer = connection.exchange(&request).await.expect("an answer");
            let id = answer.header("x-amzn-requestid").expect("a request id").to_owned();
            let body: Value = serde_json::from_slice(answer.body).unwrap_or_default();
            (answer.status, id, body)
        });
        if status == 200 {
            self.requests.insert(id);
            self.blobs.extend(answer["CiphertextBlob"].as_str().map(str::to_owned));
        }
        (status, answer)
    }

    fn done(&mut self, server: &BullaProcess, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(server, operation, body);
        assert_eq!(status, 200, "{operation}: {answer}\n{}", server.logs());
        answer
    }

    fn new_key(&mut self, server: &BullaProcess) -> String {
        let made = self.done(server, "CreateKey", &json!({}));
        made["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned()
    }

    fn seal(&mut self, server: &BullaProcess, key: &str) -> String {
        let sealed = self.done(server, "Encrypt", &json!({ "KeyId": key, "Plaintext": "AAAA" }));
        sealed["CiphertextBlob"].as_str().expect("a blob").to_owned()
    }

    /// Everything that was acknowledged is in the log, which verifies, and opens.
    fn nothing_is_lost(&mut self, server: &BullaProcess, data: &Path) {
        for blob in self.blobs.clone() {
            let opened = self.done(server, "Decrypt", &json!({ "CiphertextBlob": blob }));
            assert_eq!(opened["Plaintext"], "AAAA");
        }
        let verified = on(data, &["audit", "verify"]);
        assert!(verified.succeeded(), "{verified:?}");
        let exported = on(data, &["audit", "export"]);
        assert!(exported.succeeded(), "{exported:?}");
        let recorded: HashSet<String> = exported
            .stdout_text()
            .lines()
            .filter_map(|line| {
                let event: Value = serde_json::from_str(line).expect("JSON");
                event["requestID"].as_str().map(str::to_owned)
            })
            .collect();
        let lost: Vec<_> = self.requests.difference(&recorded).collect();
        assert!(lost.is_empty(), "acknowledged and not in the log: {lost:?}");
    }
}

fn on(data: &Path, arguments: &[&str]) -> Finished {
    let mut all: Vec<&std::ffi::OsStr> = arguments.iter().map(AsRef::as_ref).collect();
    all.extend(["--data-dir".as_ref(), data.as_os_str()]);
    bulla(all)
}

/// Status of a page that needs no signature.
fn status(server: &BullaProcess, path: &str) -> u16 {
    let mut stream = TcpStream::connect(server.address()).expect("it accepts");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        server.address()
    )
    .expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
        .get(9..12)
        .and_then(|digits| digits.parse().ok())
        .expect("a status")
}

/// Waits until the server is ready, or is not: its answer may be a second old.
fn becomes(server: &BullaProcess, wanted: u16) {
    let asked = Instant::now();
    while status(server, "/readyz") != wanted {
        assert!(
            asked.elapsed() < BullaProcess::PATIENCE,
            "never {wanted}: {}",
            server.logs()
        );
        std::thread::yield_now();
    }
}

fn is_internal_error((status, answer): &(u16, Value)) -> bool {
    *status == 500 && answer["__type"] == "KMSInternalException"
}

fn doctor_finds(data: &Path) -> Vec<String> {
    let finished = on(data, &["doctor", "--output", "json"]);
    let document: Value = serde_json::from_slice(&finished.stdout).expect("JSON");
    let findings = document["Findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|finding| finding["Id"].as_str().expect("a text").to_owned())
        .collect()
}

fn refusal(data: &Path) -> String {
    BullaProcess::production(BULLA, data).expect_err("it refuses").logs
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

fn file_size(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
fn a_full_disk_refuses_what_it_can_not_record_and_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let mut client = Client::new(&credentials);
    let room = file_size(data.join("bulla.db")) + 300_000;
    let command = BullaCommand::new("/usr/bin/prlimit")
        .arg(format!("--fsize={room}:unlimited"))
        .args([BULLA, "serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data);
    let server = BullaProcess::start(&command).expect("it starts");
    let key = client.new_key(&server);
    client.seal(&server, &key);
    let mut refused = None;
    for _ in 0..2000 {
        let answer = client.ask(&server, "Encrypt", &json!({ "KeyId": key, "Plaintext": "AAAA" }));
        if answer.0 != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the disk is full at some time");
    assert!(is_internal_error(&refused), "{refused:?}");
    server.wait_for_log("the store is full").expect("the log says why");
    for operation in ["CreateKey", "GenerateRandom", "ListKeys"] {
        let answer = client.ask(&server, operation, &json!({ "NumberOfBytes": 1 }));
        assert!(
            is_internal_error(&answer),
            "{operation} is not done unrecorded: {answer:?}"
        );
    }
    becomes(&server, 503);
    assert_eq!(status(&server, "/healthz"), 200);
    assert_eq!(status(&server, "/metrics"), 200);

    // Room is made under the running server.
    let raised = Command::new("/usr/bin/prlimit")
        .args(["--fsize=unlimited", "--pid", &server.id().to_string()])
        .status()
        .expect("prlimit runs");
    assert!(raised.success());
    becomes(&server, 200);
    client.seal(&server, &key);
    let listed = client.done(&server, "ListKeys", &json!({}));
    assert_eq!(
        listed["Keys"].as_array().map(Vec::len),
        Some(1),
        "what was refused was not done"
    );
    client.nothing_is_lost(&server, &data);
    server.stop().expect("it stops by itself");
    let server = BullaProcess::production(BULLA, &data).expect("it starts again");
    client.nothing_is_lost(&server, &data);
}

#[test]
fn an_init_without_room_says_so_and_leaves_nothing_that_opens() {
    let dir = tempfile::tempdir().expect("a directory");
    for room in [0, 8, 64, 8_192, 40_000] {
        let data = dir.path().join(format!("data-{room}"));
        let finished = BullaCommand::new("/usr/bin/prlimit")
            .arg(format!("--fsize={room}"))
            .args([BULLA, "init", "--data-dir"])
            .arg(&data)
            .run()
            .expect("it runs");
        assert_eq!(finished.code, Some(1), "{room}: {finished:?}");
        assert!(finished.stderr.starts_with("error: "), "{room}: {finished:?}");
        refusal(&data);
        init(&data, &[]);
        BullaProcess::production(BULLA, &data).expect("it starts");
    }
}

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
        let tables = sqlx::query_scalar("SELECT rootpage FROM sqlite_master WHERE type = 'table'");
        tables.fetch_all(&mut connection).await.expect("it answers")
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
    // Indexes that no question needed may be damaged unseen; what lies in a table may not.
    let of_tables = |page: &usize| tables.iter().any(|table| *page as i64 + 1 == *table);
    assert!(!unseen.iter().any(of_tables), "damage that nobody saw: {unseen:?}");
    assert!(unseen.len() < bytes.len() / PAGE / 2, "{unseen:?}");
}

#[test]
fn a_root_key_that_is_missing_wrong_damaged_or_open_to_others_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, other) = (dir.path().join("data"), dir.path().join("other"));
    let credentials = init(&data, &[]);
    init(&other, &[]);
    let mut client = Client::new(&credentials);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let key = client.new_key(&server);
    client.seal(&server, &key);
    server.stop().expect("it stops by itself");
    let (root, kept) = (data.join("root.key"), dir.path().join("kept"));
    fs::rename(&root, &kept).expect("moved");

    let restore = |from: &Path, mode: u32| {
        fs::copy(from, &root).expect("copied");
        fs::set_permissions(&root, Permissions::from_mode(mode)).expect("set");
    };
    let says = |words: &[&str], finding: &str| {
        let logs = refusal(&data);
        for word in words.iter().chain(&["error: ", "hint: "]) {
            assert!(logs.contains(word), "{word} is not said: {logs}");
        }
        let findings = doctor_finds(&data);
        assert!(findings.iter().any(|found| found == finding), "{findings:?}");
    };
    says(&["root.key", "bulla root recover"], "root-key-missing");
    restore(&other.join("root.key"), 0o600);
    says(&["this root key does not open this store"], "root-key-wrong");
    restore(&kept, 0o644);
    says(&["0644", "chmod"], "root-key-unusable");
    restore(&kept, 0o600);
    fs::write(&root, "not a key").expect("written");
    says(&["root.key"], "root-key-unusable");

    restore(&kept, 0o600);
    let server = BullaProcess::production(BULLA, &data).expect("it starts with its own key");
    client.nothing_is_lost(&server, &data);
}

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

#[test]
fn two_servers_on_one_directory_see_each_others_changes_at_once_under_load() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let one = BullaProcess::production(BULLA, &data).expect("it starts");
    let two = BullaProcess::production(BULLA, &data).expect("so does the other");
    let mut client = Client::new(&credentials);
    let (key, busy) = (client.new_key(&one), client.new_key(&two));
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let load: Vec<_> = [&one, &two, &one, &two]
            .map(|server| {
                let (stop, answered, busy, credentials) = (&stop, &answered, &busy, &credentials);
                scope.spawn(move || {
                    let mut client = Client::new(credentials);
                    while !stop.load(Ordering::Relaxed) {
                        client.seal(server, busy);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    (client.requests, client.blobs)
                })
            })
            .into_iter()
            .collect();
        for round in 0..12 {
            let (here, there) = if round % 2 == 0 { (&one, &two) } else { (&two, &one) };
            let named = json!({ "KeyId": key });
            let sealed = client.seal(there, &key);
            client.done(here, "DisableKey", &named);
            let refused = client.ask(there, "Decrypt", &json!({ "CiphertextBlob": sealed }));
            assert_eq!(
                (refused.0, refused.1["__type"].as_str()),
                (400, Some("DisabledException"))
            );
            client.done(there, "EnableKey", &named);
            client.done(here, "RotateKeyOnDemand", &named);
            let rotated = client.seal(here, &key);
            for blob in [sealed, rotated] {
                let opened = client.done(there, "Decrypt", &json!({ "CiphertextBlob": blob }));
                assert_eq!(opened["Plaintext"], "AAAA");
            }
        }
        stop.store(true, Ordering::Relaxed);
        for done in load {
            let (requests, blobs) = done.join().expect("a client ends");
            client.requests.extend(requests);
            client.blobs.extend(blobs.into_iter().take(20));
        }
    });
    assert!(answered.load(Ordering::Relaxed) > 50, "the load was a load");
    client.nothing_is_lost(&two, &data);
    one.stop().expect("it stops by itself");
    two.stop().expect("so does the other");
    let server = BullaProcess::production(BULLA, &data).expect("it starts again");
    client.nothing_is_lost(&server, &data);
}

#[test]
fn a_lost_root_is_recovered_by_the_second_root_and_the_shares_go_on_working() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let second = format!("local://{}", dir.path().join("second.key").display());
    let made = on(
        &data,
        &[
            "init",
            "--output",
            "json",
            "--second-root",
            &second,
            "--recovery-shares",
            "2/3",
        ],
    );
    assert!(made.succeeded(), "{made:?}");
    let printed: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    let credentials = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    };
    let share = |at: usize| printed["RecoveryShares"][at].as_str().expect("a share");
    let mut client = Client::new(&credentials);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let key = client.new_key(&server);
    client.seal(&server, &key);
    drop(server.kill9());
    let lost = dir.path().join("lost.key");
    let recoveries: [&[&str]; 4] = [
        &["root", "recover"],
        &["root", "recover", "--share", share(0), "--share", share(2)],
        &["root", "recover"],
        &["root", "recover", "--share", share(2), "--share", share(1)],
    ];
    for recover in recoveries {
        fs::rename(data.join("root.key"), &lost).expect("lost");
        let logs = refusal(&data);
        assert!(logs.contains("bulla root recover"), "{logs}");
        let recovered = on(&data, recover);
        assert!(recovered.succeeded(), "{recovered:?}");
        assert!(
            !recovered.stderr.contains("recovery:"),
            "no share is given up: {recovered:?}"
        );
        let server = BullaProcess::production(BULLA, &data).expect("it starts");
        client.seal(&server, &key);
        client.nothing_is_lost(&server, &data);
        server.stop().expect("it stops by itself");
    }
    // Who finds the lost key opens nothing with it.
    fs::rename(&lost, data.join("root.key")).expect("found");
    let logs = refusal(&data);
    assert!(logs.contains("this root key does not open this store"), "{logs}");
}
