use bulla_audit::{Checkpoint, Hash, VerifierKey, leaf_hash};
use bulla_store::EventRow;
use serde_json::Value;

use crate::ServiceError;
use crate::rows::Rows;

/// Events read at once.
pub(super) const BATCH: u32 = 1000;

/// Events read in order, each held against the one before it, and all of them against a signed checkpoint.
///
/// Nothing that was read may be answered before [`vouch`](Self::vouch) says so: who writes the database can make a chain that fits, but
/// not sign where it ends.
pub(super) struct VouchedEvents<'a> {
    rows: &'a Rows,
    verifier_key: &'a str,
    next: u64,
    /// Leaf hash of the event before the next one; none before the first was read.
    last: Option<Hash>,
}

impl<'a> VouchedEvents<'a> {
    pub(super) fn from(rows: &'a Rows, verifier_key: &'a str, first: u64) -> Self {
        Self {
            rows,
            verifier_key,
            next: first,
            last: None,
        }
    }

    /// The next events, `limit` at most; fewer at the log's end only.
    pub(super) async fn read(&mut self, limit: u32) -> Result<Vec<(EventRow, Value)>, ServiceError> {
        // What this node knows of was committed before.
        let size = self.rows.log_size();
        let rows = self.rows.store.events(self.next, limit).await?;
        if rows.len() < limit as usize && self.next.saturating_add(rows.len() as u64) < size {
            return Err(self.tampered(self.next.saturating_add(rows.len() as u64)));
        }
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            if row.sequence != self.next {
                return Err(self.tampered(self.next));
            }
            let event: Value = serde_json::from_slice(&row.event).map_err(|_| self.tampered(self.next))?;
            let previous = event.get("previousHash").and_then(Value::as_str);
            if self.last.is_some_and(|last| previous != Some(&last.to_string())) {
                return Err(self.tampered(self.next.saturating_sub(1)));
            }
            self.last = Some(leaf_hash(&row.event));
            self.next = self.next.saturating_add(1);
            events.push((row, event));
        }
        Ok(events)
    }

    /// Reads on to the next signed checkpoint, which must end in what was read.
    pub(super) async fn vouch(mut self) -> Result<(), ServiceError> {
        let Some(newest) = self.next.checked_sub(1).filter(|_| self.last.is_some()) else {
            return Ok(());
        };
        let checkpoint = self.rows.store.checkpoints(newest, 1).await?;
        let verifier = VerifierKey::parse(self.verifier_key).map_err(|_| self.tampered(newest))?;
        let checkpoint = checkpoint.first().and_then(|row| {
            let checkpoint = Checkpoint::parse_and_verify(&row.note, &[verifier]).ok()?;
            (checkpoint.size == row.size && row.size > newest).then(|| checkpoint.into_inner())
        });
        let checkpoint = checkpoint.ok_or_else(|| self.tampered(newest))?;
        while self.next < checkpoint.size {
            let missing = u32::try_from(checkpoint.size - self.next).unwrap_or(BATCH);
            if self.read(missing.min(BATCH)).await?.is_empty() {
                return Err(self.tampered(self.next));
            }
        }
        match self.last == Some(checkpoint.last) {
            true => Ok(()),
            false => Err(self.tampered(newest)),
        }
    }

    fn tampered(&self, sequence: u64) -> ServiceError {
        self.rows.tampered_event(sequence)
    }
}
