//! Killed under load: what was acknowledged is there, and the log says so.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bulla_testkit::load::Connection;
use bulla_testkit::{BullaProcess, Signer};
use serde_json::{Value, json};
use support::{BULLA, Credentials, bulla, init, socket_address};
use tokio::task::JoinSet;

const CLIENTS: usize = 64;

/// What the service acknowledged before it was killed.
#[derive(Default)]
struct Acknowledged {
    requests: Vec<String>,
    sealed: Vec<(String, String)>,
}

#[test]
fn killed_under_load_it_keeps_everything_that_it_acknowledged() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let rounds = if std::env::var_os("BULLA_TEST_FULL").is_some() {
        100
    } else {
        10
    };
    kill_and_check(
        &data,
        &credentials,
        rounds,
        |data| BullaProcess::production(BULLA, data).expect("it starts"),
        |_| {},
    );
}

/// As above, on a disk that keeps nothing but what was synced (`bulla-testkit/native/unsynced.c`), from `init` on.
#[test]
fn a_disk_that_drops_what_was_never_synced_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = dir.path().canonicalize().expect("it exists");
    let (data, shadow) = (root.join("data"), root.join("shadow"));
    let library = build_shim(&root);
    let env = [
        ("LD_PRELOAD", library.to_str().expect("UTF-8")),
        ("BULLA_UNSYNCED_FROM", data.to_str().expect("UTF-8")),
        ("BULLA_UNSYNCED_TO", shadow.to_str().expect("UTF-8")),
    ];
    let credentials = init(&data, &env);
    let power_cut = |data: &Path| {
        fs::remove_dir_all(data).expect("the data directory goes");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&shadow)
            .arg(data)
            .status()
            .expect("cp runs");
        assert!(copied.success());
        for entry in fs::read_dir(data).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "copying") {
                fs::remove_file(path).expect("a copy that was under way goes");
            }
        }
    };
    power_cut(&data);
    let start = |data: &Path| {
        let mut command = BullaProcess::production_command(BULLA, data);
        for (name, value) in env {
            command = command.env(name, value);
        }
        BullaProcess::start(&command).expect("it starts on what the disk kept")
    };
    kill_and_check(&data, &credentials, 3, start, power_cut);
}

/// A trace of the system calls shows a sync after the request was read and before its answer was written.
#[test]
fn a_sync_lies_between_each_request_and_its_answer() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let trace = dir.path().join("trace");
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-s",
            "64",
            "-e",
            "trace=fsync,fdatasync,read,recvfrom,recvmsg,write,writev,sendto,sendmsg",
        ])
        .arg("-o")
        .arg(&trace)
        .args(["-p", &server.id().to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace runs");
    wait_for_line(&mut strace, "attached");

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let operations = 5;
    runtime.block_on(async {
        let mut signer = credentials.signer(&server);
        let mut connection = Connection::open(socket_address(&server)).await.expect("it accepts");
        let mut request = Vec::new();
        for _ in 0..operations {
            signer.request_now(&mut request, "CreateKey", b"{}");
            connection
                .exchange(&request)
                .await
                .expect("an answer")
                .expect_ok()
                .expect("status 200");
        }
    });
    let interrupted = Command::new("kill")
        .args(["-INT", &strace.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(interrupted.success());
    strace.wait().expect("strace ends");
    server.stop().expect("it stops by itself");

    let trace = fs::read_to_string(&trace).expect("a trace");
    let (mut asked, mut synced, mut answered) = (false, false, 0);
    for line in trace.lines() {
        if line.contains("\"POST / HTTP/1.1") {
            assert!(!asked, "one request at a time");
            (asked, synced) = (true, false);
        } else if (line.contains("fdatasync") || line.contains("fsync")) && line.ends_with("= 0") {
            synced |= asked;
        } else if line.contains("\"HTTP/1.1 200") {
            assert!(asked && synced, "an answer without a sync before it:\n{trace}");
            (asked, answered) = (false, answered + 1);
        }
    }
    assert_eq!(answered, operations, "the trace shows every answer:\n{trace}");
}

fn kill_and_check(
    data: &Path,
    credentials: &Credentials,
    rounds: u64,
    start: impl Fn(&Path) -> BullaProcess,
    after_kill: impl Fn(&Path),
) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut requests = HashSet::new();
    for round in 0..rounds {
        let server = start(data);
        let acknowledged = runtime.block_on(load_until_killed(server, credentials, round));
        assert!(
            acknowledged.requests.len() > CLIENTS,
            "the load was a load: {}",
            acknowledged.requests.len()
        );
        after_kill(data);

        let verified = bulla([
            "audit".as_ref(),
            "verify".as_ref(),
            "--data-dir".as_ref(),
            data.as_os_str(),
        ]);
        assert!(verified.succeeded(), "round {round}: {verified:?}");
        requests.extend(acknowledged.requests);
        let exported = bulla([
            "audit".as_ref(),
            "export".as_ref(),
            "--data-dir".as_ref(),
            data.as_os_str(),
        ]);
        assert!(exported.succeeded(), "{}", exported.stderr);
        let recorded: HashSet<String> = exported
            .stdout_text()
            .lines()
            .filter_map(|line| {
                serde_json::from_str::<Value>(line)
                    .expect("JSON")
                    .get("requestID")?
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        let lost: Vec<_> = requests.difference(&recorded).collect();
        assert!(
            lost.is_empty(),
            "round {round}: acknowledged and not in the log: {lost:?}"
        );

        let server = start(data);
        runtime.block_on(open_all(&server, credentials, &acknowledged.sealed));
        server.stop().expect("it stops by itself");
    }
}

/// Loads the server from 64 connections and kills it in the middle; later rounds let more through before the kill.
async fn load_until_killed(server: BullaProcess, credentials: &Credentials, round: u64) -> Acknowledged {
    let address = socket_address(&server);
    let answered = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
        let signer = credentials.signer(&server);
        clients.spawn(async move { one_client(address, signer, number, &answered, &stop).await });
    }
    let enough = 400 + 37 * round;
    tokio::time::timeout(Duration::from_secs(120), async {
        while answered.load(Ordering::Relaxed) < enough {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the server answers under load");
    server.kill9();
    stop.store(true, Ordering::Relaxed);
    let mut all = Acknowledged::default();
    while let Some(done) = clients.join_next().await {
        let mut done = done.expect("a client ends");
        all.requests.append(&mut done.requests);
        all.sealed.append(&mut done.sealed);
    }
    all
}

async fn one_client(
    address: std::net::SocketAddr,
    mut signer: Signer,
    number: usize,
    answered: &AtomicU64,
    stop: &AtomicBool,
) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    let Ok(mut connection) = Connection::open(address).await else {
        return acknowledged;
    };
    let mut key: Option<String> = None;
    let mut request = Vec::new();
    for turn in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let plaintext = format!("client {number} turn {turn}");
        let encoded = BASE64.encode(&plaintext);
        let (operation, body) = match (&key, turn % 16) {
            (None, _) => ("CreateKey", json!({})),
            (Some(key), 7) => ("RotateKeyOnDemand", json!({ "KeyId": key })),
            (Some(key), 11) => (
                "UpdateKeyDescription",
                json!({ "KeyId": key, "Description": plaintext }),
            ),
            (Some(key), _) => (
                "Encrypt",
                json!({ "KeyId": key, "Plaintext": encoded, "EncryptionContext": { "client": number.to_string() } }),
            ),
        };
        signer.request_now(&mut request, operation, body.to_string().as_bytes());
        let Ok(answer) = connection.exchange(&request).await else {
            break;
        };
        let body: Value = serde_json::from_slice(answer.body).unwrap_or_default();
        let refused = answer.status == 400 && body["__type"] == "LimitExceededException";
        assert!(answer.status == 200 || refused, "{operation}: {} {body}", answer.status);
        acknowledged
            .requests
            .push(answer.header("x-amzn-requestid").expect("a request id").to_owned());
        match operation {
            "CreateKey" => key = body["KeyMetadata"]["KeyId"].as_str().map(str::to_owned),
            "Encrypt" => {
                let blob = body["CiphertextBlob"].as_str().expect("a blob");
                let ask = json!({ "CiphertextBlob": blob, "EncryptionContext": { "client": number.to_string() } });
                acknowledged.sealed.push((ask.to_string(), encoded));
            }
            _ => {}
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

async fn open_all(server: &BullaProcess, credentials: &Credentials, sealed: &[(String, String)]) {
    let mut signer = credentials.signer(server);
    let mut connection = Connection::open(socket_address(server)).await.expect("it accepts");
    let mut request = Vec::new();
    for (ask, plaintext) in sealed {
        signer.request_now(&mut request, "Decrypt", ask.as_bytes());
        let answer = connection
            .exchange(&request)
            .await
            .expect("an answer")
            .expect_ok()
            .expect("it opens");
        let body: Value = serde_json::from_slice(answer.body).expect("JSON");
        assert_eq!(body["Plaintext"].as_str(), Some(plaintext.as_str()));
    }
}

fn build_shim(dir: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bulla-testkit/native/unsynced.c");
    let library = dir.join("unsynced.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(built.expect("cc runs").success());
    library
}

fn wait_for_line(child: &mut std::process::Child, text: &str) {
    use std::io::{BufRead as _, BufReader};
    let stderr = child.stderr.take().expect("stderr is piped");
    let mut lines = BufReader::new(stderr).lines();
    let seen = lines.by_ref().any(|line| line.is_ok_and(|line| line.contains(text)));
    assert!(seen, "{text} was never said");
    std::thread::spawn(move || lines.for_each(drop));
}
