//! The spool of access events: durable first, delivered in order, full means closed.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_testkit::TestClock;
use bulla_tokens::{Access, AccessLog, Action, ClientId, Outcome, Provider, Spool, SpoolConfig, SpoolError, TokenName};
use serde_json::Value;

/// What takes events: it remembers them, and answers 503 until it is told otherwise.
#[derive(Clone)]
struct Receiver {
    port: u16,
    shared: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Default)]
struct State {
    open: bool,
    events: Vec<Value>,
    authorization: Option<String>,
    /// Names and sizes of all batches that were posted, also those that were not taken.
    posted: Vec<(String, usize)>,
}

impl Receiver {
    fn start(open: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = State {
            open,
            ..State::default()
        };
        let receiver = Self {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::new((Mutex::new(state), Condvar::new())),
        };
        let serving = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || while serving.serve(&stream).is_some() {});
            }
        });
        receiver
    }

    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut length, mut authorization) = (0, None);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if lower.starts_with("authorization:") {
                authorization = line.split_once(": ").map(|(_, value)| value.trim().to_owned());
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut body: Value = serde_json::from_slice(&body).unwrap();
        let (state, changed) = &*self.shared;
        let mut state = state.lock().unwrap();
        let name = body["batch_id"].as_str().unwrap().to_owned();
        let size = body["events"].as_array().unwrap().len();
        state.posted.push((name, size));
        let status = if state.open {
            "200 OK"
        } else {
            "503 Service Unavailable"
        };
        if state.open {
            state.events.append(body["events"].as_array_mut().unwrap());
            state.authorization = authorization;
        }
        changed.notify_all();
        write!(&mut &*stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").ok()
    }

    fn wait_for(&self, count: usize) -> Vec<Value> {
        let (state, changed) = &*self.shared;
        let (state, timeout) = changed
            .wait_timeout_while(state.lock().unwrap(), Duration::from_secs(60), |state| {
                state.events.len() < count
            })
            .unwrap();
        assert!(!timeout.timed_out(), "{:?}", state.events);
        state.events.clone()
    }

    /// The batches that were posted once there are so many.
    fn wait_for_posts(&self, count: usize) -> Vec<(String, usize)> {
        let (state, changed) = &*self.shared;
        let (state, timeout) = changed
            .wait_timeout_while(state.lock().unwrap(), Duration::from_secs(60), |state| {
                state.posted.len() < count
            })
            .unwrap();
        assert!(!timeout.timed_out(), "{:?}", state.posted);
        state.posted.clone()
    }

    fn config(&self, directory: &Path) -> SpoolConfig {
        let token = SecretBytes::from_vec(b"t0ken".to_vec());
        SpoolConfig::new(directory, format!("http://127.0.0.1:{}", self.port), token)
    }
}

fn open(config: SpoolConfig) -> Result<Spool, SpoolError> {
    Spool::open(config, Arc::new(TestClock::default()), Arc::new(SystemRandom))
}

fn access(action: Action, provider: &str) -> Access {
    Access {
        action,
        client: ClientId::new("acme").unwrap(),
        token: Some((Provider::new(provider).unwrap(), TokenName::default())),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn events_are_delivered_in_order_with_the_token_and_what_came_of_each_access() {
    let (receiver, directory, runtime) = (Receiver::start(true), tempfile::tempdir().unwrap(), runtime());
    runtime.block_on(async {
        let spool = open(receiver.config(directory.path())).unwrap();
        let put = spool.begin(&access(Action::Put, "p")).await.unwrap();
        let done = Outcome {
            version: Some(u64::MAX),
            ..Outcome::default()
        };
        put.finish(&done).await.unwrap();
        let get = spool.begin(&access(Action::Get, "q")).await.unwrap();
        let refused = Outcome {
            cache_hit: true,
            failure: Some("TokenReplayed"),
            ..Outcome::default()
        };
        get.finish(&refused).await.unwrap();
        let events = receiver.wait_for(3);
        assert_eq!(
            (&events[0]["details"]["phase"], &events[0]["name"]),
            (&"intent".into(), &"PutToken".into())
        );
        assert_eq!(events[0]["details"]["accessId"], events[1]["details"]["accessId"]);
        assert_eq!(events[1]["details"]["version"], "18446744073709551615");
        assert_eq!(events[2]["error_code"], "TokenReplayed");
        assert_eq!(events[2]["cache_hit"], true);
        assert_eq!(events[2]["context"]["api_provider"], "q");
        assert_eq!(events[2]["time"], "2026-01-01T00:00:00Z");
        let authorization = receiver.shared.0.lock().unwrap().authorization.clone();
        assert_eq!(authorization.as_deref(), Some("Bearer t0ken"));
    });
}

#[test]
fn what_could_not_be_delivered_is_delivered_by_the_next_process() {
    let (receiver, directory) = (Receiver::start(false), tempfile::tempdir().unwrap());
    let first = runtime();
    first.block_on(async {
        let spool = open(receiver.config(directory.path())).unwrap();
        for provider in ["a", "b", "c"] {
            let get = spool.begin(&access(Action::Get, provider)).await.unwrap();
            get.finish(&Outcome::default()).await.unwrap();
        }
        assert!(spool.waiting_bytes() > 0);
        let error = open(receiver.config(directory.path())).unwrap_err();
        assert!(matches!(error, SpoolError::InUse), "{error:?}");
    });
    drop(first);
    // A crash may leave half a line, which was never acknowledged.
    let last = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let last = last
        .filter(|path| path.to_str().unwrap().contains("events-"))
        .max()
        .unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(last).unwrap();
    file.write_all(b"{\"half\":").unwrap();

    receiver.shared.0.lock().unwrap().open = true;
    let second = runtime();
    second.block_on(async {
        // The first one's thread may still be closing its file.
        let spool = loop {
            match open(receiver.config(directory.path())) {
                Err(SpoolError::InUse) => tokio::task::yield_now().await,
                opened => break opened.unwrap(),
            }
        };
        let get = spool.begin(&access(Action::Get, "d")).await.unwrap();
        get.finish(&Outcome::default()).await.unwrap();
        let events = receiver.wait_for(4);
        let providers: Vec<_> = events
            .iter()
            .map(|event| event["context"]["api_provider"].clone())
            .collect();
        assert_eq!(providers, ["a", "b", "c", "d"]);
        while spool.waiting_bytes() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_batch_whose_answer_was_lost_is_posted_again_as_the_same_batch_also_by_the_next_process() {
    let (receiver, directory) = (Receiver::start(false), tempfile::tempdir().unwrap());
    let mut names = Vec::new();
    for _ in 0..2 {
        let runtime = runtime();
        runtime.block_on(async {
            let spool = loop {
                match open(receiver.config(directory.path())) {
                    Err(SpoolError::InUse) => tokio::task::yield_now().await,
                    opened => break opened.unwrap(),
                }
            };
            let before = receiver.wait_for_posts(0).len();
            let get = spool.begin(&access(Action::Get, "p")).await.unwrap();
            get.finish(&Outcome::default()).await.unwrap();
            names = receiver.wait_for_posts(before + 1);
            // More of them come while nobody knows whether the first was taken.
            for _ in 0..150 {
                let get = spool.begin(&access(Action::Get, "q")).await.unwrap();
                get.finish(&Outcome::default()).await.unwrap();
            }
            names = receiver.wait_for_posts(names.len() + 1);
        });
    }
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    receiver.shared.0.lock().unwrap().open = true;
    let runtime = runtime();
    runtime.block_on(async {
        let _spool = loop {
            match open(receiver.config(directory.path())) {
                Err(SpoolError::InUse) => tokio::task::yield_now().await,
                opened => break opened.unwrap(),
            }
        };
        assert_eq!(receiver.wait_for(302).len(), 302);
    });
    let posted = receiver.wait_for_posts(0);
    assert!(
        posted
            .iter()
            .all(|(name, size)| (1..=100).contains(size) && name.len() == 64)
    );
}

#[test]
fn a_full_spool_fails_the_access() {
    let (receiver, directory, runtime) = (Receiver::start(false), tempfile::tempdir().unwrap(), runtime());
    runtime.block_on(async {
        let mut config = receiver.config(directory.path());
        config.max_bytes = 1_000;
        let spool = open(config).unwrap();
        let mut kept = 0;
        let error = loop {
            match spool.begin(&access(Action::Put, "p")).await {
                Ok(_) => kept += 1,
                Err(error) => break error,
            }
        };
        assert!((1..5).contains(&kept), "{kept}");
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            SpoolError::Full.to_string()
        );
        // Reads fail too: their event has no room either.
        let get = spool.begin(&access(Action::Get, "p")).await.unwrap();
        assert!(get.finish(&Outcome::default()).await.is_err());
        // Delivered, there is room again.
        receiver.shared.0.lock().unwrap().open = true;
        receiver.wait_for(kept);
        while spool.begin(&access(Action::Put, "p")).await.is_err() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn events_go_over_tls_or_stay_on_the_machine() {
    let (directory, runtime) = (tempfile::tempdir().unwrap(), runtime());
    let _guard = runtime.enter();
    let token = SecretBytes::from_vec(b"t0ken".to_vec());
    let config = SpoolConfig::new(directory.path(), "http://bulla.example.com", token);
    assert!(matches!(open(config), Err(SpoolError::Endpoint(_))));
}
