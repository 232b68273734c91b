use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::place::Place;

/// The most places that are remembered beside those in use.
const MOST: usize = 10_000;

/// Who in this process is about to fetch which token: one asks the store for the lease, the others wait for him.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    flights: Mutex<HashMap<Place, Arc<Flight>>>,
}

#[derive(Debug, Default)]
pub(crate) struct Flight {
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// When the background may try again.
    again: Mutex<Option<Instant>>,
}

impl Flights {
    pub(crate) fn of(&self, place: &Place) -> Arc<Flight> {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.len() >= MOST {
            flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        }
        Arc::clone(flights.entry(place.clone()).or_default())
    }
}

impl Flight {
    pub(crate) fn may_try(&self, now: Instant) -> bool {
        self.again
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none_or(|again| now >= again)
    }

    pub(crate) fn try_again_at(&self, at: Instant) {
        *self.again.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }
}
