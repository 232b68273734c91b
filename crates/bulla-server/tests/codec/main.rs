//! The Temporal codec over HTTP: protocol, cross-origin requests, callers, outages.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod certificates;
mod cors;
mod outages;
mod protocol;
mod tokens;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bulla_crypto::{SystemRandom, sha256};
use bulla_kms::KeyProvider;
use bulla_model::SystemClock;
use bulla_server::ReloadHandle;
use bulla_server::codec::{
    AccessSink, Allow, Codec, CodecConfig, CodecOperation, CodecServer, CodecServerConfig, Gate, Issuer, JwksSource,
    Origins, StaticToken, TableGate,
};
use bulla_temporal::{KeyName, NamespaceKeys, Namespaces, PayloadCodec, Unknown};
use bulla_testkit::FaultyProvider;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const UI: &str = "http://ui.example:8233";

/// A codec that listens; ended with the test.
struct Running {
    address: SocketAddr,
    provider: Arc<FaultyProvider>,
    log: Arc<Log>,
    reload: ReloadHandle,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<Value>>,
    broken: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl AccessSink for Log {
    async fn write(&self, line: Vec<u8>) -> io::Result<()> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::Error::other("full"));
        }
        assert_eq!(line.last(), Some(&b'\n'));
        self.lines.lock().unwrap().push(serde_json::from_slice(&line).unwrap());
        Ok(())
    }
}

/// What issuers publish, and which pages were asked for.
#[derive(Debug, Default)]
struct Published {
    keys: Mutex<Option<String>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl JwksSource for Published {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        self.asked.lock().unwrap().push(url.to_owned());
        let published = self.keys.lock().unwrap().clone();
        Ok(published.ok_or("not reached")?.into_bytes())
    }
}

fn config() -> CodecConfig {
    CodecConfig {
        default_namespace: Some("default".parse().unwrap()),
        origins: Origins::Listed(vec![UI.to_owned()]),
        ..CodecConfig::default()
    }
}

fn allow(principal: &str, namespace: &str, operations: &[CodecOperation]) -> Allow {
    Allow {
        principal: principal.to_owned(),
        namespaces: vec![namespace.parse().unwrap()],
        operations: operations.to_vec(),
    }
}

fn token(principal: &str, token: &str) -> StaticToken {
    StaticToken {
        principal: principal.into(),
        sha256: sha256(token.as_bytes()),
    }
}

impl Running {
    /// Everybody may everything.
    async fn open() -> Self {
        Self::with(config(), |log| TableGate::open(log, Arc::new(SystemClock))).await
    }

    /// `worker` may encode and decode everywhere, `reader` may decode `default`, `issuer/…` may decode.
    async fn closed() -> Self {
        Self::with(config(), |log| {
            Self::table(log, Vec::new(), Arc::new(Published::default()))
        })
        .await
    }

    fn table(log: Arc<dyn AccessSink>, issuers: Vec<Issuer>, source: Arc<Published>) -> TableGate {
        use CodecOperation::{Decode, Encode, Rotate};
        let rows = vec![
            allow("worker", "*", &[Encode, Decode, Rotate]),
            allow("reader", "default", &[Decode]),
            allow("rotator", "prod-*", &[Rotate]),
            allow("issuer/*", "*", &[Decode]),
            allow("temporal-cloud/alice", "default", &[Decode]),
        ];
        let tokens = ["worker", "reader", "rotator"]
            .map(|who| token(who, &format!("{who}-token")))
            .to_vec();
        TableGate::new(tokens, issuers, source, rows, log, Arc::new(SystemClock))
    }

    async fn with(config: CodecConfig, gate: impl FnOnce(Arc<dyn AccessSink>) -> TableGate) -> Self {
        Self::listening(config, listen("127.0.0.1:0"), gate).await
    }

    async fn listening(
        config: CodecConfig,
        listen: CodecServerConfig,
        gate: impl FnOnce(Arc<dyn AccessSink>) -> TableGate,
    ) -> Self {
        let provider = FaultyProvider::in_memory();
        let log = Arc::new(Log::default());
        let gate: Arc<dyn Gate> = Arc::new(gate(Arc::clone(&log) as _));
        let keys = NamespaceKeys::new(KeyName {
            provider: Arc::clone(&provider) as Arc<dyn KeyProvider>,
            name: "alias/app".to_owned(),
        });
        let rules = vec![("*".parse().unwrap(), keys)];
        let namespaces = Namespaces::new(rules, Unknown::Deny);
        let codec = PayloadCodec::new(namespaces, PayloadCodec::default_settings(), Arc::new(SystemRandom));
        let codec = Codec::new(Arc::new(codec), gate, config, Arc::new(SystemRandom));
        let server = CodecServer::bind(listen, Arc::new(codec)).await.unwrap();
        let (address, reload) = (server.local_addr(), server.reload_handle());
        tokio::spawn(server.run(std::future::pending()));
        Self {
            address,
            provider,
            log,
            reload,
        }
    }

    async fn send(&self, head: &str, body: impl AsRef<[u8]>) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&request(head, body.as_ref())).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::read(&bytes)
    }

    /// Posts JSON; `headers` are whole lines, each with what ends it.
    async fn post(&self, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send(
            &format!("POST {path} HTTP/1.1\r\n{headers}content-type: application/json"),
            body,
        )
        .await
    }

    async fn get(&self, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\n{headers}accept: */*"), b"")
            .await
    }

    fn lines(&self) -> Vec<Value> {
        self.log.lines.lock().unwrap().clone()
    }
}

/// A request of a head without the lines that every request has.
fn request(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("{head}\r\nhost: codec\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn listen(address: &str) -> CodecServerConfig {
    CodecServerConfig {
        listen: address.parse().unwrap(),
        tls: None,
        client_authority: None,
        behind_tls_proxy: false,
        anybody: false,
        open: false,
        trusted_proxies: Vec::new(),
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HashMap::<String, String>::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let all = headers.entry(name.to_ascii_lowercase()).or_default();
            if !all.is_empty() {
                all.push_str(", ");
            }
            all.push_str(value);
        }
        Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the answer is JSON")
    }

    fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

const PLAIN: &str = r#"{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"eyJpZCI6MTIzfQ=="}]}"#;
