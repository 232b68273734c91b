use std::fmt;
use std::sync::Arc;

use bulla_crypto::{Random, SecretBytes};
use bulla_model::{AccountId, Clock};
use tokio::sync::mpsc;

use crate::authentication_failures::FailureCounts;
use crate::committer::Message;
use crate::entry::Entry;
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
    pub(crate) account: AccountId,
    pub(crate) origin: String,
    pub(crate) verifier_key: String,
    pub(crate) mode: Mode,
    pub(crate) max_decisions: u32,
}

impl Service {
    /// Finds an active access key of an active principal; `None` for any other.
    ///
    /// It may come from a cache that another node's change has not reached; the operation that it signs is held against that change
    /// when it commits, so a disabled key decides the very next operation nevertheless.
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

    /// Records that a request could not be authenticated: `kind` is AWS's error code, as `InvalidSignatureException`.
    ///
    /// Recorded in aggregate, one event a minute at most; never fails and never waits.
    pub fn record_authentication_failure(&self, kind: &'static str, source_ip: &str) {
        tracing::debug!(kind, source_ip, "a request was not authenticated");
        self.core.failures.count(kind, self.core.clock.now());
    }

    /// Shows that an operation could be served now: the store can be written, the committer runs.
    ///
    /// # Errors
    /// `Store`, `ShuttingDown`.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        if self.core.queue.is_closed() {
            return Err(ServiceError::ShuttingDown);
        }
        Ok(self.core.rows.store.probe().await?)
    }

    /// Answers all who wait, then stops; later calls are answered `ShuttingDown`.
    pub async fn shutdown(&self) {
        self.core.flush_authentication_failures().await;
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
        use bulla_store::Table;
        // Ids of another form are in no row; who guesses does not reach the store.
        let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        if access_key_id.len() != 20 || !access_key_id.bytes().all(legal) {
            return Ok(None);
        }
        let Some(Entry::AccessKey(access_key)) = self.entry(Table::AccessKeys, access_key_id).await? else {
            return Ok(None);
        };
        let principal = self
            .entry(Table::Principals, access_key.credential.principal.as_str())
            .await?;
        let Some(Entry::Principal(principal)) = principal else {
            return Ok(None);
        };
        Ok((access_key.enabled && principal.body.enabled).then(|| access_key.credential.clone()))
    }

    async fn entry(&self, table: bulla_store::Table, id: &str) -> Result<Option<Entry>, ServiceError> {
        match self.rows.cached(table, id) {
            Some(entry) => Ok(Some(entry)),
            None => self.rows.load(table, id).await,
        }
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

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("origin", &self.origin)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
