//! Who can write the database: every row that decides, edited, copied, deleted or brought back, is refused or named.

use bulla_model::Role;
use bulla_service::*;
use bulla_store::{Row, Table};

use crate::harness::*;
use crate::memory_store::{Data, MemoryStore};

type RowEdit<'a> = &'a dyn Fn(&mut Row);
type DataEdit = fn(&mut Data);
type Hiding<'a> = &'a dyn Fn(&mut Data);

/// A service whose every table has a row that is used by `probe`, and one more of the same kind.
struct Target {
    h: Harness,
    key: KeyMetadata,
    blob: Vec<u8>,
    ann: NewCredentials,
}

impl Target {
    async fn new() -> Self {
        let h = Harness::new().await;
        let operator = h.operator();
        let key = h.key().await;
        let other = h.key().await;
        for (name, key) in [("alias/app", &key), ("alias/other", &other)] {
            let request = CreateAliasRequest {
                alias_name: name.into(),
                target_key_id: key.key_id.to_string(),
            };
            h.service.create_alias(&operator, request).await.expect("creates");
        }
        h.clock.advance(std::time::Duration::from_secs(1));
        let made = h
            .service
            .create_principal(&operator, "ann".parse().expect("a name"), Role::Admin)
            .await
            .expect("creates");
        let blob = encrypt(&h.service, &operator, "alias/app").await;
        // Each row has an older state to go back to.
        h.service
            .disable_key(
                &operator,
                DisableKeyRequest {
                    key_id: key.key_id.to_string(),
                },
            )
            .await
            .expect("disables");
        Self {
            h,
            key,
            blob,
            ann: made.credentials,
        }
    }

    /// The row of each table that `probe` depends on.
    fn rows(&self) -> Vec<(Table, String)> {
        let data = self.h.store.edit();
        let account = self.key.account.as_str();
        let find = |table: Table, wanted: &dyn Fn(&Row) -> bool| {
            let ((table, id), _) = data
                .rows
                .iter()
                .find(|((of, _), row)| *of == table && wanted(row))
                .expect("a row");
            (*table, id.clone())
        };
        let key_row = format!("{account}/{REGION}/{}", self.key.key_id);
        vec![
            find(Table::Settings, &|_| true),
            find(Table::StoreKeys, &|_| true),
            find(Table::AuditKeys, &|_| true),
            find(Table::Principals, &|row| row.id.ends_with("/ann")),
            find(Table::AccessKeys, &|row| row.id == self.ann.access_key_id),
            find(Table::Keys, &|row| row.id == key_row),
            find(Table::KeyVersions, &|row| row.owner == key_row),
            find(Table::Aliases, &|row| row.id.ends_with("alias/app")),
        ]
    }

    /// Opens a copy of the database, edited, and uses every table; tells the first that is named as tampered.
    async fn probe(&self, edit: impl FnOnce(&mut Data)) -> Result<(), String> {
        let store = self.h.store.copy();
        edit(&mut store.edit());
        let service = match self.h.open(&store, 3).await {
            Ok(service) => service,
            Err(OpenError::Tampered { table, id }) => return Err(format!("{table}/{id}")),
            Err(
                OpenError::TamperedHead(_)
                | OpenError::TamperedChanges { .. }
                | OpenError::Root(_)
                | OpenError::WrongRoot { .. },
            ) => {
                return Err("open".to_owned());
            }
            Err(other) => return Err(format!("unexpected: {other:?}")),
        };
        let named = |error: ServiceError| match error {
            ServiceError::Tampered { table, id } => {
                let event = events(&store).pop().expect("an event");
                assert_eq!(event["errorCode"], "TamperedRow", "the finding is recorded");
                format!("{table}/{id}")
            }
            other => format!("refused: {other}"),
        };
        let credential = service
            .credential(&self.ann.access_key_id)
            .await
            .map_err(named)?
            .ok_or("no such access key")?;
        let ann = call(Caller::signed(credential));
        let describe = DescribeKeyRequest {
            key_id: "alias/app".into(),
            grant_tokens: Vec::new(),
        };
        let key = service.describe_key(&ann, describe).await.map_err(named)?.key;
        if key.key_id != self.key.key_id {
            return Err("another key".to_owned());
        }
        // Disabled, and it stays so whatever is brought back.
        match service.decrypt(&ann, decrypt_request(&self.blob)).await {
            Err(ServiceError::Disabled(_)) => Ok(()),
            Err(error) => Err(named(error)),
            Ok(_) => Err("a disabled key decrypted".to_owned()),
        }
    }
}

fn row<'a>(data: &'a mut Data, key: &(Table, String)) -> &'a mut Row {
    data.rows.get_mut(key).expect("a row")
}

#[tokio::test]
async fn an_untouched_database_passes_the_probe() {
    let target = Target::new().await;
    assert_eq!(target.probe(|_| {}).await, Ok(()));
}

#[tokio::test]
async fn every_edited_row_is_named() {
    let target = Target::new().await;
    for key in target.rows() {
        let name = format!("{}/{}", key.0.name(), key.1);
        let edits: [(&str, RowEdit<'_>); 6] = [
            ("body", &|row| {
                let body = String::from_utf8(row.body.clone()).expect("JSON");
                row.body = body.replacen("\"version\":1", "\"version\": 1", 1).into_bytes();
            }),
            ("owner", &|row| row.owner.push('x')),
            ("revision down", &|row| row.revision -= 1),
            ("revision up", &|row| row.revision += 1),
            ("mac", &|row| row.mac[31] ^= 1),
            ("mac cleared", &|row| row.mac = [0; 32]),
        ];
        for (what, edit) in edits {
            assert_eq!(
                target.probe(|data| edit(row(data, &key))).await,
                Err(name.clone()),
                "{what} of {name}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_cannot_be_enabled_nor_a_role_raised_by_hand() {
    let target = Target::new().await;
    for (key, from, to) in [
        (&target.rows()[5], "\"Disabled\"", "\"Enabled\""),
        (&target.rows()[3], "\"admin\"", "\"user\""),
        (&target.rows()[4], "\"enabled\":true", "\"enabled\":false"),
    ] {
        let edited = target
            .probe(|data| {
                let row = row(data, key);
                let body = String::from_utf8(row.body.clone()).expect("JSON");
                assert!(body.contains(from), "{body}");
                row.body = body.replace(from, to).into_bytes();
            })
            .await;
        assert_eq!(edited, Err(format!("{}/{}", key.0.name(), key.1)));
    }
}

#[tokio::test]
async fn a_row_copied_from_another_id_is_named() {
    let target = Target::new().await;
    let rows = target.rows();
    for key in rows
        .iter()
        .filter(|(table, _)| !matches!(table, Table::Settings | Table::StoreKeys | Table::AuditKeys))
    {
        let name = format!("{}/{}", key.0.name(), key.1);
        let donor = |data: &Data| {
            let donor = data
                .rows
                .iter()
                .find(|((table, id), _)| *table == key.0 && *id != key.1);
            donor.expect("another row").1.clone()
        };
        // Under its own MAC, and dressed up as the row that it replaces.
        assert_eq!(
            target.probe(|data| *row(data, key) = donor(data)).await,
            Err(name.clone())
        );
        let dressed = target
            .probe(|data| {
                let from = donor(data);
                let to = row(data, key);
                *to = Row {
                    id: to.id.clone(),
                    revision: to.revision,
                    owner: to.owner.clone(),
                    ..from
                };
            })
            .await;
        assert_eq!(dressed, Err(name.clone()));
        let swapped = target
            .probe(|data| {
                let from = donor(data);
                let body = from.body.clone();
                let here = std::mem::replace(&mut row(data, key).body, body);
                data.rows.get_mut(&(key.0, from.id)).expect("a row").body = here;
            })
            .await;
        assert_eq!(swapped, Err(name));
    }
}

#[tokio::test]
async fn a_deleted_row_is_named_and_not_taken_for_one_that_never_was() {
    let target = Target::new().await;
    for key in target.rows() {
        let name = format!("{}/{}", key.0.name(), key.1);
        assert_eq!(target.probe(|data| drop(data.rows.remove(&key))).await, Err(name));
    }
}

#[tokio::test]
async fn a_row_deleted_with_its_changes_is_found_at_start() {
    let target = Target::new().await;
    for key in target.rows() {
        let gone = target
            .probe(|data| {
                data.rows.remove(&key);
                data.changes
                    .retain(|change| (change.table, change.id.as_str()) != (key.0, key.1.as_str()));
            })
            .await;
        assert!(gone.is_err(), "{key:?}");
    }
}

/// The key as it was before it was disabled: with its own, genuine MAC.
async fn older_key(target: &Target) -> (Row, MemoryStore, KeyMetadata) {
    // A second life of the same database: the older state is taken from a copy made before the change.
    let h = &target.h;
    let operator = h.operator();
    h.service
        .enable_key(
            &operator,
            EnableKeyRequest {
                key_id: target.key.key_id.to_string(),
            },
        )
        .await
        .expect("enables");
    let backup = h.store.copy();
    h.service
        .disable_key(
            &operator,
            DisableKeyRequest {
                key_id: target.key.key_id.to_string(),
            },
        )
        .await
        .expect("disables");
    let older = backup.edit().rows[&target.rows()[5]].clone();
    (older, backup, target.key.clone())
}

#[tokio::test]
async fn an_older_row_brought_back_is_named() {
    let target = Target::new().await;
    let (older, _, _) = older_key(&target).await;
    let key = target.rows()[5].clone();
    let name = Err(format!("{}/{}", key.0.name(), key.1));
    assert_eq!(target.probe(|data| *row(data, &key) = older.clone()).await, name);
    // With the newest change edited to fit, or taken away, or renumbered: the feed itself is refused.
    let forged = target
        .probe(|data| {
            *row(data, &key) = older.clone();
            data.changes.last_mut().expect("a change").revision = older.revision;
        })
        .await;
    assert_eq!(forged, Err("open".to_owned()));
    let cut = target
        .probe(|data| {
            *row(data, &key) = older.clone();
            data.changes.retain(|change| change.revision <= older.revision);
        })
        .await;
    assert_eq!(cut, Err("open".to_owned()));
}

#[tokio::test]
async fn a_running_node_refuses_an_older_row_whose_newer_change_is_gone() {
    let target = Target::new().await;
    let (older, _, key) = older_key(&target).await;
    let row_key = target.rows()[5].clone();
    // This node knows the newest change of every row, whether the row is cached or not.
    let (_, service) = target.h.node(8).await;
    {
        let mut data = target.h.store.edit();
        *row(&mut data, &row_key) = older.clone();
        data.changes.retain(|change| change.revision <= older.revision);
    }
    let describe = DescribeKeyRequest {
        key_id: key.key_id.to_string(),
        grant_tokens: Vec::new(),
    };
    let error = service
        .describe_key(&target.h.operator(), describe)
        .await
        .expect_err("refused");
    assert!(
        matches!(error, ServiceError::Tampered { table: "kms_keys", .. }),
        "{error}"
    );
    assert_eq!((error.code(), error.message()), ("KMSInternalException", None));
}

#[tokio::test]
async fn a_wrapped_secret_does_not_open_in_another_row() {
    // Even who could make MACs (he cannot) would find that material is bound to its row; the keyring's own test shows each part.
    let target = Target::new().await;
    let key = target.rows()[6].clone();
    let swapped = target
        .probe(|data| {
            let (_, donor) = data
                .rows
                .iter()
                .find(|((table, id), _)| *table == key.0 && *id != key.1)
                .expect("another");
            let body = donor.body.clone();
            row(data, &key).body = body;
        })
        .await;
    assert_eq!(swapped, Err(format!("{}/{}", key.0.name(), key.1)));
}

#[tokio::test]
async fn a_head_or_checkpoint_that_was_edited_is_refused() {
    let target = Target::new().await;
    let edits: [(&str, DataEdit); 6] = [
        ("size", |data| data.head.as_mut().expect("a head").size += 1),
        ("revision", |data| {
            data.head.as_mut().expect("a head").metadata_revision -= 1
        }),
        ("state", |data| data.head.as_mut().expect("a head").state[20] ^= 1),
        ("checkpoint", |data| {
            data.head.as_mut().expect("a head").checkpoint = "x\n".to_owned()
        }),
        ("older checkpoint", |data| {
            let older = data.checkpoints[data.checkpoints.len() - 2].note.clone();
            data.head.as_mut().expect("a head").checkpoint = older;
        }),
        ("changes after the head", |data| {
            let head = data.head.as_mut().expect("a head");
            head.metadata_revision += 1;
        }),
    ];
    for (what, edit) in edits {
        assert_eq!(target.probe(edit).await, Err("open".to_owned()), "{what}");
    }
}

#[tokio::test]
async fn a_head_taken_back_under_a_running_node_stops_it() {
    let h = Harness::new().await;
    let backup = h.store.copy();
    let key = h.key().await;
    let operator = h.operator();
    encrypt(&h.service, &operator, key.key_id.as_str()).await;
    let now = h.store.edit().clone();
    *h.store.edit() = backup.edit().clone();
    let error = h
        .service
        .encrypt(&operator, encrypt_request(key.key_id.as_str()))
        .await
        .expect_err("refused");
    assert!(matches!(error, ServiceError::Tampered { table: "head", .. }), "{error}");
    // Nothing is lost when the newer state is put back.
    *h.store.edit() = now;
    encrypt(&h.service, &operator, key.key_id.as_str()).await;
    h.verify();
}

/// Denies everybody the key that has the alias.
async fn deny_by_alias(h: &Harness, key: &KeyMetadata) {
    let statement = serde_json::json!({"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/frozen"}}});
    let policy = crate::policies::put(key.key_id.as_str(), crate::policies::with_account(&[statement]));
    h.service.put_key_policy(&h.operator(), policy).await.expect("puts");
    let alias = CreateAliasRequest {
        alias_name: "alias/frozen".into(),
        target_key_id: key.key_id.to_string(),
    };
    h.service.create_alias(&h.operator(), alias).await.expect("creates");
}

#[tokio::test]
async fn an_alias_hidden_from_a_policy_is_named_and_grants_nothing() {
    let h = Harness::new().await;
    let (key, operator) = (h.key().await, h.operator());
    deny_by_alias(&h, &key).await;
    let asked = encrypt_request(key.key_id.as_str());
    assert_eq!(
        refusal(h.service.encrypt(&operator, asked).await).0,
        "AccessDeniedException"
    );
    let id = (Table::Aliases, format!("{}/{REGION}/alias/frozen", key.account));
    let hidings: [(&str, Hiding<'_>); 2] = [
        ("deleted", &|data| drop(data.rows.remove(&id))),
        ("given to another", &|data| row(data, &id).owner.push('x')),
    ];
    for (what, hide) in hidings {
        let store = h.store.copy();
        hide(&mut store.edit());
        let service = h.open(&store, 3).await.expect("opens");
        let error = service
            .encrypt(&operator, encrypt_request(key.key_id.as_str()))
            .await
            .expect_err(what);
        assert!(
            matches!(error, ServiceError::Tampered { table: "aliases", .. }),
            "{what}: {error}"
        );
    }
}

#[tokio::test]
async fn an_access_key_hidden_from_the_deletion_of_its_user_comes_back_with_nobody() {
    let h = Harness::new().await;
    let operator = h.operator();
    let create = async || {
        let made = h
            .service
            .create_principal(&operator, "bob".parse().expect("a name"), Role::Admin)
            .await;
        made.expect("creates")
    };
    let bob = create().await;
    let old = bob.credentials.access_key_id.clone();
    let old_call = h.call(&old).await;
    let id = (Table::AccessKeys, old.clone());
    let hidden = h.store.edit().rows.remove(&id).expect("a row");
    h.service
        .delete_principal(&operator, bob.principal.arn)
        .await
        .expect("deletes");
    h.store.edit().rows.insert(id, hidden);
    h.clock.advance(std::time::Duration::from_secs(1));
    let new = create().await.credentials.access_key_id;
    let (_, node) = h.node(5).await;
    for service in [&h.service, &node] {
        assert!(service.credential(&old).await.expect("reads").is_none());
        assert!(service.credential(&new).await.expect("reads").is_some());
        let asked = service.list_principals(&old_call).await;
        assert_eq!(refusal(asked).0, "UnrecognizedClientException");
    }
}
