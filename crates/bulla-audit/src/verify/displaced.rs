use std::collections::BTreeSet;

use super::{FindingKind, finding::Findings, parse::Row};
use crate::Hash;

/// How many displaced rows, gaps and shifts are kept each, to be matched at the end; beyond that they are named as they come.
const MAX_KEPT: usize = 10_000;

/// Rows that are not where their event belongs, and the places where an event is missing; explained at the end.
#[derive(Debug, Default)]
pub(super) struct Displaced {
    gaps: Vec<Gap>,
    strays: Vec<Stray>,
    renumbered: Vec<Shifted>,
}

/// Events that did not come where they belong.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) first: u64,
    pub(super) last: u64,
    /// The leaf hash of `last`, as the event after it or a checkpoint says.
    pub(super) truth: Option<Hash>,
    /// Whether nothing came after it.
    pub(super) is_tail: bool,
}

#[derive(Debug)]
struct Stray {
    row: Row,
    /// The event that belonged where this row stood.
    instead_of: u64,
}

/// Events in their right order whose row numbers are off by the same amount.
#[derive(Debug)]
struct Shifted {
    first: u64,
    last: u64,
    first_column: u64,
}

impl Displaced {
    pub(super) fn gap(&mut self, gap: Gap, findings: &mut Findings) {
        if self.gaps.len() < MAX_KEPT || gap.is_tail {
            self.gaps.push(gap);
        } else {
            findings.add(FindingKind::Deleted, gap.first, gap.last);
        }
    }

    pub(super) fn stray(&mut self, row: Row, instead_of: u64, findings: &mut Findings) {
        if self.strays.len() < MAX_KEPT {
            self.strays.push(Stray { row, instead_of });
        } else {
            findings.one(FindingKind::Inserted, row.column);
        }
    }

    pub(super) fn numbered(&mut self, sequence: u64, column: u64, findings: &mut Findings) {
        if sequence == column {
            return;
        }
        if let Some(newest) = self.renumbered.last_mut()
            && newest.last + 1 == sequence
            && newest.first_column.checked_add(sequence - newest.first) == Some(column)
        {
            newest.last = sequence;
        } else if self.renumbered.len() == MAX_KEPT {
            findings.one(FindingKind::Renumbered, sequence);
        } else {
            self.renumbered.push(Shifted {
                first: sequence,
                last: sequence,
                first_column: column,
            });
        }
    }

    /// Matches displaced rows with gaps and names what is left.
    pub(super) fn explain(mut self, findings: &mut Findings) {
        let mut reordered = BTreeSet::new();
        let mut edited = BTreeSet::new();
        for gap in &self.gaps {
            self.strays.retain({
                let mut explained: Vec<usize> = Vec::new();
                // From the gap's end backwards, each event found names the one before it.
                let (mut truth, mut sequence) = (gap.truth, gap.last);
                while let Some(index) = self
                    .strays
                    .iter()
                    .position(|stray| truth == Some(stray.row.hash) && stray.row.sequence == Some(sequence))
                {
                    reordered.insert(sequence);
                    explained.push(index);
                    truth = self.strays[index].row.previous;
                    if sequence == gap.first {
                        break;
                    }
                    sequence -= 1;
                }
                let mut index = 0;
                move |_| {
                    index += 1;
                    !explained.contains(&(index - 1))
                }
            });
        }
        for Stray { row, instead_of } in self.strays.drain(..) {
            let is_missing = |sequence: u64| {
                let in_gap = |gap: &Gap| (gap.first..=gap.last).contains(&sequence);
                self.gaps.iter().any(in_gap) && !reordered.contains(&sequence) && !edited.contains(&sequence)
            };
            let in_place = self.gaps.iter().any(|gap| gap.first == instead_of) && is_missing(row.column);
            match row.sequence {
                _ if in_place => edited.insert(row.column),
                Some(sequence) if is_missing(sequence) && row.column != sequence => reordered.insert(sequence),
                Some(sequence) if is_missing(sequence) => edited.insert(sequence),
                _ => {
                    findings.one(FindingKind::Inserted, row.column);
                    continue;
                }
            };
        }
        for gap in &self.gaps {
            let kind = if gap.is_tail {
                FindingKind::Truncated
            } else {
                FindingKind::Deleted
            };
            let mut from = gap.first;
            for &explained in reordered
                .range(gap.first..=gap.last)
                .chain(edited.range(gap.first..=gap.last))
                .collect::<BTreeSet<_>>()
            {
                if explained > from {
                    findings.add(kind, from, explained - 1);
                }
                from = explained + 1;
            }
            if from <= gap.last {
                findings.add(kind, from, gap.last);
            }
        }
        for shifted in self.renumbered {
            // Two events that changed places: one of them kept the order of the rest.
            let swapped = shifted.first == shifted.last && reordered.contains(&shifted.first_column);
            let kind = if swapped {
                FindingKind::Reordered
            } else {
                FindingKind::Renumbered
            };
            findings.add(kind, shifted.first, shifted.last);
        }
        for sequence in reordered {
            findings.one(FindingKind::Reordered, sequence);
        }
        for sequence in edited {
            findings.one(FindingKind::Edited, sequence);
        }
    }
}
