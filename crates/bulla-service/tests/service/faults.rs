//! The store fails at each step of a commit: nothing is acknowledged that is not durable, and nothing that was is lost.

use bulla_service::*;
use bulla_store::StoreError;

use crate::harness::*;
use crate::memory_store::Step;

const STEPS: [Step; 9] = [
    Step::Begin,
    Step::Head,
    Step::PutRow,
    Step::Changes,
    Step::Events,
    Step::Checkpoint,
    Step::PutHead,
    Step::Commit,
    Step::CommitUnknown,
];

#[tokio::test]
async fn a_failure_at_any_step_of_a_commit_acknowledges_nothing_and_loses_nothing() {
    for step in STEPS {
        let h = Harness::new().await;
        let admin = h.admin().await;
        let key = h.key().await;
        let blob = encrypt(&h.service, &admin, key.key_id.as_str()).await;
        let before = h.events().len();

        h.store.fail_at(Some(step));
        let error = h
            .service
            .create_key(&admin, create_key_request())
            .await
            .expect_err("refused");
        assert!(matches!(error, ServiceError::Store(_)), "{step:?}: {error}");
        assert_eq!(
            (error.code(), error.message(), error.is_internal()),
            ("KMSInternalException", None, true)
        );
        let after = h.events().len();
        assert_eq!(after - before, usize::from(step == Step::CommitUnknown), "{step:?}");

        h.store.fail_at(None);
        h.service
            .decrypt(&admin, decrypt_request(&blob))
            .await
            .expect("goes on");
        let another = h.key().await;
        encrypt(&h.service, &admin, another.key_id.as_str()).await;
        h.verify();
        let reopened = h.open(&h.store.another(), 4).await.expect("opens");
        reopened
            .decrypt(&admin, decrypt_request(&blob))
            .await
            .expect("still decrypts");
    }
}

#[tokio::test]
async fn a_read_that_fails_is_no_answer_and_no_tampering() {
    let h = Harness::new().await;
    let key = h.key().await;
    let (node, service) = h.node(6).await;
    node.fail_at(Some(Step::Lookup));
    let error = service
        .encrypt(&h.operator(), encrypt_request(key.key_id.as_str()))
        .await
        .expect_err("refused");
    assert!(
        matches!(&error, ServiceError::Store(error) if matches!(**error, StoreError::Failed(_))),
        "{error}"
    );
    node.fail_at(None);
    encrypt(&service, &h.operator(), key.key_id.as_str()).await;
}

#[tokio::test]
async fn an_unknown_commit_that_happened_is_known_to_all_afterwards() {
    let h = Harness::new().await;
    let operator = h.operator();
    let key = h.key().await;
    h.store.fail_at(Some(Step::CommitUnknown));
    let request = DisableKeyRequest {
        key_id: key.key_id.to_string(),
    };
    h.service.disable_key(&operator, request).await.expect_err("not known");
    h.store.fail_at(None);
    // It did happen, and decides although this node had cached the key as enabled.
    assert_eq!(
        refusal(h.service.encrypt(&operator, encrypt_request(key.key_id.as_str())).await).0,
        "DisabledException"
    );
    h.verify();
}

#[tokio::test]
async fn readiness_follows_the_store() {
    let h = Harness::new().await;
    h.service.ready().await.expect("ready");
    h.store.fail_at(Some(Step::Commit));
    assert!(h.service.ready().await.is_err());
    h.store.fail_at(None);
    h.service.ready().await.expect("ready again");
}

#[tokio::test]
async fn shutdown_answers_all_who_wait_and_refuses_who_comes_later() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    h.store.hold(true);
    let waiting: Vec<_> = (0..50)
        .map(|_| {
            let (service, call, request) = (h.service.clone(), admin.clone(), encrypt_request(key.key_id.as_str()));
            tokio::spawn(async move { service.encrypt(&call, request).await })
        })
        .collect();
    let mut begun = h.store.begun.subscribe();
    begun.wait_for(|begun| *begun > 0).await.expect("lives");
    tokio::task::yield_now().await;
    let before = h.events().len();
    let shutdown = tokio::spawn({
        let service = h.service.clone();
        async move { service.shutdown().await }
    });
    h.store.hold(false);
    shutdown.await.expect("no panic");
    let mut answered = 0;
    for task in waiting {
        match task.await.expect("no panic") {
            Ok(_) => answered += 1,
            Err(error) => assert!(matches!(error, ServiceError::ShuttingDown), "{error}"),
        }
    }
    assert_eq!(h.events().len() - before, answered);
    assert!(answered > 0);
    let late = h.service.encrypt(&admin, encrypt_request(key.key_id.as_str())).await;
    assert!(matches!(late, Err(ServiceError::ShuttingDown)));
    assert!(h.service.ready().await.is_err());
    h.verify();
}

#[tokio::test]
async fn who_goes_away_while_waiting_leaves_an_event() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let before = h.events().len();
    h.store.hold(true);
    let mut begun = h.store.begun.subscribe();
    begun.borrow_and_update();
    let task = tokio::spawn({
        let (service, call, request) = (h.service.clone(), admin.clone(), encrypt_request(key.key_id.as_str()));
        async move { service.encrypt(&call, request).await }
    });
    begun.changed().await.expect("lives");
    task.abort();
    h.store.hold(false);
    encrypt(&h.service, &admin, key.key_id.as_str()).await;
    assert_eq!(h.events().len() - before, 2);
    h.verify();
}

#[tokio::test]
async fn many_at_once_share_commits() {
    let h = Harness::new().await;
    let admin = h.admin().await;
    let key = h.key().await;
    let before = h.store.edit().checkpoints.len();
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (service, call, request) = (h.service.clone(), admin.clone(), encrypt_request(key.key_id.as_str()));
            tokio::spawn(async move { service.encrypt(&call, request).await.map(drop) })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("encrypts");
    }
    let commits = h.store.edit().checkpoints.len() - before;
    assert!(commits < 100, "{commits} commits for 200 operations");
    h.verify();
}
