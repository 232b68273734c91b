use std::sync::Arc;

use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_service::*;
use bulla_store::{Store, Table};
use bulla_store_sql::{OpenOptions, SqlStore};
use bulla_testkit::{FaultyProvider, TestClock};

use crate::harness::*;
use crate::memory_store::{MemoryStore, Step};

async fn open_with(h: &Harness, roots: &[Root]) -> Result<Service, OpenError> {
    Service::open(arc(&h.store), roots, h.clock.clone(), random(3), settings()).await
}

#[tokio::test]
async fn what_is_missing_or_wrong_at_start_is_said() {
    let h = Harness::new().await;
    let empty = MemoryStore::new();
    assert!(matches!(h.open(&empty, 3).await, Err(OpenError::NotInitialised)));
    assert!(matches!(open_with(&h, &[]).await, Err(OpenError::WrongRoot { .. })));
    let error = open_with(&h, &[root()]).await.expect_err("another root");
    assert!(
        matches!(&error, OpenError::WrongRoot { .. } | OpenError::Root(_)),
        "{error}"
    );
    let settings = Settings {
        sweep: false,
        ..Settings::new(Mode::Development)
    };
    let error = Service::open(
        arc(&h.store),
        std::slice::from_ref(&h.root),
        h.clock.clone(),
        random(3),
        settings,
    )
    .await;
    assert!(matches!(
        error,
        Err(OpenError::WrongMode {
            found: Mode::Production,
            wanted: Mode::Development
        })
    ));
    let again = Service::initialise(
        arc(&h.store),
        std::slice::from_ref(&h.root),
        h.clock.clone(),
        random(3),
        initialise_settings(),
    )
    .await;
    assert!(matches!(again, Err(OpenError::AlreadyInitialised)));
    let none = Service::initialise(arc(&empty), &[], h.clock.clone(), random(3), initialise_settings()).await;
    assert!(matches!(none, Err(OpenError::Invalid(_))));
}

#[tokio::test]
async fn initialising_fails_whole_or_not_at_all() {
    for step in [
        Step::Begin,
        Step::PutRow,
        Step::Changes,
        Step::Events,
        Step::Checkpoint,
        Step::PutHead,
        Step::Commit,
    ] {
        let store = MemoryStore::new();
        store.fail_at(Some(step));
        let clock = Arc::new(TestClock::default());
        let roots = [root()];
        Service::initialise(arc(&store), &roots, clock.clone(), random(1), initialise_settings())
            .await
            .expect_err("fails");
        assert_eq!(*store.edit(), Default::default(), "{step:?}");
        store.fail_at(None);
        Service::initialise(arc(&store), &roots, clock, random(1), initialise_settings())
            .await
            .expect("initialises");
    }
}

#[tokio::test]
async fn a_store_key_moved_from_another_store_does_not_open() {
    let h = Harness::new().await;
    let other = MemoryStore::new();
    let elsewhere = InitialiseSettings {
        origin: Some("bulla.test/other".into()),
        ..initialise_settings()
    };
    Service::initialise(
        arc(&other),
        std::slice::from_ref(&h.root),
        h.clock.clone(),
        random(9),
        elsewhere,
    )
    .await
    .expect("initialises");
    let id = (Table::StoreKeys, "0000000001".to_owned());
    let foreign = other.edit().rows[&id].clone();
    h.store.edit().rows.insert(id, foreign);
    let error = h.open(&h.store, 3).await.expect_err("refused");
    assert!(matches!(error, OpenError::Root(_)), "{error}");
}

#[tokio::test]
async fn the_root_is_lost_and_recovery_brings_everything_back() {
    let (daily, recovery, new) = (root(), root(), root());
    let store = MemoryStore::new();
    let clock = Arc::new(TestClock::default());
    let both = [daily.clone(), recovery.clone()];
    let made = Service::initialise(arc(&store), &both, clock.clone(), random(1), initialise_settings()).await;
    let operator = call(Caller::operator(made.expect("initialises").account));
    let open = async |roots: &[Root]| Service::open(arc(&store), roots, clock.clone(), random(3), settings()).await;
    let service = open(std::slice::from_ref(&daily))
        .await
        .expect("opens with the first root");
    let key = create_key(&service, &operator).await;
    let blob = encrypt(&service, &operator, key.key_id.as_str()).await;
    service.shutdown().await;

    // The daily root is gone.
    let service = open(std::slice::from_ref(&recovery))
        .await
        .expect("opens with the recovery root alone");
    service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");
    assert_eq!(service.list_roots(&operator).await.expect("lists").len(), 2);
    service
        .replace_roots(&operator, &[new.clone(), recovery.clone()], &[])
        .await
        .expect("replaces");
    service.shutdown().await;

    assert!(
        open(std::slice::from_ref(&daily)).await.is_err(),
        "the lost root opens nothing any more"
    );
    let service = open(&[daily, new])
        .await
        .expect("opens with the new root, whatever else is given");
    service
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");
    verify(&store, service.verifier_key());
    assert_eq!(by_name(&events(&store))["ReplaceRoots"], 1);
}

#[tokio::test]
async fn a_root_that_is_down_is_said_and_another_one_serves() {
    let inner = root();
    let faulty = FaultyProvider::wrapping(inner.provider);
    let first = Root {
        provider: faulty.clone(),
        key: inner.key,
    };
    let second = root();
    let store = MemoryStore::new();
    let clock = Arc::new(TestClock::default());
    let both = [first.clone(), second];
    Service::initialise(arc(&store), &both, clock.clone(), random(1), initialise_settings())
        .await
        .expect("initialises");
    faulty.set_down(true);
    let alone = Service::open(
        arc(&store),
        std::slice::from_ref(&first),
        clock.clone(),
        random(3),
        settings(),
    )
    .await;
    assert!(matches!(alone, Err(OpenError::Root(error)) if error.is_retryable()));
    Service::open(arc(&store), &both, clock, random(3), settings())
        .await
        .expect("opens with the other");
}

#[tokio::test]
async fn the_service_works_on_sqlite_with_a_root_key_file_and_two_nodes() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("root.key");
    let file = RootKeyFile::create(&path, &*random(7)).expect("a root key");
    let provider = LocalProvider::new([file], random(8)).expect("a provider");
    let roots = [Root {
        provider: Arc::new(provider),
        key: path.to_str().expect("UTF-8").to_owned(),
    }];
    let database = directory.path().join("bulla.db");
    let connect = async || {
        let store = SqlStore::open(OpenOptions::sqlite_file(&database))
            .await
            .expect("a store");
        Arc::new(store) as Arc<dyn Store>
    };
    let clock = Arc::new(TestClock::default());
    let made = Service::initialise(connect().await, &roots, clock.clone(), random(1), initialise_settings())
        .await
        .expect("initialises");
    let operator = call(Caller::operator(made.account));
    let one = Service::open(connect().await, &roots, clock.clone(), random(2), settings())
        .await
        .expect("opens");
    let two = Service::open(connect().await, &roots, clock.clone(), random(3), settings())
        .await
        .expect("opens");
    let key = create_key(&one, &operator).await;
    let id = key.key_id.to_string();
    let blob = encrypt(&two, &operator, &id).await;
    for (round, service) in [&one, &two, &one, &two].into_iter().enumerate() {
        let other = if round % 2 == 0 { &two } else { &one };
        service
            .disable_key(&operator, DisableKeyRequest { key_id: id.clone() })
            .await
            .expect("disables");
        assert_eq!(
            refusal(other.decrypt(&operator, decrypt_request(&blob)).await).0,
            "DisabledException"
        );
        other
            .enable_key(&operator, EnableKeyRequest { key_id: id.clone() })
            .await
            .expect("enables");
        other
            .rotate_key_on_demand(&operator, RotateKeyOnDemandRequest { key_id: id.clone() })
            .await
            .expect("rotates");
        let newer = encrypt(service, &operator, &id).await;
        other
            .decrypt(&operator, decrypt_request(&newer))
            .await
            .expect("decrypts");
    }
    one.shutdown().await;
    two.shutdown().await;
    let again = Service::open(connect().await, &roots, clock, random(4), settings())
        .await
        .expect("opens again");
    again
        .decrypt(&operator, decrypt_request(&blob))
        .await
        .expect("decrypts");
}
