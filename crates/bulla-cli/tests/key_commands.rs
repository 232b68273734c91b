//! `bulla key` against Bulla's own server: importing, replicating, policies and grants, and what is refused before the service is asked.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use bulla_model::{Clock as _, SystemClock};
use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::{Value, json};
use support::{BULLA, bulla, init};

/// A production server, its administrator and a user `ann`.
struct Served {
    dir: tempfile::TempDir,
    server: BullaProcess,
    admin: (String, String),
    ann: (String, String),
}

impl Served {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = dir.path().join("data");
        let credentials = init(&data, &[]);
        let made = bulla([
            "principal",
            "create",
            "ann",
            "--role",
            "user",
            "--output",
            "json",
            "--data-dir",
            path(&data),
        ]);
        let made = json(&made);
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        Self {
            server: BullaProcess::production(BULLA, &data).expect("it starts"),
            admin: (credentials.access_key_id, credentials.secret_access_key),
            ann: (text("AccessKeyId"), text("SecretAccessKey")),
            dir,
        }
    }

    fn run(&self, (id, secret): &(String, String), arguments: &[&str], stdin: &[u8]) -> Finished {
        BullaCommand::new(BULLA)
            .args(arguments)
            .stdin(stdin.to_vec())
            .env("AWS_ACCESS_KEY_ID", id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_REGION", "us-east-1")
            .env("BULLA_ENDPOINT", self.server.endpoint())
            .env("AWS_ENDPOINT_URL", self.server.endpoint())
            .run()
            .expect("bulla runs")
    }

    /// The administrator's `bulla key`, with answers as JSON.
    fn key(&self, arguments: &[&str]) -> Finished {
        self.run(&self.admin, &[&["key"], arguments, &["--output", "json"]].concat(), b"")
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let file = self.dir.path().join(name);
        fs::write(&file, content).expect("written");
        path(&file).to_owned()
    }

    fn stop(self) {
        self.server.stop().expect("it stops by itself");
        let data: PathBuf = self.dir.path().join("data");
        let verified = bulla(["audit", "verify", "--data-dir", path(&data)]);
        assert!(verified.succeeded(), "{verified:?}");
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn json(finished: &Finished) -> Value {
    assert!(finished.succeeded(), "{finished:?}");
    serde_json::from_slice(&finished.stdout).expect("JSON")
}

fn text<'a>(document: &'a Value, name: &str) -> &'a str {
    document[name].as_str().expect("a text")
}

fn refused(finished: &Finished, code: i32, words: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(finished.stderr.contains(words), "{}", finished.stderr);
    assert_eq!(finished.stdout.len(), 0, "{finished:?}");
}

#[test]
fn material_is_imported_and_what_it_sealed_opens() {
    let served = Served::new();
    let create = ["create", "--external", "--alias", "imported", "--if-missing"];
    let made = json(&served.key(&create));
    assert_eq!((text(&made, "Origin"), &made["Created"]), ("EXTERNAL", &json!(true)));
    assert_eq!(
        json(&served.key(&create))["Created"],
        json!(false),
        "it waits for its material, and is there"
    );
    let (id, uri) = (text(&made, "KeyId"), "aws-kms:///alias/imported");
    let (one, two) = (served.file("one", &[1; 32]), served.file("two", &[2; 32]));
    let (short, none) = (served.file("short", &[1; 31]), served.file("none", b""));

    // Before anything is wrapped.
    refused(
        &served.key(&["import", id, "--material", &short]),
        2,
        "is 32 bytes, and these are 31",
    );
    refused(&served.key(&["import", id, "--material", &none]), 2, "these are 0");
    refused(
        &served.key(&["import", id, "--material", &one, "--valid-to", "soon"]),
        2,
        "write a time as in",
    );
    let own = json(&served.key(&["create"]));
    refused(
        &served.key(&["import", text(&own, "KeyId"), "--material", &one]),
        2,
        "takes no other",
    );

    let imported = json(&served.key(&["import", id, "--material", &one, "--description", "the first"]));
    assert_eq!(imported["Arn"], made["Arn"]);
    let first = text(&imported, "KeyMaterialId").to_owned();
    let sealed = served.run(&served.admin, &["seal", "--key", uri], b"a value");
    assert!(sealed.succeeded(), "{sealed:?}");
    let opens = || {
        served
            .run(&served.admin, &["open", "--key", uri], &sealed.stdout)
            .stdout
            == b"a value"
    };
    assert!(opens());
    refused(
        &served.key(&["import", id, "--material", &two]),
        1,
        "IncorrectKeyMaterialException",
    );
    // New material waits for its rotation, in every way to wrap it, from stdin too.
    let ways = ["--wrapping", "RSAES_OAEP_SHA_256", "--wrapping-key", "RSA_2048"];
    let import = [
        "key",
        "import",
        id,
        "--material",
        "-",
        "--new-material",
        "--output",
        "json",
    ];
    let second = json(&served.run(&served.admin, &[&import[..], &ways].concat(), &[2; 32]));
    assert_ne!(text(&second, "KeyMaterialId"), first);
    assert!(served.key(&["rotate", id]).succeeded());
    assert!(opens(), "after the rotation");
    let again = json(&served.key(&["import", id, "--material", &one, "--valid-to", &in_a_month()]));
    assert_eq!(text(&again, "KeyMaterialId"), first);

    // Material that is too long for OAEP alone is refused before it is sent.
    let hmac = json(&served.key(&["create", "--external", "--spec", "HMAC_512"]));
    let long = served.file("long", &[7; 400]);
    let way = ["--wrapping", "RSAES_OAEP_SHA_1", "--wrapping-key", "RSA_2048"];
    let import = ["import", text(&hmac, "KeyId"), "--material", &long];
    refused(
        &served.key(&[&import[..], &way].concat()),
        2,
        "OAEP alone wraps at most 214 bytes",
    );
    let right = served.file("right", &[7; 64]);
    let done = json(&served.key(&["import", text(&hmac, "KeyId"), "--material", &right]));
    assert_eq!(done["KeyMaterialId"], Value::Null, "as AWS, of symmetric keys alone");

    // Nothing of it is said anywhere.
    let contradiction = [
        "create",
        "--external",
        "--multi-region",
        "--replica-regions",
        "eu-west-1",
    ];
    refused(
        &served.key(&contradiction),
        2,
        "import it first, then replicate the key",
    );
    let log = served.server.logs();
    assert!(!log.contains(&"01".repeat(32)) && !log.contains("AQEBAQEB"), "{log}");
    served.stop();
}

/// Within the year that the service takes.
fn in_a_month() -> String {
    SystemClock.now().plus_days(30).rounded_to_second().to_string()
}

#[test]
fn a_key_is_replicated_and_each_region_has_its_own() {
    let served = Served::new();
    let made = json(&served.key(&["create", "--multi-region", "--alias", "app"]));
    let (id, arn) = (text(&made, "KeyId"), text(&made, "Arn"));
    let replicated = json(&served.key(&["replicate", id, "eu-west-1", "ap-southeast-2", "--alias", "app"]));
    let there = |region: &str| arn.replace("us-east-1", region);
    assert_eq!(
        replicated["Replicas"],
        json!([there("eu-west-1"), there("ap-southeast-2")])
    );
    let described = json(&served.key(&["describe", "alias/app", "--region", "eu-west-1"]));
    assert_eq!(
        (text(&described, "Arn"), text(&described, "MultiRegionKeyType")),
        (there("eu-west-1").as_str(), "REPLICA")
    );
    refused(&served.key(&["replicate", id, "us-east-1"]), 1, "named twice");
    refused(
        &served.key(&["replicate", id, "eu-west-1"]),
        1,
        "AlreadyExistsException",
    );
    let of_replica = ["replicate", id, "eu-north-1", "--region", "eu-west-1"];
    refused(
        &served.key(&of_replica),
        1,
        "it is a replica; replicate the primary key",
    );
    let single = json(&served.key(&["create"]));
    refused(
        &served.key(&["replicate", text(&single, "KeyId"), "eu-west-1"]),
        1,
        "only a multi-Region key",
    );

    let sealed = served.run(
        &served.admin,
        &["seal", "--key", &format!("aws-kms://{arn}")],
        b"a value",
    );
    assert!(sealed.succeeded(), "{sealed:?}");
    for region in ["us-east-1", "eu-west-1", "ap-southeast-2"] {
        let uri = format!("aws-kms://{}", there(region));
        let opened = served.run(&served.admin, &["open", "--key", &uri], &sealed.stdout);
        assert_eq!(opened.stdout, b"a value", "{opened:?}");
    }
    refused(
        &served.key(&["rotate", id, "--region", "eu-west-1"]),
        1,
        "it is a replica",
    );
    assert!(served.key(&["rotate", id]).succeeded());
    served.stop();
}

#[test]
fn policies_and_grants_decide_from_the_command_line() {
    let served = Served::new();
    let made = json(&served.key(&["create"]));
    let (id, arn) = (text(&made, "KeyId"), text(&made, "Arn"));
    let uri = format!("aws-kms://{arn}");
    let sealed = served.run(
        &served.admin,
        &["seal", "--key", &uri, "--context", "tenant=a"],
        b"a value",
    );
    assert!(sealed.succeeded(), "{sealed:?}");
    let open = |context: &str| {
        let context = format!("tenant={context}");
        served.run(
            &served.ann,
            &["open", "--key", &uri, "--context", &context],
            &sealed.stdout,
        )
    };
    let ann_opens = || open("a").stdout == b"a value";
    let denied = open("a");
    assert_eq!(denied.code, Some(1));
    assert!(denied.stderr.contains("AccessDeniedException"), "{}", denied.stderr);

    // By a grant, under its context alone, until it is revoked.
    let account = arn.split(':').nth(4).expect("an account");
    let ann = format!("arn:aws:iam::{account}:user/ann");
    let grant = [
        "grant",
        "create",
        id,
        "--grantee",
        &ann,
        "--operation",
        "Decrypt",
        "--context-subset",
        "tenant=a",
    ];
    let granted = json(&served.key(&grant));
    assert!(ann_opens());
    assert_eq!(open("b").code, Some(1));
    let listed = json(&served.key(&["grant", "list", id]));
    assert_eq!(
        (&listed["Grants"][0]["GrantId"], &listed["Grants"][0]["Operations"]),
        (&granted["GrantId"], &json!(["Decrypt"]))
    );
    assert!(
        served
            .key(&["grant", "revoke", id, text(&granted, "GrantId")])
            .succeeded()
    );
    assert!(!ann_opens());
    let retiring = [&grant[..], &["--retiring", &ann]].concat();
    let granted = json(&served.key(&retiring));
    assert!(ann_opens());
    let retire = ["key", "grant", "retire", arn, text(&granted, "GrantId")];
    assert!(
        served.run(&served.ann, &retire, b"").succeeded(),
        "who was named to gives it up"
    );
    assert!(!ann_opens());
    refused(
        &served.key(&["grant", "revoke", id, text(&granted, "GrantId")]),
        1,
        "NotFoundException",
    );

    // By the key's policy.
    let before = json(&served.key(&["policy", "get", id]));
    assert!(text(&before, "Policy").contains("Enable IAM User Permissions"));
    let statement = |who: &str, action: &str| json!({"Effect": "Allow", "Principal": {"AWS": who}, "Action": action, "Resource": "*"});
    let document = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let both = document(json!([statement(account, "kms:*"), statement(&ann, "kms:Decrypt")]));
    let file = served.file("policy.json", both.as_bytes());
    assert!(served.key(&["policy", "put", id, "--document", &file]).succeeded());
    assert_eq!(text(&json(&served.key(&["policy", "get", id])), "Policy"), both);
    assert!(ann_opens());
    // One that would lock its writer out is refused, unless he says so.
    let hers = document(json!([statement(&ann, "kms:Decrypt")]));
    let file = served.file("hers.json", hers.as_bytes());
    refused(
        &served.key(&["policy", "put", id, "--document", &file]),
        1,
        "MalformedPolicyDocumentException",
    );
    let file = served.file("none.json", b"not a policy");
    refused(
        &served.key(&["policy", "put", id, "--document", &file]),
        2,
        "the policy is not JSON",
    );
    served.stop();
}
