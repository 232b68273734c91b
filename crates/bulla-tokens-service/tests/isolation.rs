//! Two services and two clients in one key service: who reads whose tokens, what is recorded, and that no cache goes around it.

use std::sync::Arc;

use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_envelope::KeyPattern;
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_model::{AccountId, GrantConstraints, GrantOperation, PrincipalArn, Role, SystemClock};
use bulla_service::*;
use bulla_store::Store as _;
use bulla_store_sql::{OpenOptions, SqlStore};
use bulla_tokens::{ClientId, EmbeddedStore, NewToken, Provider, TokenName, TokenRef, TokenVault, Unrecorded};
use bulla_tokens_service::{AliasTemplate, ServiceAccessLog, ServiceKeys};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";

/// A key service on SQLite with keys of the clients `a` and `b`, and a vault over it.
struct Setting {
    _directory: tempfile::TempDir,
    store: Arc<SqlStore>,
    service: Service,
    keys: Vec<KeyMetadata>,
    tokens: Arc<EmbeddedStore>,
    vault: TokenVault,
}

fn account() -> AccountId {
    ACCOUNT.parse().expect("an account")
}

fn template() -> AliasTemplate {
    AliasTemplate::new("alias/tokens-{client}").expect("a template")
}

fn call(caller: Caller) -> Call {
    Call {
        caller,
        region: REGION.parse().expect("a region"),
        request_id: "test".into(),
        source_ip: "192.0.2.7".into(),
        user_agent: "test/1".into(),
        secure_transport: false,
    }
}

fn operator() -> Call {
    call(Caller::operator(account()))
}

impl Setting {
    async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let file = RootKeyFile::create(&directory.path().join("root.key"), &SystemRandom).expect("a root key");
        let key = file.id().as_str().to_owned();
        let provider = Arc::new(LocalProvider::new([file], Arc::new(SystemRandom)).expect("a provider"));
        let roots = [Root { provider, key }];
        let options = OpenOptions::sqlite_file(directory.path().join("bulla.db"));
        let store = Arc::new(SqlStore::open(options).await.expect("a store"));
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let settings = InitialiseSettings {
            mode: Mode::Production,
            account: Some(account()),
            administrator: "admin".parse().expect("a name"),
            origin: Some("bulla.test/log".to_owned()),
            region: REGION.parse().expect("a region"),
        };
        let shared: Arc<dyn bulla_store::Store> = store.clone();
        Service::initialise(shared.clone(), &roots, clock.clone(), random.clone(), settings)
            .await
            .expect("initialises");
        let settings = Settings {
            sweep: false,
            ..Settings::new(Mode::Production)
        };
        let service = Service::open(shared, &roots, clock.clone(), random.clone(), settings)
            .await
            .expect("opens");
        let mut keys = Vec::new();
        for client in ["a", "b"] {
            keys.push(make_key(&service, client).await);
        }
        let path = directory.path().join("tokens.db");
        let tokens = EmbeddedStore::open(&path, clock.clone()).await;
        let tokens = Arc::new(tokens.expect("a token store"));
        // Each test says for whom it asks; nobody asks without.
        let vault = vault_over(&tokens, of_clients(&service, template()));
        Self {
            _directory: directory,
            store,
            service,
            keys,
            tokens,
            vault,
        }
    }

    /// Lets a client's alias lead to a new key.
    async fn move_alias(&self, client: &str) -> KeyMetadata {
        let key = make_key(&self.service, &format!("new-{client}")).await;
        let update = UpdateAliasRequest {
            alias_name: format!("alias/tokens-{client}"),
            target_key_id: key.key_id.to_string(),
        };
        self.service.update_alias(&operator(), update).await.expect("moves");
        key
    }

    async fn disable(&self, key: &KeyMetadata) {
        let request = DisableKeyRequest {
            key_id: key.key_id.to_string(),
        };
        self.service.disable_key(&operator(), request).await.expect("disabled");
    }

    /// The vault as this caller has it.
    fn as_caller(&self, call: &Call) -> TokenVault {
        let log = ServiceAccessLog::new(self.service.clone(), call.clone(), account(), Arc::new(template()));
        self.vault.recording(Arc::new(log))
    }

    /// A new user without any right.
    async fn user(&self, name: &str) -> (PrincipalArn, Call) {
        let made = self
            .service
            .create_principal(&operator(), name.parse().expect("a name"), Role::User)
            .await
            .expect("creates");
        let id = &made.credentials.access_key_id;
        let credential = self
            .service
            .credential(id)
            .await
            .expect("reads")
            .expect("an access key");
        (made.principal.arn, call(Caller::signed(credential)))
    }

    /// A user whose identity policy allows the tokens of one client, by the context.
    async fn service_of(&self, name: &str, client: &str) -> (PrincipalArn, Call) {
        let (arn, call) = self.user(name).await;
        self.give(&arn, "Allow", client).await;
        (arn, call)
    }

    async fn give(&self, arn: &PrincipalArn, effect: &str, client: &str) {
        let document = json!({ "Version": "2012-10-17", "Statement": {
            "Effect": effect, "Action": ["bulla:*Token", "bulla:ListTokens"], "Resource": "*",
            "Condition": { "StringEquals": { "kms:EncryptionContext:client_id": client } } } });
        self.service
            .put_principal_policy(&operator(), arn.clone(), "tokens".to_owned(), document.to_string())
            .await
            .expect("gives");
    }

    async fn grant(&self, key: &KeyMetadata, grantee: &PrincipalArn, operation: GrantOperation, client: &str) {
        let request = CreateGrantRequest {
            key_id: key.key_id.to_string(),
            grantee_principal: grantee.to_string(),
            retiring_principal: None,
            operations: vec![operation],
            constraints: GrantConstraints {
                equals: None,
                subset: Some([("client_id".to_owned(), client.to_owned())].into()),
            },
            name: None,
            grant_tokens: Vec::new(),
            dry_run: false,
        };
        self.service.create_grant(&operator(), request).await.expect("grants");
    }

    async fn events(&self) -> Vec<Value> {
        let rows = self.store.events(0, 10_000).await.expect("events");
        rows.iter()
            .map(|row| serde_json::from_slice(&row.event).expect("JSON"))
            .collect()
    }

    /// The newest event of an action, and how often there was one.
    async fn last(&self, name: &str) -> (Value, usize) {
        let mut all = self.events().await;
        all.retain(|event| event["eventName"] == name);
        let count = all.len();
        (all.pop().unwrap_or_default(), count)
    }
}

fn of_clients(service: &Service, template: AliasTemplate) -> ServiceKeys {
    ServiceKeys::new(service.clone(), account(), REGION.parse().expect("a region"), template)
}

fn vault_over(tokens: &Arc<EmbeddedStore>, keys: ServiceKeys) -> TokenVault {
    let tokens = Arc::clone(tokens);
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
    TokenVault::builder(tokens, Arc::new(keys), Arc::new(Unrecorded), clock, random).build()
}

async fn make_key(service: &Service, client: &str) -> KeyMetadata {
    let request = CreateKeyRequest::default();
    let key = service.create_key(&operator(), request).await.expect("creates").key;
    let alias = CreateAliasRequest {
        alias_name: format!("alias/tokens-{client}"),
        target_key_id: key.key_id.to_string(),
    };
    service.create_alias(&operator(), alias).await.expect("an alias");
    key
}

fn token(client: &str) -> TokenRef {
    let client = ClientId::new(client).expect("a client");
    TokenRef::new(client, Provider::new("stripe").expect("a provider"))
}

fn value(text: &str) -> NewToken {
    NewToken::new(SecretBytes::from_vec(text.as_bytes().to_vec()))
}

/// What a vault answers: the value, or the code of its error.
async fn get(vault: &TokenVault, client: &str) -> String {
    match vault.get(&token(client)).await {
        Ok(Some(found)) => String::from_utf8_lossy(found.value.expose_secret()).into_owned(),
        Ok(None) => "nothing".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

#[tokio::test]
async fn each_service_reads_its_own_clients_tokens_and_every_cross_access_is_denied_and_recorded() {
    let setting = Setting::new().await;
    let (a_arn, a) = setting.service_of("service-a", "a").await;
    let (_, b) = setting.service_of("service-b", "b").await;
    let (of_a, of_b) = (setting.as_caller(&a), setting.as_caller(&b));
    of_a.put(&token("a"), value("of a")).await.expect("its own");
    of_b.put(&token("b"), value("of b")).await.expect("its own");
    assert_eq!(
        (get(&of_a, "a").await, get(&of_b, "b").await),
        ("of a".into(), "of b".into())
    );
    // The data keys of both are cached by now, in the one vault that both use.
    let calls = setting.vault.stats().kms_calls;
    let (_, gets) = setting.last("GetToken").await;
    for (vault, other) in [(&of_a, "b"), (&of_b, "a")] {
        assert_eq!(get(vault, other).await, "AccessDenied");
        for denied in [
            vault.put(&token(other), value("x")).await.map(drop),
            vault.delete(&token(other)).await.map(drop),
            vault.list(&token(other).client, None, 10).await.map(drop),
            vault.revoke_client(&token(other).client).await.map(drop),
            vault.rewrap(&token(other).client).await.map(drop),
        ] {
            assert_eq!(denied.expect_err("not its client").code(), "AccessDenied");
        }
    }
    assert_eq!(setting.vault.stats().kms_calls, calls, "nothing was done for them");
    let (event, count) = setting.last("GetToken").await;
    assert_eq!(count, gets + 2);
    assert_eq!(event["errorCode"], "AccessDeniedException");
    assert_eq!(event["requestParameters"]["clientId"], "a");
    assert_eq!(event["requestParameters"]["encryptionContext"]["client_id"], "a");
    for (name, denials) in [
        ("PutToken", 2),
        ("DeleteToken", 2),
        ("ListTokens", 2),
        ("RevokeTokens", 2),
    ] {
        let events = setting.events().await;
        let denied = events
            .iter()
            .filter(|event| event["eventName"] == name && event["errorCode"] == "AccessDeniedException");
        assert_eq!(denied.count(), denials, "{name}");
    }
    assert_eq!(
        (get(&of_a, "a").await, get(&of_b, "b").await),
        ("of a".into(), "of b".into())
    );
    let (event, _) = setting.last("GetToken").await;
    assert_eq!(event["cacheHit"], true);
    assert!(event["additionalEventData"]["version"].is_string(), "{event}");
    assert_eq!(event["purpose"], "token");

    // What a policy says now decides the very next access, whatever is cached.
    setting.give(&a_arn, "Deny", "a").await;
    assert_eq!(get(&of_a, "a").await, "AccessDenied");
}

#[tokio::test]
async fn a_grant_with_a_context_allows_exactly_what_it_says() {
    let setting = Setting::new().await;
    let (_, writer) = setting.service_of("writer", "a").await;
    setting
        .as_caller(&writer)
        .put(&token("a"), value("of a"))
        .await
        .expect("put");
    let (reader_arn, reader) = setting.user("reader").await;
    let reader = setting.as_caller(&reader);
    assert_eq!(get(&reader, "a").await, "AccessDenied");
    setting
        .grant(&setting.keys[0], &reader_arn, GrantOperation::Decrypt, "b")
        .await;
    assert_eq!(
        get(&reader, "a").await,
        "AccessDenied",
        "its constraint is about another client"
    );
    setting
        .grant(&setting.keys[0], &reader_arn, GrantOperation::Decrypt, "a")
        .await;
    assert_eq!(get(&reader, "a").await, "of a");
    let error = reader
        .put(&token("a"), value("x"))
        .await
        .expect_err("it opens, and does not seal");
    assert_eq!(error.code(), "AccessDenied");
    assert_eq!(get(&reader, "b").await, "AccessDenied");
}

#[tokio::test]
async fn a_disabled_key_ends_its_clients_tokens_at_the_next_access_though_its_data_key_is_cached() {
    let setting = Setting::new().await;
    let (_, a) = setting.service_of("service-a", "a").await;
    let of_a = setting.as_caller(&a);
    of_a.put(&token("a"), value("x")).await.expect("put");
    assert_eq!(get(&of_a, "a").await, "x");
    setting.disable(&setting.keys[0]).await;
    assert_eq!(get(&of_a, "a").await, "KeyUnusable");
    let error = of_a
        .put(&token("a"), value("y"))
        .await
        .expect_err("the key is disabled");
    assert_eq!(error.code(), "KeyUnusable");
    for refused in [
        of_a.list(&token("a").client, None, 10).await.map(drop),
        of_a.rewrap(&token("a").client).await.map(drop),
    ] {
        assert_eq!(refused.expect_err("the key is disabled").code(), "KeyUnusable");
    }
}

#[tokio::test]
async fn who_may_not_decrypt_under_a_clients_context_is_not_told_what_its_tokens_are_good_for() {
    let setting = Setting::new().await;
    let (arn, a) = setting.service_of("service-a", "a").await;
    let of_a = setting.as_caller(&a);
    of_a.put(&token("a"), value("x")).await.expect("put");
    let listed = of_a.list(&token("a").client, None, 10).await.expect("a page");
    assert_eq!(listed.tokens.len(), 1);
    let document = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*",
        "Condition": { "StringEquals": { "kms:EncryptionContext:client_id": "a" } } } });
    setting
        .service
        .put_principal_policy(&operator(), arn, "denied".to_owned(), document.to_string())
        .await
        .expect("gives");
    assert_eq!(get(&of_a, "a").await, "AccessDenied");
    for denied in [
        of_a.list(&token("a").client, None, 10).await.map(drop),
        of_a.rewrap(&token("a").client).await.map(drop),
    ] {
        assert_eq!(denied.expect_err("it would open").code(), "AccessDenied");
    }
}

#[tokio::test]
async fn what_another_key_of_the_account_sealed_for_a_client_is_refused() {
    let setting = Setting::new().await;
    // Who has the key of client b, and can write the store: any context is his to choose.
    let alias = CreateAliasRequest {
        alias_name: "alias/other-a".to_owned(),
        target_key_id: setting.keys[1].key_id.to_string(),
    };
    setting
        .service
        .create_alias(&operator(), alias)
        .await
        .expect("an alias");
    let other = AliasTemplate::new("alias/other-{client}").expect("a template");
    let forger = vault_over(&setting.tokens, of_clients(&setting.service, other));
    forger
        .put(&token("a"), value("of b"))
        .await
        .expect("sealed under b's key");
    let (_, a) = setting.service_of("service-a", "a").await;
    assert_eq!(get(&setting.as_caller(&a), "a").await, "ForeignKey");
    assert_eq!(get(&setting.vault, "a").await, "ForeignKey");
}

#[tokio::test]
async fn a_key_that_the_alias_led_to_before_opens_for_who_names_it_and_decides_until_a_rewrap() {
    let setting = Setting::new().await;
    let (_, a) = setting.service_of("service-a", "a").await;
    let of_a = setting.as_caller(&a);
    of_a.put(&token("a"), value("x")).await.expect("put");
    assert_eq!(get(&of_a, "a").await, "x");
    let new = setting.move_alias("a").await;
    assert_eq!(get(&of_a, "a").await, "x");
    let (event, _) = setting.last("GetToken").await;
    assert!(
        event["resources"].to_string().contains(setting.keys[0].arn.as_str()),
        "{event}"
    );
    assert!(!event["resources"].to_string().contains(new.arn.as_str()), "{event}");

    // Another process knows only where the alias leads now, and what it is told.
    let plain = vault_over(&setting.tokens, of_clients(&setting.service, template()));
    assert_eq!(get(&plain, "a").await, "ForeignKey");
    let former = KeyPattern::new(format!("bulla://{}", setting.keys[0].arn)).expect("a key");
    let told = of_clients(&setting.service, template()).with_former(token("a").client, former);
    let told = vault_over(&setting.tokens, told);
    assert_eq!(get(&told, "a").await, "x");

    setting.disable(&setting.keys[0]).await;
    assert_eq!(get(&of_a, "a").await, "KeyUnusable");
    let (event, _) = setting.last("GetToken").await;
    assert!(
        event["resources"].to_string().contains(setting.keys[0].arn.as_str()),
        "{event}"
    );
    let enable = EnableKeyRequest {
        key_id: setting.keys[0].key_id.to_string(),
    };
    setting.service.enable_key(&operator(), enable).await.expect("enabled");
    assert_eq!(told.rewrap(&token("a").client).await.expect("rewrapped"), 1);
    setting.disable(&setting.keys[0]).await;
    assert_eq!(get(&told, "a").await, "x");
    assert_eq!(get(&plain, "a").await, "x");
}

#[tokio::test]
async fn a_token_with_a_name_is_a_resource_below_its_provider() {
    let setting = Setting::new().await;
    let (arn, a) = setting.service_of("service-a", "a").await;
    let of_a = setting.as_caller(&a);
    let live = token("a").named(TokenName::new("live").expect("a name"));
    of_a.put(&live, value("x")).await.expect("put");
    assert!(of_a.get(&live).await.expect("allowed").is_some());
    let (event, _) = setting.last("GetToken").await;
    let resource = "arn:aws:bulla:eu-west-1:111122223333:token/a/stripe";
    assert_eq!(event["resources"][0]["ARN"], format!("{resource}/live"));
    // What docs/tokens.md says denies all of a provider's tokens.
    let document = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Action": "bulla:*Token",
        "Resource": [resource, format!("{resource}/*")] } });
    setting
        .service
        .put_principal_policy(&operator(), arn, "denied".to_owned(), document.to_string())
        .await
        .expect("gives");
    assert_eq!(of_a.get(&live).await.expect_err("denied").code(), "AccessDenied");
    assert_eq!(get(&of_a, "a").await, "AccessDenied");
}

#[tokio::test]
async fn an_effect_is_announced_before_it_and_concluded_after_it() {
    let setting = Setting::new().await;
    let (_, a) = setting.service_of("service-a", "a").await;
    let stored = setting.as_caller(&a).put(&token("a"), value("x")).await.expect("put");
    let mut events = setting.events().await;
    events.retain(|event| event["eventName"] == "PutToken");
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(
        events[1].to_string().contains(&stored.version.to_string()),
        "{}",
        events[1]
    );
    assert!(!events.iter().any(|event| event.to_string().contains("\"x\"")));
}
