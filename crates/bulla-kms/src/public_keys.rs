use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;

use crate::KmsErrorKind::Unavailable;
use crate::known_key::KnownKey;
use crate::{KeyProvider, KmsError};

/// Public keys by the names that callers use: bounded, for a time, each asked for once however many wait for it.
///
/// The lock is held to look and to note, never while the provider is asked. A failure reaches all who wait for it and is not kept.
pub(crate) struct PublicKeys {
    provider: Arc<dyn KeyProvider>,
    ttl: Duration,
    capacity: usize,
    asked: Mutex<HashMap<String, Asked>>,
}

type Flight = Shared<BoxFuture<'static, Result<Arc<KnownKey>, Arc<KmsError>>>>;

struct Asked {
    at: Instant,
    flight: Flight,
}

impl PublicKeys {
    pub(crate) fn new(provider: Arc<dyn KeyProvider>, ttl: Duration, capacity: usize) -> Self {
        Self {
            provider,
            ttl,
            capacity,
            asked: Mutex::default(),
        }
    }

    /// The public key of `key`, from memory or from the provider.
    pub(crate) async fn find(&self, key: &str) -> Result<Arc<KnownKey>, KmsError> {
        let flight = self.flight(key);
        let outcome = flight.clone().await;
        outcome.map_err(|error| {
            let mut asked = self.lock();
            if asked.get(key).is_some_and(|known| known.flight.ptr_eq(&flight)) {
                asked.remove(key);
            }
            told_again(&error)
        })
    }

    /// Forgets a key; the next to use it asks for it.
    pub(crate) fn forget(&self, key: &str) {
        self.lock().remove(key);
    }

    fn flight(&self, key: &str) -> Flight {
        let now = Instant::now();
        let mut asked = self.lock();
        if let Some(known) = asked.get(key)
            && now.duration_since(known.at) < self.ttl
        {
            return known.flight.clone();
        }
        let flight = ask(Arc::clone(&self.provider), key.to_owned()).boxed().shared();
        if !self.ttl.is_zero() && self.capacity > 0 {
            make_room(&mut asked, key, now, self.ttl, self.capacity);
            let flight = flight.clone();
            asked.insert(key.to_owned(), Asked { at: now, flight });
        }
        flight
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(provider: Arc<dyn KeyProvider>, key: String) -> Result<Arc<KnownKey>, Arc<KmsError>> {
    let description = provider.public_key(&key).await?;
    let known = KnownKey::read(description).ok_or_else(|| {
        let what = "what was answered is not a public key of its spec";
        KmsError::new(Unavailable, "public key", &key).with_source(what)
    })?;
    Ok(Arc::new(known))
}

/// Makes room for one more: what is too old goes, else what is oldest.
fn make_room(asked: &mut HashMap<String, Asked>, key: &str, now: Instant, ttl: Duration, capacity: usize) {
    if asked.len() < capacity || asked.contains_key(key) {
        return;
    }
    asked.retain(|_, known| now.duration_since(known.at) < ttl);
    while asked.len() >= capacity {
        let oldest = asked
            .iter()
            .min_by_key(|(_, known)| known.at)
            .map(|(key, _)| key.clone());
        match oldest {
            Some(oldest) => asked.remove(&oldest),
            None => return,
        };
    }
}

/// The same error for another who waited for it.
fn told_again(error: &Arc<KmsError>) -> KmsError {
    let again = KmsError::new(error.kind, error.operation, &error.key);
    match error.source {
        Some(_) => again.with_source(Cause(Arc::clone(error))),
        None => again,
    }
}

/// The cause of an error that several share.
#[derive(Debug)]
struct Cause(Arc<KmsError>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source.as_ref().map_or(Ok(()), |cause| cause.fmt(f))
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_ref().and_then(|cause| cause.source())
    }
}
