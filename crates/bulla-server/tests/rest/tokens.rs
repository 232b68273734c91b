//! `/v1/tokens` over the program's own port, the embedded store and keys of the service: bodies, failures, decisions and events.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_model::{Clock, Role, SystemClock};
use bulla_server::ServerConfig;
use bulla_service::{CreateAliasRequest, CreateKeyRequest, Service};
use bulla_tokens::fetch::{FetchError, FetchRequest, Fetched, Fetcher};
use bulla_tokens::store::{Condition, Write};
use bulla_tokens::{ClientId, EmbeddedStore, Prefix, Provider, TokenName, TokenStore, TokenVault, Unrecorded};
use bulla_tokens_service::{AliasTemplate, ServiceKeys};
use serde_json::{Value, json};

use crate::client::*;
use crate::harness::{Harness, REGION};
use crate::vault_port::{Fetchers, VaultPort};

/// A server with a vault: keys of the clients `a` and `b`, and a way to fetch the tokens of the provider `fetched`.
pub(crate) async fn with_tokens() -> Harness {
    Harness::with_service(
        |_| {},
        async |config, service, directory| {
            for client in ["a", "b"] {
                make_key(service, client).await;
            }
            mount(config, service, directory).await;
        },
    )
    .await
}

async fn mount(config: &mut ServerConfig, service: &Service, directory: &Path) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = EmbeddedStore::open(&directory.join("tokens.db"), clock.clone())
        .await
        .unwrap();
    let template = AliasTemplate::new("alias/tokens-{client}").unwrap();
    let region = REGION.parse().unwrap();
    let keys = ServiceKeys::new(service.clone(), service.account().clone(), region, template.clone());
    let random = Arc::new(SystemRandom);
    let vault = TokenVault::builder(Arc::new(store), Arc::new(keys), Arc::new(Unrecorded), clock, random).build();
    let mut fetchers = Fetchers::default();
    let (provider, name) = (Provider::new("fetched").unwrap(), TokenName::default());
    fetchers.add(None, provider, name, Arc::new(Always));
    let region = REGION.parse().unwrap();
    let port = VaultPort::new(vault, service.clone(), region, Arc::new(template), fetchers, false);
    config.tokens = Some(Arc::new(port.priced("0.05 EUR".parse().unwrap())));
}

/// A provider that always gives a token.
#[derive(Debug)]
struct Always;

#[async_trait]
impl Fetcher for Always {
    async fn fetch(&self, _: &FetchRequest<'_>) -> Result<Fetched, FetchError> {
        Ok(Fetched {
            value: SecretBytes::from_vec(b"from the provider".to_vec()),
            ttl: Some(Duration::from_secs(900)),
            token_type: "Bearer".to_owned(),
            scopes: Vec::new(),
            refresh_token: None,
        })
    }
}

fn operator_of(service: &Service) -> bulla_service::Call {
    bulla_service::Call {
        caller: bulla_service::Caller::operator(service.account().clone()),
        region: REGION.parse().unwrap(),
        request_id: "setup".into(),
        source_ip: "in-process".into(),
        user_agent: "".into(),
        secure_transport: true,
    }
}

async fn make_key(service: &Service, client: &str) {
    let request = CreateKeyRequest::default();
    let operator = operator_of(service);
    let key = service.create_key(&operator, request).await.unwrap().key;
    let alias = CreateAliasRequest {
        alias_name: format!("alias/tokens-{client}"),
        target_key_id: key.key_id.to_string(),
    };
    service.create_alias(&operator, alias).await.unwrap();
}

#[tokio::test]
async fn a_token_is_put_got_listed_and_deleted() {
    let h = with_tokens().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let put = json!({"value": "s3cret \"ü\"", "ttl_seconds": 900, "type": "Bearer", "scopes": ["read"], "metadata": {"account": "42"}});
    let stored = ann.send(&h, "PUT", "/v1/tokens/a/stripe", &put).await.json();
    assert!(
        stored["version"].is_string() && stored["expires_at"].is_string(),
        "{stored}"
    );
    let bytes = json!({"value_base64": "/wD+"});
    let other = ann
        .send(&h, "PUT", "/v1/tokens/a/stripe?name=second", &bytes)
        .await
        .json();
    assert_eq!(other["expires_at"], Value::Null);

    // The first get unwraps the data key, each further one finds it.
    assert_eq!(ann.get(&h, "/v1/tokens/a/stripe").await.status, 200);
    let got = ann.get(&h, "/v1/tokens/a/stripe?purpose=refunds").await.json();
    assert_eq!(got["value"], put["value"]);
    assert_eq!(got["version"], stored["version"]);
    assert_eq!(got["expires_at"], stored["expires_at"]);
    assert_eq!(
        (&got["type"], &got["scopes"], &got["metadata"]),
        (&put["type"], &put["scopes"], &put["metadata"])
    );
    let event = newest(&h, "GetToken").await;
    assert_eq!(
        (&event["purpose"], &event["cacheHit"]),
        (&json!("refunds"), &json!(true)),
        "{event}"
    );
    assert_eq!(event["additionalEventData"]["version"], stored["version"]);
    let got = ann.get(&h, "/v1/tokens/a/stripe?name=second").await.json();
    assert_eq!((&got["value_base64"], got.get("value")), (&json!("/wD+"), None));

    let first = ann.get(&h, "/v1/tokens?client=a&limit=1").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = ann
        .get(&h, &format!("/v1/tokens?client=a&cursor={cursor}"))
        .await
        .json();
    assert_eq!(second["next_cursor"], Value::Null);
    let listed = [&first["tokens"][0], &second["tokens"][0]];
    assert_eq!(listed.map(|token| token["name"].as_str()), [None, Some("second")]);
    assert!(listed.iter().all(|token| token.get("value").is_none()));
    problem(
        &ann.get(&h, "/v1/tokens?client=a&cursor=MTo3").await,
        400,
        "invalid_cursor",
    );

    assert_eq!(
        ann.send(&h, "DELETE", "/v1/tokens/a/stripe", &Value::Null).await.status,
        200
    );
    for gone in ["GET", "DELETE"] {
        let answer = ann.send(&h, gone, "/v1/tokens/a/stripe", &Value::Null).await;
        problem(&answer, 404, "not_found");
    }
    assert_eq!(newest(&h, "GetToken").await["errorCode"], "NotFound");
    let revoked = ann.send(&h, "POST", "/v1/tokens/a/revoke", &Value::Null).await;
    assert_eq!(revoked.status, 200);
    problem(&ann.get(&h, "/v1/tokens/a/stripe?name=second").await, 404, "not_found");
    let log = serde_json::to_string(&events(&h).await).unwrap();
    assert!(
        !log.contains("s3cret") && !log.contains("/wD+"),
        "no value is in an event"
    );
}

#[tokio::test]
async fn names_of_any_kind_are_names_of_tokens() {
    let h = with_tokens().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let long = "p".repeat(1024);
    for provider in ["a%2Fb%3A%7Bc%7D", "na%C3%AFve%20%E2%98%83", "revoke", long.as_str()] {
        let path = format!("/v1/tokens/a/{provider}");
        let put = ann.send(&h, "PUT", &path, &json!({"value": provider})).await;
        assert_eq!(put.status, 200, "{provider}: {}", put.text());
        assert_eq!(ann.get(&h, &path).await.json()["value"], provider);
    }
    let page = ann.get(&h, "/v1/tokens?client=a").await.json();
    let listed: Vec<_> = page["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| &token["provider"])
        .collect();
    assert!(listed.contains(&&json!("a/b:{c}")) && listed.len() == 4, "{listed:?}");
    let beyond = format!("/v1/tokens/a/{long}p");
    problem(&ann.get(&h, &beyond).await, 400, "invalid_request");
    // No alias has such a name: an error that names it, and an event.
    let answer = ann.get(&h, "/v1/tokens/a%20b/stripe").await;
    let detail = problem(&answer, 409, "no_key_for_client")["detail"].to_string();
    assert!(detail.contains("client_hash"), "{detail}");
    assert_eq!(newest(&h, "GetToken").await["requestID"], answer.header("x-request-id"));
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_recorded() {
    let h = with_tokens().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let whole = "v".repeat(65_536);
    assert_eq!(
        ann.send(&h, "PUT", "/v1/tokens/a/p", &json!({"value": whole}))
            .await
            .status,
        200
    );
    for wrong in [
        json!({}),
        json!({"value": "a", "value_base64": "YQ=="}),
        json!({"value": ""}),
        json!({"value_base64": "Y"}),
        json!({"value": 7}),
        json!({"value": "a", "ttl_seconds": 0}),
        json!({"value": "a", "ttl_seconds": -1}),
        json!({"value": "a", "expires": 1}),
        json!({"value": "a", "type": "t".repeat(257)}),
        json!({"value": "a", "scopes": [""]}),
        json!({"value": "a", "metadata": {"bulla:own": "x"}}),
        json!({"value": format!("{whole}v")}),
    ] {
        let answer = ann.send(&h, "PUT", "/v1/tokens/a/p", &wrong).await;
        problem(&answer, 400, "invalid_request");
        let event = newest(&h, "PutToken").await;
        assert_eq!(event["requestID"], answer.header("x-request-id"), "{wrong}");
    }
    let huge = json!({"value": "v".repeat(513 * 1024)});
    problem(
        &ann.send(&h, "PUT", "/v1/tokens/a/p", &huge).await,
        413,
        "body_too_large",
    );
    let purpose = "p".repeat(129);
    problem(
        &ann.get(&h, &format!("/v1/tokens/a/p?purpose={purpose}")).await,
        400,
        "invalid_request",
    );
    problem(&ann.get(&h, "/v1/tokens").await, 400, "invalid_request");
    problem(
        &ann.get(&h, "/v1/tokens?client=a&limit=1001").await,
        400,
        "invalid_request",
    );
    let header = format!("{}Bulla-Purpose: refunds\r\n", ann.header());
    assert_eq!(request(&h, "GET", "/v1/tokens/a/p", &header, "").await.status, 200);
    assert_eq!(newest(&h, "GetToken").await["purpose"], "refunds");
    let contradicting = request(&h, "GET", "/v1/tokens/a/p?purpose=other", &header, "").await;
    problem(&contradicting, 400, "invalid_request");
}

#[tokio::test]
async fn a_batch_answers_each_token_by_itself() {
    let h = with_tokens().await;
    let ann = User::new(&h, "ann", Role::User).await;
    ann.give(
        &h,
        json!({"Effect": "Allow", "Action": "bulla:*Token", "Resource": "*",
            "Condition": {"StringEquals": {"kms:EncryptionContext:client_id": ["a", "c"]}}}),
    )
    .await;
    ann.send(&h, "PUT", "/v1/tokens/a/stripe", &json!({"value": "of a"}))
        .await;
    let wanted = json!({"tokens": [
        {"client": "a", "provider": "stripe"}, {"client": "a", "provider": "none"}, {"client": "b", "provider": "stripe"},
        {"client": "c", "provider": "stripe"}, {"client": "a b", "provider": "stripe"}]});
    let answer = ann.post(&h, "/v1/tokens/batch-get", &wanted).await.json();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results[0]["token"]["value"], "of a");
    let codes: Vec<_> = results[1..]
        .iter()
        .map(|result| result["problem"]["code"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["not_found", "access_denied", "no_key_for_client", "no_key_for_client"]
    );
    let gets = events(&h)
        .await
        .into_iter()
        .filter(|event| event["eventName"] == "GetToken")
        .count();
    assert_eq!(gets, 5);
    for wrong in [
        json!({"tokens": []}),
        json!({"tokens": vec![json!({"client": "a", "provider": "p"}); 101]}),
    ] {
        problem(
            &ann.post(&h, "/v1/tokens/batch-get", &wrong).await,
            400,
            "invalid_request",
        );
    }
}

#[tokio::test]
async fn who_may_refresh_need_not_be_who_may_get() {
    let h = with_tokens().await;
    let (ann, bob) = (
        User::new(&h, "ann", Role::User).await,
        User::new(&h, "bob", Role::User).await,
    );
    ann.give(
        &h,
        json!({"Effect": "Allow", "Action": "bulla:RefreshToken", "Resource": "*"}),
    )
    .await;
    bob.give(
        &h,
        json!({"Effect": "Allow", "Action": "bulla:GetToken", "Resource": "*"}),
    )
    .await;
    // Nothing is there yet, and who may only get has nothing fetched.
    problem(&bob.get(&h, "/v1/tokens/a/fetched").await, 403, "access_denied");
    let refreshed = ann.send(&h, "POST", "/v1/tokens/a/fetched/refresh", &Value::Null).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());
    assert!(
        !refreshed.text().contains("provider"),
        "the value is for who may get it"
    );
    let of_refresh = events(&h)
        .await
        .into_iter()
        .filter(|event| event["requestID"] == refreshed.header("x-request-id"));
    let names: Vec<_> = of_refresh.map(|event| event["eventName"].clone()).collect();
    assert_eq!(names, ["RefreshToken", "RefreshToken"], "announced and concluded");
    problem(&ann.get(&h, "/v1/tokens/a/fetched").await, 403, "access_denied");
    let got = bob.get(&h, "/v1/tokens/a/fetched").await.json();
    assert_eq!(
        (&got["value"], &got["version"]),
        (&json!("from the provider"), &refreshed.json()["version"])
    );
    let none = ann.send(&h, "POST", "/v1/tokens/a/stripe/refresh", &Value::Null).await;
    problem(&none, 409, "no_fetcher");
    let denied = bob.send(&h, "POST", "/v1/tokens/a/stripe/refresh", &Value::Null).await;
    problem(&denied, 403, "access_denied");
}

#[tokio::test]
async fn a_value_that_was_moved_in_the_store_is_refused_by_name() {
    let mut file = None;
    let h = Harness::with_service(
        |_| {},
        async |config, service, directory| {
            make_key(service, "a").await;
            mount(config, service, directory).await;
            file = Some(directory.join("tokens.db"));
        },
    )
    .await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    for provider in ["stripe", "adyen"] {
        let path = format!("/v1/tokens/a/{provider}");
        assert_eq!(
            ann.send(&h, "PUT", &path, &json!({"value": provider})).await.status,
            200
        );
    }
    let store = EmbeddedStore::open(&file.unwrap(), Arc::new(SystemClock))
        .await
        .unwrap();
    let places = Prefix::default().client(&ClientId::new("a").unwrap());
    let place = |provider: &str| {
        let provider = Provider::new(provider).unwrap();
        places.place(bulla_tokens::place::Kind::Token, &provider, &TokenName::default())
    };
    let entry = store.read(&place("adyen")).await.unwrap().unwrap();
    let write = Write {
        version: entry.version + 1_000_000,
        record: entry.record.as_deref(),
        keep: None,
        condition: Condition::Any,
        lease: None,
        unbelieved: None,
    };
    store.write(&place("stripe"), &write).await.unwrap();
    let answer = ann.get(&h, "/v1/tokens/a/stripe").await;
    problem(&answer, 500, "token_not_authentic");
    assert!(!answer.text().contains("adyen"));
    assert_eq!(newest(&h, "GetToken").await["errorCode"], "TokenNotAuthentic");
    let page = ann.get(&h, "/v1/tokens?client=a").await.json();
    assert_eq!(page["unreadable"][0]["code"], "token_not_authentic");
    assert_eq!(page["tokens"][0]["provider"], "adyen");
}

#[tokio::test]
async fn a_service_without_a_vault_says_so() {
    let h = Harness::start().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    problem(&ann.get(&h, "/v1/tokens/a/p").await, 404, "no_token_vault");
}

#[tokio::test]
async fn what_the_vault_did_is_in_the_stats_with_its_price_and_on_the_metrics_page() {
    let h = with_tokens().await;
    let ann = User::new(&h, "ann", Role::Admin).await;
    let put = json!({"value": "s3cret", "ttl_seconds": 900});
    ann.send(&h, "PUT", "/v1/tokens/a/stripe", &put).await;
    for path in ["/v1/tokens/a/stripe", "/v1/tokens/a/stripe", "/v1/tokens/a/none"] {
        ann.get(&h, path).await;
    }
    ann.send(&h, "POST", "/v1/tokens/a/fetched/refresh", &Value::Null).await;
    let stats = ann.get(&h, "/v1/tokens/stats").await.json();
    assert_eq!((&stats["hits"], &stats["misses"]), (&json!(2), &json!(1)), "{stats}");
    assert_eq!((&stats["puts"], &stats["refreshes"]), (&json!(1), &json!(1)), "{stats}");
    assert!(stats["kms_calls_saved"].as_u64().unwrap() >= 2, "{stats}");
    assert!(stats["cost_saved"].as_str().unwrap().ends_with(" EUR"), "{stats}");
    let page = request(&h, "GET", "/metrics", "", "").await.text();
    for line in [
        "# TYPE bulla_tokens_hits_total counter",
        "bulla_tokens_hits_total 2",
        "bulla_tokens_refreshes_total 1",
        "bulla_tokens_clients 1",
    ] {
        assert!(page.lines().any(|of_page| of_page == line), "{line}\n{page}");
    }
}
