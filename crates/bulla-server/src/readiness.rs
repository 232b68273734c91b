use std::future::Future;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Whether the service is ready, asked at most once at a time, and no more often than an answer stays fresh.
///
/// The page is open to everybody and its probe takes the store's lock for writing: without this, who asks in a loop would slow
/// everybody's commits.
#[derive(Debug)]
pub(crate) struct Readiness {
    fresh: Duration,
    last: Mutex<Option<(Instant, bool)>>,
}

impl Readiness {
    /// Asks nothing yet; an answer is good for `fresh`.
    pub(crate) fn new(fresh: Duration) -> Self {
        Self {
            fresh,
            last: Mutex::new(None),
        }
    }

    /// Answers with the last probe's result while it is fresh, else with that of `probe`.
    pub(crate) async fn ask(&self, probe: impl Future<Output = bool>) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, ready)) = *last
            && at.elapsed() < self.fresh
        {
            return ready;
        }
        let ready = probe.await;
        *last = Some((Instant::now(), ready));
        ready
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    async fn probe(count: &AtomicU32) -> bool {
        tokio::task::yield_now().await;
        count.fetch_add(1, Ordering::Relaxed) == 0
    }

    #[tokio::test]
    async fn who_asks_while_an_answer_is_fresh_gets_the_same() {
        let (readiness, probes) = (Readiness::new(LONG), AtomicU32::new(0));
        let asked = tokio::join!(readiness.ask(probe(&probes)), readiness.ask(probe(&probes)));
        assert_eq!(asked, (true, true));
        assert!(readiness.ask(probe(&probes)).await);
        assert_eq!(probes.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn an_answer_that_is_old_is_asked_for_again() {
        let (readiness, probes) = (Readiness::new(Duration::ZERO), AtomicU32::new(0));
        assert!(readiness.ask(probe(&probes)).await);
        assert!(!readiness.ask(probe(&probes)).await);
    }
}
