use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use bulla_crypto::{Context, ContextError, OWN_KEY_PREFIX, Random};
use bulla_kms::KeyProvider;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::breaker::Breakers;
use crate::cache::Cache;
use crate::current::Current;
use crate::keeper::Keepers;
use crate::lane::Lanes;
use crate::stats::Counters;
use crate::unwrapped::{ForeignKey, Unwrapped, WrappedIdentity};
use crate::{AccessRecord, BuildError, DataKeyError, KeyRing, SealerBuilder, Settings, Stats};

/// Seals values into records, and opens them, under data keys that a provider wraps.
///
/// A clone is the same Sealer: it shares caches and limits. `async` methods need a Tokio runtime with time; where the data key is in
/// the cache they are done at the first poll. Dropping the last clone ends the tasks in the background and wipes the keys; a fetch that
/// is under way ends first.
#[derive(Clone)]
pub struct Sealer {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) provider: Arc<dyn KeyProvider>,
    /// The key as configured; resolved anew whenever a data key is generated.
    pub(crate) key: String,
    /// The Sealer's own context pairs, under `bulla:`.
    pub(crate) own: Vec<(String, String)>,
    pub(crate) access: AccessRecord,
    pub(crate) ring: KeyRing,
    pub(crate) settings: Settings,
    pub(crate) lanes: Lanes,
    pub(crate) hash_seed: u64,
    pub(crate) sealing: Arc<Cache<Context, Current>>,
    pub(crate) opening: Arc<Cache<WrappedIdentity, Unwrapped>>,
    /// Data keys of other formats.
    pub(crate) foreign: Arc<Cache<WrappedIdentity, Unwrapped<ForeignKey>>>,
    pub(crate) breakers: Breakers,
    pub(crate) counters: Counters,
    /// Names of the sealing key that this process has learned: as configured if that says enough, and as resolved.
    pub(crate) anchors: ArcSwap<Vec<String>>,
    /// Whether the configured name may come to lead to another key: an alias, or a name that says too little.
    pub(crate) follows: bool,
    /// Held by whoever asks where it leads, and by nobody else.
    pub(crate) resolving: tokio::sync::Mutex<()>,
    resolved_at: Mutex<Option<Instant>>,
    /// Wakes the keeper.
    pub(crate) wake: Arc<Notify>,
    pub(crate) keepers: Mutex<Keepers>,
    /// Dropped with the Sealer; the keepers see that.
    pub(crate) closing: watch::Sender<()>,
}

impl Sealer {
    /// Begins a Sealer over `provider`, sealing under `key`: what follows the scheme of a key URI.
    ///
    /// `access` says which uses of keys are recorded where. It has no default: not recording is a choice that is written down.
    pub fn builder(
        provider: Arc<dyn KeyProvider>,
        key: impl Into<String>,
        access: AccessRecord,
        random: Arc<dyn Random>,
    ) -> SealerBuilder {
        SealerBuilder::new(provider, key.into(), access, random)
    }

    pub(crate) fn from_builder(builder: SealerBuilder) -> Result<Self, BuildError> {
        let SealerBuilder {
            provider,
            key,
            access,
            random,
            own,
            ring,
            settings,
        } = builder;
        settings.check()?;
        own.iter()
            .try_fold(Context::empty(), |context, (key, value)| context.with_own(key, value))
            .map_err(BuildError::OwnContext)?;
        let anchor = ring.anchor(provider.capabilities().scheme, &key);
        let inner = Inner {
            breakers: Breakers::new(settings.breaker_threshold, settings.breaker_pause),
            lanes: Lanes::new(random, settings.nonce_batch),
            sealing: Cache::new(settings.current_capacity),
            opening: Cache::new(settings.unwrapped_capacity),
            foreign: Cache::new(settings.unwrapped_capacity),
            follows: anchor.is_none(),
            anchors: ArcSwap::from_pointee(anchor.into_iter().collect()),
            hash_seed: RandomState::new().hash_one(0),
            counters: Counters::default(),
            resolving: tokio::sync::Mutex::default(),
            resolved_at: Mutex::default(),
            wake: Arc::default(),
            keepers: Mutex::default(),
            closing: watch::Sender::new(()),
            provider,
            key,
            own,
            access,
            ring,
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Drops every data key of `key`, given as configured or as resolved.
    ///
    /// As configured, it stands for the sealing key and for every key that the key ring accepts beside it: what the name leads to may
    /// never have been asked, so no unwrapped key is kept for another reason than that the ring let it in.
    /// When this returns, no thread begins to use one of them. What is being fetched is fetched again.
    pub fn invalidate(&self, key: &str) {
        self.inner.invalidate(key);
    }

    /// Drops every data key. Records are not affected: their keys are unwrapped again when needed.
    pub fn clear(&self) {
        self.inner.sealing.invalidate(|_| true);
        self.inner.opening.invalidate(|_| true);
        self.inner.foreign.invalidate(|_| true);
    }

    /// Replaces the data keys that seal, now; each is sealed with until its successor is there, and what it sealed opens as before.
    ///
    /// The key is resolved again by that, so an alias that moved takes effect. Gives the number of data keys that were replaced.
    ///
    /// # Errors
    /// [`DataKeyError`] of the first that could not be replaced: it stays until its end.
    pub async fn renew(&self) -> Result<usize, DataKeyError> {
        let mut held = Vec::new();
        self.inner
            .sealing
            .shelf
            .for_each(|current| held.push(Arc::clone(current)));
        let mut failed = None;
        let mut replaced = 0;
        for current in held {
            let renewed = self
                .inner
                .obtain_current(&current.caller, &current.context, Some(current.serial));
            match renewed.await {
                Ok(_) => replaced += 1,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(replaced), Err)
    }

    /// Tells what this Sealer has done and holds. Walks the caches: for a metrics endpoint, not for each record.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl Inner {
    /// Adds the Sealer's own pairs to a caller's context.
    pub(crate) fn bind(&self, caller: &Context) -> Result<Context, ContextError> {
        if caller.iter().any(|(key, _)| key.starts_with(OWN_KEY_PREFIX)) {
            return Err(ContextError::ReservedKey);
        }
        self.own
            .iter()
            .try_fold(caller.clone(), |context, (key, value)| context.with_own(key, value))
    }

    #[inline]
    pub(crate) fn hash(&self, caller: &Context) -> u64 {
        hash_bytes(self.hash_seed, caller.as_bytes())
    }

    pub(crate) fn invalidate(&self, key: &str) {
        let configured = key == self.key;
        self.sealing
            .invalidate(|current| configured || names(key, &current.key));
        self.opening
            .invalidate(|unwrapped| configured || names(key, &unwrapped.identity.key));
        self.foreign
            .invalidate(|unwrapped| configured || names(key, &unwrapped.identity.key));
    }

    /// Learns a resolved name of the sealing key, which its provider has just said.
    pub(crate) fn add_anchor(&self, key: &str) {
        self.note_resolved();
        if !self.is_anchor(key) {
            self.anchors.rcu(|anchors| {
                let mut more = anchors.as_ref().clone();
                if !more.iter().any(|known| known == key) {
                    more.push(key.to_owned());
                }
                more
            });
        }
    }

    pub(crate) fn note_resolved(&self) {
        *self.resolved_at() = Some(Instant::now());
    }

    pub(crate) fn may_resolve(&self, now: Instant) -> bool {
        self.resolved_at()
            .is_none_or(|at| now.saturating_duration_since(at) >= self.settings.poll_interval)
    }

    fn resolved_at(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.resolved_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_anchor(&self, key: &str) -> bool {
        self.anchors.load().iter().any(|anchor| anchor == key)
    }

    fn stats(&self) -> Stats {
        let now = Instant::now();
        let tallies = &self.lanes.tallies;
        let shared = &self.counters;
        let seals = tallies.sum(|tally| &tally.seals);
        let mut stats = Stats {
            seal_hits: seals.saturating_sub(tallies.sum(|tally| &tally.seals_after_miss)),
            seal_misses: tallies.sum(|tally| &tally.seal_misses),
            open_hits: tallies.sum(|tally| &tally.open_hits),
            open_misses: tallies.sum(|tally| &tally.open_misses),
            keys_not_accepted: shared.keys_not_accepted.load(Ordering::Relaxed),
            provider_calls: shared.provider_calls.load(Ordering::Relaxed),
            provider_polls: shared.provider_polls.load(Ordering::Relaxed),
            provider_failures: shared.provider_failures.load(Ordering::Relaxed),
            provider_skipped: shared.provider_skipped.load(Ordering::Relaxed),
            renewals: shared.renewals.load(Ordering::Relaxed),
            circuit_open: self.breakers.any_open(),
            ..Stats::default()
        };
        self.sealing.shelf.for_each(|current| {
            stats.current_keys += 1;
            stats.oldest_current = stats.oldest_current.max(now.saturating_duration_since(current.created));
        });
        let mut count_unwrapped = |created| {
            stats.unwrapped_keys += 1;
            stats.oldest_unwrapped = stats.oldest_unwrapped.max(now.saturating_duration_since(created));
        };
        self.opening
            .shelf
            .for_each(|unwrapped| count_unwrapped(unwrapped.created));
        self.foreign
            .shelf
            .for_each(|unwrapped| count_unwrapped(unwrapped.created));
        stats
    }

    pub(crate) fn keepers(&self) -> std::sync::MutexGuard<'_, Keepers> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hashes a context to find where to compare its bytes: folded multiplication, as wyhash has it, from a seed of this process.
///
/// Not against an adversary, and it need not be: contexts made to collide share a shard, whose size is bounded, and are told apart by
/// their bytes.
#[inline]
fn hash_bytes(seed: u64, bytes: &[u8]) -> u64 {
    const ODD: [u64; 2] = [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let word = |chunk: &[u8; 16], at: usize| chunk[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let mix = |hash: u64, chunk: &[u8; 16]| fold(word(chunk, 0) ^ ODD[0], word(chunk, 8) ^ ODD[1] ^ hash);
    let seed = seed ^ (bytes.len() as u64);
    let hash = match bytes.last_chunk::<16>() {
        // The last chunk overlaps the one before: cheaper than to pad it.
        Some(last) => mix(bytes.as_chunks().0.iter().fold(seed, mix), last),
        None => bytes
            .iter()
            .fold(seed, |hash, byte| fold(hash ^ u64::from(*byte), ODD[1])),
    };
    fold(hash ^ ODD[0], ODD[1])
}

/// Tells whether `name`, with or without its scheme, names the resolved key `resolved`.
fn names(name: &str, resolved: &str) -> bool {
    let bare = resolved
        .split_once(':')
        .map_or(resolved, |(_, bare)| bare.trim_start_matches('/'));
    name == resolved || name == bare
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("provider", &self.inner.provider.instance())
            .field("key", &self.inner.key)
            .field("own_context", &self.inner.own)
            .field("access", &self.inner.access)
            .finish_non_exhaustive()
    }
}
