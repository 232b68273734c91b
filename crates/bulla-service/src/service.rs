use std::sync::Arc;

use bulla_crypto::Random;
use bulla_model::{AccountId, Clock};
use bulla_store::Store;

use crate::{Credential, InitialiseSettings, Initialised, Metrics, Mode, OpenError, Root, ServiceError, Settings};

/// The key service over one store; cheap to clone, all clones are one service.
#[derive(Debug, Clone)]
pub struct Service {
    core: Arc<Core>,
}

#[derive(Debug)]
pub(crate) struct Core {
    metrics: Metrics,
    account: AccountId,
    origin: String,
    verifier_key: String,
    mode: Mode,
}

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
        let _ = (store, roots, clock, random, settings);
        Err(OpenError::NotInitialised)
    }

    /// Opens the service in a store with any one of its roots.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong: not initialised, wrong root, wrong mode, tampered settings or head.
    pub async fn open(
        store: Arc<dyn Store>,
        roots: &[Root],
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: Settings,
    ) -> Result<Service, OpenError> {
        let _ = (store, roots, clock, random, settings);
        Err(OpenError::NotInitialised)
    }

    /// Finds an active access key of an active principal; `None` for any other.
    ///
    /// # Errors
    /// `Store`, `Tampered`.
    pub async fn credential(&self, access_key_id: &str) -> Result<Option<Arc<Credential>>, ServiceError> {
        let _ = access_key_id;
        Err(ServiceError::Internal("not built"))
    }

    /// Records that a request could not be authenticated: `kind` is AWS's error code, as `SignatureDoesNotMatch`.
    ///
    /// Recorded in aggregate, at most one event for a kind and minute; never fails and never waits.
    pub fn record_authentication_failure(&self, kind: &'static str, source_ip: &str) {
        let _ = (kind, source_ip);
    }

    /// Shows that an operation could be served now: the store can be written, the root answers.
    ///
    /// # Errors
    /// `Store`.
    pub async fn ready(&self) -> Result<(), ServiceError> {
        Err(ServiceError::Internal("not built"))
    }

    /// Answers all who wait, then stops; later calls are answered `ShuttingDown`.
    pub async fn shutdown(&self) {}

    /// What the service counts.
    pub fn metrics(&self) -> &Metrics {
        &self.core.metrics
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
