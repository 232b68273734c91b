//! A client that remembers what was acknowledged, and what the tests ask of a server and its directory.

use std::collections::HashSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bulla_testkit::load::Connection;
use bulla_testkit::{BullaProcess, Finished};
use serde_json::{Value, json};

use crate::support::{BULLA, Credentials, bulla, socket_address};

pub(crate) type Fault<'a> = &'a dyn Fn(&Path);

/// A client of one server that remembers what was acknowledged.
pub(crate) struct Client<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) requests: HashSet<String>,
    pub(crate) blobs: Vec<String>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(credentials: &'a Credentials) -> Self {
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

    pub(crate) fn ask(&mut self, server: &BullaProcess, operation: &str, body: &Value) -> (u16, Value) {
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

    pub(crate) fn done(&mut self, server: &BullaProcess, operation: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(server, operation, body);
        assert_eq!(status, 200, "{operation}: {answer}\n{}", server.logs());
        answer
    }

    pub(crate) fn new_key(&mut self, server: &BullaProcess) -> String {
        let made = self.done(server, "CreateKey", &json!({}));
        made["KeyMetadata"]["KeyId"].as_str().expect("an id").to_owned()
    }

    pub(crate) fn seal(&mut self, server: &BullaProcess, key: &str) -> String {
        let sealed = self.done(server, "Encrypt", &json!({ "KeyId": key, "Plaintext": "AAAA" }));
        sealed["CiphertextBlob"].as_str().expect("a blob").to_owned()
    }

    /// Everything that was acknowledged is in the log, which verifies, and opens.
    pub(crate) fn nothing_is_lost(&mut self, server: &BullaProcess, data: &Path) {
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

pub(crate) fn on(data: &Path, arguments: &[&str]) -> Finished {
    let mut all: Vec<&std::ffi::OsStr> = arguments.iter().map(AsRef::as_ref).collect();
    all.extend(["--data-dir".as_ref(), data.as_os_str()]);
    bulla(all)
}

/// Status of a page that needs no signature.
pub(crate) fn status(server: &BullaProcess, path: &str) -> u16 {
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
pub(crate) fn becomes(server: &BullaProcess, wanted: u16) {
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

pub(crate) fn is_internal_error((status, answer): &(u16, Value)) -> bool {
    *status == 500 && answer["__type"] == "KMSInternalException"
}

pub(crate) fn doctor_finds(data: &Path) -> Vec<String> {
    let finished = on(data, &["doctor", "--output", "json"]);
    let document: Value = serde_json::from_slice(&finished.stdout).expect("JSON");
    let findings = document["Findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|finding| finding["Id"].as_str().expect("a text").to_owned())
        .collect()
}

pub(crate) fn refusal(data: &Path) -> String {
    BullaProcess::production(BULLA, data).expect_err("it refuses").logs
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .expect("cp runs");
    assert!(copied.success());
}

pub(crate) fn file_size(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
