use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bulla_crypto::record::NONCE_BYTES;
use bulla_crypto::{Random, RandomError};
use zeroize::Zeroize;

use crate::budget::{Budget, Reservation, Spent};
use crate::stats::{Tallies, Tally};

/// What the threads of one Sealer have in common; each thread keeps its own lane for it.
pub(crate) struct Lanes {
    id: u64,
    random: Arc<dyn Random>,
    nonce_batch: usize,
    pub(crate) tallies: Arc<Tallies>,
}

/// One thread's part of one Sealer: nonces drawn in advance, parts of data keys' budgets, counters that only it writes.
struct Lane {
    sealer: u64,
    tallies: Weak<Tallies>,
    tally: Arc<Tally>,
    nonces: Nonces,
    held: [Held; HELD],
}

/// A reservation against one data key.
#[derive(Default)]
struct Held {
    serial: u64,
    budget: Option<Arc<Budget>>,
    reservation: Reservation,
}

/// Reservations that a lane holds at once; a key whose place is taken sends the other's back.
const HELD: usize = 32;

thread_local! {
    static LANES: RefCell<Vec<Lane>> = const { RefCell::new(Vec::new()) };
}

/// Numbers Sealers and data keys in this process; a number is never given twice.
pub(crate) fn next_serial() -> u64 {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

/// Whether a data key admits a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// A message is spent and its nonce drawn.
    Admitted,
    /// The same, and little is left.
    AdmittedAndLow,
    /// The key's messages or bytes are used up.
    Exhausted,
    /// No nonce could be drawn.
    NoRandomness,
}

impl Lanes {
    pub(crate) fn new(random: Arc<dyn Random>, nonce_batch: usize) -> Self {
        Self {
            id: next_serial(),
            random,
            nonce_batch,
            tallies: Arc::default(),
        }
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// Spends one message of `size_bytes` of the data key `serial`, draws its nonce into `nonce`, and counts it.
    ///
    /// The nonce goes straight to its place: in a return value it is moved several times, which costs more than drawing it.
    #[inline]
    pub(crate) fn admit(
        &self,
        serial: u64,
        budget: &Arc<Budget>,
        size_bytes: usize,
        nonce: &mut [u8; NONCE_BYTES],
    ) -> Admission {
        let size_bytes = size_bytes as u64;
        let admission = self.with(|lane| lane.admit(serial, budget, size_bytes, &*self.random, nonce));
        admission.unwrap_or_else(|| self.admit_without_lane(budget, size_bytes, nonce))
    }

    /// Admits on a thread that is ending, or whose random generator seals: draws for this record alone.
    #[cold]
    fn admit_without_lane(&self, budget: &Budget, size_bytes: u64, nonce: &mut [u8; NONCE_BYTES]) -> Admission {
        let mut single = Reservation::default();
        let spent = budget.spend(&mut single, size_bytes);
        budget.give_back(&mut single);
        admit_with(spent, || self.random.fill(nonce))
    }

    /// Draws one nonce, for a data key that seals one record only.
    pub(crate) fn draw_nonce(&self) -> Result<[u8; NONCE_BYTES], RandomError> {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce)?;
        Ok(nonce)
    }

    /// Counts on this thread's tally.
    #[inline]
    pub(crate) fn count(&self, field: impl Fn(&Tally) -> &AtomicU64) {
        if self.with(|lane| Tally::add_one(field(&lane.tally))).is_none() {
            self.tallies.add_to_ended(field);
        }
    }

    #[inline]
    fn with<R>(&self, use_lane: impl FnOnce(&mut Lane) -> R) -> Option<R> {
        LANES
            .try_with(|lanes| {
                let mut lanes = lanes.try_borrow_mut().ok()?;
                let at = match lanes.iter().position(|lane| lane.sealer == self.id) {
                    Some(at) => at,
                    None => self.open_lane(&mut lanes),
                };
                Some(use_lane(&mut lanes[at]))
            })
            .ok()
            .flatten()
    }

    #[cold]
    fn open_lane(&self, lanes: &mut Vec<Lane>) -> usize {
        lanes.retain(|lane| lane.tallies.strong_count() > 0);
        lanes.push(Lane {
            sealer: self.id,
            tallies: Arc::downgrade(&self.tallies),
            tally: self.tallies.open(),
            nonces: Nonces::new(self.nonce_batch),
            held: Default::default(),
        });
        lanes.len() - 1
    }
}

impl Lane {
    #[inline]
    fn admit(
        &mut self,
        serial: u64,
        budget: &Arc<Budget>,
        size_bytes: u64,
        random: &dyn Random,
        nonce: &mut [u8; NONCE_BYTES],
    ) -> Admission {
        let held = &mut self.held[serial as usize % HELD];
        if held.serial != serial {
            held.change_to(serial, budget);
        }
        let spent = budget.spend(&mut held.reservation, size_bytes);
        if spent == Spent::Exhausted {
            held.change_to(0, budget);
            return Admission::Exhausted;
        }
        Tally::add_one(&self.tally.seals);
        admit_with(spent, || self.nonces.next(random, nonce))
    }
}

#[inline]
fn admit_with(spent: Spent, draw: impl FnOnce() -> Result<(), RandomError>) -> Admission {
    if spent == Spent::Exhausted {
        return Admission::Exhausted;
    }
    match draw() {
        Err(RandomError) => Admission::NoRandomness,
        Ok(()) if spent == Spent::YesAndLow => Admission::AdmittedAndLow,
        Ok(()) => Admission::Admitted,
    }
}

impl Held {
    /// Sends back what is held, and makes place for `serial`; 0 for nobody.
    #[cold]
    fn change_to(&mut self, serial: u64, budget: &Arc<Budget>) {
        self.release();
        self.serial = serial;
        self.budget = (serial != 0).then(|| Arc::clone(budget));
    }

    fn release(&mut self) {
        if let Some(budget) = self.budget.take() {
            budget.give_back(&mut self.reservation);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.held.iter_mut().for_each(Held::release);
        if let Some(tallies) = self.tallies.upgrade() {
            tallies.close(&self.tally);
        }
    }
}

/// Nonces drawn in one call; each is handed out once, and wiped from the buffer as it is.
struct Nonces {
    buffer: Box<[u8]>,
    /// Bytes at the start of `buffer` that have not been handed out; nonces are taken from the end.
    left: usize,
}

impl Nonces {
    fn new(batch: usize) -> Self {
        Self {
            buffer: vec![0; batch * NONCE_BYTES].into_boxed_slice(),
            left: 0,
        }
    }

    #[inline]
    fn next(&mut self, random: &dyn Random, nonce: &mut [u8; NONCE_BYTES]) -> Result<(), RandomError> {
        if self.left == 0 {
            self.refill(random)?;
        }
        let fresh = &mut self.buffer[..self.left];
        let Some((rest, last)) = fresh.split_last_chunk_mut() else {
            self.left = 0;
            return Err(RandomError);
        };
        *nonce = *last;
        *last = [0; NONCE_BYTES];
        self.left = rest.len();
        Ok(())
    }

    #[cold]
    fn refill(&mut self, random: &dyn Random) -> Result<(), RandomError> {
        // `left` stays 0 if this fails, so half-filled bytes are never handed out.
        random.fill(&mut self.buffer)?;
        self.left = self.buffer.len();
        Ok(())
    }
}

impl Drop for Nonces {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

/// Gives the record layer one nonce that is already drawn.
pub(crate) struct OneNonce {
    nonce: [u8; NONCE_BYTES],
    taken: std::sync::atomic::AtomicBool,
}

impl OneNonce {
    pub(crate) fn new(nonce: [u8; NONCE_BYTES]) -> Self {
        Self {
            nonce,
            taken: false.into(),
        }
    }
}

impl Random for OneNonce {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        // A plain load and store: the value lives on one thread's stack. Asked for anything but one nonce, it fails.
        if out.len() != NONCE_BYTES || self.taken.load(Ordering::Relaxed) {
            return Err(RandomError);
        }
        self.taken.store(true, Ordering::Relaxed);
        out.copy_from_slice(&self.nonce);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(AtomicU64);
    impl Random for Counting {
        fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
            let call = self.0.fetch_add(1, Ordering::Relaxed);
            for (index, chunk) in out.chunks_mut(NONCE_BYTES).enumerate() {
                chunk[..8].copy_from_slice(&(call * 1000 + index as u64 + 1).to_le_bytes());
            }
            Ok(())
        }
    }

    #[test]
    fn a_batch_hands_out_each_nonce_once_and_wipes_it() {
        let random = Counting(AtomicU64::new(0));
        let mut nonces = Nonces::new(4);
        let draw = |nonces: &mut Nonces| {
            let mut nonce = [0; NONCE_BYTES];
            nonces.next(&random, &mut nonce).unwrap();
            nonce
        };
        let drawn: std::collections::HashSet<_> = (0..4).map(|_| draw(&mut nonces)).collect();
        assert_eq!(drawn.len(), 4);
        assert!(nonces.buffer.iter().all(|byte| *byte == 0));
        assert_eq!(random.0.load(Ordering::Relaxed), 1);
        assert!(!drawn.contains(&draw(&mut nonces)));
    }

    #[test]
    fn a_random_generator_that_fails_yields_no_nonce() {
        struct Failing;
        impl Random for Failing {
            fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
                out.fill(1);
                Err(RandomError)
            }
        }
        let mut nonces = Nonces::new(4);
        assert!(nonces.next(&Failing, &mut [0; NONCE_BYTES]).is_err());
        assert!(nonces.next(&Failing, &mut [0; NONCE_BYTES]).is_err());
    }

    #[test]
    fn one_nonce_is_given_once() {
        let one = OneNonce::new([7; NONCE_BYTES]);
        let mut out = [0; NONCE_BYTES];
        assert!(one.fill(&mut [0; 32]).is_err());
        assert!(one.fill(&mut out).is_ok());
        assert_eq!(out, [7; NONCE_BYTES]);
        assert!(one.fill(&mut out).is_err());
    }

    #[test]
    fn a_thread_that_ends_gives_its_reservation_back() {
        let lanes = Lanes::new(Arc::new(Counting(AtomicU64::new(0))), 4);
        let budget = Arc::new(Budget::new(1 << 24, 1 << 40));
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(lanes.admit(77, &budget, 5, &mut [0; NONCE_BYTES]), Admission::Admitted));
        });
        // A part of 4,096 was drawn and one message spent. All the others are there again.
        let mut spent = 0_u64;
        let mut rest = Reservation::default();
        while budget.spend(&mut rest, 0) != Spent::Exhausted {
            spent += 1;
        }
        assert_eq!(spent, (1 << 24) - 1);
        assert_eq!(lanes.tallies.sum(|tally| &tally.seals), 1);
    }
}
