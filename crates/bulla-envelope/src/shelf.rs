use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;

/// Holds entries for readers that take no lock and write nothing shared.
///
/// A fixed number of shards, each an immutable vector sorted by hash behind an [`ArcSwap`]. A reader borrows the vector for the time of
/// one record; a writer copies it, changes the copy, and swaps. Writers are serialised by their owner (`Cache`). When the swap
/// returns, no later reader finds what was taken out, and its memory goes as soon as the last reader is done: nothing is kept in
/// thread-locals.
///
/// A full shard makes room by SIEVE (Zhang et al., NSDI 2024), which keeps what is used at least as well as LRU does: a hand walks from
/// old entries to new ones, spares those that were used since it last passed, and takes the first that was not. So a hit
/// writes a flag at most, and only once between two passes of the hand.
pub(crate) struct Shelf<E> {
    shards: Box<[Shard<E>]>,
    shard_capacity: usize,
}

struct Shard<E> {
    slots: ArcSwap<Vec<Slot<E>>>,
    /// Where the hand stands: the order of the entry that it looks at next. Only writers touch it.
    hand: AtomicU64,
}

struct Slot<E> {
    hash: u64,
    placed: Arc<Placed<E>>,
}

struct Placed<E> {
    entry: Arc<E>,
    order: u64,
    visited: AtomicBool,
}

impl<E> Clone for Slot<E> {
    fn clone(&self) -> Self {
        Self {
            hash: self.hash,
            placed: Arc::clone(&self.placed),
        }
    }
}

/// Shards of a shelf that is large enough for them.
const SHARDS: usize = 64;

impl<E> Shelf<E> {
    pub(crate) fn new(capacity: usize) -> Self {
        let shards = if capacity < SHARDS * 4 { 1 } else { SHARDS };
        Self {
            shards: (0..shards)
                .map(|_| Shard {
                    slots: ArcSwap::from_pointee(Vec::new()),
                    hand: AtomicU64::new(0),
                })
                .collect(),
            shard_capacity: capacity.div_ceil(shards),
        }
    }

    /// Finds the entry of this hash that `is` the one, and uses it while it is borrowed.
    #[inline(always)]
    pub(crate) fn with<R>(
        &self,
        hash: u64,
        is: impl Fn(&E) -> bool,
        use_entry: impl FnOnce(&Arc<E>) -> R,
    ) -> Option<R> {
        let slots = self.shard(hash).slots.load();
        let from = if slots.len() <= 8 {
            0
        } else {
            slots.partition_point(|slot| slot.hash < hash)
        };
        let slot = slots[from..]
            .iter()
            .take_while(|slot| slot.hash <= hash)
            .find(|slot| slot.hash == hash && is(&slot.placed.entry))?;
        if !slot.placed.visited.load(Ordering::Relaxed) {
            slot.placed.visited.store(true, Ordering::Relaxed);
        }
        Some(use_entry(&slot.placed.entry))
    }

    /// Puts an entry in, in the place of the one that it replaces, or of another if there is no room. One writer at a time.
    pub(crate) fn put(&self, hash: u64, entry: Arc<E>, order: u64, replaces: impl Fn(&E) -> bool) {
        let shard = self.shard(hash);
        let mut slots: Vec<Slot<E>> = shard.slots.load().as_ref().clone();
        slots.retain(|slot| slot.hash != hash || !replaces(&slot.placed.entry));
        if slots.len() >= self.shard_capacity {
            make_room(&mut slots, &shard.hand);
        }
        let at = slots.partition_point(|slot| slot.hash < hash);
        let placed = Arc::new(Placed {
            entry,
            order,
            visited: AtomicBool::new(false),
        });
        slots.insert(at, Slot { hash, placed });
        shard.slots.store(Arc::new(slots));
    }

    /// Takes out what is not to be kept, and tells how many that were. One writer at a time.
    pub(crate) fn retain(&self, keep: impl Fn(&E) -> bool) -> usize {
        let mut taken = 0;
        for shard in &self.shards {
            let slots = shard.slots.load();
            let kept: Vec<_> = slots.iter().filter(|slot| keep(&slot.placed.entry)).cloned().collect();
            if kept.len() < slots.len() {
                taken += slots.len() - kept.len();
                shard.slots.store(Arc::new(kept));
            }
        }
        taken
    }

    pub(crate) fn for_each(&self, mut look: impl FnMut(&Arc<E>)) {
        for shard in &self.shards {
            shard.slots.load().iter().for_each(|slot| look(&slot.placed.entry));
        }
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Shard<E> {
        // The high bits choose the shard, so that the low ones still tell the slots of a shard apart.
        &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)]
    }
}

/// Takes out the entry that the hand comes to.
fn make_room<E>(slots: &mut Vec<Slot<E>>, hand: &AtomicU64) {
    let mut walk: Vec<(u64, usize)> = slots
        .iter()
        .enumerate()
        .map(|(at, slot)| (slot.placed.order, at))
        .collect();
    walk.sort_unstable();
    let start = walk.partition_point(|(order, _)| *order < hand.load(Ordering::Relaxed));
    walk.rotate_left(start);
    // Twice round: the first round clears flags, so the second finds one unless readers set them all again.
    let spared = |at: &usize| slots[*at].placed.visited.swap(false, Ordering::Relaxed);
    let victim = walk.iter().chain(&walk).find(|(_, at)| !spared(at)).or(walk.first());
    if let Some(&(order, at)) = victim {
        hand.store(order + 1, Ordering::Relaxed);
        slots.remove(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(shelf: &Shelf<u64>, hash: u64, value: u64) -> Option<u64> {
        shelf.with(hash, |entry| *entry == value, |entry| **entry)
    }

    #[test]
    fn entries_of_one_hash_are_told_apart_by_what_they_are() {
        let shelf = Shelf::new(10_000);
        shelf.put(5, Arc::new(1), 1, |entry| *entry == 1);
        shelf.put(5, Arc::new(2), 2, |entry| *entry == 2);
        assert_eq!(
            (find(&shelf, 5, 1), find(&shelf, 5, 2), find(&shelf, 5, 3)),
            (Some(1), Some(2), None)
        );
    }

    #[test]
    fn every_entry_of_a_large_shelf_is_found() {
        let shelf = Shelf::new(10_000);
        let hash = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..5000).for_each(|n| shelf.put(hash(n), Arc::new(n), n, |entry| *entry == n));
        assert!((0..5000).all(|n| find(&shelf, hash(n), n) == Some(n)));
        assert_eq!(shelf.retain(|n| n % 2 == 0), 2500);
        assert!((0..5000).all(|n| find(&shelf, hash(n), n).is_some() == (n % 2 == 0)));
    }

    #[test]
    fn a_full_shelf_drops_what_was_not_used_and_spares_what_was() {
        let shelf = Shelf::new(3);
        (1..=3).for_each(|n| shelf.put(n, Arc::new(n), n, |entry| *entry == n));
        assert!(find(&shelf, 1, 1).is_some());
        shelf.put(4, Arc::new(4), 4, |entry| *entry == 4);
        assert_eq!((find(&shelf, 1, 1), find(&shelf, 2, 2)), (Some(1), None));
        let mut size = 0;
        shelf.for_each(|_| size += 1);
        assert_eq!(size, 3);
    }

    #[test]
    fn an_entry_in_use_survives_any_number_of_others() {
        let shelf = Shelf::new(16);
        shelf.put(0, Arc::new(0), 0, |entry| *entry == 0);
        for n in 1..10_000 {
            assert_eq!(find(&shelf, 0, 0), Some(0), "before {n}");
            shelf.put(n, Arc::new(n), n, |entry| *entry == n);
        }
    }

    #[test]
    fn what_is_taken_out_leaves_memory_at_once() {
        let shelf = Shelf::new(3);
        let entry = Arc::new(1);
        shelf.put(1, Arc::clone(&entry), 1, |_| true);
        assert!(find(&shelf, 1, 1).is_some());
        shelf.retain(|_| false);
        assert_eq!(Arc::strong_count(&entry), 1);
    }
}
