use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bulla_kms::{KmsError, KmsErrorKind};
use tokio::time::{Instant, sleep, timeout};

use crate::DataKeyError;
use crate::breaker::Breaker;
use crate::sealer::Inner;
use crate::stats::count;

/// A provider's answer, as its trait gives it.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, KmsError>> + Send + 'a>>;

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The circuit to the provider is open.
#[derive(Debug, thiserror::Error)]
#[error("not asked: the provider failed several times in a row, and is left alone for a while")]
struct CircuitOpen;

/// One attempt took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

impl Inner {
    /// Asks the provider: each attempt within its time, again where the error may pass, and not at all while the circuit is open.
    pub(crate) async fn call<'a, T>(
        &self,
        operation: &'static str,
        key: &str,
        ask: impl Fn() -> Answer<'a, T>,
    ) -> Result<T, DataKeyError> {
        let mut tries = 1;
        let breaker = self.breaker_of(key);
        loop {
            let Some(permit) = breaker.enter(Instant::now()) else {
                count(&self.counters.provider_skipped);
                let error = KmsError::new(KmsErrorKind::Unavailable, operation, key).with_source(CircuitOpen);
                return Err(DataKeyError::Provider(Arc::new(error)));
            };
            count(&self.counters.provider_calls);
            let error = match attempt(self.settings.call_timeout, operation, key, ask()).await {
                Ok(answer) => {
                    permit.answered();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            count(&self.counters.provider_failures);
            if !error.is_retryable() {
                permit.answered();
                return Err(DataKeyError::Provider(Arc::new(error)));
            }
            permit.failed(Instant::now());
            tracing::debug!(operation, key, tries, kind = %error.kind, "provider call failed");
            if tries >= self.settings.attempts {
                return Err(DataKeyError::Provider(Arc::new(error)));
            }
            sleep(self.wait_after(tries)).await;
            tries += 1;
        }
    }

    /// The circuit to a key. One for the sealing key under all its names, and one for each other: their names come from stored
    /// records, and who can write those is not to cut the sealing key off.
    fn breaker_of(&self, key: &str) -> Arc<Breaker> {
        if key == self.key || self.is_anchor(key) {
            return Arc::clone(self.breakers.own());
        }
        self.breakers.of(key)
    }

    /// Full jitter: anything between nothing and the doubling bound, so that those who failed together don't come back together.
    fn wait_after(&self, tries: u32) -> Duration {
        let bound = self
            .settings
            .retry_base
            .saturating_mul(1 << (tries - 1).min(16))
            .min(LONGEST_WAIT);
        bound.mul_f64(self.random_fraction())
    }

    /// Draws a number from 0 to 1; 1 where there is no randomness, which is only for spreading load.
    pub(crate) fn random_fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.lanes.random().fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
            Err(_) => 1.0,
        }
    }
}

/// Asks once, for at most `limit`.
pub(crate) async fn attempt<T>(
    limit: Duration,
    operation: &'static str,
    key: &str,
    answer: Answer<'_, T>,
) -> Result<T, KmsError> {
    let no_answer = |_| Err(KmsError::new(KmsErrorKind::Unavailable, operation, key).with_source(NoAnswer(limit)));
    timeout(limit, answer).await.unwrap_or_else(no_answer)
}
