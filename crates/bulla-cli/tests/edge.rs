//! The HTTP edge of the whole program: AWS's own model of its API, moto beside it, and TLS with certificates that are replaced.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::path::{Path, PathBuf};

use bulla_testkit::BullaProcess;
use support::{BULLA, client_script, from_test_script, init};

#[test]
fn every_operation_of_awss_model_is_called_and_every_member_of_its_outputs_comes() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    client_script("boto3_every_operation.py", &[server.endpoint()]);
    let (_, logs) = server.stop().expect("it stops by itself");
    assert!(!logs.contains("panicked"), "{logs}");
}

#[test]
fn wrong_calls_get_motos_error_codes_where_moto_is_right() {
    let server = BullaProcess::dev(BULLA).expect("a dev server starts");
    let moto = from_test_script("BULLA_TEST_MOTO_URL");
    client_script("boto3_beside_moto.py", &[server.endpoint(), &moto]);
    server.stop().expect("it stops by itself");
}

/// Certificates for 127.0.0.1 in a directory, and the pair of files that the server is told of.
struct Certificates(PathBuf);

impl Certificates {
    fn make(dir: &Path, names: &[&str]) -> Self {
        let made = Self(dir.to_owned());
        for name in names {
            let (certificate, key) = (made.path(name, "pem"), made.path(name, "key"));
            client_script("boto3_tls.py", &["make", &certificate, &key, name]);
        }
        made
    }

    fn path(&self, name: &str, kind: &str) -> String {
        self.0.join(format!("{name}.{kind}")).display().to_string()
    }

    fn install(&self, certificate: &str, key: &str) {
        for (from, kind) in [(certificate, "pem"), (key, "key")] {
            std::fs::copy(self.path(from, kind), self.path("installed", kind)).expect("a file is copied");
        }
    }
}

#[test]
fn boto3_speaks_tls_and_meets_the_new_certificate_after_a_hangup_and_never_a_wrong_one() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    let credentials = init(&data, &[]);
    let certificates = Certificates::make(dir.path(), &["first", "second"]);
    certificates.install("first", "first");
    let command = BullaProcess::production_command(BULLA, &data).args([
        "--tls-cert",
        &certificates.path("installed", "pem"),
        "--tls-key",
        &certificates.path("installed", "key"),
    ]);
    let server = BullaProcess::start(&command).expect("it starts");
    assert!(server.endpoint().starts_with("https://"), "{}", server.endpoint());
    let shows = |shown: &str, other: &str| {
        client_script(
            "boto3_tls.py",
            &[
                server.endpoint(),
                &credentials.access_key_id,
                &credentials.secret_access_key,
                &certificates.path(shown, "pem"),
                &certificates.path(other, "pem"),
            ],
        );
    };
    shows("first", "second");

    certificates.install("second", "first");
    server.hang_up();
    server
        .wait_for_log("the old one stays")
        .expect("a key of another certificate is refused");
    shows("first", "second");

    certificates.install("second", "second");
    server.hang_up();
    server
        .wait_for_log("the certificate was read again")
        .expect("the new certificate is taken");
    shows("second", "first");
    server.stop().expect("it stops by itself");
}

#[test]
fn a_certificate_with_the_key_of_another_keeps_the_server_from_starting() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let data = dir.path().join("data");
    init(&data, &[]);
    let certificates = Certificates::make(dir.path(), &["first", "second"]);
    let finished = BullaProcess::production_command(BULLA, &data)
        .args([
            "--tls-cert",
            &certificates.path("first", "pem"),
            "--tls-key",
            &certificates.path("second", "key"),
        ])
        .run()
        .expect("it runs");
    let said = &finished.stderr;
    assert!(!finished.succeeded(), "{said}");
    assert!(said.contains("certificate and key can't be used together"), "{said}");
}
