//! Callers of another account, operation by operation: they do what both accounts allow, and else learn nothing, not even what exists.

use std::collections::BTreeMap;

use base64_simd::STANDARD;
use bulla_model::AccountId;
use bulla_server::ROUTES;
use serde_json::{Value, json};

use crate::calls::{Made, Person, made};
use crate::harness::{Answer, Harness};

const DENIED: &str = "AccessDeniedException";

/// What an account can let another one do. Source: "Cross-account use" of each operation in the API reference.
const ACROSS: [&str; 21] = [
    "CreateGrant",
    "Decapsulate",
    "Decrypt",
    "DeriveSharedSecret",
    "DescribeKey",
    "Encapsulate",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GetKeyRotationStatus",
    "GetPublicKey",
    "ListGrants",
    "ReEncrypt",
    "RetireGrant",
    "RevokeGrant",
    "Sign",
    "Verify",
    "VerifyMac",
];

fn other_account() -> AccountId {
    "444455556666".parse().unwrap()
}

fn all() -> Value {
    json!({"Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// The last part of a key's ARN, and one of the same form that is no key's.
fn ids(key: &str) -> (&str, String) {
    let id = key.rsplit('/').next().unwrap();
    let nothing = id.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c });
    (id, nothing.collect())
}

/// Names of things that are there, each with one of the same form of a thing that is not.
fn names(call: &Made) -> Vec<(String, String)> {
    let keys = call.keys.iter().map(|key| ids(key));
    let mut names: Vec<(String, String)> = keys.map(|(id, nothing)| (id.to_owned(), nothing)).collect();
    if let Some(grant) = call.input["GrantId"].as_str() {
        names.push((grant.to_owned(), "0".repeat(64)));
    }
    names
}

fn renamed(text: &str, names: &[(String, String)]) -> String {
    names
        .iter()
        .fold(text.to_owned(), |text, (there, not)| text.replace(there, not))
}

/// An answer without what differs from request to request, and without the names.
fn bare(answer: &Answer, names: &[(String, String)]) -> (u16, BTreeMap<String, String>, String) {
    let varying = |name: &&String| matches!(name.as_str(), "x-amzn-requestid" | "date" | "content-length");
    let headers = answer.headers.iter().filter(|(name, _)| !varying(name));
    let headers = headers.map(|(name, value)| (name.clone(), value.clone())).collect();
    (answer.status, headers, renamed(&answer.text(), names))
}

struct Matrix {
    server: Harness,
    eve: Person,
    found: Vec<String>,
}

impl Matrix {
    async fn start() -> Self {
        let server = Harness::start().await;
        let eve = server.person(&other_account(), "eve").await;
        Self {
            server,
            eve,
            found: Vec::new(),
        }
    }

    /// Asks for what is there and for what is not, and holds the answers against each other, byte for byte.
    async fn same(
        &mut self,
        case: &str,
        operation: &str,
        there: &Value,
        not_there: &Value,
        names: &[(String, String)],
    ) {
        let one = self.server.send_as(&self.eve, operation, there).await;
        let other = self.server.send_as(&self.eve, operation, not_there).await;
        if bare(&one, names) != bare(&other, names) {
            let (one, other) = (one.text(), other.text());
            self.found.push(format!("{operation}, {case}:\n   {one}\n   {other}"));
        }
    }

    /// The same, and refuses what succeeds.
    async fn hidden(&mut self, case: &str, operation: &str, call: &Made) {
        let names = names(call);
        let not_there: Value = serde_json::from_str(&renamed(&call.input.to_string(), &names)).unwrap();
        self.same(case, operation, &call.input, &not_there, &names).await;
        let (code, message) = self.server.send_as(&self.eve, operation, &call.input).await.said();
        let expected = match operation {
            // An alias of her own is not there, and a grant that is not for her is as good as none.
            "DeleteAlias" | "UpdateAlias" | "RetireGrant" if code == "NotFoundException" => return,
            _ => DENIED,
        };
        if code != expected {
            self.found.push(format!("{operation}, {case}: {code} {message}"));
        }
    }

    async fn put_policy(&self, key: &str, statements: &[Value]) {
        let account = self.server.initialised.account.as_str();
        let own = json!({"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"});
        let all: Vec<&Value> = std::iter::once(&own).chain(statements).collect();
        let policy = json!({"Version": "2012-10-17", "Statement": all}).to_string();
        let put = json!({"KeyId": key, "Policy": policy});
        self.server.ok("PutKeyPolicy", put).await;
    }

    fn conclude(self) {
        let found = self.found;
        assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    }
}

fn on_keys() -> impl Iterator<Item = &'static str> {
    const ON_NOTHING: [&str; 6] = [
        "CreateKey",
        "GenerateRandom",
        "ListAliases",
        "ListKeys",
        "ListRetirableGrants",
        "DescribeCustomKeyStores",
    ];
    let names = ROUTES.iter().map(|route| route.name);
    names.filter(|name| !ON_NOTHING.contains(name) && !name.ends_with("CustomKeyStore"))
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_a_key_by_any_operation() {
    let mut matrix = Matrix::start().await;
    // Her own policies can't tell either, whatever they ask.
    let probe =
        json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Null": {"kms:KeySpec": "false"}}});
    let tag = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}});
    let policies = [json!([]), json!([all()]), json!([all(), probe]), json!([tag])];
    for operation in on_keys() {
        let call = made(&matrix.server, operation).await;
        assert!(!call.keys.is_empty(), "{operation} is on a key");
        for statements in &policies {
            matrix.server.give(&matrix.eve, statements).await;
            matrix.hidden(&format!("with {statements}"), operation, &call).await;
        }
        // Nor in another state, nor by what the key says to others.
        let key = call.keys[0].as_str();
        let others =
            json!({"Effect": "Allow", "Principal": {"AWS": "777788889999"}, "Action": "kms:*", "Resource": "*"});
        let denied =
            json!({"Effect": "Deny", "Principal": {"AWS": "444455556666"}, "Action": "kms:*", "Resource": "*"});
        for statement in [others, denied] {
            matrix.put_policy(key, std::slice::from_ref(&statement)).await;
            matrix.hidden(&format!("with {statement}"), operation, &call).await;
        }
        for change in ["DisableKey", "ScheduleKeyDeletion"] {
            let input = json!({ "KeyId": key }).to_string();
            let changed = matrix.server.send(change, input.as_bytes()).await;
            if changed.status == 200 {
                matrix.hidden(&format!("after {change}"), operation, &call).await;
            }
        }
    }
    matrix.conclude();
}

#[tokio::test]
async fn a_stranger_does_what_both_accounts_allow_and_what_one_can_allow_another() {
    let mut matrix = Matrix::start().await;
    matrix.server.give(&matrix.eve, &json!([all()])).await;
    for operation in on_keys() {
        let mut call = made(&matrix.server, operation).await;
        let let_in =
            json!({"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "kms:*", "Resource": "*"});
        for key in &call.keys {
            matrix.put_policy(key, std::slice::from_ref(&let_in)).await;
        }
        if !ACROSS.contains(&operation) {
            matrix
                .hidden("let in to what no account can allow another", operation, &call)
                .await;
            continue;
        }
        if operation == "RetireGrant" {
            // The grant says who retires it.
            let grant = json!({"KeyId": call.keys[0], "GranteePrincipal": "arn:aws:iam::777788889999:root",
                "RetiringPrincipal": matrix.eve.arn.as_str(), "Operations": ["Encrypt"]});
            call.input["GrantId"] = matrix.server.ok("CreateGrant", grant).await["GrantId"].clone();
        }
        let (code, message) = matrix.server.send_as(&matrix.eve, operation, &call.input).await.said();
        if code != call.allowed {
            matrix.found.push(format!("{operation}, let in: {code} {message}"));
        }
        // The key lets her account in, and her account does not let her out. AWS says so, too.
        let call = made(&matrix.server, operation).await;
        for key in &call.keys {
            matrix.put_policy(key, std::slice::from_ref(&let_in)).await;
        }
        matrix.server.give(&matrix.eve, &json!([])).await;
        let (code, message) = matrix.server.send_as(&matrix.eve, operation, &call.input).await.said();
        if code != DENIED && operation != "RetireGrant" {
            matrix.found.push(format!("{operation}, not let out: {code} {message}"));
        }
        matrix.server.give(&matrix.eve, &json!([all()])).await;
    }
    matrix.conclude();
}

#[tokio::test]
async fn a_grant_lets_a_stranger_do_what_it_says_and_hides_all_else() {
    let mut matrix = Matrix::start().await;
    for operation in on_keys() {
        let call = made(&matrix.server, operation).await;
        // Everything that a grant can permit, but for what is asked.
        let all_else = |name: &&&str| !call.granted.contains(name) && **name != "CreateGrant";
        let others: Vec<&str> = call.grantable.iter().filter(all_else).copied().collect();
        for key in &call.keys {
            matrix.server.grant(key, &matrix.eve, &others).await;
        }
        matrix.hidden("granted all else", operation, &call).await;
    }
    matrix.conclude();
}

#[tokio::test]
async fn a_stranger_learns_nothing_by_ciphertexts_tokens_and_aliases() {
    let mut matrix = Matrix::start().await;
    let server = &matrix.server;
    let call = made(server, "Decrypt").await;
    let key = call.keys[0].clone();
    let blob = call.input["CiphertextBlob"].as_str().unwrap();
    let mut bytes = STANDARD.decode_to_vec(blob).unwrap();
    // The key material's id.
    bytes[5..37].fill(7);
    let nowhere = STANDARD.encode_to_string(bytes);
    let context = json!({"tenant": "a"});
    let decrypt = |blob: &str| json!({"CiphertextBlob": blob, "EncryptionContext": context});
    let alias = made(server, "DeleteAlias").await;
    let name = alias.input["AliasName"].as_str().unwrap();
    let account = server.initialised.account.as_str();
    let aliased = |name: &str| json!({"KeyId": format!("arn:aws:kms:us-east-1:{account}:{name}"), "Plaintext": "AAAA"});
    let mine = server.operator_of(&other_account());
    let own = bulla_service::CreateKeyRequest::default();
    let own = server.service.create_key(&mine, own).await.unwrap().key.arn.to_string();
    let to_own =
        |blob: &str| json!({"CiphertextBlob": blob, "SourceEncryptionContext": context, "DestinationKeyId": own});
    let grant = json!({"KeyId": key, "GranteePrincipal": "arn:aws:iam::777788889999:root", "Operations": ["Encrypt"]});
    let token = server.ok("CreateGrant", grant.clone()).await["GrantToken"].clone();
    let revoked = server.ok("CreateGrant", grant).await;
    server
        .ok("RevokeGrant", json!({"KeyId": key, "GrantId": revoked["GrantId"]}))
        .await;
    let with_token = |token: &Value| json!({"KeyId": key, "Plaintext": "AAAA", "GrantTokens": [token]});
    let cases = [
        ("a ciphertext", "Decrypt", decrypt(blob), decrypt(&nowhere), vec![]),
        (
            "a ciphertext to her own key",
            "ReEncrypt",
            to_own(blob),
            to_own(&nowhere),
            vec![],
        ),
        (
            "an alias",
            "Encrypt",
            aliased(name),
            aliased("alias/nothing"),
            vec![(name.to_owned(), "alias/nothing".to_owned())],
        ),
        (
            "a grant token",
            "Encrypt",
            with_token(&token),
            with_token(&json!("bm8gdG9rZW4=")),
            vec![],
        ),
        (
            "a token of a grant that is there and of one that was",
            "RetireGrant",
            json!({ "GrantToken": token }),
            json!({"GrantToken": revoked["GrantToken"]}),
            vec![],
        ),
    ];
    let grant_ids = |text: &str| -> String {
        let mut out = String::new();
        for word in text.split_inclusive(' ') {
            out.push_str(if word.trim().len() == 64 { "GRANT " } else { word });
        }
        out
    };
    for statements in [json!([]), json!([all()])] {
        matrix.server.give(&matrix.eve, &statements).await;
        for (case, operation, there, not_there, names) in &cases {
            if *operation == "RetireGrant" {
                let one = matrix.server.send_as(&matrix.eve, operation, there).await;
                let other = matrix.server.send_as(&matrix.eve, operation, not_there).await;
                let (one, other) = (one.said(), other.said());
                if (&one.0, grant_ids(&one.1)) != (&other.0, grant_ids(&other.1)) {
                    matrix.found.push(format!("{case}: {one:?} {other:?}"));
                }
                continue;
            }
            let case = format!("{case} with {statements}");
            matrix.same(&case, operation, there, not_there, names).await;
        }
    }
    matrix.conclude();
}

#[tokio::test]
async fn what_lists_lists_the_caller_s_own_account() {
    let matrix = Matrix::start().await;
    let server = &matrix.server;
    let call = made(server, "DeleteAlias").await;
    let (key, _) = ids(&call.keys[0]);
    server.give(&matrix.eve, &json!([all()])).await;
    let account = server.initialised.account.as_str();
    let foreign = format!("arn:aws:iam::{account}:user/app");
    for (operation, input) in [
        ("ListKeys", json!({})),
        ("ListAliases", json!({})),
        ("DescribeCustomKeyStores", json!({})),
        (
            "ListRetirableGrants",
            json!({"RetiringPrincipal": matrix.eve.arn.as_str()}),
        ),
        ("ListRetirableGrants", json!({ "RetiringPrincipal": foreign })),
        ("CreateKey", json!({})),
    ] {
        let answer = server.send_as(&matrix.eve, operation, &input).await;
        let text = answer.text().replace(&foreign, "");
        assert!(!text.contains(key) && !text.contains(account), "{operation}: {text}");
        let named = input["RetiringPrincipal"].as_str() == Some(&foreign);
        assert_eq!(answer.said().0 == DENIED, named, "{operation} {input}");
    }
}
