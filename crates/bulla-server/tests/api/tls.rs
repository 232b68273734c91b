use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulla_server::TlsFiles;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{Answer, Harness};

/// Takes any certificate: the tests look at which one it was.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

async fn connect(server: &Harness, protocol: &[u8]) -> TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, server.connect().await)
        .await
        .unwrap()
}

/// Says which of the two test certificates a new connection is shown.
async fn shown(server: &Harness) -> &'static str {
    let stream = connect(server, b"http/1.1").await;
    let certificate = &stream.get_ref().1.peer_certificates().unwrap()[0];
    let names = [("first", &b"first.test"[..]), ("second", b"second.test")];
    let is = |name: &[u8]| certificate.windows(name.len()).any(|window| window == name);
    names.into_iter().find(|(_, name)| is(name)).unwrap().0
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn install(directory: &TempDir, certificate: &str, key: &str) {
    std::fs::copy(data(certificate), directory.path().join("tls.pem")).unwrap();
    std::fs::copy(data(key), directory.path().join("tls.key")).unwrap();
}

async fn start(directory: &TempDir, poll: Duration) -> Harness {
    let files = TlsFiles {
        certificates: directory.path().join("tls.pem"),
        key: directory.path().join("tls.key"),
        poll,
    };
    Harness::with(|config| config.tls = Some(files)).await
}

const NEVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn requests_are_answered_over_tls() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let server = start(&directory, NEVER).await;
    let mut stream = connect(&server, b"http/1.1").await;
    stream.write_all(&server.signed("ListKeys", b"{}")).await.unwrap();
    assert_eq!(Answer::read(&mut stream).await.unwrap().status, 200);
    assert_eq!(
        connect(&server, b"h2").await.get_ref().1.alpn_protocol(),
        Some(&b"h2"[..])
    );
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_does_not_hold_up_the_end() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let mut server = start(&directory, NEVER).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"\x16\x03\x01").await.unwrap();
    // A whole handshake later, the server has accepted what came before it.
    assert_eq!(shown(&server).await, "first");
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server.running)
        .await
        .expect("the server ends long before the time for handshakes")
        .unwrap();
}

#[tokio::test]
async fn http_2_is_spoken_to_who_chooses_it() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let server = start(&directory, NEVER).await;
    let stream = hyper_util::rt::TokioIo::new(connect(&server, b"h2").await);
    let (mut sender, connection) = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), stream)
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let request = http::Request::get(format!("https://{}/healthz", server.address))
        .body(http_body_util::Empty::<bytes::Bytes>::new());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.version()),
        (200, http::Version::HTTP_2)
    );
    driver.abort();
}

#[tokio::test]
async fn large_bodies_come_over_http_2_and_share_its_memory() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let files = TlsFiles {
        certificates: directory.path().join("tls.pem"),
        key: directory.path().join("tls.key"),
        poll: NEVER,
    };
    let server = Harness::with(|config| {
        config.auth = bulla_server::AuthMode::Dev;
        config.tls = Some(files);
        config.limits.body_memory_bytes = 1024 * 1024;
    })
    .await;
    let stream = hyper_util::rt::TokioIo::new(connect(&server, b"h2").await);
    let (sender, connection) = hyper::client::conn::http2::handshake(hyper_util::rt::TokioExecutor::new(), stream)
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let body = bytes::Bytes::from(format!("{{\"Unknown\":\"{}\"}}", "x".repeat(900 * 1024)));
    let send = || {
        let request = http::Request::post(format!("https://{}/", server.address))
            .header("x-amz-target", "TrentService.ListKeys")
            .header("content-type", "application/x-amz-json-1.1")
            .body(http_body_util::Full::new(body.clone()))
            .unwrap();
        let mut sender = sender.clone();
        async move { sender.send_request(request).await.unwrap().status().as_u16() }
    };
    // There is room for one at a time: the others wait and come through.
    assert_eq!(tokio::join!(send(), send(), send()), (200, 200, 200));
    driver.abort();
}

#[tokio::test]
async fn a_certificate_is_read_again_on_request() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let server = start(&directory, NEVER).await;
    assert_eq!(shown(&server).await, "first");
    install(&directory, "second.pem", "second.key");
    assert_eq!(shown(&server).await, "first");
    server.reload.reload().unwrap();
    assert_eq!(shown(&server).await, "second");
}

#[tokio::test]
async fn a_changed_certificate_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let server = start(&directory, Duration::from_millis(20)).await;
    assert_eq!(shown(&server).await, "first");
    install(&directory, "second.pem", "second.key");
    let noticed = async {
        while shown(&server).await != "second" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noticed)
        .await
        .expect("the new certificate is shown");
}

#[tokio::test]
async fn a_certificate_that_can_not_be_used_replaces_none() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let server = start(&directory, NEVER).await;
    install(&directory, "second.pem", "first.key");
    assert!(server.reload.reload().is_err(), "a key of another certificate");
    std::fs::write(directory.path().join("tls.pem"), "no PEM").unwrap();
    assert!(server.reload.reload().is_err());
    std::fs::remove_file(directory.path().join("tls.key")).unwrap();
    assert!(server.reload.reload().is_err());
    assert_eq!(shown(&server).await, "first");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_cut() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let server = start(&directory, NEVER).await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said).await;
    assert!(!said.starts_with(b"HTTP"));
    assert_eq!(shown(&server).await, "first");
}

/// Somebody who may list keys over TLS only, and his request to do so.
async fn over_tls(server: &Harness) -> (crate::calls::Person, Vec<u8>) {
    let app = server.person(&server.initialised.account, "app").await;
    let statement = serde_json::json!({"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "true"}}});
    server.give(&app, &serde_json::json!([statement])).await;
    let request = server.signed_as(&app, "ListKeys", &serde_json::json!({}));
    (app, request)
}

#[tokio::test]
async fn a_policy_can_ask_for_tls() {
    let directory = tempfile::tempdir().unwrap();
    install(&directory, "first.pem", "first.key");
    let server = start(&directory, NEVER).await;
    let (_app, request) = over_tls(&server).await;
    let mut stream = connect(&server, b"http/1.1").await;
    stream.write_all(&request).await.unwrap();
    assert_eq!(Answer::read(&mut stream).await.expect("an answer").said().0, "ok");
}

#[tokio::test]
async fn a_policy_that_asks_for_tls_believes_a_trusted_proxy_and_nobody_else() {
    let forwarded = |request: &[u8], protocol: &str| {
        let text = String::from_utf8(request.to_vec()).unwrap();
        let header = format!("X-Forwarded-Proto: {protocol}\r\nX-Amz-Date");
        text.replacen("X-Amz-Date", &header, 1).into_bytes()
    };
    let proxied = Harness::with(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    let (_app, request) = over_tls(&proxied).await;
    for (protocol, code) in [("https", "ok"), ("http", "AccessDeniedException")] {
        assert_eq!(
            proxied.raw(&forwarded(&request, protocol)).await.said().0,
            code,
            "{protocol}"
        );
    }
    assert_eq!(proxied.raw(&request).await.said().0, "AccessDeniedException");
    let plain = Harness::start().await;
    let (_app, request) = over_tls(&plain).await;
    assert_eq!(
        plain.raw(&forwarded(&request, "https")).await.said().0,
        "AccessDeniedException"
    );
}
