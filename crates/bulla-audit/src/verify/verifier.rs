use std::collections::VecDeque;

use super::{
    Completeness, FindingKind, Report,
    line::{External, Line},
    parse::Row,
};
use crate::{Checkpoint, CheckpointError, KeyChain, LogState, Verified};

/// The head row, as it is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogHead {
    /// Number of events.
    pub size: u64,
    /// Newest metadata revision.
    pub metadata_revision: u64,
    /// [`LogState`]'s bytes.
    pub state: Vec<u8>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

/// Recomputes a log from its rows and names what was done to them.
///
/// Memory is constant but for the map of rows that decide and for what was displaced. The order of calls:
/// 1. [`new`](Self::new) with the head; [`compare_with`](Self::compare_with) for each checkpoint that was kept elsewhere;
/// 2. rows in the order of their numbers with [`push_event`](Self::push_event), and stored checkpoints in the order of their sizes
///    with [`push_checkpoint`](Self::push_checkpoint), side by side: a row waits until a checkpoint of a greater
///    size was pushed, at most 10,000 rows do;
/// 3. on a log that grows meanwhile, [`advance_head`](Self::advance_head) before rows beyond the head;
/// 4. [`finish`](Self::finish).
///
/// # Security
/// The verdict rests on the trusted key of `keys` and on the checkpoints from elsewhere, on nothing in the store. Without the latter an
/// older state of the whole store, or another log signed with the same key, is consistent: [`Completeness::NotVouched`].
#[derive(Debug)]
pub struct LogVerifier {
    keys: KeyChain,
    head: LogHead,
    /// The head's size, by its checkpoint if that is signed.
    head_size: u64,
    head_checkpoint: Option<Verified<Checkpoint>>,
    line: Line,
    rows_read: u64,
    checkpoints_read: u64,
    newest_stored: u64,
    /// Rows that wait for the checkpoints up to their sequence.
    waiting: VecDeque<Row>,
}

/// How many rows wait for checkpoints; the store gives pages of this size at most.
const MAX_WAITING: usize = 10_000;

impl LogVerifier {
    /// Begins with the head, which says how many events there must be.
    pub fn new(keys: KeyChain, head: LogHead) -> Self {
        let mut verifier = Self {
            keys,
            head_size: head.size,
            head_checkpoint: None,
            line: Line::new(Vec::new()),
            rows_read: 0,
            checkpoints_read: 0,
            newest_stored: 0,
            waiting: VecDeque::new(),
            head: head.clone(),
        };
        verifier.advance_head(head);
        verifier
    }

    /// Compares the log with a signed checkpoint that was kept outside the store; before the first row.
    ///
    /// # Errors
    /// [`CheckpointError`] where it is not signed by the log's key: then it says nothing about this log, or the log's key was replaced.
    pub fn compare_with(&mut self, signed: &str) -> Result<(), CheckpointError> {
        let checkpoint = self.keys.verify_checkpoint(signed)?.into_inner();
        self.line.externals.push(External {
            checkpoint,
            extends: None,
        });
        Ok(())
    }

    /// Takes a newer head of a log that grew since.
    pub fn advance_head(&mut self, head: LogHead) {
        match self.keys.verify_checkpoint(&head.checkpoint) {
            Ok(checkpoint) => {
                self.head_size = checkpoint.size;
                if !self.line.expect((*checkpoint).clone()) || !agrees(&head, &checkpoint) {
                    self.line.findings.one(FindingKind::HeadMismatch, head.size);
                }
                self.head_checkpoint = Some(checkpoint);
            }
            Err(error) => {
                let kind = if error.is_signature() {
                    FindingKind::BadSignature
                } else {
                    FindingKind::HeadMismatch
                };
                self.line.findings.one(kind, head.size);
                self.head_size = head.size;
                self.head_checkpoint = None;
            }
        }
        self.head = head;
    }

    /// Takes a stored checkpoint: the row's size and its note.
    pub fn push_checkpoint(&mut self, size: u64, note: &str) {
        self.checkpoints_read += 1;
        // Rows before this size have all their checkpoints; rows of this size wait for a second one of it.
        self.newest_stored = self.newest_stored.max(size);
        self.release();
        let kind = match self.keys.verify_checkpoint(note) {
            Ok(checkpoint) if checkpoint.size == size => {
                if self.line.expect(checkpoint.into_inner()) {
                    return;
                }
                FindingKind::CheckpointMismatch
            }
            Err(error) if error.is_signature() => FindingKind::BadSignature,
            _ => FindingKind::CheckpointMismatch,
        };
        self.line.findings.one(kind, size);
    }

    /// Takes a stored event: the row's number and its bytes.
    pub fn push_event(&mut self, row_sequence: u64, bytes: &[u8]) {
        self.rows_read += 1;
        self.waiting.push_back(Row::read(row_sequence, bytes));
        if self.waiting.len() > MAX_WAITING {
            self.take_waiting();
        } else {
            self.release();
        }
    }

    /// Hands on the rows whose checkpoints were all pushed.
    fn release(&mut self) {
        while let Some(row) = self.waiting.front() {
            let sequence = row
                .sequence
                .filter(|sequence| *sequence < self.head_size)
                .unwrap_or(row.column);
            if sequence >= self.newest_stored {
                break;
            }
            self.take_waiting();
        }
    }

    fn take_waiting(&mut self) {
        if let Some(row) = self.waiting.pop_front() {
            self.line.push(row, self.head_size);
        }
    }

    /// Ends, and says what was found.
    pub fn finish(mut self) -> Report {
        while !self.waiting.is_empty() {
            self.take_waiting();
        }
        if self.newest_stored < self.head_size {
            self.line.findings.one(FindingKind::CheckpointMissing, self.head_size);
        }
        let (mut findings, mut replay, externals) = self.line.finish(self.head_size);
        if self.newest_stored > self.head_size {
            findings.add(FindingKind::Truncated, self.head_size, self.newest_stored - 1);
        }
        let mut completeness = Completeness::NotVouched;
        let mut vouched = 0;
        for External { checkpoint, extends } in externals {
            match extends {
                Some(true) => {
                    vouched = vouched.max(checkpoint.size);
                    completeness = Completeness::VouchedUpTo { size: vouched };
                }
                Some(false) => findings.one(FindingKind::Replaced, checkpoint.size),
                None if checkpoint.size > self.head_size => {
                    findings.add(FindingKind::Truncated, self.head_size, checkpoint.size - 1);
                }
                None => {}
            }
        }
        let open_intents = replay.open_intents();
        let (findings, suppressed) = findings.into_sorted();
        Report {
            rows_read: self.rows_read,
            checkpoints_read: self.checkpoints_read,
            head: self.head_checkpoint,
            expected_rows_complete: replay.complete,
            expected_rows: replay.expected,
            findings,
            suppressed,
            completeness,
            open_intents,
        }
    }
}

/// Whether the head row's parts say what its checkpoint says.
fn agrees(head: &LogHead, checkpoint: &Checkpoint) -> bool {
    LogState::from_bytes(&head.state).is_ok_and(|state| {
        head.size == checkpoint.size
            && head.metadata_revision == checkpoint.metadata_revision
            && state.checkpoint(&checkpoint.origin, checkpoint.time) == *checkpoint
    })
}
