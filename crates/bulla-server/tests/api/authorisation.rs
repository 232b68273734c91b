//! The five cases of every operation of the routing table: allowed, denied by default, denied explicitly, denied by condition, allowed by
//! grant; or, where no grant can permit it, denied in spite of every grant that there can be.

use bulla_server::ROUTES;
use serde_json::{Value, json};

use crate::calls::{Made, Person, made};
use crate::harness::Harness;

const DENIED: &str = "AccessDeniedException";
const BY_DEFAULT: &str = "because no identity-based policy allows the";
const BY_IDENTITY: &str = "with an explicit deny in an identity-based policy";
const BY_KEY: &str = "with an explicit deny in a resource-based policy";

fn allow(actions: &[String], condition: Value) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": "*", "Condition": condition})
}

/// What is wrong, to be told all at once.
struct Suite {
    server: Harness,
    app: Person,
    found: Vec<String>,
}

impl Suite {
    async fn start() -> Self {
        let server = Harness::start().await;
        let app = server.person(&server.initialised.account, "app").await;
        Self {
            server,
            app,
            found: Vec::new(),
        }
    }

    /// Asks as the user, with these statements for his policy, and holds the answer against what is expected.
    async fn expect(&mut self, case: &str, operation: &str, input: &Value, statements: Value, code: &str, words: &str) {
        self.server.give(&self.app, &statements).await;
        let (said, message) = self.server.send_as(&self.app, operation, input).await.said();
        if said != code || !message.contains(words) {
            self.found.push(format!("{operation}, {case}: {said} {message}"));
        }
    }

    fn conclude(self) {
        let found = self.found;
        assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
    }
}

fn routes() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|route| route.name)
}

#[tokio::test]
async fn every_operation_is_denied_by_default_and_allowed_by_a_policy() {
    let mut suite = Suite::start().await;
    for operation in routes() {
        let call = made(&suite.server, operation).await;
        let by_default = format!("{BY_DEFAULT} {} action", call.actions[0]);
        suite
            .expect("by default", operation, &call.input, json!([]), DENIED, &by_default)
            .await;
        let event = suite.server.events().await.pop().unwrap();
        let of_call = (event["eventName"] == operation) && (event["errorCode"] == DENIED);
        if !of_call {
            suite.found.push(format!("{operation}: a denial without its event"));
        }
        // Each single action is needed.
        for missing in 0..call.actions.len() {
            let mut others = call.actions.clone();
            let action = others.remove(missing);
            others.push("bulla:Nothing".to_owned());
            let words = format!("{BY_DEFAULT} {action} action");
            let case = format!("without {action}");
            let statements = json!([allow(&others, json!({}))]);
            suite
                .expect(&case, operation, &call.input, statements, DENIED, &words)
                .await;
        }
        let statements = json!([allow(&call.actions, json!({}))]);
        suite
            .expect("allowed", operation, &call.input, statements, call.allowed, "")
            .await;
    }
    suite.conclude();
}

#[tokio::test]
async fn every_operation_is_denied_explicitly_whatever_allows_it() {
    let mut suite = Suite::start().await;
    for operation in routes() {
        let call = made(&suite.server, operation).await;
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        for action in &call.actions {
            let deny = json!({"Effect": "Deny", "Action": action, "Resource": "*"});
            let statements = json!([all, deny]);
            let case = format!("{action} denied by an identity policy");
            suite
                .expect(&case, operation, &call.input, statements, DENIED, BY_IDENTITY)
                .await;
        }
        for key in &call.keys {
            let before = suite.server.ok("GetKeyPolicy", json!({ "KeyId": key })).await["Policy"].clone();
            let account = suite.server.initialised.account.as_str();
            let action = match (operation, call.keys.iter().position(|other| other == key)) {
                ("ReEncrypt", Some(place)) => call.actions[place].clone(),
                _ => call.actions[0].clone(),
            };
            let policy = json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kms:*", "Resource": "*"},
                {"Effect": "Deny", "Principal": {"AWS": suite.app.arn.as_str()}, "Action": action, "Resource": "*"}]});
            let put = |policy: Value| json!({"KeyId": key, "Policy": policy, "BypassPolicyLockoutSafetyCheck": true});
            suite.server.ok("PutKeyPolicy", put(policy.to_string().into())).await;
            let case = format!("denied by the policy of {key}");
            suite
                .expect(&case, operation, &call.input, json!([all]), DENIED, BY_KEY)
                .await;
            suite.server.ok("PutKeyPolicy", put(before)).await;
        }
    }
    suite.conclude();
}

#[tokio::test]
async fn every_operation_is_denied_by_a_condition_that_is_not_met() {
    let mut suite = Suite::start().await;
    for operation in routes() {
        let call = made(&suite.server, operation).await;
        let mut conditions = vec![(
            json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}),
            json!({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
        )];
        if call.tagged {
            conditions.push((
                json!({"StringEquals": {"aws:ResourceTag/team": "blue"}}),
                json!({"StringEquals": {"aws:ResourceTag/team": "red"}}),
            ));
        }
        for (wrong, right) in conditions {
            let words = format!("{BY_DEFAULT} {} action", call.actions[0]);
            let statements = json!([allow(&call.actions, wrong.clone())]);
            let case = format!("not met {wrong}");
            suite
                .expect(&case, operation, &call.input, statements, DENIED, &words)
                .await;
            let fresh = made(&suite.server, operation).await;
            let statements = json!([allow(&fresh.actions, right.clone())]);
            let case = format!("met {right}");
            suite
                .expect(&case, operation, &fresh.input, statements, fresh.allowed, "")
                .await;
        }
    }
    suite.conclude();
}

#[tokio::test]
async fn every_operation_is_allowed_by_a_grant_where_a_grant_can_permit_it() {
    let mut suite = Suite::start().await;
    let mut by_grant = Vec::new();
    for operation in routes() {
        let call = made(&suite.server, operation).await;
        let mut input = call.input.clone();
        let operations = match call.granted.as_slice() {
            [] => &call.grantable,
            _ => &call.granted,
        };
        for key in &call.keys {
            let made = suite.server.grant(key, &suite.app, operations).await;
            if operation == "RetireGrant" {
                input["GrantId"] = made["GrantId"].clone();
            }
        }
        if call.granted.is_empty() {
            suite
                .expect(
                    "a grant can not permit it",
                    operation,
                    &input,
                    json!([]),
                    DENIED,
                    BY_DEFAULT,
                )
                .await;
            continue;
        }
        by_grant.push(operation);
        suite
            .expect("by a grant", operation, &input, json!([]), call.allowed, "")
            .await;
        suite.denied_with_another_grant(operation).await;
    }
    // Source: the table of grant operations at https://docs.aws.amazon.com/kms/latest/developerguide/grants.html.
    let expected = [
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
        "GetPublicKey",
        "ReEncrypt",
        "RetireGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    ];
    assert_eq!(by_grant, expected);
    suite.conclude();
}

impl Suite {
    /// Every other operation that can be granted on the key does not permit this one.
    async fn denied_with_another_grant(&mut self, operation: &'static str) {
        let Made {
            input,
            keys,
            granted,
            grantable,
            ..
        } = made(&self.server, operation).await;
        let wanted = |name: &&&str| !granted.contains(name) && **name != "CreateGrant";
        let others: Vec<&str> = grantable.iter().filter(wanted).copied().collect();
        for key in &keys {
            self.server.grant(key, &self.app, &others).await;
        }
        self.expect(
            "by grants of all else",
            operation,
            &input,
            json!([]),
            DENIED,
            BY_DEFAULT,
        )
        .await;
    }
}
