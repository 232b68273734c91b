//! `bulla token` against a service that `init` made: with a signature, with an API token; and what the other tests here make with it.

use std::path::Path;

use bulla_testkit::{BullaCommand, BullaProcess, Finished};
use serde_json::{Value, json};

use crate::support::{BULLA, Credentials, bulla, init};

/// Makes a client's key with `bulla token client add`.
pub(crate) fn client_key(server: &BullaProcess, admin: &Credentials, client: &str) {
    let added = signed(server, admin, &["token", "client", "add", client], "");
    assert!(added.succeeded(), "{added:?}");
}

/// The header with a new API token of a user.
pub(crate) fn token_header(data: &Path, user: &str) -> String {
    format!("authorization: Bearer {}\r\n", api_token(data, user))
}

fn api_token(data: &Path, user: &str) -> String {
    let data = data.to_str().expect("UTF-8");
    let printed = bulla(["principal", "token", user, "--output", "json", "--data-dir", data]);
    assert!(printed.succeeded(), "{printed:?}");
    let printed: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    printed["Token"].as_str().expect("a token").to_owned()
}

/// The events of a name, oldest first.
pub(crate) fn events(data: &Path, name: &str) -> Vec<Value> {
    let exported = bulla(["audit", "export", "--data-dir", data.to_str().expect("UTF-8")]);
    assert!(exported.succeeded(), "{exported:?}");
    let lines = exported.stdout_text();
    let events = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["eventName"] == name).collect()
}

/// A user who may have the tokens of one client.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) client: &'static str,
    pub(crate) header: String,
}

impl Service {
    pub(crate) fn new(data: &Path, name: &'static str, client: &'static str) -> Self {
        let at = data.to_str().expect("UTF-8");
        let made = bulla(["principal", "create", name, "--role", "user", "--data-dir", at]);
        assert!(made.succeeded(), "{made:?}");
        let header = token_header(data, name);
        let service = Self { name, client, header };
        service.give(data, "allow", "Allow");
        service
    }

    /// Denies what it was allowed.
    pub(crate) fn deny(&self, data: &Path) {
        self.give(data, "deny", "Deny");
    }

    fn give(&self, data: &Path, policy: &str, effect: &str) {
        let document = json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "bulla:*Token*", "Resource": "*",
            "Condition": {"StringEquals": {"kms:EncryptionContext:client_id": self.client}}}});
        let file = data.with_file_name(format!("{}-{policy}.json", self.name));
        std::fs::write(&file, document.to_string()).expect("a file");
        let (file, at) = (file.to_str().expect("UTF-8"), data.to_str().expect("UTF-8"));
        let put = bulla([
            "principal",
            "put-policy",
            self.name,
            policy,
            "--document",
            file,
            "--data-dir",
            at,
        ]);
        assert!(put.succeeded(), "{put:?}");
    }
}

fn signed(server: &BullaProcess, admin: &Credentials, arguments: &[&str], stdin: &str) -> Finished {
    let command = BullaCommand::new(BULLA)
        .args(arguments)
        .args(["--endpoint", server.endpoint()])
        .credentials(&admin.access_key_id, &admin.secret_access_key)
        .stdin(stdin);
    command.run().expect("bulla runs")
}

#[test]
fn a_token_goes_in_by_stdin_and_out_by_stdout_signed_or_with_an_api_token() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let admin = init(&data, &[]);
    let command = BullaProcess::production_command(BULLA, &data).args(["--token-store", "embedded"]);
    let server = BullaProcess::start(&command).expect("it starts");
    let run = |arguments: &[&str], stdin: &str| signed(&server, &admin, arguments, stdin);
    let missing = run(&["token", "put", "acme", "stripe"], "tok_1");
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(
        missing.stderr.contains("no_key_for_client") && missing.stderr.contains("bulla token client add"),
        "{missing:?}"
    );
    client_key(&server, &admin, "acme");
    let again = run(&["token", "client", "add", "acme"], "");
    assert!(again.stderr.contains("the client has a key"), "{again:?}");

    let put = run(
        &[
            "token", "put", "acme", "a/b ü", "--ttl", "15m", "--type", "Bearer", "--scope", "read",
        ],
        "tok_1\n",
    );
    assert!(put.succeeded() && put.stdout_text().starts_with("version "), "{put:?}");
    let got = run(&["token", "get", "acme", "a/b ü", "--purpose", "refunds"], "");
    assert_eq!((got.code, got.stdout.as_slice()), (Some(0), &b"tok_1\n"[..]), "{got:?}");
    // By an API token in a file; any bytes.
    let file = directory.path().join("api-token");
    std::fs::write(&file, format!("{}\n", api_token(&data, "admin"))).expect("a file");
    let with_token = |arguments: &[&str], stdin: &[u8]| {
        let command = BullaCommand::new(BULLA)
            .args(arguments)
            .env("BULLA_ENDPOINT", server.endpoint())
            .env("BULLA_CLIENT__TOKEN_FILE", &file)
            .stdin(stdin);
        command.run().expect("bulla runs")
    };
    let put = with_token(&["token", "put", "acme", "bytes", "--name", "second"], &[0xff, 0, 7]);
    assert!(put.stdout_text().contains("never expires"), "{put:?}");
    assert_eq!(
        with_token(&["token", "get", "acme", "bytes", "--name", "second"], b"").stdout,
        [0xff, 0, 7]
    );
    let listed = with_token(&["token", "list", "acme"], b"").stdout_text();
    assert_eq!(listed.lines().count(), 3, "{listed}");
    assert!(
        listed.contains("a/b ü") && listed.contains("second") && !listed.contains("tok_1"),
        "{listed}"
    );
    let listed = with_token(&["token", "list", "acme", "--output", "json"], b"");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed["Tokens"].as_array().map(Vec::len), Some(2));
    let clients = run(&["token", "client", "list"], "").stdout_text();
    assert!(
        clients
            .lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("acme") && line.ends_with("Enabled  2")),
        "{clients}"
    );

    assert!(run(&["token", "delete", "acme", "a/b ü"], "").succeeded());
    let gone = run(&["token", "get", "acme", "a/b ü"], "");
    assert_eq!((gone.code, gone.stdout.len()), (Some(1), 0));
    assert!(gone.stderr.starts_with("error: not_found: "), "{gone:?}");
    let refresh = run(&["token", "refresh", "acme", "bytes"], "");
    assert!(refresh.stderr.contains("no_fetcher"), "{refresh:?}");
    assert_eq!(
        run(&["token", "revoke", "acme"], "").stdout_text(),
        "1 entries are gone\n"
    );
    let (_, logs) = server.stop().expect("it stops by itself");
    assert!(!logs.contains("tok_1"), "{logs}");
    let purposes: Vec<_> = events(&data, "GetToken")
        .iter()
        .map(|event| event["purpose"].clone())
        .collect();
    assert_eq!(purposes[0], "refunds");
}
