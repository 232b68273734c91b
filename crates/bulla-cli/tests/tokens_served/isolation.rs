//! Two services and two clients over REST: who reads whose tokens, and that no cache goes around it.

use bulla_testkit::BullaProcess;
use serde_json::{Value, json};

use crate::commands::{Service, client_key, events, token_header};
use crate::http::{ask, get, put};
use crate::redis_server::RedisServer;
use crate::support::{BULLA, Credentials, bulla, init};

/// A service with a Redis, and keys of the clients `a` and `b`.
fn two_clients(directory: &tempfile::TempDir, redis: &RedisServer) -> (BullaProcess, Credentials) {
    let data = directory.path().join("data");
    let admin = init(&data, &[]);
    let command = BullaProcess::production_command(BULLA, &data).args(["--token-store", &redis.url()]);
    let server = BullaProcess::start(&command).expect("it starts");
    for client in ["a", "b"] {
        client_key(&server, &admin, client);
    }
    (server, admin)
}

#[test]
fn each_service_has_its_own_clients_tokens_and_every_other_access_is_denied_and_recorded() {
    let (directory, redis) = (tempfile::tempdir().expect("a directory"), RedisServer::start());
    let (server, _) = two_clients(&directory, &redis);
    let data = directory.path().join("data");
    let (a, b) = (
        Service::new(&data, "service-a", "a"),
        Service::new(&data, "service-b", "b"),
    );
    for service in [&a, &b] {
        let path = format!("/v1/tokens/{}/stripe", service.client);
        put(&server, &path, &service.header, service.client);
        // Twice: now the data key is in the cache that both share.
        assert_eq!(get(&server, &path, &service.header), service.client);
        assert_eq!(get(&server, &path, &service.header), service.client);
    }
    let body = json!({"value": "x"});
    let mut denials = Vec::new();
    for (service, other) in [(&a, "b"), (&b, "a")] {
        for (method, path, body, event) in [
            ("GET", format!("/v1/tokens/{other}/stripe"), &Value::Null, "GetToken"),
            ("PUT", format!("/v1/tokens/{other}/stripe"), &body, "PutToken"),
            (
                "DELETE",
                format!("/v1/tokens/{other}/stripe"),
                &Value::Null,
                "DeleteToken",
            ),
            (
                "POST",
                format!("/v1/tokens/{other}/stripe/refresh"),
                &Value::Null,
                "RefreshToken",
            ),
            ("GET", format!("/v1/tokens?client={other}"), &Value::Null, "ListTokens"),
            (
                "POST",
                format!("/v1/tokens/{other}/revoke"),
                &Value::Null,
                "RevokeTokens",
            ),
        ] {
            let (status, problem) = ask(&server, method, &path, &service.header, body);
            assert_eq!(
                (status, &problem["code"]),
                (403, &json!("access_denied")),
                "{method} {path}"
            );
            denials.push((event, problem["request_id"].clone(), service.name, other));
        }
    }
    // What is denied from now on is denied at the next get, whatever is cached; and what another grants is allowed.
    a.deny(&data);
    assert_eq!(get(&server, "/v1/tokens/a/stripe", &a.header), "access_denied");
    assert_eq!(get(&server, "/v1/tokens/b/stripe", &b.header), "b");
    server.stop().expect("it stops by itself");

    for (name, request, service, client) in denials {
        let events = events(&data, name);
        let event = events.iter().find(|event| event["requestID"] == request);
        let event = event.unwrap_or_else(|| panic!("no {name} {request}"));
        assert_eq!(event["errorCode"], "AccessDeniedException", "{event}");
        assert_eq!(event["requestParameters"]["clientId"], client);
        let who = event["userIdentity"]["arn"].as_str().expect("a principal");
        assert!(who.ends_with(service), "{event}");
    }
    let verified = bulla(["audit", "verify", "--data-dir", &data.display().to_string()]);
    assert!(verified.succeeded(), "{verified:?}");
}

#[test]
fn a_clients_disabled_key_ends_its_tokens_at_the_next_request() {
    let (directory, redis) = (tempfile::tempdir().expect("a directory"), RedisServer::start());
    let (server, admin) = two_clients(&directory, &redis);
    let header = token_header(&directory.path().join("data"), "admin");
    for client in ["a", "b"] {
        put(&server, &format!("/v1/tokens/{client}/stripe"), &header, client);
        assert_eq!(get(&server, &format!("/v1/tokens/{client}/stripe"), &header), client);
    }
    let id = client_id(&server, &admin);
    let named = |action: &str| {
        let command = bulla_testkit::BullaCommand::new(BULLA)
            .args(["key", action, &id, "--endpoint", server.endpoint()])
            .credentials(&admin.access_key_id, &admin.secret_access_key);
        let done = command.run().expect("bulla runs");
        assert!(done.succeeded(), "{done:?}");
    };
    named("disable");
    let (status, problem) = ask(&server, "GET", "/v1/tokens/a/stripe", &header, &Value::Null);
    assert_eq!((status, &problem["code"]), (409, &json!("key_disabled")));
    let (status, problem) = ask(&server, "PUT", "/v1/tokens/a/stripe", &header, &json!({"value": "x"}));
    assert_eq!((status, &problem["code"]), (409, &json!("key_disabled")));
    assert_eq!(get(&server, "/v1/tokens/b/stripe", &header), "b");
    named("enable");
    assert_eq!(get(&server, "/v1/tokens/a/stripe", &header), "a");
    server.stop().expect("it stops by itself");
}

/// The id of the key of client `a`: its alias is not what enables and disables.
fn client_id(server: &BullaProcess, admin: &Credentials) -> String {
    let command = bulla_testkit::BullaCommand::new(BULLA)
        .args([
            "token",
            "client",
            "list",
            "--output",
            "json",
            "--endpoint",
            server.endpoint(),
        ])
        .credentials(&admin.access_key_id, &admin.secret_access_key);
    let listed = command.run().expect("bulla runs");
    assert!(listed.succeeded(), "{listed:?}");
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let first = &listed["Clients"][0];
    assert_eq!(
        (&first["Client"], &first["State"], &first["Tokens"]),
        (&json!("a"), &json!("Enabled"), &json!(1))
    );
    first["KeyArn"].as_str().expect("an ARN").to_owned()
}
