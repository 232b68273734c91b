use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::DataKeyError;
use crate::shelf::Shelf;

/// A [`Shelf`] and the fetches that are under way to fill it: one for each identity, however many wait.
///
/// All writers hold the desk's lock: landing, invalidating, expiring. It is held for map operations and one copy of a shard, never
/// across a call or an await (`clippy::await_holding_lock` is denied, and no function that takes it is async). Readers of the shelf
/// don't take it.
///
/// Why nothing here is model-checked: threads share two things. The desk is a mutex. A shard is one pointer, which `arc-swap` swaps
/// and protects; a reader makes exactly one load for each record and takes the vector behind it as it is, and writers never race,
/// because of the desk. So there is no interleaving of two atomic operations of ours to explore: before the swap a reader sees
/// the old vector, after it the new one, and both are whole.
pub(crate) struct Cache<K, E> {
    pub(crate) shelf: Shelf<E>,
    desk: Mutex<Desk<K, E>>,
}

struct Desk<K, E> {
    flights: HashMap<K, watch::Receiver<Option<Landing<E>>>>,
    /// Counts invalidations: what was asked for before one is not put on the shelf after it.
    generation: u64,
    /// Counts entries, so that the oldest can be told.
    order: u64,
}

/// What a fetch brought.
pub(crate) type Landing<E> = Result<Arc<E>, DataKeyError>;

/// How a caller gets its entry.
pub(crate) enum Ticket<K: Hash + Eq + Clone, E> {
    /// It is on the shelf by now.
    Here(Arc<E>),
    /// Another caller fetches it.
    Wait(Wait<E>),
    /// This caller starts the fetch, in a task of its own, and waits like the others.
    Lead(Flight<K, E>, Wait<E>),
}

/// A place among those who wait for one fetch. Dropping it has no effect on the fetch.
pub(crate) struct Wait<E>(watch::Receiver<Option<Landing<E>>>);

impl<E> Wait<E> {
    pub(crate) async fn landed(mut self) -> Landing<E> {
        match self.0.wait_for(Option::is_some).await {
            Ok(landing) => landing.clone().unwrap_or(Err(DataKeyError::GivenUp)),
            Err(_) => Err(DataKeyError::GivenUp),
        }
    }
}

/// The duty to land one fetch. Dropped without landing, it fails those who wait and makes way for the next.
pub(crate) struct Flight<K: Hash + Eq + Clone, E> {
    cache: Arc<Cache<K, E>>,
    identity: K,
    generation: u64,
    flights: u32,
    sender: watch::Sender<Option<Landing<E>>>,
}

/// Invalidated again this often while in flight, a fetch fails.
const FLIGHTS: u32 = 4;

impl<K: Hash + Eq + Clone, E> Cache<K, E> {
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        let desk = Desk {
            flights: HashMap::new(),
            generation: 0,
            order: 0,
        };
        Arc::new(Self {
            shelf: Shelf::new(capacity),
            desk: Mutex::new(desk),
        })
    }

    /// Joins the fetch of `identity`, or begins it, unless `look` finds the entry on the shelf after all.
    ///
    /// A fetch lands under the same lock: who finds no flight here finds its entry there.
    pub(crate) fn join(self: &Arc<Self>, identity: K, look: impl FnOnce(&Shelf<E>) -> Option<Arc<E>>) -> Ticket<K, E> {
        let mut desk = self.desk();
        if let Some(entry) = look(&self.shelf) {
            return Ticket::Here(entry);
        }
        if let Some(flight) = desk.flights.get(&identity) {
            return Ticket::Wait(Wait(flight.clone()));
        }
        let (sender, receiver) = watch::channel(None);
        desk.flights.insert(identity.clone(), receiver.clone());
        let flight = Flight {
            cache: Arc::clone(self),
            identity,
            generation: desk.generation,
            flights: 0,
            sender,
        };
        Ticket::Lead(flight, Wait(receiver))
    }

    /// Takes entries out for good: also what is being fetched is fetched again. When this returns, no thread finds them.
    pub(crate) fn invalidate(&self, drop: impl Fn(&E) -> bool) -> usize {
        let mut desk = self.desk();
        desk.generation += 1;
        self.shelf.retain(|entry| !drop(entry))
    }

    /// Takes out entries that have come to their end; fetches go on.
    pub(crate) fn expire(&self, ended: impl Fn(&E) -> bool) -> usize {
        let _desk = self.desk();
        self.shelf.retain(|entry| !ended(entry))
    }

    fn desk(&self) -> MutexGuard<'_, Desk<K, E>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone, E> Flight<K, E> {
    /// Puts what was fetched on the shelf and tells those who wait; `None` if an invalidation has overtaken it, then it is to be
    /// fetched again.
    pub(crate) fn land(
        &mut self,
        landing: Landing<E>,
        hash: impl Fn(&E) -> u64,
        replaces: impl Fn(&E, &E) -> bool,
    ) -> Option<Landing<E>> {
        if self.put(&landing, hash, replaces) {
            self.sender.send_replace(Some(landing.clone()));
            return Some(landing);
        }
        self.flights += 1;
        (self.flights >= FLIGHTS).then(|| self.give_up(DataKeyError::Invalidated))
    }

    /// Ends the flight under the desk's lock, unless the answer is out of date: then it is to be fetched again.
    fn put(&mut self, landing: &Landing<E>, hash: impl Fn(&E) -> u64, replaces: impl Fn(&E, &E) -> bool) -> bool {
        let mut desk = self.cache.desk();
        if let Ok(entry) = landing {
            if desk.generation != self.generation {
                self.generation = desk.generation;
                return false;
            }
            desk.order += 1;
            self.cache
                .shelf
                .put(hash(entry), Arc::clone(entry), desk.order, |old| replaces(entry, old));
        }
        desk.flights.remove(&self.identity);
        true
    }

    fn give_up(&self, error: DataKeyError) -> Landing<E> {
        self.cache.desk().flights.remove(&self.identity);
        self.sender.send_replace(Some(Err(error.clone())));
        Err(error)
    }
}

impl<K: Hash + Eq + Clone, E> Drop for Flight<K, E> {
    fn drop(&mut self) {
        // Not landed: the task was dropped with its runtime, or the provider panicked.
        if self.sender.borrow().is_none() {
            let _ = self.give_up(DataKeyError::GivenUp);
        }
    }
}
