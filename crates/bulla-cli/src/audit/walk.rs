use bulla_audit::{KeyChain, LogHead, LogVerifier, Report};
use bulla_store::{CheckpointRow, EventRow, HeadRow, Store};

use super::OpenLog;

const BATCH: u32 = 1000;
/// How often the walk follows a log that grows meanwhile.
const PURSUITS: u32 = 3;

/// Walks through a whole log, feeding the verifier: events in the order of their rows, each stored checkpoint before the row whose
/// number is its size.
pub(super) struct Walk<'a> {
    log: &'a OpenLog,
    verifier: LogVerifier,
    head: HeadRow,
    next: u64,
    checkpoint_after: Option<u64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(log: &'a OpenLog) -> Self {
        let verifier = LogVerifier::new(KeyChain::new(log.trusted.clone()), log_head(&log.head));
        Self {
            log,
            verifier,
            head: log.head.clone(),
            next: 0,
            checkpoint_after: None,
        }
    }

    /// The verifier, to compare with a checkpoint from elsewhere before the first row.
    pub(super) fn verifier(&mut self) -> &mut LogVerifier {
        &mut self.verifier
    }

    /// Metadata revision up to which the log was walked.
    pub(super) fn metadata_revision(&self) -> u64 {
        self.head.metadata_revision
    }

    /// Walks to the end and shows each event to `see`; a log that grows meanwhile is followed, but not forever.
    pub(super) async fn walk_to_end(
        &mut self,
        see: &mut (dyn FnMut(&EventRow) -> Result<(), anyhow::Error> + Send),
    ) -> Result<(), anyhow::Error> {
        for pursuit in 0..=PURSUITS {
            self.walk_to_head(see).await?;
            let beyond = self.log.store.events(self.head.size, BATCH).await?;
            let checkpoints = self.log.store.checkpoints(self.head.size, 1).await?;
            if beyond.is_empty() && checkpoints.is_empty() {
                return Ok(());
            }
            let newer = self.log.store.head().await?.filter(|head| head.size > self.head.size);
            match newer {
                // What lies beyond was committed since: it is walked next, or left to the next verification.
                Some(head) if pursuit < PURSUITS => {
                    self.verifier.advance_head(log_head(&head));
                    self.head = head;
                }
                Some(_) => return Ok(()),
                // The head does not know of it.
                None => return self.stray_rows(beyond).await,
            }
        }
        Ok(())
    }

    /// Ends.
    pub(super) fn finish(self) -> Report {
        self.verifier.finish()
    }

    async fn walk_to_head(
        &mut self,
        see: &mut (dyn FnMut(&EventRow) -> Result<(), anyhow::Error> + Send),
    ) -> Result<(), anyhow::Error> {
        while self.next < self.head.size {
            let mut events = self.log.store.events(self.next, BATCH).await?;
            events.retain(|event| event.sequence < self.head.size);
            let Some(last) = events.last().map(|event| event.sequence) else {
                break;
            };
            let mut checkpoints = self.checkpoints_up_to(last).await?.into_iter().peekable();
            for event in &events {
                while let Some(checkpoint) = checkpoints.next_if(|checkpoint| checkpoint.size <= event.sequence) {
                    self.verifier.push_checkpoint(checkpoint.size, &checkpoint.note);
                }
                self.verifier.push_event(event.sequence, &event.event);
                see(event)?;
            }
            self.next = last + 1;
        }
        for checkpoint in self.checkpoints_up_to(self.head.size).await? {
            self.verifier.push_checkpoint(checkpoint.size, &checkpoint.note);
        }
        Ok(())
    }

    async fn stray_rows(&mut self, mut beyond: Vec<EventRow>) -> Result<(), anyhow::Error> {
        while let Some(last) = beyond.last().map(|event| event.sequence) {
            for event in &beyond {
                self.verifier.push_event(event.sequence, &event.event);
            }
            let Some(next) = last.checked_add(1) else { break };
            beyond = self.log.store.events(next, BATCH).await?;
        }
        for checkpoint in self.checkpoints_up_to(u64::MAX).await? {
            self.verifier.push_checkpoint(checkpoint.size, &checkpoint.note);
        }
        Ok(())
    }

    /// Checkpoints of at most this size that were not read yet.
    async fn checkpoints_up_to(&mut self, size: u64) -> Result<Vec<CheckpointRow>, anyhow::Error> {
        let mut all = Vec::new();
        loop {
            let page = self
                .log
                .store
                .checkpoints(self.checkpoint_after.unwrap_or(0), BATCH)
                .await?;
            let whole = page.len() == BATCH as usize;
            let mut past = false;
            for checkpoint in page {
                if checkpoint.size > size {
                    past = true;
                    break;
                }
                self.checkpoint_after = Some(checkpoint.size);
                all.push(checkpoint);
            }
            if past || !whole {
                return Ok(all);
            }
        }
    }
}

fn log_head(head: &HeadRow) -> LogHead {
    LogHead {
        size: head.size,
        metadata_revision: head.metadata_revision,
        state: head.state.clone(),
        checkpoint: head.checkpoint.clone(),
    }
}
