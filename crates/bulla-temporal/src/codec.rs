mod keyed;
mod opened;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bulla_crypto::Random;
use bulla_envelope::Settings;

pub(crate) use keyed::Keyed;
pub(crate) use opened::Opened;

use crate::namespaces::Found;
use crate::{CodecError, Namespace, NamespaceStats, Namespaces, Payload, Work};

/// Encodes and decodes payloads, each namespace under its own keys.
///
/// Shared between tasks as it is. `async` methods need a Tokio runtime with time.
pub struct PayloadCodec {
    namespaces: Namespaces,
    settings: Settings,
    random: Arc<dyn Random>,
    opened: Arc<Opened>,
}

impl PayloadCodec {
    /// Takes the table of namespaces, and how each one's Sealer caches and calls.
    #[must_use]
    pub fn new(namespaces: Namespaces, settings: Settings, random: Arc<dyn Random>) -> Self {
        Self {
            namespaces,
            settings,
            random,
            opened: Arc::default(),
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
        self.prepare(namespace, payloads, Work::encode).await
    }

    /// Does of a decode what needs no key provider, unless the namespace's keys must be made first.
    ///
    /// # Errors
    /// As [`prepare_encode`](Self::prepare_encode).
    pub async fn prepare_decode(&self, namespace: &Namespace, payloads: Vec<Payload>) -> Result<Work, CodecError> {
        self.prepare(namespace, payloads, Work::decode).await
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

    /// Prepares work with the namespace's keys, which are kept when it is finished.
    async fn prepare(
        &self,
        namespace: &Namespace,
        payloads: Vec<Payload>,
        begin: fn(Arc<Keyed>, Vec<Payload>) -> Result<Work, CodecError>,
    ) -> Result<Work, CodecError> {
        let opened = Arc::clone(&self.opened);
        match self.opened.find(namespace) {
            Some(keyed) => Ok(begin(keyed, payloads)?.kept_in(opened, false)),
            None => Ok(begin(self.keyed(namespace).await?, payloads)?.kept_in(opened, true)),
        }
    }

    async fn keyed(&self, namespace: &Namespace) -> Result<Arc<Keyed>, CodecError> {
        let build = |keys| {
            let keyed = Keyed::new(namespace.clone(), keys, &self.settings, &self.random);
            keyed.map(Arc::new).map_err(|error| CodecError::SetUp(Box::new(error)))
        };
        match self.namespaces.find(namespace) {
            Some(Found::Keys(keys)) => build(keys),
            Some(Found::Make(maker)) => {
                // Made once: so these have their place from the beginning.
                let make = || async {
                    let made = maker.make_keys(namespace).await;
                    build(made.map_err(|error| CodecError::SetUp(Box::new(error)))?)
                };
                self.opened.slot(namespace).keyed.get_or_try_init(make).await.cloned()
            }
            None => Err(CodecError::UnknownNamespace(namespace.clone())),
        }
    }

    fn ready(&self, namespace: Option<&Namespace>) -> Vec<Arc<Keyed>> {
        self.opened.all(|name| namespace.is_none_or(|wanted| wanted == name))
    }
}

impl fmt::Debug for PayloadCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadCodec")
            .field("namespaces", &self.namespaces)
            .finish_non_exhaustive()
    }
}
