use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::Random;
use bulla_model::Clock;

use self::flights::Flights;
use self::sealers::Sealers;
use crate::access::{Access, AccessLog, Action, Outcome};
use crate::keys::ClientKeys;
use crate::marks::{Marks, ProcessMarks};
use crate::place::Prefix;
use crate::stats::Counters;
use crate::store::TokenStore;
use crate::{ClientId, Provider, TokenError, TokenName, TokenRef, VaultStats};

mod authorise;
mod delete;
mod fetched;
mod fetching;
mod flights;
mod get;
mod get_or_fetch;
mod list;
mod put;
mod revoke_client;
mod rewrap;
mod sealed;
mod sealers;

pub use self::list::Page;

/// Keeps tokens: sealed, shared, revocable, recorded.
///
/// A clone is the same vault. All methods may be called from any number of tasks at once; all need a Tokio runtime with time. None
/// returns a value, or success, before the [`AccessLog`] has its event.
#[derive(Clone)]
pub struct TokenVault {
    pub(crate) inner: Arc<Inner>,
    pub(crate) log: Arc<dyn AccessLog>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn TokenStore>,
    pub(crate) marks: Arc<dyn Marks>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) settings: VaultSettings,
    pub(crate) sealers: Sealers,
    pub(crate) flights: Flights,
    pub(crate) counters: Counters,
}

/// How a vault works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultSettings {
    /// The beginning of all store keys.
    pub prefix: Prefix,
    /// How data keys are cached and asked for.
    pub sealing: bulla_envelope::Settings,
    /// How long before its expiry a token is refreshed in the background; at most a fifth of its life. Default 60 s.
    pub refresh_before: Duration,
    /// How long a lease lasts; longer than three attempts at the provider. Default 30 s.
    pub lease: Duration,
    /// How long one attempt at a provider may take. Default 8 s.
    pub fetch_timeout: Duration,
    /// How long a caller waits for a token that somebody else is fetching. Default 40 s.
    pub fetch_wait: Duration,
}

impl Default for VaultSettings {
    fn default() -> Self {
        Self {
            prefix: Prefix::default(),
            sealing: bulla_envelope::Settings::default(),
            refresh_before: Duration::from_secs(60),
            lease: Duration::from_secs(30),
            fetch_timeout: Duration::from_secs(8),
            fetch_wait: Duration::from_secs(40),
        }
    }
}

/// What a [`TokenVault`] is made of; begun by [`TokenVault::builder`].
#[must_use]
pub struct VaultBuilder {
    store: Arc<dyn TokenStore>,
    keys: Arc<dyn ClientKeys>,
    log: Arc<dyn AccessLog>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    marks: Option<Arc<dyn Marks>>,
    settings: VaultSettings,
}

impl VaultBuilder {
    /// Says where it is kept which versions are too old; in this process unless said.
    pub fn marks(mut self, marks: Arc<dyn Marks>) -> Self {
        self.marks = Some(marks);
        self
    }

    /// Says how the vault works; [`VaultSettings::default`] unless said.
    pub fn settings(mut self, settings: VaultSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Makes the vault. Nothing is connected or called until the first token.
    pub fn build(self) -> TokenVault {
        let marks = self
            .marks
            .unwrap_or_else(|| Arc::new(ProcessMarks::new(Arc::clone(&self.clock))));
        let sealers = Sealers::new(self.keys, Arc::clone(&self.random), self.settings.sealing.clone());
        let inner = Inner {
            store: self.store,
            marks,
            clock: self.clock,
            random: self.random,
            settings: self.settings,
            sealers,
            flights: Flights::default(),
            counters: Counters::default(),
        };
        TokenVault {
            inner: Arc::new(inner),
            log: self.log,
        }
    }
}

impl TokenVault {
    /// Begins a vault. `log` says what is recorded where; it has no default: not recording is a choice that is written down.
    pub fn builder(
        store: Arc<dyn TokenStore>,
        keys: Arc<dyn ClientKeys>,
        log: Arc<dyn AccessLog>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> VaultBuilder {
        VaultBuilder {
            store,
            keys,
            log,
            clock,
            random,
            marks: None,
            settings: VaultSettings::default(),
        }
    }

    /// Makes the same vault with another log: that of one caller.
    pub fn recording(&self, log: Arc<dyn AccessLog>) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            log,
        }
    }

    /// Drops the data keys of a client, so that its next token needs the key service.
    pub fn forget_keys(&self, client: &ClientId) {
        self.inner.sealers.clear(client);
    }

    /// Tells what this vault has done and holds. Walks the caches: for a metrics endpoint, not for each token.
    pub fn stats(&self) -> VaultStats {
        self.inner.sealers.add_to(self.inner.counters.snapshot())
    }

    /// Asks the store whether it is there.
    ///
    /// # Errors
    /// [`StoreError`](crate::StoreError).
    pub async fn probe(&self) -> Result<(), crate::StoreError> {
        self.inner.store.probe().await
    }

    /// Begins, does, and records: nothing is answered that the log does not have.
    pub(crate) async fn recorded<T>(
        &self,
        access: Access,
        work: impl Future<Output = (Outcome, Result<T, TokenError>)> + Send,
    ) -> Result<T, TokenError> {
        let pending = self.log.begin(&access).await?;
        let (mut outcome, result) = work.await;
        if let Err(error) = &result {
            outcome.failure = Some(error.code());
        }
        pending.finish(&outcome).await?;
        result
    }
}

impl Access {
    pub(crate) fn of_token(action: Action, token: &TokenRef) -> Self {
        Self {
            action,
            client: token.client.clone(),
            token: Some((token.provider.clone(), token.name.clone())),
        }
    }

    pub(crate) fn of_client(action: Action, client: &ClientId) -> Self {
        Self {
            action,
            client: client.clone(),
            token: None,
        }
    }

    /// Which provider it is about; `None` where it is all of a client.
    pub fn provider(&self) -> Option<&Provider> {
        self.token.as_ref().map(|(provider, _)| provider)
    }

    /// Which of the provider's tokens it is about.
    pub fn name(&self) -> Option<&TokenName> {
        self.token.as_ref().map(|(_, name)| name)
    }
}

impl fmt::Debug for TokenVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVault")
            .field("store", &self.inner.store)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}
