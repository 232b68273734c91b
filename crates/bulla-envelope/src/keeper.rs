//! What a Sealer does in the background: it takes out what has come to its end, renews what is in use, and polls key states.
//!
//! Both tasks begin with the first miss, hold the Sealer weakly, and end when it is dropped. Neither is needed for ages, limits and
//! the revocation bound to hold: those are checked at each use. Without a poll the bound is not extended.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bulla_kms::{KeyDescription, KeyProvider, KeyState, KmsError, KmsErrorKind};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::cache::Cache;
use crate::calls::attempt;
use crate::current::Current;
use crate::known::Known;
use crate::sealer::Inner;
use crate::stats::count;
use crate::unwrapped::{Unwrapped, WrappedIdentity};

/// The tasks of a Sealer, and what the poller has learned.
#[derive(Default)]
pub(crate) struct Keepers {
    keeper: Option<JoinHandle<()>>,
    poller: Option<JoinHandle<()>>,
    /// Until when each resolved key that has entries is known to be enabled.
    known: HashMap<String, Arc<Known>>,
}

/// The keeper looks at the shelves at most this often, unless it is woken.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);
/// The keeper looks at the shelves at least this often.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

impl Inner {
    /// Starts the background tasks unless they run, also again if the runtime that they ran on is gone.
    pub(crate) fn keep(self: &Arc<Self>) {
        let runs = |task: &Option<JoinHandle<()>>| task.as_ref().is_some_and(|task| !task.is_finished());
        let mut keepers = self.keepers();
        if !runs(&keepers.keeper) {
            let (inner, wake, closing) = (Arc::downgrade(self), Arc::clone(&self.wake), self.closing.subscribe());
            keepers.keeper = Some(tokio::spawn(run_keeper(inner, wake, closing)));
        }
        if self.provider.capabilities().key_state && !runs(&keepers.poller) {
            let (inner, closing) = (Arc::downgrade(self), self.closing.subscribe());
            keepers.poller = Some(tokio::spawn(run_poller(inner, self.settings.poll_interval, closing)));
        }
    }

    /// Takes out what has ended and renews what is used; tells when to look again. `tried` holds, by serial, when a key that was to be
    /// renewed may be tried again.
    fn tend(self: &Arc<Self>, tried: &mut HashMap<u64, Instant>) -> Instant {
        let now = Instant::now();
        let mut next = now + LONGEST_WAIT;
        let mut ended = false;
        let mut live = HashMap::new();
        self.sealing.shelf.for_each(|current| {
            let removal = current.taken_out_at();
            if now >= removal {
                ended = true;
                return;
            }
            next = next.min(removal);
            if let Some(at) = current.renewal(now) {
                let mut at = tried.get(&current.serial).map_or(at, |again| at.max(*again));
                if at <= now {
                    self.renew(current);
                    at = now + (self.settings.max_age / 20).clamp(Duration::from_millis(100), Duration::from_secs(15));
                    live.insert(current.serial, at);
                } else if let Some(again) = tried.get(&current.serial) {
                    live.insert(current.serial, *again);
                }
                next = next.min(at);
            }
        });
        *tried = live;
        if ended {
            self.sealing.expire(|current| now >= current.taken_out_at());
        }
        next.min(tend_unwrapped(&self.opening, now))
            .min(tend_unwrapped(&self.foreign, now))
            .max(now + SHORTEST_WAIT)
    }

    /// Notes that a provider used `key` when it was asked at `asked`, so that it was enabled, and gives what new entries share.
    pub(crate) fn known(&self, key: &str, asked: Instant) -> Arc<Known> {
        if !self.provider.capabilities().key_state {
            return Arc::new(Known::for_ever(asked));
        }
        let mut keepers = self.keepers();
        let known = match keepers.known.get(key) {
            Some(known) => Arc::clone(known),
            None => {
                let known = Arc::new(Known::nothing(asked));
                keepers.known.insert(key.to_owned(), Arc::clone(&known));
                known
            }
        };
        known.extend(asked + self.settings.revocation_bound);
        known
    }

    fn keys_in_use(&self) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        self.sealing.shelf.for_each(|current| {
            keys.insert(current.key.clone());
        });
        self.opening.shelf.for_each(|unwrapped| {
            keys.insert(unwrapped.identity.key.clone());
        });
        self.foreign.shelf.for_each(|unwrapped| {
            keys.insert(unwrapped.identity.key.clone());
        });
        keys
    }

    /// Acts on what a poll says about one key, asked at `asked`.
    fn polled(&self, key: &str, asked: Instant, answer: Result<KeyDescription, KmsError>) {
        match answer {
            Ok(KeyDescription {
                state: KeyState::Enabled,
                ..
            }) => {
                if let Some(known) = self.keepers().known.get(key) {
                    known.extend(asked + self.settings.revocation_bound);
                }
            }
            Ok(KeyDescription { state, .. }) => {
                tracing::warn!(
                    key,
                    ?state,
                    "the key may not be used any more: its data keys are dropped"
                );
                self.invalidate(key);
            }
            Err(error) => {
                count(&self.counters.provider_failures);
                tracing::warn!(key, kind = %error.kind, "the key's state can't be had");
                if matches!(error.kind, KmsErrorKind::NotFound | KmsErrorKind::KeyDisabled) {
                    self.invalidate(key);
                }
            }
        }
    }
}

impl Current {
    fn taken_out_at(&self) -> Instant {
        self.removal.min(self.known.until())
    }

    /// Tells when to renew this key, or to look at it again; `None` if it is left to end.
    fn renewal(&self, now: Instant) -> Option<Instant> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.marks.low.load(Relaxed) {
            return Some(now);
        }
        (self.marks.used.load(Relaxed) || now < self.renew_at).then_some(self.renew_at)
    }
}

/// Takes out unwrapped keys that have ended; tells when the next one does.
fn tend_unwrapped<K>(cache: &Cache<WrappedIdentity, Unwrapped<K>>, now: Instant) -> Instant {
    let mut next = now + LONGEST_WAIT;
    let mut ended = false;
    cache.shelf.for_each(|unwrapped| {
        let removal = unwrapped.taken_out_at();
        ended |= now >= removal;
        next = next.min(removal);
    });
    if ended {
        cache.expire(|unwrapped| now >= unwrapped.taken_out_at());
    }
    next
}

impl<K> Unwrapped<K> {
    fn taken_out_at(&self) -> Instant {
        self.removal.min(self.known.until())
    }
}

async fn run_keeper(inner: Weak<Inner>, wake: Arc<Notify>, mut closing: watch::Receiver<()>) {
    let mut tried = HashMap::new();
    loop {
        let Some(next) = inner.upgrade().map(|inner| inner.tend(&mut tried)) else {
            return;
        };
        tokio::select! {
            _ = closing.changed() => return,
            () = wake.notified() => {}
            () = sleep_until(next) => {}
        }
    }
}

async fn run_poller(inner: Weak<Inner>, interval: Duration, mut closing: watch::Receiver<()>) {
    let mut next = Instant::now() + interval;
    loop {
        tokio::select! {
            _ = closing.changed() => return,
            () = sleep_until(next) => {}
        }
        next += interval;
        let asked = Instant::now();
        // Dropped with this task, and the calls with it.
        let mut polls = JoinSet::new();
        {
            let Some(inner) = inner.upgrade() else { return };
            let keys = inner.keys_in_use();
            // What no entry, and none on its way to a shelf, shares any more.
            inner.keepers().known.retain(|_, known| Arc::strong_count(known) > 1);
            for key in keys {
                count(&inner.counters.provider_polls);
                polls.spawn(poll(Arc::clone(&inner.provider), inner.settings.call_timeout, key));
            }
        }
        loop {
            let polled = tokio::select! {
                _ = closing.changed() => return,
                polled = polls.join_next() => polled,
            };
            let Some(inner) = inner.upgrade() else { return };
            match polled {
                None => break,
                Some(Ok((key, answer))) => inner.polled(&key, asked, answer),
                // A poll that panicked is a poll that failed.
                Some(Err(_)) => count(&inner.counters.provider_failures),
            }
        }
        next = next.max(Instant::now());
    }
}

/// Asks for one key's state, once: the next poll is the retry. Holds the provider and not the Sealer, whose end ends the poll.
async fn poll(
    provider: Arc<dyn KeyProvider>,
    limit: Duration,
    key: String,
) -> (String, Result<KeyDescription, KmsError>) {
    let answer = attempt(limit, "describe", &key, provider.describe(&key)).await;
    (key, answer)
}
