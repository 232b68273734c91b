use std::sync::Arc;

use bulla_crypto::Context;
use bulla_crypto::record::{self, Header, Record, RecordKey};
use tokio::time::Instant;

use crate::access::{Access, AccessOperation};
use crate::budget::Budget;
use crate::cache::{Landing, Ticket};
use crate::current::{Current, Marks, Sealed};
use crate::lane::next_serial;
use crate::sealer::{Inner, Sealer};
use crate::stats::count;
use crate::{DataKeyError, SealError};

impl Sealer {
    /// Seals `plaintext` into a record that opens only under this context and binding.
    ///
    /// `context` says what the value is (a tenant, a kind); each new one costs a provider call. `binding` says where it lives
    /// (a primary key, a Redis key), at most 65,536 bytes, and costs nothing. Neither is stored.
    ///
    /// # Errors
    /// [`SealError`]; then nothing was sealed.
    pub async fn seal(&self, context: &Context, binding: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        match self.try_seal_cached(context, binding, plaintext) {
            Some(sealed) => sealed,
            // Boxed, so that a hit carries no state of the miss.
            None => Box::pin(self.inner.seal_missed(context, binding, plaintext)).await,
        }
    }

    /// Seals at once if there is a data key; `None` if the provider would have to be asked.
    #[inline]
    pub fn try_seal_cached(
        &self,
        context: &Context,
        binding: &[u8],
        plaintext: &[u8],
    ) -> Option<Result<Vec<u8>, SealError>> {
        let inner = &*self.inner;
        let seal = |current: &Arc<Current>| {
            let now = Instant::now();
            if !current.is_usable(now) {
                return Sealed::Exhausted;
            }
            if current.mark_used() && now >= current.renew_at {
                // The keeper has passed by already and saw no use.
                inner.wake.notify_one();
            }
            current.seal(&inner.lanes, binding, plaintext)
        };
        let sealed = match inner
            .sealing
            .shelf
            .with(inner.hash(context), |current| current.caller == *context, seal)?
        {
            Sealed::Done(sealed) => sealed,
            Sealed::DoneAndLow(sealed) => {
                inner.wake.notify_one();
                sealed
            }
            Sealed::Exhausted => return None,
        };
        match sealed {
            Ok(record) => Some(Ok(record)),
            Err(error) => Some(Err(SealError::from_record(error, plaintext.len()))),
        }
    }

    /// Seals into the text form, `bulla.1.<base64url>`.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub async fn seal_text(&self, context: &Context, binding: &[u8], plaintext: &[u8]) -> Result<String, SealError> {
        self.seal(context, binding, plaintext)
            .await
            .map(|record| record::to_text(&record))
    }

    /// Seals into the JSON view.
    ///
    /// # Errors
    /// As [`seal`](Self::seal).
    pub async fn seal_json(&self, context: &Context, binding: &[u8], plaintext: &[u8]) -> Result<String, SealError> {
        let record = self.seal(context, binding, plaintext).await?;
        let record = Record::parse(&record).expect("a record that was just written can be read");
        Ok(record::to_json(&record))
    }
}

impl Inner {
    async fn seal_missed(
        self: &Arc<Self>,
        caller: &Context,
        binding: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let size_bytes = plaintext.len();
        if size_bytes as u64 > self.settings.max_bytes || size_bytes > record::MAX_RECORD_BYTES {
            return Err(SealError::TooLong { size_bytes });
        }
        let refused = |error| SealError::from_record(error, size_bytes);
        let context = self.bind(caller)?;
        self.lanes.count(|tally| &tally.seal_misses);
        if self.settings.max_age.is_zero() {
            let current = self.generate(caller, &context).await?;
            let nonce = self.lanes.draw_nonce().map_err(|error| refused(error.into()))?;
            return current.seal_with(nonce, binding, plaintext).map_err(refused);
        }
        loop {
            let current = self.obtain_current(caller, &context, None).await?;
            let sealed = match current.seal(&self.lanes, binding, plaintext) {
                Sealed::Done(sealed) => sealed,
                Sealed::DoneAndLow(sealed) => {
                    self.wake.notify_one();
                    sealed
                }
                // Others used it up between its landing and here; each round seals at least one record of someone.
                Sealed::Exhausted => continue,
            };
            self.lanes.count(|tally| &tally.seals_after_miss);
            return sealed.map_err(refused);
        }
    }

    /// Gets the data key of a context: from the shelf, from a fetch that is under way, or by one that begins now.
    ///
    /// `replaces` is the serial of a key that is still good and is to be renewed all the same.
    pub(crate) async fn obtain_current(
        self: &Arc<Self>,
        caller: &Context,
        context: &Context,
        replaces: Option<u64>,
    ) -> Landing<Current> {
        let hash = self.hash(caller);
        let is_fresh = |current: &Current| {
            current.caller == *caller && Some(current.serial) != replaces && current.is_usable(Instant::now())
        };
        let wait = match self
            .sealing
            .join(caller.clone(), |shelf| shelf.with(hash, is_fresh, Arc::clone))
        {
            Ticket::Here(current) => return Ok(current),
            Ticket::Wait(wait) => wait,
            Ticket::Lead(mut flight, wait) => {
                self.keep();
                if replaces.is_some() {
                    count(&self.counters.renewals);
                }
                let (inner, caller, context) = (Arc::clone(self), caller.clone(), context.clone());
                // A task of its own: whoever asked first may be cancelled, and the others still get their key.
                tokio::spawn(async move {
                    let landed = loop {
                        let landing = inner.generate(&caller, &context).await.map(Arc::new);
                        if let Some(landed) = flight.land(landing, |_| hash, |new, old| new.caller == old.caller) {
                            break landed;
                        }
                    };
                    if let Err(error) = landed {
                        tracing::warn!(
                            key = inner.key,
                            error = &error as &dyn std::error::Error,
                            "no data key to seal with"
                        );
                    }
                    inner.wake.notify_one();
                });
                wait
            }
        };
        match wait.landed().await {
            // Who asked for another one is not served by the one there is.
            Err(error) if error.is_retryable() && replaces.is_none() => {
                self.current_in_outage(hash, caller).ok_or(error)
            }
            landing => landing,
        }
    }

    /// Finds a key past its end that may go on, because the provider can't be reached and a grace is set.
    fn current_in_outage(&self, hash: u64, caller: &Context) -> Option<Arc<Current>> {
        let now = Instant::now();
        let may_go_on = |current: &Current| current.caller == *caller && current.is_usable_in_outage(now);
        self.sealing.shelf.with(hash, may_go_on, Arc::clone)
    }

    /// Has the provider make a data key, and records that before the key is used.
    async fn generate(&self, caller: &Context, context: &Context) -> Result<Current, DataKeyError> {
        let asked = Instant::now();
        let ask = || self.provider.generate_data_key(&self.key, context);
        let generated = self.call("generate data key", &self.key, ask).await?;
        let record_key =
            RecordKey::derive(&generated.data_key).map_err(|error| DataKeyError::Answer(Arc::new(error)))?;
        drop(generated.data_key);
        let key = generated.wrapped.key;
        let header = Header::new(&key, &generated.wrapped.bytes, &record_key)
            .map_err(|error| DataKeyError::Answer(Arc::new(error)))?;
        self.record_data_key(AccessOperation::GenerateDataKey, &key, context)
            .await?;
        self.add_anchor(&key);
        let settings = &self.settings;
        let created = Instant::now();
        // Renewal comes in the last quarter, spread so that many processes don't come at once.
        let renew_after = settings.max_age.mul_f64(0.75 + 0.15 * self.random_fraction());
        Ok(Current {
            serial: next_serial(),
            caller: caller.clone(),
            context: context.clone(),
            known: self.known(&key, asked),
            key,
            created,
            renew_at: created + renew_after,
            end: created + settings.max_age,
            removal: created + settings.max_age + settings.outage_grace,
            record_key,
            header,
            budget: Arc::new(Budget::new(settings.max_messages, settings.max_bytes)),
            marks: Marks::default(),
        })
    }

    /// Records that a data key was obtained; without its event it is not used.
    pub(crate) async fn record_data_key(
        &self,
        operation: AccessOperation,
        key: &str,
        context: &Context,
    ) -> Result<(), DataKeyError> {
        let Some(log) = self.access.per_data_key() else {
            return Ok(());
        };
        let access = Access {
            operation,
            key: key.to_owned(),
            context: context.clone(),
            binding: Vec::new(),
            cache_hit: false,
            refused: false,
        };
        log.record(&access)
            .await
            .map_err(|error| DataKeyError::AccessLog(Arc::new(error)))
    }

    /// Renews a key in the background, if nobody does yet.
    pub(crate) fn renew(self: &Arc<Self>, current: &Arc<Current>) {
        let (inner, current) = (Arc::clone(self), Arc::clone(current));
        tokio::spawn(async move {
            // A failure is logged where it happens, and tried again by the keeper.
            let _ = inner
                .obtain_current(&current.caller, &current.context, Some(current.serial))
                .await;
        });
    }
}
