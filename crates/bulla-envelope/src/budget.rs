use std::sync::atomic::{AtomicU64, Ordering};

/// What a data key may still seal; shared by all threads, and touched only when a thread's [`Reservation`] runs out.
///
/// A thread draws a part, and what is drawn counts as used. So the sum over all threads never exceeds the limits, however the
/// threads interleave: each draw is one compare-and-swap on what is left, and what is left is only ever given back by who drew it.
#[derive(Debug)]
pub(crate) struct Budget {
    messages_left: AtomicU64,
    bytes_left: AtomicU64,
    max_messages: u64,
    max_bytes: u64,
}

/// One thread's part of a [`Budget`].
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    messages: u64,
    bytes: u64,
}

/// What became of an attempt to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    /// Spent from what the thread had, or could draw.
    Yes,
    /// Spent, and little is left: the next key should be fetched.
    YesAndLow,
    /// Nothing spent: the key can't seal this any more.
    Exhausted,
}

/// A limit is drawn in at least so many parts, so that threads which draw and stop waste little of it.
const PARTS: u64 = 4096;
/// The most messages that are drawn at once.
const LARGEST_DRAW: u64 = 4096;

impl Budget {
    pub(crate) fn new(max_messages: u64, max_bytes: u64) -> Self {
        Self {
            messages_left: AtomicU64::new(max_messages),
            bytes_left: AtomicU64::new(max_bytes),
            max_messages,
            max_bytes,
        }
    }

    /// Spends one message of `size_bytes` from `reservation`, drawing more if it has too little.
    #[inline]
    pub(crate) fn spend(&self, reservation: &mut Reservation, size_bytes: u64) -> Spent {
        if reservation.messages >= 1 && reservation.bytes >= size_bytes {
            reservation.messages -= 1;
            reservation.bytes -= size_bytes;
            return Spent::Yes;
        }
        self.draw_and_spend(reservation, size_bytes)
    }

    /// Returns what was drawn and not spent.
    pub(crate) fn give_back(&self, reservation: &mut Reservation) {
        let Reservation { messages, bytes } = std::mem::take(reservation);
        self.messages_left.fetch_add(messages, Ordering::Relaxed);
        self.bytes_left.fetch_add(bytes, Ordering::Relaxed);
    }

    #[cold]
    fn draw_and_spend(&self, reservation: &mut Reservation, size_bytes: u64) -> Spent {
        if reservation.messages == 0 {
            let part = (self.max_messages / PARTS).clamp(1, LARGEST_DRAW);
            reservation.messages += draw(&self.messages_left, 1, part);
        }
        if reservation.bytes < size_bytes {
            let missing = size_bytes - reservation.bytes;
            reservation.bytes += draw(&self.bytes_left, missing, missing.max(self.max_bytes / PARTS));
        }
        if reservation.messages == 0 || reservation.bytes < size_bytes {
            return Spent::Exhausted;
        }
        reservation.messages -= 1;
        reservation.bytes -= size_bytes;
        let low = self.messages_left.load(Ordering::Relaxed) <= self.max_messages / 8
            || self.bytes_left.load(Ordering::Relaxed) <= self.max_bytes / 8;
        if low { Spent::YesAndLow } else { Spent::Yes }
    }
}

/// Takes `wanted` or what is left of it, but nothing if that is less than `least`.
fn draw(left: &AtomicU64, least: u64, wanted: u64) -> u64 {
    // Relaxed: nothing is published with the count, and a compare-and-swap alone keeps the sum.
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        (left >= least).then(|| left - left.min(wanted))
    })
    .map_or(0, |before| before.min(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend_all(budget: &Budget, size_bytes: u64) -> u64 {
        let mut reservation = Reservation::default();
        let mut spent = 0;
        while budget.spend(&mut reservation, size_bytes) != Spent::Exhausted {
            spent += 1;
        }
        spent
    }

    #[test]
    fn exactly_the_limit_of_messages_is_spent() {
        assert_eq!(spend_all(&Budget::new(100_003, u64::MAX), 7), 100_003);
        assert_eq!(spend_all(&Budget::new(1, u64::MAX), 7), 1);
    }

    #[test]
    fn exactly_the_limit_of_bytes_is_spent() {
        assert_eq!(spend_all(&Budget::new(u64::from(u32::MAX), 70_001), 7), 10_000);
        assert_eq!(spend_all(&Budget::new(1 << 32, 6), 7), 0);
    }

    #[test]
    fn eight_threads_together_never_exceed_the_limits() {
        for (messages, bytes) in [(1_000_000, u64::MAX), (u64::from(u32::MAX), 3_000_000), (10, u64::MAX)] {
            let budget = Budget::new(messages, bytes);
            let spent: u64 = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| spend_all(&budget, 3))).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert!(spent <= messages && spent * 3 <= bytes, "{spent}");
            assert!(
                spent * 2 > messages.min(bytes / 3),
                "reservations wasted more than half: {spent}"
            );
        }
    }

    #[test]
    fn what_a_thread_gives_back_can_be_spent_by_another() {
        let budget = Budget::new(1 << 24, 1 << 40);
        let mut reservation = Reservation::default();
        budget.spend(&mut reservation, 5);
        budget.give_back(&mut reservation);
        assert_eq!(budget.messages_left.load(Ordering::Relaxed), (1 << 24) - 1);
        assert_eq!(budget.bytes_left.load(Ordering::Relaxed), (1 << 40) - 5);
    }

    #[test]
    fn a_key_says_that_it_runs_low_before_it_is_exhausted() {
        let budget = Budget::new(1000, u64::MAX);
        let mut reservation = Reservation::default();
        let low = (0..1000).position(|_| budget.spend(&mut reservation, 1) == Spent::YesAndLow);
        assert!(low.is_some_and(|at| (800..900).contains(&at)), "{low:?}");
    }
}
