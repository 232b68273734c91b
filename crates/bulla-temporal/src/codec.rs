mod keyed;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bulla_crypto::Random;
use bulla_envelope::Settings;
use tokio::sync::OnceCell;

pub(crate) use keyed::Keyed;

use crate::namespaces::Found;
use crate::{CodecError, Namespace, NamespaceStats, Namespaces, Payload, Work};

/// Encodes and decodes payloads, each namespace under its own keys.
///
/// Shared between tasks as it is. `async` methods need a Tokio runtime with time.
pub struct PayloadCodec {
    namespaces: Namespaces,
    settings: Settings,
    random: Arc<dyn Random>,
    opened: Mutex<HashMap<Namespace, Arc<Slot>>>,
    uses: AtomicU64,
}

#[derive(Default)]
struct Slot {
    keyed: OnceCell<Arc<Keyed>>,
    last_used: AtomicU64,
}

/// Namespaces that have their Sealer in memory; one more takes the place of the one not used for longest.
const MOST_NAMESPACES: usize = 1_024;

impl PayloadCodec {
    /// Takes the table of namespaces, and how each one's Sealer caches and calls.
    #[must_use]
    pub fn new(namespaces: Namespaces, settings: Settings, random: Arc<dyn Random>) -> Self {
        Self {
            namespaces,
            settings,
            random,
            opened: Mutex::default(),
            uses: AtomicU64::new(0),
        }
    }

    /// The cache settings of a codec: data keys of 1 h, unwrapped keys for 24 h, calls of 2 s.
    #[must_use]
    pub fn default_settings() -> Settings {
        Settings {
            max_age: Duration::from_secs(3600),
            unwrapped_ttl: Duration::from_secs(24 * 3600),
            call_timeout: Duration::from_secs(2),
            // One context a namespace, and one Sealer: the current key and its successor.
            current_capacity: 16,
            ..Settings::default()
        }
    }

    /// Seals payloads: same count, same order.
    ///
    /// # Errors
    /// [`CodecError`]; then nothing was sealed.
    pub async fn encode(&self, namespace: &Namespace, payloads: Vec<Payload>) -> Result<Vec<Payload>, CodecError> {
        let work = self.prepare_encode(namespace, payloads).await?;
        Ok(work.finish().await?.into_payloads())
    }

    /// Opens payloads: same count, same order.
    ///
    /// # Errors
    /// [`CodecError`]; then no plaintext left.
    pub async fn decode(&self, namespace: &Namespace, payloads: Vec<Payload>) -> Result<Vec<Payload>, CodecError> {
        let work = self.prepare_decode(namespace, payloads).await?;
        Ok(work.finish().await?.into_payloads())
    }

    /// Does of an encode what needs no key provider, unless the namespace's keys must be made first.
    ///
    /// # Errors
    /// [`CodecError::UnknownNamespace`], [`CodecError::SetUp`], [`CodecError::Payload`].
    pub async fn prepare_encode(&self, namespace: &Namespace, payloads: Vec<Payload>) -> Result<Work, CodecError> {
        Work::encode(self.keyed(namespace).await?, payloads)
    }

    /// Does of a decode what needs no key provider, unless the namespace's keys must be made first.
    ///
    /// # Errors
    /// As [`prepare_encode`](Self::prepare_encode).
    pub async fn prepare_decode(&self, namespace: &Namespace, payloads: Vec<Payload>) -> Result<Work, CodecError> {
        Work::decode(self.keyed(namespace).await?, payloads)
    }

    /// Replaces the data keys that seal, in all namespaces or in one; each alias is resolved again by that. Old ones go on opening.
    ///
    /// Gives the number of data keys that were replaced.
    ///
    /// # Errors
    /// A provider fails; then its namespaces go on with the data keys that they have, until those end.
    pub async fn rotate(&self, namespace: Option<&Namespace>) -> Result<usize, CodecError> {
        let mut renewed = 0;
        let mut failed = None;
        for keyed in self.ready(namespace) {
            match keyed.sealing().renew().await {
                Ok(count) => renewed += count,
                Err(error) => failed = failed.or(Some(CodecError::of_key(error))),
            }
        }
        failed.map_or(Ok(renewed), Err)
    }

    /// Drops every data key, of all namespaces or of one: what comes next asks the providers.
    pub fn clear(&self, namespace: Option<&Namespace>) {
        self.ready(namespace).iter().for_each(|keyed| keyed.clear());
    }

    /// Tells what each namespace that was used has done and holds, by name.
    pub fn stats(&self) -> Vec<(Namespace, NamespaceStats)> {
        let mut stats: Vec<_> = self
            .ready(None)
            .iter()
            .map(|keyed| (keyed.namespace().clone(), keyed.stats()))
            .collect();
        stats.sort_by(|(a, _), (b, _)| a.cmp(b));
        stats
    }

    async fn keyed(&self, namespace: &Namespace) -> Result<Arc<Keyed>, CodecError> {
        let slot = self.slot(namespace)?;
        if let Some(keyed) = slot.keyed.get() {
            return Ok(Arc::clone(keyed));
        }
        let set_up = || async {
            let keys = match self.namespaces.find(namespace) {
                Some(Found::Keys(keys)) => keys,
                Some(Found::Make(maker)) => {
                    let made = maker.make_keys(namespace).await;
                    made.map_err(|error| CodecError::SetUp(Box::new(error)))?
                }
                None => return Err(CodecError::UnknownNamespace(namespace.clone())),
            };
            let keyed = Keyed::new(namespace.clone(), keys, &self.settings, &self.random);
            keyed.map(Arc::new).map_err(|error| CodecError::SetUp(Box::new(error)))
        };
        slot.keyed.get_or_try_init(set_up).await.cloned()
    }

    fn slot(&self, namespace: &Namespace) -> Result<Arc<Slot>, CodecError> {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut opened = self.opened();
        if let Some(slot) = opened.get(namespace) {
            slot.last_used.store(now, Ordering::Relaxed);
            return Ok(Arc::clone(slot));
        }
        // A name that nobody configured takes no memory.
        if self.namespaces.find(namespace).is_none() {
            return Err(CodecError::UnknownNamespace(namespace.clone()));
        }
        if opened.len() >= MOST_NAMESPACES {
            let last_used = |slot: &Arc<Slot>| slot.last_used.load(Ordering::Relaxed);
            let idle = opened.iter().min_by_key(|(_, slot)| last_used(slot));
            if let Some(idle) = idle.map(|(name, _)| name.clone()) {
                opened.remove(&idle);
            }
        }
        let slot = Arc::<Slot>::default();
        slot.last_used.store(now, Ordering::Relaxed);
        opened.insert(namespace.clone(), Arc::clone(&slot));
        Ok(slot)
    }

    fn ready(&self, namespace: Option<&Namespace>) -> Vec<Arc<Keyed>> {
        let opened = self.opened();
        let wanted = opened
            .iter()
            .filter(|(name, _)| namespace.is_none_or(|wanted| wanted == *name));
        wanted.filter_map(|(_, slot)| slot.keyed.get().cloned()).collect()
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<Namespace, Arc<Slot>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PayloadCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadCodec")
            .field("namespaces", &self.namespaces)
            .finish_non_exhaustive()
    }
}
