use bulla_audit::{ProofBuilder, ProofBundle, leaf_hash};
use bulla_store::Store;
use clap::Args;

use super::{Log, OpenLog};
use crate::failure::{CommandResult, Explained, Outcome};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Prove {
    /// Sequence number of the event
    sequence: u64,
    #[command(flatten)]
    pub(super) log: Log,
}

impl Prove {
    pub(super) async fn run(&self, log: &OpenLog) -> CommandResult {
        let size = log.head.size;
        let mut proof = ProofBuilder::inclusion(self.sequence, size).map_err(|_| {
            Explained::misuse(format!(
                "there is no event {}: the log has the events 0 to {}",
                self.sequence,
                size.saturating_sub(1)
            ))
        })?;
        let mut proven = None;
        let mut next = 0;
        while next < size {
            let events = log.store.events(next, 1000).await?;
            let Some(last) = events.last().map(|event| event.sequence) else {
                break;
            };
            for event in events.into_iter().filter(|event| event.sequence < size) {
                proof.push(leaf_hash(&event.event));
                if event.sequence == self.sequence {
                    proven = Some(event.event);
                }
            }
            next = last + 1;
        }
        let damaged = || Explained::new("the log is damaged").hint("bulla audit verify names what was changed");
        let bundle = ProofBundle {
            event: proven.ok_or_else(damaged)?,
            sequence: self.sequence,
            path: proof
                .finish()
                .map_err(|error| anyhow::Error::new(error).context(damaged()))?,
            checkpoint: log.head.checkpoint.clone(),
            key: log.trusted.to_string(),
            key_statements: Vec::new(),
        };
        // What does not convince us convinces nobody else.
        bundle
            .verify(&log.trusted)
            .map_err(|error| anyhow::Error::new(error).context(damaged()))?;
        output::bytes(bundle.to_json()?.as_bytes())?;
        Ok(Outcome::Done)
    }
}
