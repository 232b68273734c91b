//! Old values that somebody who can write the token store puts back: refused after a restart and by other nodes, on SQLite and PostgreSQL.

#[path = "../../bulla-store-sql/tests/support/raw.rs"]
mod raw;
#[path = "../../bulla-store-sql/tests/support/server.rs"]
mod server;
mod support;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bulla_crypto::{SecretBytes, SystemRandom};
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_model::{AccountId, SystemClock};
use bulla_service::*;
use bulla_store::Store as _;
use bulla_store_sql::SqlStore;
use bulla_tokens::place::{ClientPlaces, Place, Prefix};
use bulla_tokens::store::{Acquired, Entry, Lease, Write, Written};
use bulla_tokens::{
    ClientId, EmbeddedStore, NewToken, Provider, StoreError, TokenRef, TokenStore, TokenVault, Unrecorded,
};
use bulla_tokens_service::{AliasTemplate, ServiceAccessLog, ServiceKeys, ServiceMarks};

use support::Database;

const REGION: &str = "eu-west-1";

fn account() -> AccountId {
    "111122223333".parse().expect("an account")
}

/// A token store that somebody else writes: what he put at a place is read there, once or until it is taken away.
#[derive(Debug)]
struct Hostile {
    store: EmbeddedStore,
    put_back: Mutex<HashMap<Place, (Entry, bool)>>,
}

impl Hostile {
    /// What lies at a place now, for later.
    async fn copy(&self, token: &TokenRef) -> (Place, Entry) {
        let place = Prefix::default().client(&token.client).place(
            bulla_tokens::place::Kind::Token,
            &token.provider,
            &token.name,
        );
        let entry = self.store.read(&place).await.expect("reads").expect("an entry");
        (place, entry)
    }

    fn put_back(&self, (place, entry): (Place, Entry), once: bool) {
        self.put_back.lock().expect("a lock").insert(place, (entry, once));
    }

    fn take_away(&self) {
        self.put_back.lock().expect("a lock").clear();
    }
}

#[async_trait]
impl TokenStore for Hostile {
    async fn read(&self, place: &Place) -> Result<Option<Entry>, StoreError> {
        let found = {
            let mut put_back = self.put_back.lock().expect("a lock");
            let found = put_back.get(place).cloned();
            if found.as_ref().is_some_and(|(_, once)| *once) {
                put_back.remove(place);
            }
            found
        };
        match found {
            Some((entry, _)) => Ok(Some(entry)),
            None => self.store.read(place).await,
        }
    }

    async fn write(&self, place: &Place, write: &Write<'_>) -> Result<Written, StoreError> {
        self.store.write(place, write).await
    }

    async fn list(&self, client: &ClientPlaces) -> Result<Vec<Place>, StoreError> {
        self.store.list(client).await
    }

    async fn revoke(&self, client: &ClientPlaces, version: u64) -> Result<u64, StoreError> {
        self.store.revoke(client, version).await
    }

    async fn acquire(&self, place: &Place, holder: &str, time: Duration) -> Result<Acquired, StoreError> {
        self.store.acquire(place, holder, time).await
    }

    async fn release(&self, place: &Place, lease: &Lease) -> Result<(), StoreError> {
        self.store.release(place, lease).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.store.probe().await
    }
}

/// One database, one token store, and a root key; nodes are opened on them.
struct Setting {
    directory: tempfile::TempDir,
    database: Database,
    tokens: Arc<Hostile>,
}

/// A service with a vault over it.
struct Node {
    store: Arc<SqlStore>,
    service: Service,
    vault: TokenVault,
}

impl Setting {
    async fn new(database: Database) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        RootKeyFile::create(&directory.path().join("root.key"), &SystemRandom).expect("a root key");
        let path = directory.path().join("tokens.db");
        let store = EmbeddedStore::open(&path, Arc::new(SystemClock)).await;
        let tokens = Arc::new(Hostile {
            store: store.expect("a token store"),
            put_back: Mutex::default(),
        });
        let setting = Self {
            directory,
            database,
            tokens,
        };
        let store = setting.store().await;
        let settings = InitialiseSettings {
            mode: Mode::Development,
            account: Some(account()),
            administrator: "admin".parse().expect("a name"),
            origin: Some("bulla.test/log".to_owned()),
            region: REGION.parse().expect("a region"),
        };
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        Service::initialise(store, &setting.roots(), clock, random, settings)
            .await
            .expect("initialises");
        setting
    }

    fn roots(&self) -> [Root; 1] {
        let file = RootKeyFile::open(&self.directory.path().join("root.key")).expect("a root key");
        let key = file.id().as_str().to_owned();
        let provider = Arc::new(LocalProvider::new([file], Arc::new(SystemRandom)).expect("a provider"));
        [Root { provider, key }]
    }

    async fn store(&self) -> Arc<SqlStore> {
        let options = self.database.options(self.directory.path());
        Arc::new(SqlStore::open(options).await.expect("a store"))
    }

    async fn node(&self) -> Node {
        let store = self.store().await;
        let settings = Settings {
            sweep: false,
            ..Settings::new(Mode::Development)
        };
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let service = Service::open(store.clone(), &self.roots(), clock.clone(), random.clone(), settings)
            .await
            .expect("opens");
        let template = AliasTemplate::new("alias/tokens-{client}").expect("a template");
        let region = REGION.parse().expect("a region");
        let keys = ServiceKeys::new(service.clone(), account(), region, template.clone()).made_on_first_use();
        let tokens: Arc<dyn TokenStore> = self.tokens.clone();
        let marks = ServiceMarks::new(service.clone(), account(), Prefix::default());
        let vault = TokenVault::builder(tokens, Arc::new(keys), Arc::new(Unrecorded), clock, random)
            .marks(Arc::new(marks))
            .build();
        // In development mode a client's key is made when a vault first needs it: before anybody may ask for its tokens.
        let call = Call {
            caller: Caller::operator(account()),
            region: REGION.parse().expect("a region"),
            request_id: "test".into(),
            source_ip: "192.0.2.7".into(),
            user_agent: "test/1".into(),
            secure_transport: false,
        };
        let alias = "alias/tokens-acme";
        let dev = Call {
            caller: Caller::dev_admin(account()),
            ..call.clone()
        };
        service.ensure_key(&dev, alias, "tokens", None).await.expect("a key");
        let log = ServiceAccessLog::new(service.clone(), call, account(), Arc::new(template));
        Node {
            vault: vault.recording(Arc::new(log)),
            store,
            service,
        }
    }
}

impl Node {
    async fn put(&self, value: &str) {
        let value = NewToken::new(SecretBytes::from_vec(value.as_bytes().to_vec())).with_ttl(Duration::from_secs(900));
        self.vault.put(&token(), value).await.expect("puts");
    }

    /// What a vault answers: the value, or the code of its error.
    async fn get(&self) -> String {
        match self.vault.get(&token()).await {
            Ok(Some(found)) => String::from_utf8_lossy(found.value.expose_secret()).into_owned(),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.code().to_owned(),
        }
    }

    async fn close(self) {
        self.service.shutdown().await;
        self.store.close().await;
    }
}

fn token() -> TokenRef {
    let client = ClientId::new("acme").expect("a client");
    TokenRef::new(client, Provider::new("stripe").expect("a provider"))
}

/// The whole of it, on one database.
async fn old_values_are_refused(database: Database) {
    let setting = Setting::new(database).await;
    let tokens = &setting.tokens;
    let a = setting.node().await;
    a.put("one").await;
    let one = tokens.copy(&token()).await;
    a.put("two").await;
    assert_eq!(a.get().await, "two");
    a.close().await;

    // After a restart nobody in the process has seen a newer one.
    let a = setting.node().await;
    tokens.put_back(one.clone(), false);
    assert_eq!(a.get().await, "TokenReplayed");
    let events = a.store.events(0, 10_000).await.expect("events");
    let last = &events.last().expect("an event").event;
    assert!(String::from_utf8_lossy(last).contains("\"errorCode\":\"TokenReplayed\""));
    tokens.take_away();
    assert_eq!(a.get().await, "two");

    // Another node wrote what this one has not heard of, and has the data key of the older one cached.
    let b = setting.node().await;
    let two = tokens.copy(&token()).await;
    b.put("three").await;
    tokens.put_back(two, false);
    assert_eq!(a.get().await, "TokenReplayed");
    tokens.take_away();
    // A reader that was only overtaken reads again.
    let three = tokens.copy(&token()).await;
    b.put("four").await;
    tokens.put_back(three, true);
    assert_eq!(a.get().await, "four");

    // Revoked on one node: the other one has its keys cached, and refuses at its very next access.
    let four = tokens.copy(&token()).await;
    assert_eq!(b.get().await, "four");
    a.vault.revoke_client(&token().client).await.expect("revokes");
    assert_eq!(b.get().await, "nothing");
    tokens.put_back(four, false);
    assert_eq!(b.get().await, "TokenReplayed");
    assert_eq!(a.get().await, "TokenReplayed");
    tokens.take_away();
    b.put("five").await;
    assert_eq!(a.get().await, "five");

    // Deleted is deleted.
    let five = tokens.copy(&token()).await;
    assert!(b.vault.delete(&token()).await.expect("deletes"));
    tokens.put_back(five, false);
    assert_eq!(a.get().await, "TokenReplayed");
    a.close().await;
    b.close().await;
    setting.database.destroy().await;
}

#[tokio::test]
async fn old_values_are_refused_after_a_restart_and_by_other_nodes_on_sqlite() {
    old_values_are_refused(Database::sqlite()).await;
}

#[tokio::test]
async fn old_values_are_refused_after_a_restart_and_by_other_nodes_on_postgres() {
    old_values_are_refused(Database::postgres().await).await;
}

#[tokio::test]
async fn two_nodes_that_put_and_get_at_once_never_take_a_live_value_for_a_replay() {
    let setting = Setting::new(Database::sqlite()).await;
    let (a, b) = (setting.node().await, setting.node().await);
    a.put("0").await;
    let work = |node, other| async move {
        let (node, other): (&Node, &Node) = (node, other);
        for number in 0..15 {
            node.put(&number.to_string()).await;
            let found = other.get().await;
            assert!(found.parse::<u32>().is_ok(), "{found}");
        }
    };
    tokio::join!(work(&a, &b), work(&b, &a));
    assert_eq!(a.get().await, b.get().await);
    a.close().await;
    b.close().await;
}
