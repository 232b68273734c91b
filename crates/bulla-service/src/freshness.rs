//! Hearing of what other nodes changed, for requests that commit nothing because they are refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use crate::ServiceError;
use crate::committer::Message;

/// Asks the committer to catch up, for everybody who waits at once, and only so often.
///
/// Nobody has shown yet who he is: so whatever number of requests asks, the store is asked once in `every`. Each still gets an outcome of
/// a look that began after it had asked, so that nobody is refused for what was true before his request.
#[derive(Debug)]
pub(crate) struct Freshness {
    every: Duration,
    /// Number of the last who asked.
    asked: AtomicU64,
    last: Mutex<Look>,
}

/// The last look at the store.
#[derive(Debug)]
struct Look {
    began: Option<Instant>,
    /// Number of the last who had asked before it began.
    covers: u64,
    outcome: Result<(), ServiceError>,
}

impl Freshness {
    pub(crate) fn new(every: Duration) -> Self {
        let last = Look {
            began: None,
            covers: 0,
            outcome: Ok(()),
        };
        Self {
            every,
            asked: AtomicU64::new(0),
            last: Mutex::new(last),
        }
    }

    /// Returns once everything is known that was committed, by any node, before the call.
    ///
    /// # Errors
    /// `Store`, `Tampered`, `Throttled`, `ShuttingDown`.
    pub(crate) async fn catch_up(&self, queue: &mpsc::Sender<Message>) -> Result<(), ServiceError> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let mut last = self.last.lock().await;
        if last.covers >= number {
            return last.outcome.clone();
        }
        if let Some(began) = last.began {
            tokio::time::sleep_until(began + self.every).await;
        }
        last.began = Some(Instant::now());
        let covers = self.asked.load(Ordering::Acquire);
        last.outcome = look(queue).await;
        last.covers = covers;
        last.outcome.clone()
    }
}

/// Has the committer catch up once.
pub(crate) async fn look(queue: &mpsc::Sender<Message>) -> Result<(), ServiceError> {
    let (answer, outcome) = oneshot::channel();
    queue.try_send(Message::Check(answer)).map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => ServiceError::Throttled,
        mpsc::error::TrySendError::Closed(_) => ServiceError::ShuttingDown,
    })?;
    outcome.await.unwrap_or(Err(ServiceError::ShuttingDown))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts looks, and answers each with its number's parity: the second, fourth, … fail.
    fn committer() -> (mpsc::Sender<Message>, Arc<AtomicUsize>) {
        let (queue, mut messages) = mpsc::channel(8);
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = looks.clone();
        tokio::spawn(async move {
            while let Some(Message::Check(answer)) = messages.recv().await {
                let even = counted.fetch_add(1, Ordering::Relaxed) % 2 == 1;
                let _ = answer.send(if even { Err(ServiceError::Throttled) } else { Ok(()) });
            }
        });
        (queue, looks)
    }

    #[tokio::test]
    async fn however_many_ask_the_store_is_asked_once_in_a_while() {
        let (queue, looks) = committer();
        let every = Duration::from_millis(10);
        let freshness = Arc::new(Freshness::new(every));
        let began = Instant::now();
        let all: Vec<_> = (0..10_000)
            .map(|_| {
                let (freshness, queue) = (freshness.clone(), queue.clone());
                tokio::spawn(async move { freshness.catch_up(&queue).await })
            })
            .collect();
        for one in all {
            drop(one.await.unwrap());
        }
        for _ in 0..3 {
            drop(freshness.catch_up(&queue).await);
        }
        let most = began.elapsed().as_millis() / every.as_millis() + 1;
        let looks = looks.load(Ordering::Relaxed);
        assert!(looks >= 4 && looks as u128 <= most, "{looks} looks, {most} at most");
    }

    #[tokio::test]
    async fn a_look_answers_those_only_who_asked_before_it_began() {
        let (queue, looks) = committer();
        let freshness = Freshness::new(Duration::from_millis(1));
        freshness.catch_up(&queue).await.unwrap();
        freshness.catch_up(&queue).await.expect_err("a look of its own");
        assert_eq!(looks.load(Ordering::Relaxed), 2);
        drop(queue);
    }

    #[tokio::test]
    async fn who_gives_up_while_waiting_holds_up_nobody() {
        let (queue, looks) = committer();
        let freshness = Freshness::new(Duration::from_millis(100));
        freshness.catch_up(&queue).await.unwrap();
        let gone = tokio::time::timeout(Duration::from_millis(5), freshness.catch_up(&queue)).await;
        assert!(gone.is_err());
        freshness.catch_up(&queue).await.expect_err("the second look");
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }
}
