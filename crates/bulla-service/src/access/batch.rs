use super::{Access, Accessed};
use crate::committer::CommitError;
use crate::decision::Decision;
use crate::limits;
use crate::runner::Operation;
use crate::{Call, Service, ServiceError};

const MAX_ACCESSES: usize = 100;

impl Service {
    /// Decides up to 100 accesses, each by itself, and records each in an event of its own; all of them are durable in one commit when
    /// this returns.
    ///
    /// # Errors
    /// `Validation` for none or too many; `Store`, `Tampered`, `Throttled`, `ShuttingDown`: nothing may leave the process. The answer
    /// has one result for each access, as [`access`](Self::access) would have it.
    pub async fn access_all(
        &self,
        call: &Call,
        accesses: &[Access],
    ) -> Result<Vec<Result<Accessed, ServiceError>>, ServiceError> {
        limits::blob("accesses", accesses.len(), 1, MAX_ACCESSES)?;
        let core = &self.core;
        for _ in 0..core.max_decisions {
            let (mut seen, mut reads) = (u64::MAX, Vec::new());
            let (mut results, mut events) = (Vec::new(), Vec::new());
            for access in accesses {
                let asked = || Operation::parameters(access);
                let mut decision = Decision::of(core, call, &asked, &[]);
                let result = match decision.identify().await {
                    Ok(()) => access.decide(&mut decision).await,
                    Err(error) => Err(error),
                };
                let parameters = decision.take_parameters();
                let (event, _) = core.event(&decision, access.event(), parameters, result.as_ref().err())?;
                seen = seen.min(decision.seen);
                reads.append(&mut decision.reads);
                results.push(result);
                events.push(event);
            }
            let last = events.pop().ok_or(ServiceError::Internal("a batch of nothing"))?;
            match core.commit_with(seen, reads, Vec::new(), events, last).await {
                Ok(()) => return Ok(results),
                Err(CommitError::Stale) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        for access in accesses {
            let error = core.give_up(call, access.event(), Operation::parameters(access)).await;
            if !matches!(error, ServiceError::Throttled) {
                return Err(error);
            }
        }
        Err(ServiceError::Throttled)
    }
}
