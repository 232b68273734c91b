//! What the program prints: its help and its errors, word for word.

use bulla_testkit::{BullaCommand, Finished};

/// The program under test.
const BULLA: &str = env!("CARGO_BIN_EXE_bulla");

fn run(args: &[&str]) -> Finished {
    BullaCommand::new(BULLA)
        .args(args)
        .env("HOME", "/nonexistent")
        .run()
        .expect("bulla runs")
}

fn shown(finished: &Finished) -> String {
    format!(
        "exit code: {:?}\nstdout:\n{}\nstderr:\n{}",
        finished.code,
        finished.stdout_text(),
        finished.stderr
    )
}

/// Paths, ids and times differ from run to run.
fn without_path(text: String, path: &std::path::Path) -> String {
    text.replace(path.to_str().expect("UTF-8"), "[DIR]")
}

#[test]
fn the_help_of_every_command_is_as_it_was() {
    for command in [
        "",
        "init",
        "serve",
        "key",
        "key create",
        "key list",
        "key describe",
        "key alias",
        "key alias create",
        "key public-key",
        "key tag",
        "key tag set",
        "key policy",
        "key policy put",
        "key grant",
        "key grant create",
        "key rotate",
        "key replicate",
        "key delete",
        "policy",
        "policy explain",
        "principal",
        "principal create",
        "principal list",
        "principal access-key",
        "principal access-key create",
        "principal token",
        "principal token list",
        "principal role",
        "principal role create",
        "principal group",
        "principal group add",
        "principal tag",
        "principal tag set",
        "token",
        "token put",
        "token get",
        "token list",
        "token refresh",
        "token delete",
        "token revoke",
        "token client",
        "token client add",
        "token client list",
        "seal",
        "open",
        "sign",
        "verify",
        "audit",
        "audit tail",
        "audit verify",
        "audit checkpoint",
        "audit prove",
        "audit report",
        "audit export",
        "root",
        "root recover",
        "codec",
        "doctor",
    ] {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let finished = run(&args);
        assert_eq!(finished.code, Some(0), "{command}: {finished:?}");
        insta::assert_snapshot!(
            format!("help {command}").trim().replace(' ', "-"),
            finished.stdout_text()
        );
    }
}

#[test]
fn misuse_is_exit_code_2_and_says_what_is_wrong() {
    for (name, args) in [
        ("no-command", &[][..]),
        ("unknown-command", &["sael"]),
        ("unknown-flag", &["serve", "--prot"]),
        ("seal-without-a-key", &["seal"]),
        ("token-with-a-wrong-time", &["token", "put", "a", "b", "--ttl", "soon"]),
        ("client-that-no-alias-may-have", &["token", "client", "add", "a b"]),
        (
            "client-without-its-name-in-the-alias",
            &["token", "client", "add", "a", "--alias", "alias/shared"],
        ),
        ("seal-with-a-wrong-uri", &["seal", "--key", "root.key"]),
        (
            "seal-with-an-unknown-provider",
            &["seal", "--key", "gcp-kms://projects/p"],
        ),
        (
            "seal-with-a-wrong-context",
            &["seal", "--key", "local:///x", "--context", "a"],
        ),
        (
            "seal-with-a-context-twice",
            &["seal", "--key", "local:///x", "--context", "a=1", "--context", "a=2"],
        ),
        (
            "seal-with-a-reserved-context",
            &["seal", "--key", "local:///x", "--context", "bulla:purpose=x"],
        ),
        (
            "root-recover-with-a-share-as-an-argument",
            &["root", "recover", "--share", "recovery:x"],
        ),
        ("sign-without-a-key", &["sign"]),
        (
            "sign-with-an-unknown-algorithm",
            &["sign", "--key", "local:///x", "--algorithm", "ECDSA"],
        ),
        ("verify-without-a-signature", &["verify", "--key", "local:///x"]),
        ("key-of-an-unknown-spec", &["key", "create", "--spec", "SM2"]),
        ("key-of-an-ambiguous-spec", &["key", "create", "--spec", "RSA_2048"]),
        (
            "key-that-signs-for-data-keys",
            &["key", "create", "--spec", "ECC_NIST_P256", "--usage", "ENCRYPT_DECRYPT"],
        ),
        (
            "key-store-with-multi-region",
            &["key", "create", "--custom-key-store", "cks-1", "--multi-region"],
        ),
        (
            "key-store-with-a-signing-key",
            &["key", "create", "--custom-key-store", "cks-1", "--spec", "HMAC_256"],
        ),
        (
            "replicas-of-a-single-region-key",
            &["key", "create", "--replica-regions", "us-east-1"],
        ),
        (
            "replica-in-its-own-region",
            &[
                "key",
                "create",
                "--region",
                "eu-west-1",
                "--multi-region",
                "--replica-regions",
                "eu-west-1",
            ],
        ),
        ("if-missing-without-an-alias", &["key", "create", "--if-missing"]),
        ("reserved-alias", &["key", "create", "--alias", "aws/s3"]),
        (
            "due-after-expired",
            &["key", "describe", "alias/app", "--due-days", "400"],
        ),
        (
            "local-key-without-a-file",
            &["key", "create", "--provider", "local", "--spec", "ECC_NIST_P256"],
        ),
        (
            "local-key-of-another-spec",
            &[
                "key",
                "create",
                "--provider",
                "local",
                "--spec",
                "RSA_2048",
                "--file",
                "/nonexistent/signing.key",
            ],
        ),
        (
            "key-policy-that-is-no-json",
            &["key", "policy", "put", "x", "--document", "Cargo.toml"],
        ),
        ("local-key-listed", &["key", "list", "--provider", "local"]),
        ("recovery-shares-of-one", &["init", "--recovery-shares", "1/3"]),
        (
            "explained-re-encrypt",
            &[
                "policy",
                "explain",
                "--principal",
                "ann",
                "--operation",
                "kms:ReEncrypt",
                "--key",
                "x",
            ],
        ),
        (
            "explained-token-without-a-resource",
            &[
                "policy",
                "explain",
                "--principal",
                "ann",
                "--operation",
                "bulla:GetToken",
                "--key",
                "x",
            ],
        ),
        (
            "explained-key-and-resource",
            &[
                "policy",
                "explain",
                "--principal",
                "ann",
                "--operation",
                "kms:Decrypt",
                "--key",
                "x",
                "--resource",
                "*",
            ],
        ),
        ("wrong-role", &["principal", "create", "ann", "--role", "root"]),
        ("certificate-without-a-key", &["serve", "--tls-cert", "x.pem"]),
        ("wrong-account", &["init", "--account", "123"]),
    ] {
        let finished = run(args);
        assert_eq!(finished.code, Some(2), "{name}: {finished:?}");
        assert!(finished.stdout.is_empty(), "{name}: stdout is data");
        insta::assert_snapshot!(format!("misuse-{name}"), finished.stderr);
    }
}

#[test]
fn failures_are_exit_code_1_with_cause_and_hint() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("data");
    let missing = missing.to_str().expect("UTF-8");
    let key = format!("local://{missing}/root.key");
    for (name, args) in [
        ("serve-without-a-directory", vec!["serve", "--data-dir", missing]),
        (
            "verify-without-a-directory",
            vec!["audit", "verify", "--data-dir", missing],
        ),
        ("seal-without-a-root-key", vec!["seal", "--key", &key]),
        ("sign-without-a-signing-key", vec!["sign", "--key", &key]),
        (
            "sign-without-a-service",
            vec![
                "sign",
                "--key",
                "aws-kms:///alias/app",
                "--endpoint",
                "http://127.0.0.1:1",
            ],
        ),
        (
            "key-create-without-a-service",
            vec!["key", "create", "--endpoint", "http://127.0.0.1:1"],
        ),
        (
            "key-without-a-service",
            vec!["key", "list", "--endpoint", "http://127.0.0.1:1"],
        ),
    ] {
        let command = BullaCommand::new(BULLA)
            .args(args)
            .credentials("AKIAEXAMPLE", "secret")
            .env("AWS_REGION", "eu-west-1");
        let finished = command.run().expect("bulla runs");
        assert_eq!(finished.code, Some(1), "{name}: {finished:?}");
        insta::assert_snapshot!(format!("failure-{name}"), without_path(shown(&finished), dir.path()));
    }
}

#[test]
fn a_mistyped_setting_stops_every_command_and_its_value_is_not_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = dir.path().join("bulla.toml");
    std::fs::write(&config, "[server]\nlissten = 's3cret'\n").expect("written");
    let config = config.to_str().expect("UTF-8");
    let by_file = run(&["serve", "--data-dir", "/nonexistent", "--config", config]);
    assert_eq!(by_file.code, Some(2), "{by_file:?}");
    assert!(
        by_file.stderr.contains("lissten") && !by_file.stderr.contains("s3cret"),
        "{by_file:?}"
    );
    for command in [
        "init --data-dir /nonexistent",
        "serve --dev",
        "key list",
        "key create --provider local --spec ECC_NIST_P256 --file /nonexistent/x",
        "principal list",
        "seal --key local:///x",
        "open --key local:///x",
        "sign --key local:///x",
        "verify --key local:///x --signature /x",
        "audit tail",
        "audit verify",
        "root recover",
    ] {
        let finished = BullaCommand::new(BULLA)
            .args(command.split_whitespace())
            .env("BULLA_CLIENT__REGIN", "s3cret")
            .env("HOME", "/x");
        let finished = finished.run().expect("bulla runs");
        assert_eq!(finished.code, Some(2), "{command}: {finished:?}");
        assert!(
            finished.stderr.contains("BULLA_CLIENT__REGIN is no setting of bulla")
                && !finished.stderr.contains("s3cret"),
            "{command}: {finished:?}"
        );
    }
    let by_variable = BullaCommand::new(BULLA)
        .args(["doctor"])
        .env("BULLA_SERVER__LISSTEN", "s3cret")
        .env("HOME", "/x");
    let by_variable = by_variable.run().expect("bulla runs");
    assert_eq!(by_variable.code, Some(1), "{by_variable:?}");
    assert!(
        by_variable.stdout_text().contains("settings-invalid"),
        "{by_variable:?}"
    );
    assert!(!by_variable.stdout_text().contains("s3cret"), "{by_variable:?}");
}
