use std::sync::Arc;

use bulla_crypto::record::{self, Record};
use bulla_crypto::{Context, DataKey, SecretBytes};
use bulla_kms::KmsErrorKind;
use tokio::time::Instant;

use crate::access::{Access, AccessLog, AccessOperation};
use crate::cache::{Landing, Ticket};
use crate::sealer::{Inner, Sealer};
use crate::stats::count;
use crate::unwrapped::{Kept, OpeningKey, Unwrapped, WrappedIdentity, hash_of};
use crate::{DataKeyError, OpenError};

impl Sealer {
    /// Opens a record under the context and the binding that it was sealed with.
    ///
    /// With [`PerOpen`](crate::AccessRecord::PerOpen) the plaintext is returned when the access log has its event, and not before.
    ///
    /// # Errors
    /// [`OpenError`]; then no plaintext left.
    pub async fn open(&self, record: &[u8], context: &Context, binding: &[u8]) -> Result<SecretBytes, OpenError> {
        match self.try_open_cached(record, context, binding) {
            Some(opened) => opened,
            // Boxed, so that a hit carries no state of the miss.
            None => Box::pin(self.inner.open_and_record(record, context, binding)).await,
        }
    }

    /// Opens at once if the data key is there; `None` if the provider, or an access log, would have to be asked.
    #[inline]
    pub fn try_open_cached(
        &self,
        record: &[u8],
        context: &Context,
        binding: &[u8],
    ) -> Option<Result<SecretBytes, OpenError>> {
        if self.inner.access.per_open().is_some() {
            return None;
        }
        let record = match Record::parse(record) {
            Ok(record) => record,
            Err(error) => return Some(Err(OpenError::Format(error))),
        };
        self.inner.open_cached(&record, context, binding)
    }

    /// Opens the text form.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_text(&self, text: &str, context: &Context, binding: &[u8]) -> Result<SecretBytes, OpenError> {
        let record = record::from_text(text).map_err(OpenError::Format)?;
        self.open(&record, context, binding).await
    }

    /// Opens the JSON view.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_json(&self, json: &str, context: &Context, binding: &[u8]) -> Result<SecretBytes, OpenError> {
        let record = record::from_json(json).map_err(OpenError::Format)?;
        self.open(&record, context, binding).await
    }
}

impl Inner {
    /// Opens with a key from the shelf. What is there was accepted by the key ring when it came.
    #[inline]
    fn open_cached(
        &self,
        record: &Record<'_>,
        caller: &Context,
        binding: &[u8],
    ) -> Option<Result<SecretBytes, OpenError>> {
        let open = |unwrapped: &Arc<Unwrapped>| {
            if !unwrapped.is_usable(Instant::now()) {
                return None;
            }
            self.lanes.count(|tally| &tally.open_hits);
            Some(unwrapped.open(record, binding).map_err(|_| OpenError::Refused))
        };
        let hash = hash_of(record.commitment());
        self.opening
            .shelf
            .with(hash, |unwrapped| unwrapped.is_for(record, caller), open)?
    }

    /// Opens where the fast path could not: the key is not there, or the access log wants its event.
    async fn open_and_record(
        self: &Arc<Self>,
        record: &[u8],
        caller: &Context,
        binding: &[u8],
    ) -> Result<SecretBytes, OpenError> {
        let record = Record::parse(record).map_err(OpenError::Format)?;
        let cached = self.open_cached(&record, caller, binding);
        let cache_hit = cached.is_some();
        let opened = match cached {
            Some(opened) => opened,
            None => self.open_missed(&record, caller, binding).await,
        };
        match self.access.per_open() {
            None => opened,
            Some(log) => self.record_open(log, &record, caller, binding, cache_hit, opened).await,
        }
    }

    async fn open_missed(
        self: &Arc<Self>,
        record: &Record<'_>,
        caller: &Context,
        binding: &[u8],
    ) -> Result<SecretBytes, OpenError> {
        let context = self.bind(caller)?;
        self.check_key_ring(record.key()).await?;
        self.lanes.count(|tally| &tally.open_misses);
        let identity = WrappedIdentity {
            caller: caller.clone(),
            key: record.key().to_owned(),
            wrapped: record.wrapped_key().to_vec(),
        };
        self.obtain_unwrapped::<OpeningKey>(hash_of(record.commitment()), identity, &context)
            .await
            .map_err(refusal)?
            .open(record, binding)
            .map_err(|_| OpenError::Refused)
    }

    /// Refuses a key outside the ring. Asks the provider nothing about that key, and what its own sealing key is called now at most
    /// once a poll interval, where that may have changed.
    pub(crate) async fn check_key_ring(&self, key: &str) -> Result<(), OpenError> {
        if self.ring.names(key) {
            return Ok(());
        }
        if self.is_admitted(key) || (self.follows && self.follow(key).await?) {
            return Ok(());
        }
        count(&self.counters.keys_not_accepted);
        Err(OpenError::KeyNotAccepted { key: key.to_owned() })
    }

    fn is_admitted(&self, key: &str) -> bool {
        self.anchors.load().iter().any(|anchor| self.ring.admits(key, anchor))
    }

    /// Asks where the configured name leads, unless that was asked a moment ago, and tells whether `key` is admitted now.
    async fn follow(&self, key: &str) -> Result<bool, DataKeyError> {
        // One asks, and whoever else needs to know waits for that; nobody else takes this.
        let _asking = self.resolving.lock().await;
        if !self.is_admitted(key) && self.may_resolve(Instant::now()) {
            self.resolve().await?;
        }
        Ok(self.is_admitted(key))
    }

    async fn resolve(&self) -> Result<(), DataKeyError> {
        let asked = self
            .call("describe", &self.key, || self.provider.describe(&self.key))
            .await;
        match &asked {
            Ok(description) => self.add_anchor(&description.key),
            // Where a name is known, it has to do until the next time; where none is, the next one asks.
            Err(_) if !self.anchors.load().is_empty() => self.note_resolved(),
            Err(_) => {}
        }
        asked.map(drop)
    }

    /// Finds an unwrapped key by its hash and identity, or has it unwrapped, once for all who wait.
    pub(crate) async fn obtain_unwrapped<K: Kept>(
        self: &Arc<Self>,
        hash: u64,
        identity: WrappedIdentity,
        context: &Context,
    ) -> Landing<Unwrapped<K>> {
        let cache = K::cache(self);
        if self.settings.unwrapped_ttl.is_zero() {
            return self.unwrap(&identity, context).await.map(Arc::new);
        }
        let is_fresh = |unwrapped: &Unwrapped<K>| unwrapped.identity == identity && unwrapped.is_usable(Instant::now());
        let wait = match cache.join(identity.clone(), |shelf| shelf.with(hash, is_fresh, Arc::clone)) {
            Ticket::Here(unwrapped) => return Ok(unwrapped),
            Ticket::Wait(wait) => wait,
            Ticket::Lead(mut flight, wait) => {
                self.keep();
                let (inner, identity, context) = (Arc::clone(self), identity.clone(), context.clone());
                tokio::spawn(async move {
                    loop {
                        let landing = inner.unwrap(&identity, &context).await.map(Arc::new);
                        if flight
                            .land(landing, K::hash, |new, old| new.identity == old.identity)
                            .is_some()
                        {
                            break;
                        }
                    }
                    inner.wake.notify_one();
                });
                wait
            }
        };
        match wait.landed().await {
            Err(error) if error.is_retryable() => {
                let now = Instant::now();
                let may_go_on =
                    |unwrapped: &Unwrapped<K>| unwrapped.identity == identity && unwrapped.is_usable_in_outage(now);
                cache.shelf.with(hash, may_go_on, Arc::clone).ok_or(error)
            }
            landing => landing,
        }
    }

    pub(crate) async fn unwrap<K: Kept>(
        &self,
        identity: &WrappedIdentity,
        context: &Context,
    ) -> Result<Unwrapped<K>, DataKeyError> {
        let asked = Instant::now();
        let data_key = self.unwrap_data_key(&identity.key, &identity.wrapped, context).await?;
        let opening_key = K::of(data_key)?;
        self.record_data_key(AccessOperation::UnwrapDataKey, &identity.key, context)
            .await?;
        let created = Instant::now();
        let end = created + self.settings.unwrapped_ttl;
        Ok(Unwrapped {
            identity: identity.clone(),
            context: context.clone(),
            created,
            end,
            removal: end + self.settings.outage_grace,
            known: self.known(&identity.key, asked),
            opening_key,
        })
    }

    pub(crate) async fn unwrap_data_key(
        &self,
        key: &str,
        wrapped: &[u8],
        context: &Context,
    ) -> Result<DataKey, DataKeyError> {
        self.call("unwrap", key, || self.provider.unwrap(key, wrapped, context))
            .await
    }

    /// Records an open, or a refusal, and only then lets the plaintext go.
    async fn record_open(
        &self,
        log: &Arc<dyn AccessLog>,
        record: &Record<'_>,
        caller: &Context,
        binding: &[u8],
        cache_hit: bool,
        opened: Result<SecretBytes, OpenError>,
    ) -> Result<SecretBytes, OpenError> {
        let refused = matches!(opened, Err(OpenError::Refused | OpenError::KeyNotAccepted { .. }));
        if opened.is_err() && !refused {
            return opened;
        }
        let access = Access {
            operation: AccessOperation::Open,
            key: record.key().to_owned(),
            context: self.bind(caller)?,
            binding: binding.to_vec(),
            cache_hit,
            refused,
        };
        match log.record(&access).await {
            Ok(()) => opened,
            Err(error) if refused => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a refused open was not recorded"
                );
                opened
            }
            Err(error) => Err(DataKeyError::AccessLog(Arc::new(error)).into()),
        }
    }
}

/// "Decryption has one public failure": a wrapped key that is not of this key and context is refused like a tag that is wrong.
pub(crate) fn refusal(error: DataKeyError) -> OpenError {
    match error.kind() {
        Some(KmsErrorKind::WrongContext) => OpenError::Refused,
        _ => OpenError::DataKey(error),
    }
}
