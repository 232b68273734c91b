//! Opening a service: unlock the store key, believe the settings, the head and the change feed, start the committer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base64::{Engine, engine::general_purpose::STANDARD};
use bulla_audit::VerifierKey;
use bulla_crypto::signature::SigningKey;
use bulla_crypto::{DataKey, Random};
use bulla_kms::{KmsError, KmsErrorKind};
use bulla_model::Clock;
use bulla_store::{Lookup, Store, StoreError, Table};
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, mpsc};

use crate::authentication_failures::FailureCounts;
use crate::bodies::{AuditKeyBody, Body, SettingsBody, StoreKeyBody};
use crate::change_feed::{self, FeedError, Form, Source};
use crate::committer::{Committer, Feed, believe_head};
use crate::entry::seed_place;
use crate::feed_digest::{self, FeedDigest};
use crate::freshness::Freshness;
use crate::key_usage::KeyUsage;
use crate::keyring::StoreKey;
use crate::metrics::Metrics;
use crate::oidc::Issuers;
use crate::row_ids::{SETTINGS_ROW, numbered_row};
use crate::rows::Rows;
use crate::service::Core;
use crate::session::CACHED;
use crate::{OpenError, Root, Service, ServiceError, Settings, background};

impl Service {
    /// Opens the service in a store with any one of its roots.
    ///
    /// Reads the whole change feed: every revision must be there, and all of it be what the head vouches for. From then on no row is believed that is older
    /// than the newest change that this node knows of it.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong: not initialised, wrong root, wrong mode, tampered settings, head or changes.
    pub async fn open(
        store: Arc<dyn Store>,
        roots: &[Root],
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: Settings,
    ) -> Result<Service, OpenError> {
        let head = store.head().await?.ok_or(OpenError::NotInitialised)?;
        let store_key_id = numbered_row(1);
        // Nothing is authenticated before the store key is there, so these two rows are read twice: for what leads to the key, and
        // then for what they say.
        let settings_row = store.lookup(Table::Settings, SETTINGS_ROW).await?;
        let claimed: SettingsBody = claimed_body(Table::Settings, SETTINGS_ROW, &settings_row)?;
        let store_key_row = store.lookup(Table::StoreKeys, &store_key_id).await?;
        let wraps: StoreKeyBody = claimed_body(Table::StoreKeys, &store_key_id, &store_key_row)?;
        let mut calls = RootCalls::default();
        let secret = unlock(roots, &claimed.origin, &wraps, &mut calls).await?;
        let store_key = StoreKey::new(secret, &claimed.origin, 1)
            .map_err(|_| OpenError::tampered(Table::StoreKeys, &store_key_id))?;
        let rows = Arc::new(Rows::new(store.clone(), store_key, settings.cache_entries));
        calls.add_to(&rows.metrics);

        // Without a digest, as before there was one, each change must be genuine by itself.
        let digested = feed_digest::has_line(&head.checkpoint, &claimed.origin);
        let mut feed = FeedDigest::default();
        change_feed::walk(
            Source::Store(&*store),
            &rows.store_key,
            if digested { Form::Digested } else { Form::Unbound },
            0,
            head.metadata_revision,
            &mut |page| {
                feed = feed.after(&rows.store_key, &page);
                rows.apply(&page, page.last().map_or(0, |change| change.revision));
            },
        )
        .await
        .map_err(|error| match error {
            FeedError::Tampered { revision } => OpenError::TamperedChanges { revision },
            FeedError::Store(error) => OpenError::Store(error),
        })?;

        for (table, id, lookup) in [
            (Table::Settings, SETTINGS_ROW, &settings_row),
            (Table::StoreKeys, store_key_id.as_str(), &store_key_row),
        ] {
            rows.verify(table, id, lookup)
                .map_err(|_| OpenError::tampered(table, id))?;
        }
        if claimed.mode != settings.mode {
            return Err(OpenError::WrongMode {
                found: claimed.mode,
                wanted: settings.mode,
            });
        }
        let (signing, verifier) = audit_key(&rows, &claimed.origin).await?;
        let log = believe_head(&head, &verifier).map_err(|error| match error {
            ServiceError::Tampered { .. } => {
                OpenError::TamperedHead("its state is not what its signed checkpoint says")
            }
            _ => OpenError::TamperedHead("it can't be read"),
        })?;

        let vouched = FeedDigest::of_checkpoint(&rows.store_key, &head.checkpoint, &claimed.origin, &log)
            .map_err(|_| OpenError::TamperedHead("its digest of the change feed is forged"))?;
        if vouched.is_some() != digested || vouched.is_some_and(|vouched| vouched != feed) {
            let revision = head.metadata_revision;
            return Err(OpenError::TamperedChanges { revision });
        }

        let key_usage = KeyUsage::open(&rows, clock.now()).await?;
        let (queue, waiting) = mpsc::channel(settings.queue_length.max(1));
        let verifier_key = verifier.to_string();
        let feed = Feed {
            digest: feed,
            vouched: digested,
        };
        let mut committer = Committer::new(rows.clone(), clock.clone(), signing, verifier, head, log, feed);
        let _ = rows.committer.set(queue.downgrade());
        committer.see_the_end().await.map_err(|error| match error {
            ServiceError::Store(error) => {
                OpenError::Store(Arc::try_unwrap(error).unwrap_or_else(|shared| StoreError::Failed(Box::new(shared))))
            }
            _ => OpenError::TamperedHead("something lies beyond it, or it contradicts what was there a moment ago"),
        })?;
        tokio::spawn(committer.run(waiting, settings.batch_size.max(1)));
        let core = Arc::new(Core {
            rows,
            clock,
            random,
            queue,
            failures: FailureCounts::default(),
            issuers: Issuers::new(settings.oidc, claimed.account.clone()),
            sessions: Cache::new(CACHED),
            key_usage,
            freshness: Freshness::new(settings.refusal_check),
            account: claimed.account,
            origin: claimed.origin,
            verifier_key,
            mode: claimed.mode,
            regions: settings.regions,
            max_decisions: settings.max_decisions.max(1),
            heavy: Arc::new(Semaphore::new(2 * processors())),
            generation: Arc::new(Semaphore::new(processors().div_ceil(2))),
            waiters: Default::default(),
        });
        background::start(&core, settings.sweep);
        Ok(Service { core })
    }
}

/// Two pieces of heavy work run at once for each processor, so that one is ready when another ends; keys are made on half of them.
fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Reads a body that nothing vouches for yet.
fn claimed_body<B: Body>(table: Table, id: &str, lookup: &Lookup) -> Result<B, OpenError> {
    lookup
        .row
        .as_ref()
        .and_then(|row| B::from_bytes(&row.body))
        .ok_or_else(|| OpenError::tampered(table, id))
}

/// Calls of root providers, counted before there is anything to count them in.
#[derive(Debug, Default)]
struct RootCalls {
    ok: u64,
    failed: u64,
}

impl RootCalls {
    fn count<T>(&mut self, answer: Result<T, KmsError>) -> Result<T, KmsError> {
        *if answer.is_ok() { &mut self.ok } else { &mut self.failed } += 1;
        answer
    }

    fn add_to(&self, metrics: &Metrics) {
        metrics.root_calls.fetch_add(self.ok, Ordering::Relaxed);
        metrics.root_call_failures.fetch_add(self.failed, Ordering::Relaxed);
    }
}

/// Unwraps the store key with the first of the given roots that wraps it.
///
/// The root itself authenticates what it unwraps, under a context that names the store and the version.
async fn unlock(
    roots: &[Root],
    origin: &str,
    store_key: &StoreKeyBody,
    calls: &mut RootCalls,
) -> Result<DataKey, OpenError> {
    let context = StoreKey::root_context(origin, 1).map_err(|_| OpenError::tampered(Table::Settings, SETTINGS_ROW))?;
    let mut given = Vec::new();
    let mut failure: Option<KmsError> = None;
    for root in roots {
        let resolved = match calls.count(root.provider.describe(&root.key).await) {
            Ok(description) => description.key,
            Err(error) => {
                failure.get_or_insert(error);
                given.push(root.key.clone());
                continue;
            }
        };
        let wrap = store_key.wraps.iter().find(|wrap| wrap.root == resolved);
        given.push(resolved);
        let Some(wrap) = wrap else { continue };
        let bytes = STANDARD
            .decode(&wrap.wrapped)
            .map_err(|_| OpenError::tampered(Table::StoreKeys, numbered_row(1)))?;
        match calls.count(root.provider.unwrap(&root.key, &bytes, &context).await) {
            Ok(secret) => return Ok(secret),
            // A later root may still open it; the clearest failure is told if none does.
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if error.kind != KmsErrorKind::NotFound => Err(OpenError::Root(error)),
        _ => Err(OpenError::WrongRoot {
            given: given.join(", "),
            wanted: store_key
                .wraps
                .iter()
                .map(|wrap| wrap.root.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

async fn audit_key(rows: &Rows, origin: &str) -> Result<(SigningKey, VerifierKey), OpenError> {
    let id = numbered_row(1);
    let tampered = || OpenError::tampered(Table::AuditKeys, id.clone());
    let lookup = rows.store.lookup(Table::AuditKeys, &id).await?;
    let row = rows
        .verify(Table::AuditKeys, &id, &lookup)
        .map_err(|_| tampered())?
        .ok_or_else(tampered)?;
    let body = AuditKeyBody::from_bytes(&row.body).ok_or_else(tampered)?;
    let seed = rows
        .store_key
        .unwrap(seed_place(&id), &body.wrapped_seed)
        .map_err(|_| tampered())?;
    let seed = DataKey::from_slice(seed.expose_secret()).ok_or_else(tampered)?;
    let signing = SigningKey::from_seed(&seed).map_err(|_| tampered())?;
    let verifier = VerifierKey::new(origin, signing.public_key()).map_err(|_| tampered())?;
    if hex::encode(signing.public_key()) != body.public_key {
        return Err(tampered());
    }
    Ok((signing, verifier))
}
