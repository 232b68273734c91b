//! Making a service in an empty store, in one transaction.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_audit::{
    Change as AuditChange, ChangeOperation, CommitPoint, EventDraft, EventType, Intent, LogState, UserIdentity,
    VerifierKey, row_digest,
};
use bulla_crypto::signature::SigningKey;
use bulla_crypto::{DataKey, Random};
use bulla_model::{AccountId, Clock, KeyId, PrincipalArn, Role};
use bulla_store::{CheckpointRow, EventRow, HeadRow, Store, Table};
use serde_json::{Map, Value};

use crate::administration::{draw_credentials, wrap_secret};
use crate::bodies::{AccessKeyBody, AuditKeyBody, Body, PrincipalBody, RootWrap, SettingsBody, StoreKeyBody, VERSION};
use crate::entry::seed_place;
use crate::feed_digest::FeedDigest;
use crate::keyring::StoreKey;
use crate::limits::members;
use crate::row_ids::{SETTINGS_ROW, numbered_row};
use crate::runner::BULLA;
use crate::{InitialiseSettings, Initialised, Mode, OpenError, Root, Service};

impl Service {
    /// Makes a new service in an empty store: settings, store key under every root, audit key, administrator, in one transaction.
    ///
    /// # Errors
    /// [`OpenError`]; nothing was made then.
    pub async fn initialise(
        store: Arc<dyn Store>,
        roots: &[Root],
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: InitialiseSettings,
    ) -> Result<Initialised, OpenError> {
        if store.head().await?.is_some() {
            return Err(OpenError::AlreadyInitialised);
        }
        if roots.is_empty() {
            return Err(OpenError::Invalid("a store needs at least one root key".to_owned()));
        }
        let now = clock.now();
        let random = &*random;
        let account = match (settings.account, settings.mode) {
            (Some(account), _) => account,
            (None, Mode::Production) => AccountId::from_number(u64::from_be_bytes(draw(random)?)),
            (None, Mode::Development) => AccountId::from_number(0),
        };
        let origin = match settings.origin {
            Some(origin) => origin,
            None => format!("bulla.invalid/{}", hex::encode(draw::<8>(random)?)),
        };
        let unusable =
            |_| OpenError::Invalid("an origin is 1 to 128 printable characters without space and plus".to_owned());
        if origin.len() > 128 || !origin.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(unusable(()));
        }

        let secret = DataKey::generate(random).map_err(|_| OpenError::Random)?;
        let wraps = wrap_store_key(roots, &origin, &secret).await.map_err(OpenError::Root)?;
        let store_key = StoreKey::new(secret, &origin, 1).map_err(|_| OpenError::Random)?;
        let seed = DataKey::generate(random).map_err(|_| OpenError::Random)?;
        let signing = SigningKey::from_seed(&seed).map_err(|_| OpenError::Random)?;
        let verifier = VerifierKey::new(&origin, signing.public_key()).map_err(|_| unusable(()))?;
        let administrator = PrincipalArn::user(&account, &settings.administrator);
        let credentials = draw_credentials(random).map_err(|_| OpenError::Random)?;
        let wrapped_secret =
            wrap_secret(&store_key, random, &credentials, &administrator).map_err(|_| OpenError::Random)?;
        let numbered = numbered_row(1);
        let wrapped_seed = store_key
            .wrap(seed_place(&numbered), random, seed.expose_secret())
            .map_err(|_| OpenError::Random)?;

        let version = VERSION;
        let rows: [(Table, &str, &str, Vec<u8>); 5] = [
            (
                Table::Settings,
                SETTINGS_ROW,
                "",
                SettingsBody {
                    version,
                    mode: settings.mode,
                    account: account.clone(),
                    origin: origin.clone(),
                    created: now,
                }
                .to_bytes(),
            ),
            (
                Table::StoreKeys,
                &numbered,
                "",
                StoreKeyBody {
                    version,
                    created: now,
                    wraps,
                }
                .to_bytes(),
            ),
            (
                Table::AuditKeys,
                &numbered,
                "",
                AuditKeyBody {
                    version,
                    created: now,
                    public_key: hex::encode(signing.public_key()),
                    wrapped_seed,
                }
                .to_bytes(),
            ),
            (
                Table::Principals,
                administrator.as_str(),
                account.as_str(),
                PrincipalBody {
                    version,
                    role: Role::Admin,
                    enabled: true,
                    created: now,
                    policies: Default::default(),
                    tags: Default::default(),
                    groups: Default::default(),
                }
                .to_bytes(),
            ),
            (
                Table::AccessKeys,
                &credentials.access_key_id,
                administrator.as_str(),
                AccessKeyBody {
                    version,
                    enabled: true,
                    created: now,
                    wrapped_secret,
                }
                .to_bytes(),
            ),
        ];

        let mut log = LogState::new();
        let revision = log.next_metadata_revision();
        let audit_changes: Vec<AuditChange> = rows
            .iter()
            .map(|(table, id, owner, body)| AuditChange {
                table: table.name().to_owned(),
                id: (*id).to_owned(),
                revision,
                operation: ChangeOperation::Put {
                    digest: row_digest(table.name(), id, owner, revision, body),
                },
            })
            .collect();
        let event_id = KeyId::from_random(draw(random)?).as_str().to_owned();
        let draft = EventDraft {
            event_time: now.as_micros(),
            event_name: "Initialise".into(),
            event_source: BULLA.into(),
            event_type: EventType::ServiceEvent,
            aws_region: settings.region.to_string().into(),
            user_identity: UserIdentity {
                kind: "Root".into(),
                arn: Some(PrincipalArn::root(&account).to_string().into()),
                account_id: Some(account.to_string().into()),
                ..UserIdentity::default()
            },
            source_ip_address: "in-process".into(),
            user_agent: BULLA.into(),
            request_parameters: members([
                ("mode", settings.mode.to_string().into()),
                ("origin", origin.as_str().into()),
                ("administrator", administrator.as_str().into()),
                ("accessKeyId", credentials.access_key_id.as_str().into()),
                ("auditKey", verifier.to_string().into()),
            ] as [(&str, Value); 5]),
            response_elements: Map::new(),
            resources: Vec::new(),
            error_code: None,
            error_message: None,
            request_id: event_id.clone().into(),
            event_id: event_id.into(),
            read_only: false,
            recipient_account_id: account.to_string().into(),
            key_version: None,
            cache_hit: None,
            purpose: None,
            additional_event_data: Default::default(),
            intent: Intent::None,
        };
        let point = CommitPoint {
            sequence: 0,
            previous: log.last(),
            metadata_revision: revision,
            changes: &audit_changes,
        };
        let event = draft
            .prepare()
            .and_then(|prepared| prepared.finish(&point))
            .map_err(|_| OpenError::Invalid("the first event can't be written".to_owned()))?;
        log.append(&event);
        let mut note = log
            .checkpoint(&origin, now.as_micros())
            .sign(&signing)
            .map_err(|_| OpenError::Invalid("the first checkpoint can't be signed".to_owned()))?;

        let mut transaction = store.begin().await?;
        if transaction.head().await?.is_some() {
            return Err(OpenError::AlreadyInitialised);
        }
        let count = rows.len() as u32;
        let mut changes = Vec::with_capacity(rows.len());
        for (ordinal, (table, id, owner, body)) in (0..).zip(rows) {
            let row = store_key.seal_row(table, id, owner, revision, body);
            transaction.put_row(table, &row).await?;
            changes.push(store_key.seal_change(revision, ordinal, count, table, id, Some(&row)));
        }
        let feed = FeedDigest::default().after(&store_key, &changes);
        feed.add_line(&store_key, &mut note, &origin, &log);
        transaction.append_changes(&changes).await?;
        transaction.append_events(&[EventRow { sequence: 0, event }]).await?;
        transaction
            .put_checkpoint(&CheckpointRow {
                size: 1,
                note: note.clone(),
            })
            .await?;
        let state = log.to_bytes();
        transaction
            .put_head(&HeadRow {
                size: 1,
                metadata_revision: revision,
                state,
                checkpoint: note,
            })
            .await?;
        transaction.commit().await?;
        Ok(Initialised {
            account,
            origin,
            administrator,
            credentials,
            verifier_key: verifier.to_string(),
        })
    }
}

/// Wraps a store key under each root, in their order.
pub(crate) async fn wrap_store_key(
    roots: &[Root],
    origin: &str,
    secret: &DataKey,
) -> Result<Vec<RootWrap>, bulla_kms::KmsError> {
    let invalid = |key: &str| bulla_kms::KmsError::new(bulla_kms::KmsErrorKind::Invalid, "wrap", key);
    let mut wraps: Vec<RootWrap> = Vec::with_capacity(roots.len());
    for root in roots {
        let context = StoreKey::root_context(origin, 1).map_err(|_| invalid(&root.key))?;
        let wrapped = root.provider.wrap(&root.key, secret, &context).await?;
        if wraps.iter().any(|wrap| wrap.root == wrapped.key) {
            return Err(invalid(&root.key));
        }
        wraps.push(RootWrap {
            root: wrapped.key,
            wrapped: STANDARD.encode(wrapped.bytes),
        });
    }
    Ok(wraps)
}

fn draw<const N: usize>(random: &dyn Random) -> Result<[u8; N], OpenError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes).map_err(|_| OpenError::Random)?;
    Ok(bytes)
}
