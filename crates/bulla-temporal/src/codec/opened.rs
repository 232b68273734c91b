use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::Keyed;
use crate::Namespace;

/// The namespaces that have their Sealers in memory; one more takes the place of the one not used for longest.
///
/// A namespace comes in, and counts as used, when its work is finished and not when it is prepared: who may do nothing there puts nothing
/// out.
#[derive(Default)]
pub(crate) struct Opened {
    slots: Mutex<HashMap<Namespace, Arc<Slot>>>,
    uses: AtomicU64,
}

/// A place for one namespace's Sealers, where they are, or are being made.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) keyed: OnceCell<Arc<Keyed>>,
    last_used: AtomicU64,
}

const MOST: usize = 1_024;

impl Opened {
    pub(crate) fn find(&self, namespace: &Namespace) -> Option<Arc<Keyed>> {
        self.slots().get(namespace)?.keyed.get().cloned()
    }

    /// Keeps a namespace's Sealers, unless others came first; gives those that are kept.
    pub(crate) fn keep(&self, keyed: &Arc<Keyed>) -> Arc<Keyed> {
        let slot = self.slot(keyed.namespace());
        match slot.keyed.get() {
            Some(first) => Arc::clone(first),
            None => {
                // Who sets it at the same time has the same keys.
                let _ = slot.keyed.set(Arc::clone(keyed));
                slot.keyed.get().unwrap_or(keyed).clone()
            }
        }
    }

    /// Gives the place of a namespace, which counts as used by that.
    pub(crate) fn slot(&self, namespace: &Namespace) -> Arc<Slot> {
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut slots = self.slots();
        if let Some(slot) = slots.get(namespace) {
            slot.last_used.store(now, Ordering::Relaxed);
            return Arc::clone(slot);
        }
        if slots.len() >= MOST {
            let last_used = |slot: &Arc<Slot>| slot.last_used.load(Ordering::Relaxed);
            let idle = slots.iter().min_by_key(|(_, slot)| last_used(slot));
            if let Some(idle) = idle.map(|(name, _)| name.clone()) {
                slots.remove(&idle);
            }
        }
        let slot = Arc::<Slot>::default();
        slot.last_used.store(now, Ordering::Relaxed);
        slots.insert(namespace.clone(), Arc::clone(&slot));
        slot
    }

    /// Those that `wanted` says.
    pub(crate) fn all(&self, wanted: impl Fn(&Namespace) -> bool) -> Vec<Arc<Keyed>> {
        let slots = self.slots();
        let wanted = slots.iter().filter(|(name, _)| wanted(name));
        wanted.filter_map(|(_, slot)| slot.keyed.get().cloned()).collect()
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Namespace, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
