use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The circuits of one Sealer: one to its sealing key, and one to each other key that its records name.
pub(crate) struct Breakers {
    threshold: u32,
    pause: Duration,
    own: Arc<Breaker>,
    others: Mutex<HashMap<String, Arc<Breaker>>>,
}

/// Circuits to other keys at most; beyond it they are forgotten, and their failures counted anew.
const MOST_OTHERS: usize = 1024;

impl Breakers {
    pub(crate) fn new(threshold: u32, pause: Duration) -> Self {
        Self {
            threshold,
            pause,
            own: Arc::new(Breaker::new(threshold, pause)),
            others: Mutex::default(),
        }
    }

    /// The circuit to the sealing key.
    pub(crate) fn own(&self) -> &Arc<Breaker> {
        &self.own
    }

    /// The circuit to another key.
    pub(crate) fn of(&self, key: &str) -> Arc<Breaker> {
        let mut others = self.others();
        if let Some(known) = others.get(key) {
            return Arc::clone(known);
        }
        if others.len() >= MOST_OTHERS {
            others.clear();
        }
        let new = Arc::new(Breaker::new(self.threshold, self.pause));
        others.insert(key.to_owned(), Arc::clone(&new));
        new
    }

    pub(crate) fn any_open(&self) -> bool {
        self.own.is_open() || self.others().values().any(|breaker| breaker.is_open())
    }

    fn others(&self) -> MutexGuard<'_, HashMap<String, Arc<Breaker>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves a key of a provider alone after failures in a row, then lets one call probe it.
///
/// The lock is taken around state changes only, beside a provider call and never across it.
#[derive(Debug)]
pub(crate) struct Breaker {
    threshold: u32,
    pause: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
    probing: bool,
}

/// Leave to make one call; tell it how the call went. Dropped without, it counts as neither.
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
    told: bool,
}

impl Breaker {
    pub(crate) fn new(threshold: u32, pause: Duration) -> Self {
        Self {
            threshold,
            pause,
            state: Mutex::default(),
        }
    }

    /// Lets a call pass, or `None` while the circuit is open.
    pub(crate) fn enter(&self, now: Instant) -> Option<Permit<'_>> {
        let mut state = self.state();
        let probe = match state.open_until {
            None => false,
            Some(until) if now < until || state.probing => return None,
            Some(_) => {
                state.probing = true;
                true
            }
        };
        Some(Permit {
            breaker: self,
            probe,
            told: false,
        })
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state().open_until.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The provider answered, if only to refuse.
    pub(crate) fn answered(mut self) {
        self.told = true;
        *self.breaker.state() = State::default();
    }

    /// The provider could not be reached, or asked to be left alone.
    pub(crate) fn failed(mut self, now: Instant) {
        self.told = true;
        let mut state = self.breaker.state();
        state.failures = state.failures.saturating_add(1);
        state.probing &= !self.probe;
        if self.probe || state.failures >= self.breaker.threshold {
            state.open_until = Some(now + self.breaker.pause);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe && !self.told {
            self.breaker.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::new(3, PAUSE);
        (0..3).for_each(|_| breaker.enter(now).unwrap().failed(now));
        breaker
    }

    #[test]
    fn the_circuit_opens_at_the_threshold_and_one_call_probes_it_after_the_pause() {
        let now = Instant::now();
        let breaker = opened(now);
        assert!(breaker.enter(now).is_none());
        let probe = breaker.enter(now + PAUSE).unwrap();
        assert!(breaker.enter(now + PAUSE).is_none(), "one probe at a time");
        probe.answered();
        assert!(breaker.enter(now + PAUSE).is_some() && !breaker.is_open());
    }

    #[test]
    fn a_probe_that_fails_opens_the_circuit_again() {
        let now = Instant::now();
        let breaker = opened(now);
        breaker.enter(now + PAUSE).unwrap().failed(now + PAUSE);
        assert!(breaker.enter(now + PAUSE + PAUSE / 2).is_none());
        assert!(breaker.enter(now + PAUSE * 2).is_some());
    }

    #[test]
    fn a_probe_that_is_cancelled_makes_way_for_another() {
        let now = Instant::now();
        let breaker = opened(now);
        drop(breaker.enter(now + PAUSE));
        assert!(breaker.enter(now + PAUSE).is_some());
    }

    #[test]
    fn an_answer_between_failures_keeps_the_circuit_closed() {
        let now = Instant::now();
        let breaker = Breaker::new(2, PAUSE);
        breaker.enter(now).unwrap().failed(now);
        breaker.enter(now).unwrap().answered();
        breaker.enter(now).unwrap().failed(now);
        assert!(breaker.enter(now).is_some());
    }
}
