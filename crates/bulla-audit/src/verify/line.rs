use std::collections::BTreeMap;

use super::{
    FindingKind,
    displaced::{Displaced, Gap},
    finding::Findings,
    parse::Row,
    replay::Replay,
};
use crate::{Checkpoint, CompactRange, Hash};

/// How many rows may claim one sequence before the others are called inserted unseen.
const MAX_CANDIDATES: usize = 16;

/// The line of events in the order of their own sequences, and what vouches for each.
///
/// An event is *vouched for* by a checkpoint whose chain line is its hash, or by the event after it whose `previousHash` is its hash and
/// which is vouched for itself. Where the two disagree, the leaf that the later one names goes into the Merkle tree, so that the roots
/// after an edit still compare, and prove that nothing else was changed.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) findings: Findings,
    pub(super) replay: Replay,
    pub(super) externals: Vec<External>,
    /// Checkpoints that are not reached yet, by size.
    checkpoints: BTreeMap<u64, Vec<Checkpoint>>,
    displaced: Displaced,
    /// The sequence that should come next.
    next: u64,
    /// Rows that claim to be event `next - 1`; empty when that is settled.
    pending: Vec<Row>,
    /// Event `next - 2`, when event `next - 1` names another hash for it.
    open: Option<Open>,
    /// The hash of event `next - 1` when `pending` is empty.
    settled: Hash,
    diverged: Option<Divergence>,
    /// The tree up to the newest settled event; `None` once a leaf is unknown.
    range: Option<CompactRange>,
    /// The size of the newest checkpoint that was reached.
    batch_start: u64,
    /// A row whose place is decided by the row after it.
    held: Option<Row>,
}

/// A checkpoint from elsewhere, and whether the log extends it.
#[derive(Debug)]
pub(super) struct External {
    pub(super) checkpoint: Checkpoint,
    pub(super) extends: Option<bool>,
}

/// An event and the event after it that disagree on its hash.
#[derive(Debug)]
struct Open {
    row: Row,
    claimed: Option<Hash>,
}

/// Events that link among themselves, but not to the checkpoint over them.
#[derive(Debug)]
struct Divergence {
    /// The checkpoint's size.
    size: u64,
    first: u64,
    last: u64,
    /// The hash of the last event, as it stands.
    stands: Hash,
    /// The hash of the last event, as the checkpoint says.
    signed: Hash,
    /// The tree with the checkpoint's hash for the last event, if that has the checkpoint's root.
    repaired: Option<CompactRange>,
}

impl Line {
    pub(super) fn new(externals: Vec<External>) -> Self {
        Self {
            findings: Findings::default(),
            replay: Replay::new(),
            externals,
            checkpoints: BTreeMap::new(),
            displaced: Displaced::default(),
            next: 0,
            pending: Vec::new(),
            open: None,
            settled: Hash::ZERO,
            diverged: None,
            range: Some(CompactRange::new()),
            batch_start: 0,
            held: None,
        }
    }

    /// Adds a checkpoint whose signature is verified; `false` if its place is passed already.
    pub(super) fn expect(&mut self, checkpoint: Checkpoint) -> bool {
        let in_time = checkpoint.size >= self.next;
        if in_time {
            self.checkpoints.entry(checkpoint.size).or_default().push(checkpoint);
        }
        in_time
    }

    /// Takes the next row of the store.
    pub(super) fn push(&mut self, row: Row, head_size: u64) {
        // What can't be read may be the event that is due.
        let sequence = row.sequence.unwrap_or(self.next);
        if row.column >= head_size && sequence >= head_size {
            return self.findings.one(FindingKind::Inserted, row.column);
        }
        let due = self.next;
        let is_due = sequence == due && sequence < head_size;
        if is_due || sequence > due && row.column == sequence {
            self.release_held();
            self.accept(row, sequence);
        } else if sequence > due {
            let follows = |held: &mut Row| {
                held.sequence.map(|held| held + 1) == Some(sequence) && row.previous == Some(held.hash)
            };
            if let Some(held) = self.held.take_if(follows) {
                self.accept(held, sequence - 1);
                self.accept(row, sequence);
            } else {
                self.release_held();
                self.held = Some(row);
            }
        } else if sequence + 1 == due && !self.pending.is_empty() && self.pending.len() < MAX_CANDIDATES {
            self.pending.push(row);
        } else {
            self.displaced.stray(row, due, &mut self.findings);
        }
    }

    fn release_held(&mut self) {
        if let Some(held) = self.held.take() {
            self.displaced.stray(held, self.next, &mut self.findings);
        }
    }

    /// Puts an event on the line, after a gap if it is not the one that is due.
    fn accept(&mut self, row: Row, sequence: u64) {
        let mut before_row = None;
        while let Some(entry) = self.checkpoints.first_entry()
            && *entry.key() <= sequence
        {
            let (size, group) = entry.remove_entry();
            let checkpoint = self.choose(size, group);
            if size == self.next {
                self.settle(checkpoint);
            } else if size == sequence {
                before_row = checkpoint;
            }
        }
        if sequence > self.next {
            self.jump(&row, sequence, before_row);
        } else {
            self.link(&row, sequence);
        }
        self.pending = vec![row];
        self.next = sequence + 1;
    }

    /// Compares the row's `previousHash` with the event before it.
    fn link(&mut self, row: &Row, sequence: u64) {
        if self.pending.is_empty() {
            if let Some(diverged) = self.diverged.take_if(|diverged| row.previous != Some(diverged.stands)) {
                self.name_edit(diverged);
            }
            if self.diverged.is_none() && row.previous != Some(self.settled) {
                self.findings.one(FindingKind::Edited, sequence);
            }
            return;
        }
        match self
            .pending
            .iter()
            .position(|candidate| row.previous == Some(candidate.hash))
        {
            Some(genuine) => {
                self.close_open(true);
                let candidate = self.take_candidate(genuine);
                self.advance(sequence - 1, candidate.hash);
                self.replay_row(sequence - 1, candidate);
            }
            None => {
                self.close_open(false);
                self.end_divergence();
                let candidate = self.take_candidate(0);
                self.open = Some(Open {
                    row: candidate,
                    claimed: row.previous,
                });
            }
        }
    }

    /// Skips events that are not there.
    fn jump(&mut self, row: &Row, sequence: u64, checkpoint: Option<Checkpoint>) {
        self.lose_pending();
        self.end_divergence();
        self.replay.skip();
        let truth = checkpoint.as_ref().map(|checkpoint| checkpoint.last).or(row.previous);
        self.displaced.gap(
            Gap {
                first: self.next,
                last: sequence - 1,
                truth,
                is_tail: false,
            },
            &mut self.findings,
        );
        match truth {
            Some(truth) if self.next + 1 == sequence => self.advance(self.next, truth),
            _ => self.range = None,
        }
        if let Some(checkpoint) = checkpoint {
            if row.previous != Some(checkpoint.last) {
                self.findings.one(FindingKind::Edited, sequence);
            }
            self.compare_root(&checkpoint);
            self.batch_start = sequence;
        }
    }

    /// Decides event `next - 1` by a checkpoint of size `next`.
    fn settle(&mut self, checkpoint: Option<Checkpoint>) {
        let Some(checkpoint) = checkpoint else { return };
        if self.pending.is_empty() {
            let agrees = checkpoint.last == self.settled && checkpoint.size == self.batch_start;
            if !agrees || self.range.as_ref().is_some_and(|range| range.root() != checkpoint.root) {
                self.findings.one(FindingKind::CheckpointMismatch, checkpoint.size);
            }
            return;
        }
        let sequence = self.next - 1;
        if let Some(genuine) = self
            .pending
            .iter()
            .position(|candidate| candidate.hash == checkpoint.last)
        {
            self.close_open(true);
            if let Some(diverged) = self.diverged.take() {
                self.findings.one(FindingKind::Fork, diverged.size);
                self.compare_external(diverged.size - 1, diverged.stands);
            }
            let candidate = self.take_candidate(genuine);
            self.advance(sequence, candidate.hash);
            self.replay_row(sequence, candidate);
            if self
                .replay
                .revision
                .is_some_and(|revision| revision != checkpoint.metadata_revision)
            {
                self.findings.one(FindingKind::CheckpointMismatch, checkpoint.size);
            }
            self.compare_root(&checkpoint);
        } else {
            self.close_open(false);
            self.end_divergence();
            let candidate = self.take_candidate(0);
            candidate.report_defect(sequence, &mut self.findings);
            self.diverge(&checkpoint, candidate.hash);
        }
        self.settled = checkpoint.last;
        self.batch_start = checkpoint.size;
    }

    /// Notes that the events since the checkpoint before do not lead to this one.
    fn diverge(&mut self, checkpoint: &Checkpoint, stands: Hash) {
        let last = checkpoint.size - 1;
        let with = |leaf: Hash| {
            self.range.clone().map(|mut range| {
                range.append(leaf);
                range
            })
        };
        let repaired = with(checkpoint.last).filter(|range| range.root() == checkpoint.root);
        let first = if repaired.is_some() { last } else { self.batch_start };
        let standing = with(stands);
        if repaired.is_some() {
            self.findings.revise(FindingKind::Unvouched, self.batch_start, None);
        }
        self.diverged = Some(Divergence {
            size: checkpoint.size,
            first,
            last,
            stands,
            signed: checkpoint.last,
            repaired,
        });
        self.range = standing;
        self.replay.skip();
    }

    fn end_divergence(&mut self) {
        if let Some(diverged) = self.diverged.take() {
            self.name_edit(diverged);
        }
    }

    /// Ends a divergence that no later checkpoint vouches for.
    fn name_edit(&mut self, diverged: Divergence) {
        self.findings.add(FindingKind::Edited, diverged.first, diverged.last);
        let is_repaired = diverged.repaired.is_some();
        // Events that came since hang on those that were edited.
        self.range = diverged.repaired.filter(|range| range.size() == self.next);
        if is_repaired {
            self.compare_external(diverged.last, diverged.signed);
        }
    }

    /// Decides event `next - 2`, now that the event after it is vouched for or not.
    fn close_open(&mut self, vouched: bool) {
        let Some(Open { row, claimed }) = self.open.take() else {
            return;
        };
        let sequence = self.next - 2;
        match claimed {
            Some(claimed) if vouched => {
                row.report_defect(sequence, &mut self.findings);
                self.findings.one(FindingKind::Edited, sequence);
                self.replay.skip();
                self.advance(sequence, claimed);
            }
            _ => {
                self.findings.one(FindingKind::Unvouched, sequence);
                self.advance(sequence, row.hash);
                self.replay_row(sequence, row);
                self.replay.complete = false;
            }
        }
    }

    /// Gives up on anything vouching for event `next - 1`.
    fn lose_pending(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let sequence = self.next - 1;
        self.close_open(false);
        let candidate = self.take_candidate(0);
        self.findings.one(FindingKind::Unvouched, sequence);
        self.advance(sequence, candidate.hash);
        self.settled = candidate.hash;
        self.replay_row(sequence, candidate);
        self.replay.complete = false;
    }

    /// Takes one of the rows that claim event `next - 1`; the others stand where event `next` belongs, or were inserted.
    fn take_candidate(&mut self, index: usize) -> Row {
        let candidate = self.pending.swap_remove(index);
        self.displaced
            .numbered(self.next - 1, candidate.column, &mut self.findings);
        for other in self.pending.drain(..) {
            self.displaced.stray(other, self.next, &mut self.findings);
        }
        candidate
    }

    fn replay_row(&mut self, sequence: u64, row: Row) {
        row.report_defect(sequence, &mut self.findings);
        self.replay.apply(sequence, row, &mut self.findings);
    }

    /// Puts a leaf into the tree.
    fn advance(&mut self, sequence: u64, leaf: Hash) {
        if let Some(range) = &mut self.range {
            range.append(leaf);
        }
        self.compare_external(sequence, leaf);
    }

    fn compare_external(&mut self, sequence: u64, leaf: Hash) {
        for external in self
            .externals
            .iter_mut()
            .filter(|external| external.checkpoint.size == sequence + 1)
        {
            let root = self
                .range
                .as_ref()
                .filter(|range| range.size() == sequence + 1)
                .map(CompactRange::root);
            let same_root = root.is_none_or(|root| root == external.checkpoint.root);
            external.extends = Some(same_root && external.checkpoint.last == leaf);
        }
    }

    fn compare_root(&mut self, checkpoint: &Checkpoint) {
        let Some(range) = &self.range else { return };
        if range.size() == checkpoint.size && range.root() == checkpoint.root {
            // The root commits to every leaf that was put in on trust.
            return self.findings.revise(FindingKind::Unvouched, self.batch_start, None);
        }
        let mut unvouched = 0;
        let mut others = 0;
        for finding in self.findings.since(self.batch_start) {
            if finding.kind == FindingKind::Unvouched {
                unvouched += finding.last - finding.first + 1;
            } else {
                others += 1;
            }
        }
        match (unvouched, others) {
            (1, _) => self
                .findings
                .revise(FindingKind::Unvouched, self.batch_start, Some(FindingKind::Edited)),
            (0, 0) => self.findings.one(FindingKind::CheckpointMismatch, checkpoint.size),
            _ => {}
        }
        self.range = None;
    }

    /// Of several signed checkpoints of one size, the one that the events lead to; names a fork if they differ.
    fn choose(&mut self, size: u64, group: Vec<Checkpoint>) -> Option<Checkpoint> {
        let mut group = group.into_iter();
        let mut chosen = group.next()?;
        for other in group {
            if (other.root, other.last) != (chosen.root, chosen.last) {
                self.findings.one(FindingKind::Fork, size);
                if size == self.next && self.pending.iter().any(|candidate| candidate.hash == other.last) {
                    chosen = other;
                }
            }
        }
        Some(chosen)
    }

    /// Ends the line at the size that the head says.
    pub(super) fn finish(mut self, head_size: u64) -> (Findings, Replay, Vec<External>) {
        if let Some(held) = self.held.take() {
            let vouched = held.sequence.filter(|&sequence| {
                let group = self.checkpoints.get(&(sequence + 1));
                sequence < head_size && group.is_some_and(|group| group.iter().any(|one| one.last == held.hash))
            });
            match vouched {
                Some(sequence) if sequence > self.next => self.accept(held, sequence),
                _ => self.displaced.stray(held, self.next, &mut self.findings),
            }
        }
        let mut at_head = None;
        while let Some((size, group)) = self.checkpoints.pop_first() {
            let checkpoint = self.choose(size, group);
            if size == self.next {
                self.settle(checkpoint);
            } else if size == head_size {
                at_head = checkpoint;
            }
        }
        self.lose_pending();
        self.end_divergence();
        if self.next < head_size {
            self.replay.skip();
            let truth = at_head.as_ref().map(|checkpoint| checkpoint.last);
            self.displaced.gap(
                Gap {
                    first: self.next,
                    last: head_size - 1,
                    truth,
                    is_tail: true,
                },
                &mut self.findings,
            );
            if let Some(checkpoint) = at_head.filter(|_| self.next + 1 == head_size) {
                self.advance(self.next, checkpoint.last);
                self.compare_root(&checkpoint);
            }
        }
        self.displaced.explain(&mut self.findings);
        (self.findings, self.replay, self.externals)
    }
}
