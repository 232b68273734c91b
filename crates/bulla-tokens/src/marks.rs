use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bulla_model::{Clock, Timestamp};

use crate::ClientId;
use crate::place::Place;

/// Remembers which versions are too old to be believed: the highest of each place, and the epoch of each client.
///
/// # Contract
/// - **Monotony.** What was raised never falls while it matters: a mark until its time, an epoch for ever.
/// - **Durability.** That of the implementation. One in memory knows what its own process saw.
#[async_trait]
pub trait Marks: Send + Sync + fmt::Debug {
    /// The lowest version of this place that is to be believed.
    async fn lowest(&self, client: &ClientId, place: &Place) -> Result<u64, MarksError>;

    /// Raises the mark of a place to `version`, which could be brought back for as long as it `lasts`.
    async fn raise(&self, client: &ClientId, place: &Place, version: u64, lasts: Lasts) -> Result<(), MarksError>;

    /// Whether the [`AccessLog`](crate::AccessLog) raises the marks of tokens, with what each access saw
    /// ([`Outcome::seen`](crate::Outcome::seen)): then only those of other entries come here.
    fn are_raised_by_log(&self) -> bool {
        false
    }

    /// Raises the epoch of a client: nothing of it with a version up to `version` is believed again.
    async fn revoke(&self, client: &ClientId, version: u64) -> Result<(), MarksError>;
}

/// For how long a version could be brought back, and so has to be barred once there is a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// Until its sealed expiry.
    Until(Timestamp),
    /// For ever: it has none.
    Always,
    /// It holds nothing: it is that of a deletion. What was before it is barred for as long as it was anyway.
    Deleted,
}

impl Lasts {
    /// That of a value with this sealed expiry.
    pub fn of(expires: Option<Timestamp>) -> Self {
        expires.map_or(Self::Always, Self::Until)
    }
}

/// Marks can't be read or raised.
#[derive(Debug, Clone, thiserror::Error)]
#[error("which versions are too old is not known")]
pub struct MarksError(#[source] pub Arc<dyn Error + Send + Sync>);

/// Marks of this process, for a library without the service.
///
/// At most 100,000 places and 100,000 clients; where there are more, those whose time has passed are forgotten, and if that is not enough, any.
#[derive(Debug)]
pub struct ProcessMarks {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    marks: HashMap<Place, Mark>,
    epochs: HashMap<ClientId, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    version: u64,
    /// The latest expiry of any version that was seen.
    until: Option<Timestamp>,
}

const MOST: usize = 100_000;

impl ProcessMarks {
    /// Makes marks that know nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Marks for ProcessMarks {
    async fn lowest(&self, client: &ClientId, place: &Place) -> Result<u64, MarksError> {
        let state = self.state();
        // Whatever its time: an older version that was never seen may outlive all that were.
        let mark = state.marks.get(place).map_or(0, |mark| mark.version);
        let epoch = state.epochs.get(client).map_or(0, |epoch| epoch.saturating_add(1));
        Ok(mark.max(epoch))
    }

    async fn raise(&self, _: &ClientId, place: &Place, version: u64, lasts: Lasts) -> Result<(), MarksError> {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(mark) = state.marks.get_mut(place) {
            mark.version = mark.version.max(version);
            mark.until = match lasts {
                Lasts::Until(until) => mark.until.map(|before| until.max(before)),
                Lasts::Always => None,
                Lasts::Deleted => mark.until,
            };
            return Ok(());
        }
        let until = match lasts {
            Lasts::Until(until) => Some(until),
            Lasts::Always | Lasts::Deleted => None,
        };
        if state.marks.len() >= MOST {
            state.marks.retain(|_, mark| mark.until.is_none_or(|until| now < until));
        }
        if state.marks.len() >= MOST {
            let any: Vec<_> = state.marks.keys().take(MOST / 10).cloned().collect();
            for place in any {
                state.marks.remove(&place);
            }
        }
        state.marks.insert(place.clone(), Mark { version, until });
        Ok(())
    }

    async fn revoke(&self, client: &ClientId, version: u64) -> Result<(), MarksError> {
        let mut state = self.state();
        if state.epochs.len() >= MOST && !state.epochs.contains_key(client) {
            let any = state.epochs.keys().next().cloned();
            any.map(|any| state.epochs.remove(&any));
        }
        let epoch = state.epochs.entry(client.clone()).or_default();
        *epoch = version.max(*epoch);
        Ok(())
    }
}
