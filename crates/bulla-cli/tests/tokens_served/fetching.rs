//! Tokens that the service fetches itself, as a table says: once over two nodes, with a secret that the caller can't read.

use bulla_testkit::BullaProcess;
use serde_json::{Value, json};

use crate::commands::{Service, client_key, events, token_header};
use crate::http::{ask, get, put};
use crate::oauth_server::{OAuthServer, Rules};
use crate::redis_server::RedisServer;
use crate::support::{BULLA, init};

#[test]
fn two_nodes_fetch_a_token_once_and_a_grant_by_its_refresh_token() {
    let (directory, redis) = (tempfile::tempdir().expect("a directory"), RedisServer::start());
    let provider = OAuthServer::start(Rules::default());
    let table = directory.path().join("tokens.toml");
    let url = provider.url();
    let rows = format!(
        "[[fetch]]\nprovider = 'stripe'\ngrant = 'client_credentials'\ntoken_url = '{url}'\nclient_id = 'app'\n\
         secret = {{ client = 'gateway', provider = 'stripe-secret' }}\n\
         [[fetch]]\nprovider = 'oauth'\ngrant = 'refresh_token'\ntoken_url = '{url}'\nclient_id = 'app'\n"
    );
    std::fs::write(&table, rows).expect("a file");
    let data = directory.path().join("data");
    let admin = init(&data, &[]);
    let command = BullaProcess::production_command(BULLA, &data)
        .args(["--token-store", &redis.url(), "--token-table"])
        .arg(&table);
    let (one, other) = (
        BullaProcess::start(&command).expect("it starts"),
        BullaProcess::start(&command).expect("so does the other"),
    );
    for client in ["acme", "gateway"] {
        client_key(&one, &admin, client);
    }
    let admin = token_header(&data, "admin");
    let service = Service::new(&data, "payments", "acme");
    assert_eq!(get(&one, "/v1/tokens/acme/stripe", &service.header), "no_client_secret");
    put(&one, "/v1/tokens/gateway/stripe-secret", &admin, "of the app");
    let first = get(&one, "/v1/tokens/acme/stripe", &service.header);
    assert_eq!(get(&other, "/v1/tokens/acme/stripe", &service.header), first);
    assert_eq!(provider.state().requests, 1, "fetched once");
    // The secret was read in the service's own name, for the caller may not.
    let denied = get(&one, "/v1/tokens/gateway/stripe-secret", &service.header);
    assert_eq!(denied, "access_denied");
    let refresh = "/v1/tokens/acme/stripe/refresh";
    assert_eq!(ask(&other, "POST", refresh, &service.header, &Value::Null).0, 200);
    assert_eq!(provider.state().requests, 2);

    assert_eq!(
        get(&one, "/v1/tokens/acme/oauth", &service.header),
        "needs_authorisation"
    );
    let grant = json!({"refresh_token": "r0"});
    let (status, answer) = ask(&one, "PUT", "/v1/tokens/acme/oauth/grant", &service.header, &grant);
    assert_eq!(status, 200, "{answer}");
    let fetched = get(&other, "/v1/tokens/acme/oauth", &service.header);
    assert_eq!(get(&one, "/v1/tokens/acme/oauth", &service.header), fetched);
    for server in [one, other] {
        let (_, logs) = server.stop().expect("it stops by itself");
        assert!(!logs.contains("of the app"), "{logs}");
    }
    let secrets: Vec<_> = events(&data, "GetToken")
        .into_iter()
        .filter(|event| event["requestParameters"]["apiProvider"] == "stripe-secret" && event["purpose"] == "fetch")
        .collect();
    assert!(
        !secrets.is_empty() && secrets.iter().all(|event| event["sourceIPAddress"] == "in-process"),
        "{secrets:?}"
    );
    assert_eq!(
        events(&data, "RefreshToken")
            .iter()
            .filter(|event| event.get("errorCode").is_none())
            .count(),
        6
    );
}
