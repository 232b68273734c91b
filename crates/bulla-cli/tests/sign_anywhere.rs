//! `bulla sign` in one process, `bulla verify` in another, with keys of moto, of Bulla and of files, and what others make of the signatures.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::Value;
use support::{BULLA, from_test_script, in_venv};

type Environment<'a> = &'a [(&'a str, &'a str)];

fn run(arguments: &[&str], stdin: &[u8], env: Environment) -> Finished {
    let mut bulla = BullaCommand::new(BULLA).args(arguments).stdin(stdin.to_vec());
    for (name, value) in env {
        bulla = bulla.env(name, value);
    }
    bulla.run().expect("bulla runs")
}

/// Signs in every form, and verifies the message, another message, another signature.
fn signs_and_verifies(dir: &Path, key: &str, env: Environment) {
    let (message, file) = (b"a message of one process".as_slice(), dir.join("signature"));
    let file = file.to_str().expect("UTF-8");
    let verify = |message: &[u8]| run(&["verify", "--key", key, "--signature", file], message, env);
    for form in ["binary", "base64", "json"] {
        let signed = run(&["sign", "--key", key, "--output", form], message, env);
        assert!(signed.succeeded(), "{}", signed.stderr);
        fs::write(file, &signed.stdout).expect("written");
        let verified = verify(message);
        assert_eq!(
            (verified.code, verified.stdout_text()),
            (Some(0), "valid\n".into()),
            "{form}"
        );
        let other = verify(b"a message of one proces5");
        assert_eq!(other.code, Some(1), "{form}");
        assert!(other.stdout_text().starts_with("invalid: "), "{other:?}");
        assert_eq!(other.stderr, "", "an invalid signature is a finding, and no error");
    }
    let document = run(
        &["verify", "--key", key, "--signature", file, "--output", "json"],
        b"another",
        env,
    );
    let document: Value = serde_json::from_slice(&document.stdout).expect("JSON");
    assert_eq!(document["SignatureValid"], Value::Bool(false));
    fs::write(file, b"no signature").expect("written");
    assert_eq!(verify(message).code, Some(1));
}

fn environment(endpoint: &str) -> Vec<(&str, &str)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "any"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
    ]
}

/// An alias that no earlier run of this test made in a moto that is still there.
fn fresh(alias: &str, dir: &Path) -> String {
    let unique = dir.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    format!("{alias}-{}", unique.trim_start_matches('.'))
}

fn json(finished: &Finished) -> Value {
    assert!(finished.succeeded(), "{finished:?}");
    serde_json::from_slice(&finished.stdout).expect("JSON")
}

#[test]
fn a_signature_by_a_key_in_a_file_verifies_in_another_process() {
    let dir = tempfile::tempdir().expect("a directory");
    for spec in ["ECC_NIST_P256", "ECC_NIST_EDWARDS25519"] {
        let file = dir.path().join(format!("{spec}.key"));
        let file = file.to_str().expect("UTF-8");
        let create = [
            "key",
            "create",
            "--provider",
            "local",
            "--spec",
            spec,
            "--file",
            file,
            "--output",
            "json",
        ];
        let made = json(&run(&create, b"", &[]));
        signs_and_verifies(dir.path(), made["KeyUri"].as_str().expect("a URI"), &[]);
        let again = run(&create, b"", &[]);
        assert_eq!(again.code, Some(1), "a key is never overwritten: {again:?}");
    }
}

#[test]
fn another_library_agrees_on_a_signature_and_its_key() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (key, public, message, signature) = (
        path("signing.key"),
        path("public.pem"),
        path("message"),
        path("signature"),
    );
    let made = run(
        &[
            "key",
            "create",
            "--provider",
            "local",
            "--spec",
            "ECC_NIST_P256",
            "--file",
            &key,
        ],
        b"",
        &[],
    );
    assert!(made.succeeded(), "{made:?}");
    let pem = run(&["key", "public-key", "--provider", "local", &key], b"", &[]);
    fs::write(&public, &pem.stdout).expect("written");
    fs::write(&message, vec![7; 100_000]).expect("written");
    let uri = format!("local://{key}");
    let signed = run(
        &["sign", "--key", &uri, "--in", &message, "--out", &signature],
        b"",
        &[],
    );
    assert!(signed.succeeded() && signed.stdout.is_empty(), "{signed:?}");
    let script = "\
import sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
public, signature, message = [open(name, 'rb').read() for name in sys.argv[1:]]
serialization.load_pem_public_key(public).verify(signature, message, ec.ECDSA(hashes.SHA256()))
";
    let verified = Command::new(in_venv("python3"))
        .args(["-c", script, &public, &signature, &message])
        .output()
        .expect("python runs");
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
}

#[test]
fn a_root_key_signs_nothing_and_a_signing_key_seals_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    support::init(&dir.path().join("data"), &[]);
    let root = format!("local://{}", dir.path().join("data/root.key").display());
    let refused = run(&["sign", "--key", &root], b"message", &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("it is a root key file"), "{}", refused.stderr);
    let file = dir.path().join("signing.key");
    let file = file.to_str().expect("UTF-8");
    let create = [
        "key",
        "create",
        "--provider",
        "local",
        "--spec",
        "ECC_NIST_P256",
        "--file",
        file,
    ];
    assert!(run(&create, b"", &[]).succeeded());
    let refused = run(&["seal", "--key", &format!("local://{file}")], b"value", &[]);
    assert_eq!((refused.code, refused.stdout.len()), (Some(1), 0));
    assert!(
        refused.stderr.contains("it is a signing key file"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_signature_by_a_key_of_moto_verifies_in_another_process() {
    let endpoint = from_test_script("BULLA_TEST_MOTO_URL");
    let env = environment(&endpoint);
    let dir = tempfile::tempdir().expect("a directory");
    for (alias, spec) in [("sign-p256", "ECC_NIST_P256"), ("sign-p521", "ECC_NIST_P521")] {
        let alias = fresh(alias, dir.path());
        let create = [
            "key",
            "create",
            "--provider",
            "aws-kms",
            "--alias",
            &alias,
            "--spec",
            spec,
            "--usage",
            "SIGN_VERIFY",
            "--if-missing",
            "--output",
            "json",
        ];
        let made = json(&run(&create, b"", &env));
        let again = json(&run(&create, b"", &env));
        assert_eq!(
            (&made["Created"], &again["Created"]),
            (&Value::Bool(true), &Value::Bool(false))
        );
        assert_eq!(made["Arn"], again["Arn"]);
        signs_and_verifies(dir.path(), &format!("aws-kms:///alias/{alias}"), &env);
    }
}

#[test]
fn a_signature_by_a_key_of_bulla_verifies_in_another_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let credentials = support::init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    let env = [
        ("AWS_ENDPOINT_URL", server.endpoint()),
        ("BULLA_ENDPOINT", server.endpoint()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.as_str()),
    ];
    for spec in ["ECC_NIST_P256", "ECC_NIST_EDWARDS25519", "RSA_2048", "ML_DSA_65"] {
        let alias = format!("sign-{spec}");
        let create = [
            "key",
            "create",
            "--alias",
            &alias,
            "--spec",
            spec,
            "--usage",
            "SIGN_VERIFY",
            "--if-missing",
        ];
        let create = [&create[..], &["--output", "json"]].concat();
        let made = json(&run(&create, b"", &env));
        let again = json(&run(&create, b"", &env));
        assert_eq!(
            (&made["Created"], &again["Created"]),
            (&Value::Bool(true), &Value::Bool(false))
        );
        assert_eq!((&made["KeySpec"], &made["Arn"]), (&spec.into(), &again["Arn"]));
        signs_and_verifies(dir.path(), &format!("aws-kms:///alias/{alias}"), &env);
        let refused = run(&["key", "rotate", made["Arn"].as_str().expect("an ARN")], b"", &env);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("one material for ever"), "{}", refused.stderr);
    }
    let tagged = json(&run(
        &["key", "create", "--tag", "team=a", "--output", "json"],
        b"",
        &env,
    ));
    let id = tagged["KeyId"].as_str().expect("an id");
    assert!(run(&["key", "tag", "set", id, "stage=test"], b"", &env).succeeded());
    let tags = json(&run(&["key", "tag", "list", id, "--output", "json"], b"", &env));
    assert_eq!(tags["Tags"].as_array().map(Vec::len), Some(2), "{tags}");
    server.stop().expect("it stops by itself");
}

#[test]
fn a_signature_of_boto3_verifies_here() {
    let endpoint = from_test_script("BULLA_TEST_MOTO_URL");
    let env = environment(&endpoint);
    let dir = tempfile::tempdir().expect("a directory");
    let signature = dir.path().join("signature");
    let script = "\
import boto3, sys
kms = boto3.client('kms', endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')
key = kms.create_key(KeySpec='RSA_2048', KeyUsage='SIGN_VERIFY')['KeyMetadata']['Arn']
signed = kms.sign(KeyId=key, Message=b'by boto3', SigningAlgorithm='RSASSA_PKCS1_V1_5_SHA_256')
open(sys.argv[2], 'wb').write(signed['Signature'])
print(key)
";
    let output = Command::new(in_venv("python3"))
        .args(["-c", script, &endpoint, signature.to_str().expect("UTF-8")])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let key = format!("aws-kms://{}", String::from_utf8_lossy(&output.stdout).trim());
    let verify = |message: &[u8]| {
        let file = signature.to_str().expect("UTF-8");
        let algorithm = ["--algorithm", "RSASSA_PKCS1_V1_5_SHA_256"];
        run(
            &[&["verify", "--key", &key, "--signature", file], &algorithm[..]].concat(),
            message,
            &env,
        )
    };
    assert_eq!(verify(b"by boto3").code, Some(0));
    assert_eq!(verify(b"by boto4").code, Some(1));
}

#[test]
fn an_outage_is_an_error_in_words_and_never_invalid() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("signature");
    fs::write(&file, [0; 64]).expect("written");
    let verify = [
        "verify",
        "--key",
        "aws-kms:///alias/x",
        "--signature",
        file.to_str().expect("UTF-8"),
    ];
    let finished = run(&verify, b"message", &environment("http://127.0.0.1:1"));
    assert_eq!((finished.code, finished.stdout.len()), (Some(1), 0));
    assert!(
        finished
            .stderr
            .starts_with("error: it was not found out whether the signature is valid"),
        "{}",
        finished.stderr
    );
    assert!(!finished.stderr.contains("invalid"), "{}", finished.stderr);
}

#[test]
fn keys_of_aws_are_made_described_rotated_and_replicated_and_contradictions_refused() {
    let endpoint = from_test_script("BULLA_TEST_MOTO_URL");
    let env = environment(&endpoint);
    let key = |arguments: &[&str]| {
        let (verb, rest) = arguments.split_first().expect("a verb");
        run(
            &[&["key", verb, "--provider", "aws-kms", "--output", "json"], rest].concat(),
            b"",
            &env,
        )
    };
    let dir = tempfile::tempdir().expect("a directory");
    let alias = fresh("replicated", dir.path());
    let made = json(&key(&[
        "create",
        "--multi-region",
        "--replica-regions",
        "us-east-1",
        "--alias",
        &alias,
    ]));
    let (id, arn) = (
        made["KeyId"].as_str().expect("an id"),
        made["Arn"].as_str().expect("an ARN"),
    );
    assert!(id.starts_with("mrk-"), "{made}");
    assert_eq!(made["Replicas"][0], arn.replace("eu-west-1", "us-east-1"));
    assert_eq!(made["MultiRegionKeyType"], "PRIMARY");
    assert_eq!(
        (&made["Origin"], &made["MaterialAgeDays"]),
        (&"AWS_KMS".into(), &0.into())
    );
    assert_eq!(
        (&made["Due"], &made["Expired"]),
        (&Value::Bool(false), &Value::Bool(false))
    );
    let aged = json(&key(&[
        "describe",
        &format!("alias/{alias}"),
        "--due-days",
        "0",
        "--expired-days",
        "0",
    ]));
    assert_eq!(
        (&aged["Due"], &aged["Expired"]),
        (&Value::Bool(true), &Value::Bool(true))
    );

    assert!(key(&["rotate", id]).succeeded());
    let rotated = json(&key(&["describe", id]));
    assert!(rotated["LastRotationDate"].is_string(), "{rotated}");
    let replica = key(&["rotate", &arn.replace("eu-west-1", "us-east-1")]);
    assert_eq!(replica.code, Some(1));
    assert!(replica.stderr.contains("it is a replica"), "{}", replica.stderr);

    let signing = json(&key(&["create", "--spec", "ECC_NIST_P256", "--usage", "SIGN_VERIFY"]));
    let signing = signing["Arn"].as_str().expect("an ARN");
    let refused = key(&["rotate", signing]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("one material for ever"), "{}", refused.stderr);
    let refused = key(&["replicate", signing, "us-east-1"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("only a multi-Region key has replicas"),
        "{}",
        refused.stderr
    );
    let refused = run(&["seal", "--key", &format!("aws-kms://{signing}")], b"value", &env);
    assert_eq!((refused.code, refused.stdout.len()), (Some(2), 0));
    assert!(refused.stderr.contains("gives no data keys"), "{}", refused.stderr);
}

#[test]
fn tags_policies_and_grants_of_a_key_are_managed() {
    let endpoint = from_test_script("BULLA_TEST_MOTO_URL");
    let env = environment(&endpoint);
    let dir = tempfile::tempdir().expect("a directory");
    let key = |arguments: &[&str]| {
        let common = ["--provider", "aws-kms", "--output", "json"];
        run(&[&["key"], arguments, &common[..]].concat(), b"", &env)
    };
    let document = dir.path().join("policy.json");
    let document = document.to_str().expect("UTF-8");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}"#;
    fs::write(document, policy).expect("written");
    let made = json(&key(&[
        "create", "--tag", "team=a", "--tag", "stage=", "--policy", document,
    ]));
    let id = made["KeyId"].as_str().expect("an id");
    assert_eq!(json(&key(&["policy", "get", id]))["Policy"], policy);
    assert!(key(&["tag", "set", id, "team=b"]).succeeded());
    assert!(key(&["tag", "remove", id, "stage"]).succeeded());
    let tags = json(&key(&["tag", "list", id]));
    assert_eq!(tags["Tags"], serde_json::json!([{ "TagKey": "team", "TagValue": "b" }]));

    let changed = policy.replace("kms:*", "kms:Decrypt");
    fs::write(document, &changed).expect("written");
    assert!(key(&["policy", "put", id, "--document", document, "--allow-lockout"]).succeeded());
    assert_eq!(json(&key(&["policy", "get", id]))["Policy"], *changed);

    let grantee = "arn:aws:iam::123456789012:user/ann";
    let grant = [
        "grant",
        "create",
        id,
        "--grantee",
        grantee,
        "--operation",
        "Decrypt",
        "--context-subset",
        "tenant=a",
    ];
    let grant = json(&key(&grant));
    let grant = grant["GrantId"].as_str().expect("an id");
    let listed = json(&key(&["grant", "list", id]));
    assert_eq!(
        (&listed["Grants"][0]["GrantId"], &listed["Grants"][0]["Operations"][0]),
        (&grant.into(), &"Decrypt".into())
    );
    assert!(key(&["grant", "revoke", id, grant]).succeeded());
    assert_eq!(json(&key(&["grant", "list", id]))["Grants"], serde_json::json!([]));
}
