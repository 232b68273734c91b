use std::{collections::HashMap, fmt};

use crate::{Change, ChangeOperation, Hash};

/// What the log says that every row that decides must be.
#[derive(Debug, Clone, Default)]
pub struct ExpectedRows {
    rows: HashMap<(String, String), ExpectedRow>,
}

/// The newest that the log says of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedRow {
    /// The metadata revision of the newest change.
    pub revision: u64,
    /// What that change did.
    pub operation: ChangeOperation,
    /// The event that says so.
    pub sequence: u64,
}

/// A row as it is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActualRow<'a> {
    /// Its table.
    pub table: &'a str,
    /// Its primary key.
    pub id: &'a str,
    /// Its metadata revision.
    pub revision: u64,
    /// Its [`row_digest`](crate::row_digest).
    pub digest: Hash,
}

/// A row that is not what the log says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowFinding {
    /// Its table.
    pub table: String,
    /// Its primary key.
    pub id: String,
    /// What it is.
    pub kind: RowFindingKind,
    /// The event that says what the row must be; none for a row that the log does not know.
    pub sequence: Option<u64>,
}

/// What was done to a row that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RowFindingKind {
    /// At the newest revision, with other content.
    Edited,
    /// The log says that it is there.
    Deleted,
    /// The log says that it was deleted.
    Resurrected,
    /// An older revision than the newest.
    RolledBack,
    /// A revision that the log does not have yet.
    Ahead,
    /// The log never heard of it.
    Unknown,
}

impl ExpectedRows {
    /// The number of rows that the log names, deleted ones included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether the log names no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What the log says of one row.
    pub fn find(&self, table: &str, id: &str) -> Option<&ExpectedRow> {
        self.rows.get(&(table.to_owned(), id.to_owned()))
    }

    /// Every row that must be there, or must not, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &ExpectedRow)> {
        self.rows
            .iter()
            .map(|((table, id), row)| (table.as_str(), id.as_str(), row))
    }

    /// Compares the store's rows, all of them in any order, and names each that is not what the log says.
    ///
    /// The result is sorted by table and id.
    pub fn compare<'a>(&self, actual: impl IntoIterator<Item = ActualRow<'a>>) -> Vec<RowFinding> {
        let mut findings = Vec::new();
        let mut seen = 0_usize;
        let mut missing: HashMap<(&str, &str), u64> = self
            .iter()
            .filter(|(_, _, row)| row.operation != ChangeOperation::Delete)
            .map(|(table, id, row)| ((table, id), row.sequence))
            .collect();
        for row in actual {
            seen += 1;
            missing.remove(&(row.table, row.id));
            let expected = self.find(row.table, row.id);
            if let Some(kind) = judge(expected, &row) {
                findings.push(RowFinding {
                    table: row.table.to_owned(),
                    id: row.id.to_owned(),
                    kind,
                    sequence: expected.map(|expected| expected.sequence),
                });
            }
        }
        findings.reserve(missing.len().min(seen));
        findings.extend(missing.into_iter().map(|((table, id), sequence)| RowFinding {
            table: table.to_owned(),
            id: id.to_owned(),
            kind: RowFindingKind::Deleted,
            sequence: Some(sequence),
        }));
        findings.sort();
        findings
    }

    pub(super) fn apply(&mut self, sequence: u64, change: Change) {
        let row = ExpectedRow {
            revision: change.revision,
            operation: change.operation,
            sequence,
        };
        self.rows.insert((change.table, change.id), row);
    }
}

fn judge(expected: Option<&ExpectedRow>, actual: &ActualRow<'_>) -> Option<RowFindingKind> {
    let Some(expected) = expected else {
        return Some(RowFindingKind::Unknown);
    };
    if actual.revision > expected.revision {
        return Some(RowFindingKind::Ahead);
    }
    match expected.operation {
        ChangeOperation::Delete => Some(RowFindingKind::Resurrected),
        ChangeOperation::Put { .. } if actual.revision < expected.revision => Some(RowFindingKind::RolledBack),
        ChangeOperation::Put { digest } => (digest != actual.digest).then_some(RowFindingKind::Edited),
    }
}

impl fmt::Display for RowFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match self.kind {
            RowFindingKind::Edited => "edited: not the content that the log names",
            RowFindingKind::Deleted => "deleted, though the log says that it is there",
            RowFindingKind::Resurrected => "brought back, though the log says that it was deleted",
            RowFindingKind::RolledBack => "rolled back: the log has a newer revision",
            RowFindingKind::Ahead => "newer than the log",
            RowFindingKind::Unknown => "unknown to the log",
        };
        write!(f, "row {} of {}: {says}", self.id, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row_digest;

    fn put(id: &str, revision: u64, body: &[u8]) -> Change {
        let digest = row_digest("aliases", id, "", revision, body);
        Change {
            table: "aliases".into(),
            id: id.into(),
            revision,
            operation: ChangeOperation::Put { digest },
        }
    }

    fn actual<'a>(id: &'a str, revision: u64, body: &[u8]) -> ActualRow<'a> {
        ActualRow {
            table: "aliases",
            id,
            revision,
            digest: row_digest("aliases", id, "", revision, body),
        }
    }

    #[test]
    fn each_kind_of_tampering_with_a_row_is_named() {
        let mut expected = ExpectedRows::default();
        for (sequence, id) in ["good", "edited", "gone", "back", "old", "ahead"]
            .into_iter()
            .enumerate()
        {
            expected.apply(sequence as u64, put(id, sequence as u64 + 1, b"1"));
        }
        expected.apply(6, put("old", 7, b"2"));
        let delete = Change {
            operation: ChangeOperation::Delete,
            ..put("back", 8, b"")
        };
        expected.apply(7, delete);
        let found = expected.compare([
            actual("good", 1, b"1"),
            actual("edited", 2, b"x"),
            actual("back", 4, b"1"),
            actual("old", 5, b"1"),
            actual("ahead", 9, b"1"),
            actual("stranger", 3, b"1"),
        ]);
        let named: Vec<(&str, RowFindingKind, Option<u64>)> = found
            .iter()
            .map(|finding| (finding.id.as_str(), finding.kind, finding.sequence))
            .collect();
        assert_eq!(
            named,
            [
                ("ahead", RowFindingKind::Ahead, Some(5)),
                ("back", RowFindingKind::Resurrected, Some(7)),
                ("edited", RowFindingKind::Edited, Some(1)),
                ("gone", RowFindingKind::Deleted, Some(2)),
                ("old", RowFindingKind::RolledBack, Some(6)),
                ("stranger", RowFindingKind::Unknown, None),
            ]
        );
        let whole = [
            actual("good", 1, b"1"),
            actual("edited", 2, b"1"),
            actual("gone", 3, b"1"),
        ];
        let whole = whole
            .into_iter()
            .chain([actual("old", 7, b"2"), actual("ahead", 6, b"1")]);
        assert_eq!(expected.compare(whole), []);
    }
}
