//! TLS of the codec alone: clients' certificates as names, and a certificate of its own that is replaced.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::sha256;
use bulla_model::SystemClock;
use bulla_server::TlsFiles;
use bulla_server::codec::{CodecOperation, CodecServerConfig, TableGate};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::{Answer, PLAIN, Published, Running, allow, config, listen, request, token};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/codec")
        .join(name)
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(data(&format!("{name}.pem"))).unwrap()
}

/// As the table and the record name who shows the certificate.
fn principal(name: &str) -> String {
    format!("x509/{}", hex::encode(sha256(&certificate(name))))
}

fn over_tls(certificates: PathBuf, key: PathBuf, poll: Duration) -> CodecServerConfig {
    CodecServerConfig {
        tls: Some(TlsFiles {
            certificates,
            key,
            poll,
        }),
        client_authority: Some(data("authority.pem")),
        ..listen("127.0.0.1:0")
    }
}

const NEVER: Duration = Duration::from_secs(3_600);

/// `worker` may everything everywhere, `reader` may decode `default` and whatever begins with `read-`.
async fn codec() -> Running {
    use CodecOperation::{Decode, Encode};
    let listen = over_tls(data("first.pem"), data("first.key"), NEVER);
    Running::listening(config(), listen, |log| {
        let rows = vec![
            allow(&principal("worker"), "*", &[Encode, Decode]),
            allow(&principal("reader"), "default", &[Decode]),
            allow(&principal("reader"), "read-*", &[Decode]),
            allow("tokens-holder", "default", &[Decode]),
        ];
        let tokens = vec![token("tokens-holder", "a-token")];
        let source = Arc::new(Published::default());
        TableGate::new(tokens, Vec::new(), source, rows, log, Arc::new(SystemClock))
    })
    .await
}

/// Connects, with a client's certificate or without.
async fn connect(codec: &Running, client: Option<&str>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate("authority")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let key = PrivateKeyDer::from_pem_file(data(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(vec![certificate(name)], key).unwrap()
        }
    };
    let stream = TcpStream::connect(codec.address).await?;
    let name = ServerName::try_from("codec.test").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Posts as the holder of a certificate; an error where the server ends the connection.
async fn post(
    codec: &Running,
    client: Option<&str>,
    path: &str,
    headers: &str,
    body: impl AsRef<[u8]>,
) -> std::io::Result<Answer> {
    let head = format!("POST {path} HTTP/1.1\r\n{headers}content-type: application/json");
    let mut stream = connect(codec, client).await?;
    stream.write_all(&request(&head, body.as_ref())).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(Answer::read(&bytes))
}

#[tokio::test]
async fn a_clients_certificate_names_him_and_the_table_says_in_which_namespaces_he_may_what() {
    let codec = codec().await;
    let sealed = post(&codec, Some("worker"), "/codec/default/encode", "", PLAIN)
        .await
        .unwrap();
    assert_eq!(sealed.status, 200);
    for (client, path, headers, status) in [
        (Some("worker"), "/codec/default/decode", "", 200),
        (Some("reader"), "/codec/default/decode", "", 200),
        // Sealed in another namespace: let in, and then refused by the payload itself.
        (Some("reader"), "/codec/read-archive/decode", "", 422),
        (Some("worker"), "/codec/billing/decode", "", 422),
        (Some("reader"), "/codec/billing/decode", "", 403),
        (Some("reader"), "/codec/reader/decode", "", 403),
        (Some("reader"), "/codec/default/encode", "", 403),
        (Some("worker"), "/v1/codec/rotate", "", 403),
        // Vouched for by the authority, and in no row.
        (Some("unlisted"), "/codec/default/decode", "", 403),
        (None, "/codec/default/decode", "", 401),
        (None, "/codec/default/decode", "authorization: Bearer a-token\r\n", 200),
        // Who shows a token is who the token says, and a wrong one is not mended by a certificate.
        (
            Some("worker"),
            "/codec/default/encode",
            "authorization: Bearer a-token\r\n",
            403,
        ),
        (
            Some("worker"),
            "/codec/default/decode",
            "authorization: Bearer wrong\r\n",
            401,
        ),
    ] {
        let answer = post(&codec, client, path, headers, &sealed.body).await.unwrap();
        assert_eq!(answer.status, status, "{client:?} {path} {headers}");
    }
    let lines = codec.lines();
    assert_eq!(lines[0]["principal"], principal("worker"));
    assert_eq!(lines[2]["principal"], principal("reader"));
    let refused: Vec<_> = lines
        .iter()
        .filter(|line| line["errorCode"] == "AccessDenied")
        .collect();
    assert_eq!(refused.len(), 6, "{refused:?}");
    let unlisted = refused.iter().find(|line| line["principal"] == principal("unlisted"));
    assert_eq!(unlisted.unwrap()["namespace"], "default");
}

#[tokio::test]
async fn a_certificate_of_another_authority_gets_no_answer() {
    let codec = codec().await;
    let refused = post(&codec, Some("stranger"), "/codec/default/decode", "", PLAIN).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(codec.lines().is_empty());
    // Nor does a server's certificate do for a client.
    let refused = post(&codec, Some("second"), "/codec/default/decode", "", PLAIN).await;
    assert!(refused.is_err(), "{refused:?}");
}

/// Which certificate a new connection is shown.
async fn shown(codec: &Running) -> &'static str {
    let stream = connect(codec, None).await.unwrap();
    let shown = &stream.get_ref().1.peer_certificates().unwrap()[0];
    let names = ["first", "second"];
    names.into_iter().find(|name| certificate(name) == *shown).unwrap()
}

#[tokio::test]
async fn a_certificate_is_replaced_on_request_and_by_itself_and_never_by_one_that_can_not_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let install = |certificate: &str, key: &str| {
        std::fs::copy(data(&format!("{certificate}.pem")), dir.path().join("tls.pem")).unwrap();
        std::fs::copy(data(&format!("{key}.key")), dir.path().join("tls.key")).unwrap();
    };
    let files = || (dir.path().join("tls.pem"), dir.path().join("tls.key"));
    install("first", "first");
    let open = |log| TableGate::open(log, Arc::new(SystemClock));
    let (certificates, key) = files();
    let asked = Running::listening(config(), over_tls(certificates, key, NEVER), open).await;
    assert_eq!(shown(&asked).await, "first");
    install("second", "first");
    assert!(asked.reload.reload().is_err());
    assert_eq!(shown(&asked).await, "first");
    install("second", "second");
    asked.reload.reload().unwrap();
    assert_eq!(shown(&asked).await, "second");

    let (certificates, key) = files();
    let often = over_tls(certificates, key, Duration::from_millis(20));
    let watching = Running::listening(config(), often, open).await;
    assert_eq!(shown(&watching).await, "second");
    install("first", "first");
    let replaced = async { while shown(&watching).await != "first" {} };
    tokio::time::timeout(Duration::from_secs(30), replaced).await.unwrap();
    assert_eq!(shown(&asked).await, "second");
}
