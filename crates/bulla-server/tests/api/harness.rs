use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bulla_crypto::SystemRandom;
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_model::Clock;
use bulla_server::{AuthMode, DevClock, ReloadHandle, Server, ServerConfig};
use bulla_service::{InitialiseSettings, Initialised, Mode, Root, Service, Settings};
use bulla_store_sql::{OpenOptions, SqlStore};
use bulla_testkit::{Signer, TestClock};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What [`TestClock`] shows at its start.
pub(crate) const NOW: &str = "20260101T000000Z";
pub(crate) const REGION: &str = "us-east-1";

/// A server on a free port of the loopback, over a service on a temporary SQLite store; its clock stands still.
pub(crate) struct Harness {
    pub(crate) address: SocketAddr,
    pub(crate) service: Service,
    pub(crate) initialised: Initialised,
    pub(crate) reload: ReloadHandle,
    pub(crate) running: JoinHandle<()>,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    _directory: TempDir,
}

impl Harness {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn dev() -> Self {
        Self::with(|config| config.auth = AuthMode::Dev).await
    }

    pub(crate) async fn with(configure: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::with_service(configure, async |_, _, _| {}).await
    }

    /// Starts a server whose configuration needs the service, or its directory.
    pub(crate) async fn with_service(
        configure: impl FnOnce(&mut ServerConfig),
        mount: impl AsyncFnOnce(&mut ServerConfig, &Service, &Path),
    ) -> Self {
        let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap());
        configure(&mut config);
        let directory = tempfile::tempdir().unwrap();
        let dev_clock = Arc::new(DevClock::new(Arc::new(TestClock::default())));
        let clock: Arc<dyn Clock> = dev_clock.clone();
        // Also where signatures are verified: there it must not be looked at.
        config.dev_clock = Some(dev_clock);
        let mode = if config.auth == AuthMode::Dev {
            Mode::Development
        } else {
            Mode::Production
        };
        let (service, initialised) = open(directory.path(), &clock, mode).await;
        mount(&mut config, &service, directory.path()).await;
        let server = Server::bind(config, service.clone(), clock, Arc::new(SystemRandom))
            .await
            .unwrap();
        let (stop, stopped) = oneshot::channel();
        let (address, reload) = (server.local_addr(), server.reload_handle());
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            service,
            initialised,
            reload,
            running,
            stop: Some(stop),
            _directory: directory,
        }
    }

    pub(crate) fn signer(&self, region: &str) -> Signer {
        let credentials = &self.initialised.credentials;
        let secret = std::str::from_utf8(credentials.secret_access_key.expose_secret()).unwrap();
        Signer::new(&credentials.access_key_id, secret, region, &self.address.to_string())
    }

    /// A signed request, as bytes.
    pub(crate) fn signed(&self, operation: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.signer(REGION).request(&mut bytes, operation, body, NOW);
        bytes
    }

    /// Signs and sends a body that may be anything.
    pub(crate) async fn send(&self, operation: &str, body: &[u8]) -> Answer {
        self.raw(&self.signed(operation, body)).await
    }

    /// Sends bytes on a connection of their own.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        Answer::read(&mut stream).await.expect("an answer")
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Calls an operation and takes its output.
    pub(crate) async fn ok(&self, operation: &str, input: Value) -> Value {
        let answer = self.send(operation, input.to_string().as_bytes()).await;
        assert_eq!(answer.status, 200, "{operation} {input}: {}", answer.text());
        if answer.body.is_empty() {
            Value::Null
        } else {
            answer.json()
        }
    }

    /// Calls an operation in another region and takes its output.
    pub(crate) async fn ok_in(&self, region: &str, operation: &str, input: Value) -> Value {
        let answer = self.send_in(region, operation, input.to_string().as_bytes()).await;
        assert_eq!(answer.status, 200, "{operation} {input}: {}", answer.text());
        if answer.body.is_empty() {
            Value::Null
        } else {
            answer.json()
        }
    }

    /// Signs for another region and sends.
    pub(crate) async fn send_in(&self, region: &str, operation: &str, body: &[u8]) -> Answer {
        let mut bytes = Vec::new();
        self.signer(region).request(&mut bytes, operation, body, NOW);
        self.raw(&bytes).await
    }

    /// Calls an operation and expects its error.
    pub(crate) async fn refused(&self, operation: &str, input: Value, code: &str) -> Option<String> {
        let answer = self.send(operation, input.to_string().as_bytes()).await;
        answer.is_error(400, code)
    }

    /// Makes a key and answers its id.
    pub(crate) async fn key(&self) -> String {
        self.ok("CreateKey", json!({})).await["KeyMetadata"]["KeyId"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Calls an operation of the dev mode, without a signature, and takes its output.
    pub(crate) async fn dev_ok(&self, operation: &str, input: Value) -> Value {
        let answer = self.dev_send(operation, input).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        if answer.body.is_empty() {
            Value::Null
        } else {
            answer.json()
        }
    }

    pub(crate) async fn dev_send(&self, operation: &str, input: Value) -> Answer {
        let head = format!("X-Amz-Target: TrentService.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n");
        self.post("/", &head, &input.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &str, body: &str) -> Answer {
        let (address, length) = (self.address, body.len());
        self.raw(
            format!("POST {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
                .as_bytes(),
        )
        .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).as_bytes())
            .await
    }
}

async fn open(directory: &Path, clock: &Arc<dyn Clock>, mode: Mode) -> (Service, Initialised) {
    let random = Arc::new(SystemRandom);
    let root = RootKeyFile::create(&directory.join("root.key"), &SystemRandom).unwrap();
    let key = root.id().as_str().to_owned();
    let provider = Arc::new(LocalProvider::new([root], random.clone()).unwrap());
    let roots = [Root { provider, key }];
    let store = Arc::new(
        SqlStore::open(OpenOptions::sqlite_file(directory.join("bulla.db")))
            .await
            .unwrap(),
    );
    let settings = InitialiseSettings {
        mode,
        account: None,
        administrator: "admin".parse().unwrap(),
        origin: None,
        region: REGION.parse().unwrap(),
    };
    let initialised = Service::initialise(store.clone(), &roots, clock.clone(), random.clone(), settings)
        .await
        .unwrap();
    let service = Service::open(store, &roots, clock.clone(), random, Settings::new(mode))
        .await
        .unwrap();
    (service, initialised)
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads one response; `None` where the connection ends first.
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        Some(Self { status, headers, body })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Checks an error and gives its message.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, code: &str) -> Option<String> {
        let body = self.json();
        assert_eq!((self.status, body["__type"].as_str()), (status, Some(code)), "{body}");
        body.get("message")
            .or(body.get("Message"))
            .map(|text| text.as_str().unwrap().to_owned())
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }
}
