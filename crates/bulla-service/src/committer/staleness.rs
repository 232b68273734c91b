use std::collections::HashMap;

use bulla_store::Change;

use crate::row_ids::{RowKey, set_of};

/// Rows remembered at most; beyond, all older decisions count as stale once.
const CAPACITY: usize = 100_000;

/// At which revision each recently changed row was last changed.
#[derive(Debug)]
pub(crate) struct Recent {
    /// Changes up to this revision are forgotten.
    floor: u64,
    rows: HashMap<RowKey, u64>,
}

impl Recent {
    pub(crate) fn since(revision: u64) -> Self {
        Self {
            floor: revision,
            rows: HashMap::new(),
        }
    }

    pub(crate) fn record(&mut self, changes: &[Change], revision: u64) {
        if self.rows.len() + changes.len() > CAPACITY {
            *self = Self::since(revision);
            return;
        }
        for change in changes {
            self.rows.insert(RowKey::new(change.table, &change.id), change.revision);
            if let Some(set) = set_of(change.table, &change.id) {
                self.rows.insert(RowKey::new(change.table, set), change.revision);
            }
        }
    }

    /// Whether any of `reads` was changed after the revision `seen`, or may have been.
    pub(crate) fn moved<'a>(&self, seen: u64, mut reads: impl Iterator<Item = &'a RowKey>) -> bool {
        seen < self.floor || reads.any(|key| self.rows.get(key).is_some_and(|changed| *changed > seen))
    }
}

#[cfg(test)]
mod tests {
    use bulla_store::{ChangeKind, Table};

    use super::*;

    fn change(id: &str, revision: u64) -> Change {
        Change {
            revision,
            ordinal: 0,
            count: 1,
            table: Table::Keys,
            id: id.into(),
            kind: ChangeKind::Put,
            mac: [0; 32],
        }
    }

    #[test]
    fn only_rows_that_changed_after_the_decision_make_it_stale() {
        let mut recent = Recent::since(5);
        recent.record(&[change("a", 6), change("b", 7)], 7);
        let (a, b, c) = (
            RowKey::new(Table::Keys, "a"),
            RowKey::new(Table::Keys, "b"),
            RowKey::new(Table::Keys, "c"),
        );
        assert!(recent.moved(5, [&a].into_iter()));
        assert!(!recent.moved(6, [&a].into_iter()));
        assert!(recent.moved(6, [&a, &b].into_iter()));
        assert!(!recent.moved(5, [&c].into_iter()));
        assert!(!recent.moved(7, [&a, &b, &c].into_iter()));
        assert!(!recent.moved(5, [&RowKey::new(Table::Aliases, "a")].into_iter()));
    }

    #[test]
    fn who_read_a_set_decides_again_when_a_row_of_it_changes() {
        let mut recent = Recent::since(5);
        let alias = Change {
            table: Table::Aliases,
            ..change("111122223333/eu-north-1/alias/app", 6)
        };
        recent.record(&[alias], 6);
        let set = |region: &str| RowKey::new(Table::Aliases, &format!("111122223333/{region}/alias/"));
        assert!(recent.moved(5, [&set("eu-north-1")].into_iter()));
        assert!(!recent.moved(6, [&set("eu-north-1")].into_iter()));
        assert!(!recent.moved(5, [&set("eu-west-1")].into_iter()));
    }

    #[test]
    fn what_is_forgotten_counts_as_moved() {
        let mut recent = Recent::since(5);
        assert!(recent.moved(4, [].into_iter()));
        let many: Vec<Change> = (0..=CAPACITY).map(|n| change(&n.to_string(), 6)).collect();
        recent.record(&many, 6);
        assert!(recent.moved(5, [].into_iter()));
        assert!(!recent.moved(6, [&RowKey::new(Table::Keys, "1")].into_iter()));
    }

    #[test]
    fn what_read_nothing_stands_whatever_is_forgotten() {
        let mut recent = Recent::since(5);
        let many: Vec<Change> = (0..=CAPACITY).map(|n| change(&n.to_string(), 6)).collect();
        recent.record(&many, 6);
        assert!(!recent.moved(u64::MAX, [].into_iter()));
    }
}
