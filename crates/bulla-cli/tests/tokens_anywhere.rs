//! The token vault with keys of AWS KMS, emulated by moto, and of Bulla's own server, whose policies decide who reads whose tokens.

#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_envelope::{KeyRing, Settings};
use bulla_kms_aws::{AwsConfig, AwsProvider, AwsRegion, StaticCredentials};
use bulla_model::SystemClock;
use bulla_testkit::{BullaCommand, BullaProcess, FaultyProvider};
use bulla_tokens::{
    ClientId, EmbeddedStore, KeyTemplate, NewToken, Provider, Spool, SpoolConfig, TokenRef, TokenStore, TokenVault,
    Unrecorded, VaultSettings,
};
use serde_json::Value;
use support::{BULLA, Credentials, bulla, from_test_script, in_venv, init};

/// Runs a shell script with `aws` and `$KMS`, the CLI with the endpoint, as whoever has these credentials.
fn aws(endpoint: &str, credentials: &Credentials, script: &str) {
    let script = format!(
        "KMS='{} kms --endpoint-url {endpoint}'\n{script}",
        in_venv("aws").display()
    );
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_DEFAULT_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
        .output()
        .expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A key and the alias `alias/tokens-<client>` for each of two clients.
const TWO_CLIENTS: &str = "for client in a b; do \
    KEY=$($KMS create-key --query KeyMetadata.KeyId --output text); \
    $KMS create-alias --alias-name alias/tokens-$client --target-key-id $KEY; done";

async fn vault(store: &Arc<dyn TokenStore>, endpoint: &str, credentials: &Credentials) -> TokenVault {
    let (id, secret) = (&credentials.access_key_id, &credentials.secret_access_key);
    let config = AwsConfig {
        endpoint_url: Some(endpoint.to_owned()),
        regions: vec![AwsRegion::parse("eu-west-1").expect("a region")],
        credentials: Some(StaticCredentials::new(id.as_str(), secret.as_str(), None)),
        ..AwsConfig::default()
    };
    let provider = Arc::new(AwsProvider::connect(&config).await.expect("a provider"));
    let keys = KeyTemplate::new(provider, "alias/tokens-{client}", KeyRing::same_account()).expect("a template");
    let settings = VaultSettings {
        sealing: Settings {
            poll_interval: Duration::from_millis(200),
            ..Settings::default()
        },
        ..VaultSettings::default()
    };
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    TokenVault::builder(Arc::clone(store), Arc::new(keys), Arc::new(Unrecorded), clock, random)
        .settings(settings)
        .build()
}

async fn store(directory: &tempfile::TempDir) -> Arc<dyn TokenStore> {
    let path = directory.path().join("tokens.db");
    Arc::new(
        EmbeddedStore::open(&path, Arc::new(SystemClock))
            .await
            .expect("a store"),
    )
}

fn token(client: &str) -> TokenRef {
    let client = ClientId::new(client).expect("a client");
    TokenRef::new(client, Provider::new("stripe").expect("a provider"))
}

fn value(text: &str) -> NewToken {
    NewToken::new(SecretBytes::from_vec(text.as_bytes().to_vec())).with_ttl(Duration::from_secs(900))
}

/// What a vault answers: the value, or the code of its error.
async fn get(vault: &TokenVault, client: &str) -> String {
    match vault.get(&token(client)).await {
        Ok(Some(found)) => String::from_utf8_lossy(found.value.expose_secret()).into_owned(),
        Ok(None) => "nothing".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

/// Put by one instance, got by another, deleted, put again, rewrapped under another key, revoked.
async fn the_whole_flow(endpoint: &str, credentials: &Credentials) {
    aws(endpoint, credentials, TWO_CLIENTS);
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory).await;
    let (one, other) = (
        vault(&store, endpoint, credentials).await,
        vault(&store, endpoint, credentials).await,
    );
    for client in ["a", "b"] {
        one.put(&token(client), value(client)).await.expect("put");
        assert_eq!(get(&other, client).await, client);
    }
    let calls = other.stats().kms_calls;
    for _ in 0..100 {
        assert_eq!(get(&other, "a").await, "a");
    }
    assert_eq!(other.stats().kms_calls, calls, "a warm get asks nobody");
    assert!(other.delete(&token("b")).await.expect("deleted"));
    assert_eq!(get(&one, "b").await, "nothing");
    let another_key = "KEY=$($KMS create-key --query KeyMetadata.KeyId --output text); \
        $KMS update-alias --alias-name alias/tokens-a --target-key-id $KEY";
    aws(endpoint, credentials, another_key);
    assert_eq!(one.rewrap(&token("a").client).await.expect("rewrapped"), 1);
    assert_eq!(get(&vault(&store, endpoint, credentials).await, "a").await, "a");
    assert_eq!(one.revoke_client(&token("a").client).await.expect("revoked"), 1);
    assert_eq!(get(&other, "a").await, "nothing");
}

#[tokio::test]
async fn the_vault_works_with_keys_of_moto() {
    let any = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: "any".to_owned(),
    };
    the_whole_flow(&from_test_script("BULLA_TEST_MOTO_URL"), &any).await;
}

#[tokio::test]
async fn the_vault_works_with_keys_of_bulla() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let admin = init(&data, &[]);
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    the_whole_flow(server.endpoint(), &admin).await;
}

/// A user without any right, and a document that gives it the keys under the context of one client.
fn service(data: &std::path::Path, name: &str, client: &str) -> Credentials {
    let run = |arguments: &[&str]| {
        let mut command = BullaCommand::new(BULLA).args(arguments);
        command = command.args(["--data-dir"]).arg(data);
        let finished = command.run().expect("bulla runs");
        assert!(finished.succeeded(), "{finished:?}");
        finished.stdout
    };
    let printed = run(&["principal", "create", name, "--role", "user", "--output", "json"]);
    let printed: Value = serde_json::from_slice(&printed).expect("JSON");
    let document = data.with_file_name(format!("{name}.json"));
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*" },
        { "Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
          "Condition": { "StringEquals": { "kms:EncryptionContext:client_id": client } } } ] });
    std::fs::write(&document, policy.to_string()).expect("a file");
    let document = document.to_str().expect("text");
    run(&["principal", "put-policy", name, "one-client", "--document", document]);
    let text = |name: &str| printed[name].as_str().expect("a text").to_owned();
    Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
    }
}

#[tokio::test]
async fn each_of_two_services_reads_its_own_clients_tokens_and_no_others_and_a_disabled_key_ends_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let admin = init(&data, &[]);
    let of_a = service(&data, "service-a", "a");
    let of_b = service(&data, "service-b", "b");
    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    aws(server.endpoint(), &admin, TWO_CLIENTS);
    let store = store(&directory).await;
    let a = vault(&store, server.endpoint(), &of_a).await;
    let b = vault(&store, server.endpoint(), &of_b).await;
    a.put(&token("a"), value("of a")).await.expect("its own");
    b.put(&token("b"), value("of b")).await.expect("its own");
    for (vault, own, other) in [(&a, "a", "b"), (&b, "b", "a")] {
        assert_eq!(get(vault, own).await, format!("of {own}"));
        assert_eq!(get(vault, other).await, "KeyAccessDenied");
        let error = vault.put(&token(other), value("x")).await.expect_err("not its client");
        assert_eq!(error.code(), "KeyAccessDenied");
    }
    let disable = "$KMS disable-key --key-id $($KMS describe-key --key-id alias/tokens-a --query KeyMetadata.KeyId --output text)";
    aws(server.endpoint(), &admin, disable);
    let begin = Instant::now();
    while get(&a, "a").await == "of a" {
        assert!(begin.elapsed() < Duration::from_secs(30), "the poll is every 0.2 s");
    }
    assert_eq!(get(&a, "a").await, "KeyDisabled");
    assert_eq!(get(&b, "b").await, "of b");
}

/// A vault that records in a spool, over keys of its own.
fn spooling(store: &Arc<dyn TokenStore>, spool: &Path, endpoint: &str, api_token: &str) -> (TokenVault, Arc<Spool>) {
    let keys = FaultyProvider::in_memory();
    keys.rotate_alias("alias/tokens-a", "key-a");
    let keys = KeyTemplate::new(keys, "alias/tokens-{client}", KeyRing::default()).expect("a template");
    let api_token = SecretBytes::from_vec(api_token.as_bytes().to_vec());
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    let config = SpoolConfig::new(spool, endpoint, api_token);
    let spool = Arc::new(Spool::open(config, clock.clone(), random.clone()).expect("a spool"));
    let vault = TokenVault::builder(Arc::clone(store), Arc::new(keys), spool.clone(), clock, random).build();
    (vault, spool)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

#[tokio::test]
async fn what_a_vault_elsewhere_recorded_is_in_the_services_log_once_as_the_word_of_who_brought_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    let data = path("data");
    init(&data, &[]);
    service(&data, "gateway", "a");
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Action": "bulla:WriteAudit", "Resource": "*" } });
    std::fs::write(path("write.json"), policy.to_string()).expect("a file");
    let (document, of_data) = (path("write.json"), data.to_str().expect("text").to_owned());
    let document = document.to_str().expect("text");
    let put = [
        "principal",
        "put-policy",
        "gateway",
        "write",
        "--document",
        document,
        "--data-dir",
        &of_data,
    ];
    assert!(bulla(put).succeeded());
    let made = bulla([
        "principal",
        "token",
        "gateway",
        "--output",
        "json",
        "--data-dir",
        &of_data,
    ]);
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let api_token = made["Token"].as_str().expect("a token").to_owned();
    let store = store(&directory).await;

    // Nobody is there: events are on disk before anything is answered, and are waiting.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let (vault, spool) = spooling(&store, &path("spool"), &dead, &api_token);
    vault.put(&token("a"), value("s3cret")).await.expect("put");
    assert_eq!(get(&vault, "a").await, "s3cret");
    assert!(spool.waiting_bytes() > 0);
    let begin = Instant::now();
    // It has noted what it is posting.
    while !path("spool").join("delivered").exists() {
        assert!(begin.elapsed() < Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
    // As two processes find it: one that delivers, and one that was killed after its post was taken and before it knew.
    copy(&path("spool"), &path("delivers"));
    copy(&path("spool"), &path("killed"));
    drop((vault, spool));

    let server = BullaProcess::production(BULLA, &data).expect("it starts");
    for name in ["delivers", "killed"] {
        let (_, spool) = spooling(&store, &path(name), server.endpoint(), &api_token);
        let begin = Instant::now();
        while spool.waiting_bytes() > 0 {
            assert!(
                begin.elapsed() < Duration::from_secs(30),
                "{} were refused",
                spool.refused_posts()
            );
            tokio::task::yield_now().await;
        }
        assert_eq!(spool.refused_posts(), 0);
    }
    server.stop().expect("it stops by itself");
    let exported = bulla(["audit", "export", "--data-dir", &of_data]);
    let text = String::from_utf8(exported.stdout).expect("text");
    assert!(!text.contains("s3cret"));
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of_vault = |name: &str| {
        let of_name = events.iter().filter(move |event| event["eventName"] == name);
        of_name.cloned().collect::<Vec<_>>()
    };
    let (puts, gets) = (of_vault("PutToken"), of_vault("GetToken"));
    assert_eq!(
        (puts.len(), gets.len()),
        (2, 1),
        "an intent, an outcome and a read, each once"
    );
    for event in puts.iter().chain(&gets) {
        assert_eq!(event["userIdentity"]["userName"], "gateway");
        assert_eq!(event["additionalEventData"]["clientAsserted"], true);
        assert_eq!(event["requestParameters"]["encryptionContext"]["client_id"], "a");
        assert_eq!(event["purpose"], "token");
    }
    let details = |event: &Value, name: &str| event["additionalEventData"]["details"][name].clone();
    assert_eq!(details(&puts[0], "phase"), "intent");
    assert_eq!(details(&puts[0], "accessId"), details(&puts[1], "accessId"));
    assert_eq!(details(&puts[1], "version"), details(&gets[0], "version"));
    assert_eq!(gets[0]["cacheHit"], false, "the first get unwraps");
}
