use std::fmt;
use std::sync::Arc;

use bulla_crypto::{Random, SecretBytes};
use bulla_model::{AccountId, Clock, Region};
use bulla_store::Table;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::authentication_failures::FailureCounts;
use crate::changes::Waiters;
use crate::committer::Message;
use crate::entry::Entry;
use crate::freshness::Freshness;
use crate::key_usage::KeyUsage;
use crate::oidc::Issuers;
use crate::rows::Rows;
use crate::{Credential, Metrics, Mode, ServiceError};

/// The key service over one store; cheap to clone, all clones are one service.
///
/// Several services, in one process or many, may work on one database: each is a node.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) core: Arc<Core>,
}

/// What every operation works with.
pub(crate) struct Core {
    pub(crate) rows: Arc<Rows>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) queue: mpsc::Sender<Message>,
    pub(crate) failures: FailureCounts,
    pub(crate) issuers: Issuers,
    /// Session tokens that were opened, by their digests.
    pub(crate) sessions: Cache<[u8; 32], Arc<Credential>>,
    pub(crate) freshness: Freshness,
    pub(crate) key_usage: KeyUsage,
    pub(crate) account: AccountId,
    pub(crate) origin: String,
    pub(crate) verifier_key: String,
    pub(crate) mode: Mode,
    /// Regions where replicas of keys can be; empty means any.
    pub(crate) regions: Vec<Region>,
    pub(crate) max_decisions: u32,
    /// As many pieces of heavy work as run at once.
    pub(crate) heavy: Arc<Semaphore>,
    /// As many keys as are made at once; they take up to seconds each, so they wait apart from what takes a millisecond.
    pub(crate) generation: Arc<Semaphore>,
    /// As many requests as wait for changes at once.
    pub(crate) waiters: Waiters,
}

impl Service {
    /// Finds an active access key of an active principal; `None` for any other.
    ///
    /// It may come from a cache that another node's change has not reached; the operation that it signs is held against that change
    /// when it commits, so a disabled key decides the very next operation nevertheless. `None` was true when this was called, on
    /// whichever node; finding that out costs the store one look for all who ask at once, and no more than one in
    /// [`refusal_check`](crate::Settings::refusal_check).
    ///
    /// # Errors
    /// `Store`, `Tampered`.
    pub async fn credential(&self, access_key_id: &str) -> Result<Option<Arc<Credential>>, ServiceError> {
        match self.core.credential(access_key_id).await {
            Err(error @ ServiceError::Tampered { .. }) => {
                self.core.record_tampering(&error).await?;
                Err(error)
            }
            other => other,
        }
    }

    /// Opens a session token, which must be that of `access_key_id`; `None` for any other.
    ///
    /// Whether the role is there still, the operation finds out that is asked for.
    ///
    /// # Errors
    /// `ExpiredToken`.
    pub fn session_credential(
        &self,
        access_key_id: &str,
        token: &str,
    ) -> Result<Option<Arc<Credential>>, ServiceError> {
        self.core.session_credential(access_key_id, token)
    }

    /// Records that a request could not be authenticated: `kind` is AWS's error code, as `InvalidSignatureException`.
    ///
    /// Recorded in aggregate, one event a minute at most, which names the addresses that sent most; never fails and never waits.
    pub fn record_authentication_failure(&self, kind: &'static str, source_ip: &str) {
        tracing::debug!(kind, source_ip, "a request was not authenticated");
        self.core.failures.count(kind, source_ip, self.core.clock.now());
    }

    /// Writes down the authentication failures that were counted since the last time, as happens by itself once a minute.
    ///
    /// Never fails: what can't be written down now is kept for the next time.
    pub async fn flush_authentication_failures(&self) {
        self.core.flush_authentication_failures().await;
    }

    /// Writes down the last uses of keys that were noted since the last time, as happens by itself every five minutes.
    ///
    /// Never fails: what can't be written down now is kept for the next time.
    pub async fn flush_key_usage(&self) {
        self.core.flush_key_usage(false).await;
    }

    /// Shows that an operation could be served now: the store can be written, the committer runs, the head is believed.
    ///
    /// # Errors
    /// `Store`, `Tampered`, `ShuttingDown`.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        if self.core.queue.is_closed() {
            return Err(ServiceError::ShuttingDown);
        }
        self.core.rows.store.probe().await?;
        if self.core.rows.failing.load(std::sync::atomic::Ordering::Relaxed) {
            // A probe needs less room than an event: only an event shows that there is room for events again.
            self.core.record_resumption().await?;
        }
        let (answer, outcome) = oneshot::channel();
        match self.core.queue.try_send(Message::Check(answer)) {
            Ok(()) => outcome.await.unwrap_or(Err(ServiceError::ShuttingDown)),
            // Busy is not broken.
            Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(ServiceError::ShuttingDown),
        }
    }

    /// Answers all who wait, then stops; later calls are answered `ShuttingDown`.
    pub async fn shutdown(&self) {
        self.core.flush_authentication_failures().await;
        self.core.flush_key_usage(true).await;
        // The committer closes the queue when it takes this, and is gone when the queue is.
        if self.core.queue.send(Message::Shutdown).await.is_ok() {
            self.core.queue.closed().await;
        }
    }

    /// What the service counts.
    pub fn metrics(&self) -> &Metrics {
        &self.core.rows.metrics
    }

    /// The account of the service's first principal.
    pub fn account(&self) -> &AccountId {
        &self.core.account
    }

    /// The log's origin, which also names the store.
    pub fn origin(&self) -> &str {
        &self.core.origin
    }

    /// C2SP verifier key of the audit log.
    pub fn verifier_key(&self) -> &str {
        &self.core.verifier_key
    }

    /// What the store was made for.
    pub fn mode(&self) -> Mode {
        self.core.mode
    }
}

impl Core {
    async fn credential(&self, access_key_id: &str) -> Result<Option<Arc<Credential>>, ServiceError> {
        // Ids of another form are in no row; who guesses does not reach the store.
        let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if access_key_id.len() != 20 || !access_key_id.bytes().all(legal) {
            return Ok(None);
        }
        if let Some(credential) = self.known_credential(access_key_id).await? {
            return Ok(Some(credential));
        }
        // Who is refused commits nothing, and a node learns at its commits what others changed: so nobody is refused before it has looked.
        self.freshness.catch_up(&self.queue).await?;
        self.known_credential(access_key_id).await
    }

    /// The same as far as this node has heard; reads the store for rows that are there, and for no others.
    async fn known_credential(&self, access_key_id: &str) -> Result<Option<Arc<Credential>>, ServiceError> {
        let Some(Entry::AccessKey(access_key)) = self.known_entry(Table::AccessKeys, access_key_id).await? else {
            return Ok(None);
        };
        let principal = access_key.credential.principal.as_str();
        let Some(Entry::Principal(principal)) = self.known_entry(Table::Principals, principal).await? else {
            return Ok(None);
        };
        let active = access_key.enabled && principal.accepts(access_key.created);
        Ok(active.then(|| access_key.credential.clone()))
    }

    pub(crate) async fn known_entry(&self, table: Table, id: &str) -> Result<Option<Entry>, ServiceError> {
        match self.rows.cached(table, id) {
            Some(entry) => Ok(Some(entry)),
            None if self.rows.is_known(table, id) => self.rows.load(table, id).await,
            None => Ok(None),
        }
    }

    /// Runs what keeps a processor busy for more than about 100 µs on a thread of its own, so that no other request waits for it.
    pub(crate) async fn run_heavy<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        run_apart(&self.heavy, work).await
    }

    /// The same for making keys, of which fewer are made at once.
    pub(crate) async fn run_generation<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        run_apart(&self.generation, work).await
    }

    /// Draws secret bytes.
    pub(crate) fn draw_secret(&self, length: usize) -> Result<SecretBytes, ServiceError> {
        let mut bytes = vec![0; length];
        self.random
            .fill(&mut bytes)
            .map_err(|_| ServiceError::Internal("the random generator failed"))?;
        Ok(SecretBytes::from_vec(bytes))
    }
}

async fn run_apart<T: Send + 'static>(
    at_once: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ServiceError> {
    let permit = at_once
        .clone()
        .acquire_owned()
        .await
        .map_err(|_| ServiceError::ShuttingDown)?;
    tokio::task::spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    })
    .await
    .map_err(|_| ServiceError::Internal("a piece of heavy work did not end"))
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("origin", &self.origin)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
