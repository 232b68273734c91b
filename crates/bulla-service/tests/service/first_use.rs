//! Keys that are made at their first use, in development mode only.

use bulla_service::*;

use crate::harness::*;
use crate::memory_store::MemoryStore;

async fn development() -> (MemoryStore, Service, Call) {
    let (store, roots, clock) = (
        MemoryStore::new(),
        [root()],
        std::sync::Arc::new(bulla_testkit::TestClock::default()),
    );
    let initialise = InitialiseSettings {
        mode: Mode::Development,
        ..initialise_settings()
    };
    Service::initialise(arc(&store), &roots, clock.clone(), random(1), initialise)
        .await
        .expect("initialises");
    let settings = Settings {
        sweep: false,
        ..Settings::new(Mode::Development)
    };
    let service = Service::open(arc(&store), &roots, clock, random(2), settings)
        .await
        .expect("opens");
    let caller = Caller::dev_admin("111122223333".parse().expect("an account"));
    (store, service, call(caller))
}

#[tokio::test]
async fn ten_at_once_find_one_key_behind_one_alias() {
    let (store, service, admin) = development().await;
    let asked = (0..10).map(|_| service.ensure_key(&admin, "alias/tokens-a", "tokens of a", None));
    let found: Vec<_> = futures::future::join_all(asked)
        .await
        .into_iter()
        .map(|found| found.expect("a key"))
        .collect();
    assert!(found.iter().all(|key| *key == found[0]), "{found:?}");
    encrypt(&service, &admin, "alias/tokens-a").await;
    let events = events(&store);
    let keys = events.iter().filter(|event| {
        let changes = event["changes"].as_array();
        changes.is_some_and(|changes| changes.iter().any(|change| change["table"] == "kms_keys"))
    });
    assert_eq!(keys.count(), 1);
    let wrong = service.ensure_key(&admin, "alias/aws/tokens", "", None).await;
    assert_eq!(refusal(wrong).0, "InvalidAliasNameException");
    verify(&store, service.verifier_key());
}

#[tokio::test]
async fn a_service_in_production_makes_no_key_by_itself() {
    let h = Harness::new().await;
    let made = h.service.ensure_key(&h.admin().await, "alias/tokens-a", "", None).await;
    assert_eq!(refusal(made).0, "UnsupportedOperationException");
    assert_eq!(h.last_event()["eventName"], "EnsureKey");
}

#[tokio::test]
async fn after_a_reset_users_are_in_the_groups_that_they_were_in() {
    let (_, service, admin) = development().await;
    let ann = "ann".parse().expect("a name");
    let made = service
        .create_principal(&admin, ann, bulla_model::Role::Admin)
        .await
        .expect("creates");
    let staff = service
        .create_group(&admin, "staff".parse().expect("a name"))
        .await
        .expect("creates");
    let joined = service.set_group_membership(&admin, staff.arn, made.principal.arn, true);
    joined.await.expect("joins");
    service.reset(&admin).await.expect("resets");
    let credential = service
        .credential(&made.credentials.access_key_id)
        .await
        .expect("reads");
    let ann = call(Caller::signed(credential.expect("an access key")));
    create_key(&service, &ann).await;
}
