use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bulla_crypto::record::Record;
use bulla_crypto::{Context, Random, SecretBytes};
use bulla_envelope::{AccessRecord, BuildError, KeyRing, OpenError, Sealer, Settings};

use crate::foreign::{OpeningKey, ReplacedSeal};
use crate::stats::Counters;
use crate::{KeyName, Namespace, NamespaceKeys, NamespaceStats, OnPlaintext, OnUndecodable, PURPOSE, SampleKeys};

/// One namespace with its Sealers: the first seals and opens, the others, of decrypt-only keys, open.
pub(crate) struct Keyed {
    namespace: Namespace,
    context: Context,
    sealers: Vec<Scheme>,
    /// Unwraps what the replaced server sealed.
    replaced: Scheme,
    max_age: Duration,
    pub(crate) samples: Arc<SampleKeys>,
    pub(crate) on_undecodable: OnUndecodable,
    pub(crate) on_plaintext: OnPlaintext,
    pub(crate) counters: Counters,
}

/// A Sealer, the scheme of the keys that its provider knows, and the name of its own.
struct Scheme {
    name: &'static str,
    key: String,
    sealer: Sealer,
}

impl Keyed {
    pub(crate) fn new(
        namespace: Namespace,
        keys: NamespaceKeys,
        settings: &Settings,
        random: &Arc<dyn Random>,
    ) -> Result<Self, BuildError> {
        let accepting = |ring| keys.accept.iter().cloned().fold(ring, KeyRing::accept);
        let build = |key: &KeyName, ring: KeyRing| {
            // Whoever serves requests records each of them; a worker's own codec is beyond any log.
            let access = AccessRecord::Unrecorded;
            let name = key.of(&namespace);
            let builder = Sealer::builder(Arc::clone(&key.provider), name.clone(), access, Arc::clone(random));
            let sealer = builder
                .purpose(PURPOSE)
                .key_ring(ring)
                .settings(settings.clone())
                .build()?;
            Ok(Scheme {
                name: key.provider.capabilities().scheme,
                key: name,
                sealer,
            })
        };
        let mut sealers = vec![build(&keys.key, accepting(KeyRing::same_account()))?];
        // What that server sealed is bound to no namespace: its key alone separates it, so one of the same account is not enough.
        let replaced = build(&keys.key, accepting(KeyRing::sealing_key()))?;
        for key in &keys.decrypt_only {
            sealers.push(build(key, KeyRing::sealing_key())?);
        }
        // "The record's context has two pairs: `namespace`, the Temporal namespace, and `bulla:purpose`"
        let context =
            Context::from_caller_pairs([("namespace", namespace.as_str())]).map_err(BuildError::OwnContext)?;
        Ok(Self {
            context,
            namespace,
            sealers,
            replaced,
            max_age: settings.max_age,
            samples: keys.samples,
            on_undecodable: keys.on_undecodable,
            on_plaintext: keys.on_plaintext,
            counters: Counters::default(),
        })
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The Sealer that seals; there always is one.
    pub(crate) fn sealing(&self) -> &Sealer {
        &self.sealers[0].sealer
    }

    /// The scheme of the key that seals.
    pub(crate) fn scheme(&self) -> &'static str {
        self.sealers[0].name
    }

    /// The name of the key that seals, as configured.
    pub(crate) fn key(&self) -> &str {
        &self.sealers[0].key
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Opens a record if its data key is here.
    pub(crate) fn try_open(&self, record: &[u8]) -> Option<Result<SecretBytes, OpenError>> {
        let mut tried = self
            .sealers
            .iter()
            .map(|scheme| scheme.sealer.try_open_cached(record, &self.context, b""));
        tried.find_map(|opened| opened)
    }

    /// Opens a record with whichever key is its own.
    pub(crate) async fn open(&self, record: &[u8]) -> Result<SecretBytes, OpenError> {
        let key = Record::parse(record).map_err(OpenError::Format)?.key().to_owned();
        let mut refused = OpenError::KeyNotAccepted { key: key.clone() };
        for scheme in &self.sealers {
            if key.split_once(':').is_some_and(|(name, _)| name == scheme.name) {
                match scheme.sealer.open(record, &self.context, b"").await {
                    Err(error @ OpenError::KeyNotAccepted { .. }) => refused = error,
                    opened => return opened,
                }
            }
        }
        Err(refused)
    }

    /// The scheme of a key of the replaced server: that of a decrypt-only key which is configured by this name, else the sealing key's.
    pub(crate) fn scheme_of_replaced(&self, id: &str) -> &'static str {
        let named = self.sealers[1..].iter().find(|scheme| scheme.key == id);
        named.map_or(self.scheme(), |scheme| scheme.name)
    }

    /// Finds a data key of the replaced server, if it is here.
    pub(crate) fn cached_replaced(&self, seal: &ReplacedSeal) -> Option<OpeningKey> {
        let none = Context::empty();
        let mut tried = self.opening_replaced(&seal.key);
        let kept = tried.find_map(|scheme| scheme.sealer.try_unwrap_cached(&seal.key, &seal.wrapped, &none))?;
        OpeningKey::new(kept.expose_secret())
    }

    /// Has a data key of the replaced server unwrapped.
    pub(crate) async fn obtain_replaced(&self, seal: &ReplacedSeal) -> Result<OpeningKey, OpenError> {
        // "under the data key that `kms_key_id` unwraps, with an empty encryption context"
        let none = Context::empty();
        let mut refused = OpenError::KeyNotAccepted { key: seal.key.clone() };
        for scheme in self.opening_replaced(&seal.key) {
            match scheme.sealer.unwrap_data_key(&seal.key, &seal.wrapped, &none).await {
                Err(error @ OpenError::KeyNotAccepted { .. }) => refused = error,
                Err(error) => return Err(error),
                Ok(data_key) => return OpeningKey::new(data_key.expose_secret()).ok_or(OpenError::Refused),
            }
        }
        Err(refused)
    }

    fn opening_replaced(&self, key: &str) -> impl Iterator<Item = &Scheme> {
        let name = key.split_once(':').map(|(name, _)| name);
        let all = std::iter::once(&self.replaced).chain(&self.sealers[1..]);
        all.filter(move |scheme| name == Some(scheme.name))
    }

    pub(crate) fn clear(&self) {
        self.all().for_each(|scheme| scheme.sealer.clear());
    }

    pub(crate) fn stats(&self) -> NamespaceStats {
        let others: Vec<_> = self.all().skip(1).map(|scheme| scheme.sealer.stats()).collect();
        let sealing = self.sealing().stats();
        self.counters.stats(sealing, &others, self.max_age)
    }

    fn all(&self) -> impl Iterator<Item = &Scheme> {
        self.sealers.iter().chain([&self.replaced])
    }

    pub(crate) fn note_sealing(&self, works: bool) {
        self.counters.can_not_seal.store(!works, Ordering::Relaxed);
    }
}
