//! Genuine rows of another course of events: of a commit that never became durable, or of a time that a restored backup undid.

use std::sync::Arc;

use bulla_crypto::SystemRandom;
use bulla_kms_local::{LocalProvider, RootKeyFile};
use bulla_service::*;
use bulla_store::{Change, ChangeKind, CheckpointRow, EventRow, HeadRow, Row, Table};
use serde_json::Value;

use crate::harness::*;
use crate::memory_store::{Data, MemoryStore};

/// One store that went two ways from a common past: `here`, and `there`, which never was.
struct Fork {
    h: Harness,
    key: KeyMetadata,
    there: MemoryStore,
    elsewhere: Service,
}

impl Fork {
    async fn new() -> Self {
        let h = Harness::new().await;
        let key = h.key().await;
        let there = h.store.copy();
        let elsewhere = h.open(&there, 7).await.expect("opens");
        Self {
            h,
            key,
            there,
            elsewhere,
        }
    }

    /// Asks a service about the key, which must say that its row is not what was written.
    async fn names_the_key(&self, service: &Service) {
        let described = service.describe_key(&self.h.operator(), describe(&self.key)).await;
        let error = described.expect_err("refused");
        assert!(
            matches!(error, ServiceError::Tampered { table: "kms_keys", .. }),
            "{error}"
        );
    }

    fn revision(&self) -> u64 {
        self.h.store.edit().head.as_ref().expect("a head").metadata_revision
    }
}

fn grant_request(key: &KeyMetadata) -> CreateGrantRequest {
    CreateGrantRequest {
        key_id: key.key_id.to_string(),
        grantee_principal: "arn:aws:iam::111122223333:user/eve".to_owned(),
        retiring_principal: None,
        operations: vec![bulla_model::GrantOperation::Decrypt],
        constraints: Default::default(),
        name: None,
        grant_tokens: Vec::new(),
        dry_run: false,
    }
}

fn describe(key: &KeyMetadata) -> DescribeKeyRequest {
    DescribeKeyRequest {
        key_id: key.key_id.to_string(),
        grant_tokens: Vec::new(),
    }
}

async fn disable(service: &Service, call: &Call, key: &KeyMetadata) {
    let request = DisableKeyRequest {
        key_id: key.key_id.to_string(),
    };
    service.disable_key(call, request).await.expect("disables");
}

async fn set_description(service: &Service, call: &Call, key: &KeyMetadata, description: &str) {
    let request = UpdateKeyDescriptionRequest {
        key_id: key.key_id.to_string(),
        description: description.to_owned(),
    };
    service.update_key_description(call, request).await.expect("updates");
}

/// Puts what a revision changed there into the store here, over what the same revision changed here.
fn carry(from: &MemoryStore, to: &mut Data, revision: u64) {
    let data = from.edit();
    let changes: Vec<Change> = data
        .changes
        .iter()
        .filter(|of| of.revision == revision)
        .cloned()
        .collect();
    let rows: Vec<((Table, String), Row)> = (data.rows.iter())
        .filter(|(_, row)| row.revision == revision)
        .map(|(key, row)| (key.clone(), row.clone()))
        .collect();
    assert!(!changes.is_empty() && !rows.is_empty());
    to.changes.retain(|of| of.revision != revision);
    to.changes.extend(changes);
    to.changes.sort_by_key(|of| (of.revision, of.ordinal));
    to.rows.extend(rows);
}

fn is_refused(opened: Result<Service, OpenError>) {
    let error = opened.expect_err("refused");
    assert!(
        matches!(
            error,
            OpenError::TamperedChanges { .. } | OpenError::TamperedHead(_) | OpenError::Tampered { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_row_of_a_commit_that_never_was_keeps_the_service_shut() {
    let fork = Fork::new().await;
    let operator = fork.h.operator();
    // The same revision makes a grant there and changes the key here; later ones follow here.
    fork.elsewhere
        .create_grant(&operator, grant_request(&fork.key))
        .await
        .expect("grants");
    set_description(&fork.h.service, &operator, &fork.key, "here").await;
    let revision = fork.revision();
    for description in ["later", "latest"] {
        let store = fork.h.store.copy();
        carry(&fork.there, &mut store.edit(), revision);
        is_refused(fork.h.open(&store, 9).await);
        set_description(&fork.h.service, &operator, &fork.key, description).await;
    }
}

#[tokio::test]
async fn another_content_of_a_row_at_the_same_revision_is_named() {
    let fork = Fork::new().await;
    let operator = fork.h.operator();
    set_description(&fork.elsewhere, &operator, &fork.key, "there").await;
    set_description(&fork.h.service, &operator, &fork.key, "here").await;
    let revision = fork.revision();
    // With its change the feed is refused.
    let store = fork.h.store.copy();
    carry(&fork.there, &mut store.edit(), revision);
    is_refused(fork.h.open(&store, 9).await);
    // Without it the row is: its change says what was written.
    let store = fork.h.store.copy();
    let changes = store.edit().changes.clone();
    carry(&fork.there, &mut store.edit(), revision);
    store.edit().changes = changes;
    let service = fork.h.open(&store, 9).await.expect("opens");
    fork.names_the_key(&service).await;
}

#[tokio::test]
async fn a_running_node_refuses_a_row_of_another_course_of_events() {
    let fork = Fork::new().await;
    let operator = fork.h.operator();
    // Enabled there, disabled here, at one revision.
    set_description(&fork.elsewhere, &operator, &fork.key, "enabled").await;
    disable(&fork.h.service, &operator, &fork.key).await;
    let revision = fork.revision();
    let (_, node) = fork.h.node(9).await;
    carry(&fork.there, &mut fork.h.store.edit(), revision);
    fork.names_the_key(&node).await;
    assert_eq!(fork.h.last_event()["errorCode"], "TamperedRow");
}

#[tokio::test]
async fn a_running_node_refuses_a_row_from_beyond_the_head() {
    let fork = Fork::new().await;
    let operator = fork.h.operator();
    for description in ["one", "two"] {
        set_description(&fork.elsewhere, &operator, &fork.key, description).await;
    }
    let (_, node) = fork.h.node(9).await;
    let ahead = fork.revision() + 2;
    carry(&fork.there, &mut fork.h.store.edit(), ahead);
    fork.names_the_key(&node).await;
    assert_eq!(fork.h.last_event()["errorCode"], "TamperedRow");
}

#[tokio::test]
async fn a_line_of_another_head_vouches_for_no_feed() {
    let fork = Fork::new().await;
    let operator = fork.h.operator();
    set_description(&fork.elsewhere, &operator, &fork.key, "there").await;
    set_description(&fork.h.service, &operator, &fork.key, "here").await;
    let line = |note: &str| note.lines().last().expect("a line").to_owned();
    let foreign = line(&fork.there.edit().head.as_ref().expect("a head").checkpoint);
    assert!(foreign.contains("/change-feed "), "{foreign}");
    for replacement in [format!("{foreign}\n"), String::new()] {
        let store = fork.h.store.copy();
        carry(&fork.there, &mut store.edit(), fork.revision());
        {
            let mut data = store.edit();
            let head = data.head.as_mut().expect("a head");
            let own = format!("{}\n", line(&head.checkpoint));
            head.checkpoint = head.checkpoint.replace(&own, &replacement);
        }
        is_refused(fork.h.open(&store, 9).await);
    }
}

#[tokio::test]
async fn a_head_set_back_under_newer_rows_keeps_the_service_shut() {
    let h = Harness::new().await;
    let key = h.key().await;
    let before = h.store.copy();
    set_description(&h.service, &h.operator(), &key, "newer").await;
    type Keep = fn(&mut Data, &Data);
    let kept: [(&str, Keep); 3] = [
        ("changes", |data, now| data.changes = now.changes.clone()),
        ("events", |data, now| data.events = now.events.clone()),
        ("checkpoints", |data, now| data.checkpoints = now.checkpoints.clone()),
    ];
    for (what, keep) in kept {
        let store = before.copy();
        keep(&mut store.edit(), &h.store.edit().clone());
        let error = h.open(&store, 9).await.expect_err(what);
        assert!(matches!(error, OpenError::TamperedHead(_)), "{what}: {error:?}");
    }
}

#[tokio::test]
async fn a_node_refuses_the_head_of_another_course_of_events() {
    let fork = Fork::new().await;
    let (here, there) = (fork.h.operator(), fork.h.operator());
    encrypt(&fork.h.service, &here, fork.key.key_id.as_str()).await;
    // No row differs: the log alone went another way, and further.
    for _ in 0..3 {
        encrypt(&fork.elsewhere, &there, fork.key.key_id.as_str()).await;
    }
    *fork.h.store.edit() = fork.there.edit().clone();
    let request = encrypt_request(fork.key.key_id.as_str());
    let error = fork.h.service.encrypt(&here, request).await.expect_err("refused");
    assert!(matches!(error, ServiceError::Tampered { table: "head", .. }), "{error}");
}

/// A store as a program left it that did not yet bind the change feed to the head, with its root key.
fn frozen() -> (Root, MemoryStore) {
    let frozen: Value = serde_json::from_str(include_str!("../frozen/store-without-feed-line.json")).expect("JSON");
    let list = |name: &str| frozen[name].as_array().expect("a list").clone();
    let text = |of: &Value, name: &str| of[name].as_str().expect("a text").to_owned();
    let number = |of: &Value, name: &str| of[name].as_u64().expect("a number");
    let bytes = |of: &Value, name: &str| hex::decode(text(of, name)).expect("hexadecimal");
    let mac = |of: &Value| bytes(of, "mac").try_into().expect("32 bytes");
    let table = |of: &Value| Table::from_name(&text(of, "table")).expect("a table");
    let store = MemoryStore::new();
    let rows = list("rows").into_iter().map(|of| {
        let row = Row {
            id: text(&of, "id"),
            owner: text(&of, "owner"),
            revision: number(&of, "revision"),
            body: text(&of, "body").into_bytes(),
            mac: mac(&of),
        };
        ((table(&of), row.id.clone()), row)
    });
    let changes = list("changes").into_iter().map(|of| Change {
        revision: number(&of, "revision"),
        ordinal: number(&of, "ordinal") as u32,
        count: number(&of, "count") as u32,
        table: table(&of),
        id: text(&of, "id"),
        kind: if number(&of, "kind") == 1 {
            ChangeKind::Put
        } else {
            ChangeKind::Delete
        },
        mac: mac(&of),
    });
    let events = (0..).zip(list("events")).map(|(sequence, event)| EventRow {
        sequence,
        event: event.as_str().expect("a text").as_bytes().to_vec(),
    });
    let checkpoints = list("checkpoints").into_iter().map(|of| CheckpointRow {
        size: number(&of, "size"),
        note: text(&of, "note"),
    });
    let head = &frozen["head"];
    *store.edit() = Data {
        rows: rows.collect(),
        changes: changes.collect(),
        events: events.collect(),
        checkpoints: checkpoints.collect(),
        head: Some(HeadRow {
            size: number(head, "size"),
            metadata_revision: number(head, "metadata_revision"),
            state: bytes(head, "state"),
            checkpoint: text(head, "checkpoint"),
        }),
    };
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("root.key");
    std::fs::write(&path, text(&frozen, "root_key")).expect("writes");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("sets");
    let file = RootKeyFile::open(&path).expect("a root key");
    let key = file.id().as_str().to_owned();
    let provider = Arc::new(LocalProvider::new([file], Arc::new(SystemRandom)).expect("a provider"));
    (Root { provider, key }, store)
}

async fn open(root: &Root, store: &MemoryStore) -> Result<Service, OpenError> {
    let clock = Arc::new(bulla_testkit::TestClock::default());
    Service::open(arc(store), std::slice::from_ref(root), clock, random(3), settings()).await
}

#[tokio::test]
async fn a_store_from_before_the_line_opens_and_has_one_from_the_next_commit_on() {
    let (root, store) = frozen();
    let service = open(&root, &store).await.expect("opens");
    let operator = call(Caller::operator(service.account().clone()));
    create_key(&service, &operator).await;
    let newest = |store: &MemoryStore| store.edit().head.clone().expect("a head").checkpoint;
    assert!(newest(&store).contains("/change-feed "));
    verify(&store, service.verifier_key());
    open(&root, &store).await.expect("opens again");
    // Without its line the same head is none of a program from before: it has changes of the newer form.
    let stripped = store.copy();
    {
        let mut data = stripped.edit();
        let head = data.head.as_mut().expect("a head");
        let line = head.checkpoint.lines().last().expect("a line").to_owned();
        head.checkpoint = head.checkpoint.replace(&format!("{line}\n"), "");
    }
    is_refused(open(&root, &stripped).await);
    // And a change of the older form is verified by itself.
    let (root, store) = frozen();
    store.edit().changes[3].mac[0] ^= 1;
    is_refused(open(&root, &store).await);
}
