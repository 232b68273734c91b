use std::fmt;

use crate::canonical::MAX_INTEGER;

/// Something that an untouched log does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: FindingKind,
    /// The first sequence that it concerns; for checkpoints the size.
    pub first: u64,
    /// The last sequence that it concerns; the same as `first` for one.
    pub last: u64,
}

/// What was done to a log, or what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// An event's bytes are not those that the event after it, or a checkpoint, names. A range: at least one of them.
    Edited,
    /// Nothing that is signed vouches for this event, because what came after it is changed or gone.
    Unvouched,
    /// A row that no event after it and no checkpoint knows; the sequence is the row's.
    Inserted,
    /// Events that are gone.
    Deleted,
    /// An event stands at another event's place.
    Reordered,
    /// The rows' numbers are not the events' own sequences, though the order is right.
    Renumbered,
    /// The end of the log is gone; the range is what a checkpoint says there was.
    Truncated,
    /// Two checkpoints, both signed by the log's key, contradict each other; the size is the first one's.
    Fork,
    /// The log is not an extension of the checkpoint that was kept elsewhere; the size is that checkpoint's.
    Replaced,
    /// The head row does not say what its checkpoint or the events say; the size is the head's.
    HeadMismatch,
    /// A checkpoint that is not signed by the log's key in force.
    BadSignature,
    /// A row for this size whose note is not a checkpoint of it, or whose root or revision is not that of the events.
    CheckpointMismatch,
    /// The head's checkpoint is not stored.
    CheckpointMissing,
    /// An event's bytes are not the canonical form of what they say.
    NotCanonical,
    /// An event lacks a member that it must have, or one has another type.
    Malformed,
    /// An event's metadata revision does not follow from the one before and from its changes.
    MetadataRevision,
    /// An outcome without the intent that it names, or a second one.
    OutcomeWithoutIntent,
    /// Two events with one `eventID` that announce intents.
    IntentTwice,
}

impl FindingKind {
    fn says(self) -> &'static str {
        match self {
            Self::Edited => "edited: the bytes are not those that were signed",
            Self::Unvouched => "not vouched for: what came after is changed or gone",
            Self::Inserted => "inserted: nothing signed knows this row",
            Self::Deleted => "deleted",
            Self::Reordered => "out of order",
            Self::Renumbered => "renumbered: the row's number is not the event's sequence",
            Self::Truncated => "cut off the end of the log",
            Self::Fork => "forked: signed checkpoints contradict each other",
            Self::Replaced => "replaced: not an extension of the checkpoint that was kept",
            Self::HeadMismatch => "the head row contradicts its checkpoint or the events",
            Self::BadSignature => "not signed by the log's key",
            Self::CheckpointMismatch => "the stored checkpoint is not one of these events",
            Self::CheckpointMissing => "the head's checkpoint is not stored",
            Self::NotCanonical => "not canonical JSON",
            Self::Malformed => "not an audit event",
            Self::MetadataRevision => "the metadata revision does not follow",
            Self::OutcomeWithoutIntent => "the outcome of an intent that is not in the log",
            Self::IntentTwice => "an intent announced twice",
        }
    }

    fn is_about_a_size(self) -> bool {
        matches!(
            self,
            Self::Fork
                | Self::Replaced
                | Self::HeadMismatch
                | Self::BadSignature
                | Self::CheckpointMismatch
                | Self::CheckpointMissing
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.kind.is_about_a_size() {
            "checkpoint of size"
        } else {
            "event"
        };
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{noun} {first}: {}", self.kind.says()),
            (first, last) if last >= MAX_INTEGER => write!(f, "{noun}s from {first} on: {}", self.kind.says()),
            (first, last) => write!(f, "{noun}s {first} to {last}: {}", self.kind.says()),
        }
    }
}

/// Findings as they come, neighbours of one kind merged, bounded.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    /// How many more there were than [`MAX_FINDINGS`].
    pub(super) suppressed: u64,
}

/// How many findings are listed; the rest is counted.
const MAX_FINDINGS: usize = 1000;

impl Findings {
    pub(super) fn add(&mut self, kind: FindingKind, first: u64, last: u64) {
        let touching = self.list.iter_mut().rev().take(8).find(|finding| {
            finding.kind == kind && first <= finding.last.saturating_add(1) && last.saturating_add(1) >= finding.first
        });
        if let Some(finding) = touching {
            finding.first = finding.first.min(first);
            finding.last = finding.last.max(last);
        } else if self.list.len() < MAX_FINDINGS {
            self.list.push(Finding { kind, first, last });
        } else {
            self.suppressed += 1;
        }
    }

    pub(super) fn one(&mut self, kind: FindingKind, at: u64) {
        self.add(kind, at, at);
    }

    /// What concerns sequences from `first` on.
    pub(super) fn since(&self, first: u64) -> impl Iterator<Item = &Finding> {
        self.list.iter().rev().filter(move |finding| finding.last >= first)
    }

    /// Turns findings of one kind from `first` on into another, or drops them.
    pub(super) fn revise(&mut self, kind: FindingKind, first: u64, into: Option<FindingKind>) {
        match into {
            Some(into) => {
                for finding in self
                    .list
                    .iter_mut()
                    .filter(|finding| finding.kind == kind && finding.first >= first)
                {
                    finding.kind = into;
                }
            }
            None => self
                .list
                .retain(|finding| finding.kind != kind || finding.first < first),
        }
    }

    pub(super) fn into_sorted(mut self) -> (Vec<Finding>, u64) {
        self.list
            .sort_by_key(|finding| (finding.first, finding.last, finding.kind));
        self.list.dedup();
        (self.list, self.suppressed)
    }
}
