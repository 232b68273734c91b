use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use tokio::sync::watch;
use tokio::time::Instant;

use super::jwt::{JwksSource, TokenError};

/// The keys that one issuer publishes, as far as they are known.
///
/// Tokens choose their issuer and their key id before anybody verified them. So each issuer is fetched on its own: at most one fetch is
/// under way, and at most one begins in ten seconds, whether the one before succeeded or not. The fetch runs in a task: who asks and
/// goes away does not end it.
pub(super) struct IssuerKeys {
    url: String,
    source: Arc<dyn JwksSource>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Option<(Arc<JwkSet>, Instant)>,
    tried: Option<Instant>,
    failed: bool,
    /// Closed when the fetch under way has ended.
    fetching: Option<watch::Receiver<()>>,
}

/// How long an issuer's keys are believed without asking again.
const FRESH: Duration = Duration::from_secs(3600);
/// How often an issuer is asked at most.
const AGAIN: Duration = Duration::from_secs(10);
/// How long keys go on being believed while the issuer can't be reached.
const STALE: Duration = Duration::from_secs(24 * 3600);

impl IssuerKeys {
    pub(super) fn new(url: String, source: Arc<dyn JwksSource>) -> Arc<Self> {
        Arc::new(Self {
            url,
            source,
            state: Mutex::default(),
        })
    }

    /// Gives the keys; with `unknown_id`, asks for them again first, since one that is not among them was named.
    pub(super) async fn get(self: &Arc<Self>, now: Instant, unknown_id: bool) -> Result<Arc<JwkSet>, TokenError> {
        let fetching = {
            let mut state = self.state();
            if let Some((keys, at)) = &state.known
                && !unknown_id
                && now.saturating_duration_since(*at) < FRESH
            {
                return Ok(Arc::clone(keys));
            }
            let fetching = self.fetch(&mut state, now);
            // In an outage nobody waits for the next attempt who can do without.
            let goes_on = state.failed && !unknown_id && state.believed(now).is_some();
            fetching.filter(|_| !goes_on)
        };
        if let Some(mut fetching) = fetching {
            // Fails when it is closed, which is what is waited for.
            let _ = fetching.changed().await;
        }
        self.state().believed(now).ok_or(TokenError::NoKeys)
    }

    /// Joins the fetch under way, or begins one if the last is long enough ago.
    fn fetch(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<watch::Receiver<()>> {
        if state.fetching.is_some() {
            return state.fetching.clone();
        }
        let tried = state.tried.map(|tried| now.saturating_duration_since(tried));
        if tried.is_some_and(|age| age < AGAIN) {
            return None;
        }
        state.tried = Some(now);
        let (ended, fetching) = watch::channel(());
        state.fetching = Some(fetching.clone());
        let this = Arc::clone(self);
        tokio::spawn(async move {
            // Also where the source panics.
            let ended = Ended(Arc::clone(&this), Some(ended));
            let fetched = this.source.fetch(&this.url).await;
            let parsed = fetched.and_then(|body| serde_json::from_slice::<JwkSet>(&body).map_err(Into::into));
            this.note(now, parsed);
            drop(ended);
        });
        Some(fetching)
    }

    fn note(&self, asked: Instant, parsed: Result<JwkSet, Box<dyn std::error::Error + Send + Sync>>) {
        let mut state = self.state();
        state.failed = parsed.is_err();
        match parsed {
            Ok(keys) => state.known = Some((Arc::new(keys), asked)),
            Err(error) => {
                let (url, error) = (&*self.url, &*error as &dyn std::error::Error);
                tracing::warn!(url, error, "an issuer's keys can't be had");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a fetch, however it ended: the next may begin, and who waits goes on.
struct Ended(Arc<IssuerKeys>, Option<watch::Sender<()>>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.state().fetching = None;
        drop(self.1.take());
    }
}

impl State {
    fn believed(&self, now: Instant) -> Option<Arc<JwkSet>> {
        let (keys, at) = self.known.as_ref()?;
        (now.saturating_duration_since(*at) < STALE).then(|| Arc::clone(keys))
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;
    use tokio::sync::Semaphore;

    use super::*;

    /// Answers what it is let to; counts who asks.
    #[derive(Debug)]
    struct Source {
        asked: AtomicU32,
        answers: Mutex<Option<&'static str>>,
        open: Semaphore,
    }

    #[async_trait]
    impl JwksSource for Source {
        async fn fetch(&self, _: &str) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.open.acquire().await?.forget();
            let answer = *self.answers.lock().unwrap();
            Ok(answer.ok_or("not reached")?.into())
        }
    }

    /// `permits` fetches end; those beyond them hang.
    fn keys(answers: Option<&'static str>, permits: usize) -> (Arc<IssuerKeys>, Arc<Source>) {
        let source = Arc::new(Source {
            asked: AtomicU32::new(0),
            answers: Mutex::new(answers),
            open: Semaphore::new(permits),
        });
        (
            IssuerKeys::new("https://i/jwks".to_owned(), Arc::clone(&source) as _),
            source,
        )
    }

    const NONE: &str = r#"{"keys":[]}"#;

    #[tokio::test]
    async fn an_issuer_that_never_answered_is_asked_once_in_ten_seconds() {
        let (keys, source) = keys(None, 10);
        let began = Instant::now();
        for _ in 0..10 {
            assert_eq!(keys.get(began, false).await.err(), Some(TokenError::NoKeys));
        }
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
        *source.answers.lock().unwrap() = Some(NONE);
        assert!(keys.get(began + AGAIN, false).await.is_ok());
    }

    #[tokio::test]
    async fn who_goes_away_ends_no_fetch_and_those_who_wait_share_it() {
        let (keys, source) = keys(Some(NONE), 0);
        let began = Instant::now();
        let gone = tokio::time::timeout(Duration::from_millis(20), keys.get(began, false)).await;
        assert!(gone.is_err());
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let keys = Arc::clone(&keys);
                tokio::spawn(async move { keys.get(began, true).await.is_ok() })
            })
            .collect();
        source.open.add_permits(1);
        for waiting in waiting {
            assert!(waiting.await.unwrap());
        }
        assert_eq!(source.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn fresh_keys_wait_for_no_fetch_and_old_ones_for_none_in_an_outage() {
        let (keys, source) = keys(Some(NONE), 1);
        let began = Instant::now();
        assert!(keys.get(began, false).await.is_ok());
        // An unknown key id makes it ask, and that hangs.
        let unknown = Arc::clone(&keys);
        let unknown = tokio::spawn(async move { unknown.get(began + AGAIN, true).await.is_ok() });
        while source.asked.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(keys.get(began + AGAIN, false).await.is_ok());
        *source.answers.lock().unwrap() = None;
        source.open.add_permits(1);
        assert!(unknown.await.unwrap());
        // The fetch that failed is known: the next hangs, and nobody waits for it but with keys that are too old.
        assert!(keys.get(began + FRESH, false).await.is_ok());
        source.open.add_permits(2);
        let later = keys.get(began + STALE, false).await;
        assert_eq!(later.err(), Some(TokenError::NoKeys));
    }
}
