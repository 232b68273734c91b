//! TLS with an authority of one's own, and users.

use bulla_crypto::SecretBytes;
use bulla_tokens::conformance::{place, write};
use bulla_tokens::store::{StoreErrorKind, Written};
use bulla_tokens::{RedisConfig, RedisStore, TokenStore as _};

use crate::support::redis_server::{RedisServer, free_port};

fn secret(text: &str) -> SecretBytes {
    SecretBytes::from_vec(text.as_bytes().to_vec())
}

/// Has `openssl` make an authority, and a certificate of 127.0.0.1 by it.
fn certificates(directory: &std::path::Path) {
    let script = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
        -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem && \
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis -keyout server.key -out server.csr && \
        printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE' > ext && \
        openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn rediss_needs_an_authority_that_is_trusted() {
    let files = tempfile::tempdir().unwrap();
    certificates(files.path());
    let file = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let port = free_port().to_string();
    let (certificate, key, authority) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let arguments = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
    ];
    let more = ["--tls-ca-cert-file", &authority, "--tls-auth-clients", "no"];
    let _server = RedisServer::start_with(&[&arguments[..], &more[..]].concat());

    let mut config = RedisConfig::server(format!("rediss://127.0.0.1:{port}/0"));
    config.ca_pem = Some(std::fs::read(&authority).unwrap());
    let trusting = RedisStore::new(&config).unwrap();
    let written = trusting.write(&place("c", "p"), &write(1, b"x")).await.unwrap();
    assert_eq!(written, Written::Stored);

    config.ca_pem = None;
    let strict = RedisStore::new(&config).unwrap();
    let error = strict.read(&place("c", "p")).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unavailable);

    // Its name is checked too.
    let mut other = RedisConfig::server(format!("rediss://localhost:{port}/0"));
    other.ca_pem = Some(std::fs::read(&authority).unwrap());
    assert!(RedisStore::new(&other).unwrap().probe().await.is_err());
}

#[tokio::test]
async fn a_user_needs_his_password_and_may_do_what_the_vault_does() {
    let server = RedisServer::start();
    let commands = "+get +set +getrange +strlen +del +ping +time +evalsha +eval +script|load \
                    +zadd +zrem +zcount +zrange +zrangebyscore +zremrangebyscore +incr +pexpire +pttl";
    let mut user = vec!["ACL", "SETUSER", "vault", "on", ">s3cret", "~bulla:tokens:*"];
    user.extend(commands.split_whitespace());
    assert_eq!(server.cli(&user), "OK");
    assert_eq!(server.cli(&["ACL", "SETUSER", "default", "off"]), "OK");

    let mut config = RedisConfig::server(server.url());
    config.user = Some("vault".into());
    config.password = Some(secret("s3cret"));
    let store = RedisStore::new(&config).unwrap();
    let at = place("c", "p");
    assert_eq!(store.write(&at, &write(1, b"x")).await.unwrap(), Written::Stored);
    assert!(store.read(&at).await.unwrap().is_some());
    assert_eq!(store.list(at.client()).await.unwrap().len(), 1);
    assert_eq!(store.revoke(at.client(), 5).await.unwrap(), 1);

    for (user, password) in [
        (Some("vault"), Some("wrong")),
        (None, None),
        (Some("nobody"), Some("s3cret")),
    ] {
        config.user = user.map(str::to_owned);
        config.password = password.map(secret);
        let error = RedisStore::new(&config).unwrap().read(&at).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Denied, "{user:?}");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert!(!format!("{error:?} {source:?}").contains("s3cret"));
    }
}
