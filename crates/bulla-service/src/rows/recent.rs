use std::collections::VecDeque;
use std::sync::Arc;

use bulla_store::{Change, Table};

/// Changes that are kept; who is further behind is told of none by name.
const KEPT: usize = 1000;

/// The newest changes that this node applied, each of them vouched for by the log's head.
///
/// Who asks what was changed is answered from here, and not from the store: rows of the feed that were taken away, put back or renamed
/// behind a running node say nothing.
#[derive(Debug, Default)]
pub(super) struct Recent {
    changes: VecDeque<RecentChange>,
    /// Every change of a later revision that can concern a cache is there.
    whole_after: u64,
}

/// A row that changed.
#[derive(Debug, Clone)]
pub(crate) struct RecentChange {
    pub(crate) revision: u64,
    pub(crate) table: Table,
    pub(crate) id: Arc<str>,
}

impl Recent {
    pub(super) fn record(&mut self, change: &Change) {
        if !may_be_cached(change.table) {
            return;
        }
        if self.changes.len() == KEPT
            && let Some(oldest) = self.changes.pop_front()
        {
            self.whole_after = oldest.revision;
        }
        self.changes.push_back(RecentChange {
            revision: change.revision,
            table: change.table,
            id: change.id.as_str().into(),
        });
    }

    /// The changes of later revisions; `None` where not all of them are known by name.
    pub(super) fn since(&self, revision: u64) -> Option<Vec<RecentChange>> {
        let later = self.changes.iter().rev();
        let later = later.take_while(|change| change.revision > revision);
        (revision >= self.whole_after).then(|| later.cloned().collect())
    }
}

/// Whether caches elsewhere hold what such rows say, or what follows from it.
fn may_be_cached(table: Table) -> bool {
    matches!(
        table,
        Table::Keys
            | Table::Aliases
            | Table::Grants
            | Table::Principals
            | Table::AccessKeys
            | Table::ApiTokens
            | Table::Roles
            | Table::Groups
    )
}

#[cfg(test)]
mod tests {
    use bulla_store::ChangeKind;

    use super::*;

    fn change(table: Table, revision: u64) -> Change {
        Change {
            revision,
            ordinal: 0,
            count: 1,
            table,
            id: "x".to_owned(),
            kind: ChangeKind::Put,
            mac: [0; 32],
        }
    }

    #[test]
    fn what_is_forgotten_is_said_and_what_no_cache_holds_counts_for_nothing() {
        let mut recent = Recent::default();
        for revision in 1..=KEPT as u64 {
            recent.record(&change(Table::Keys, revision));
        }
        assert_eq!(recent.since(0).map(|all| all.len()), Some(KEPT));
        for revision in 0..2 * KEPT as u64 {
            recent.record(&change(Table::AuditBatches, 1001 + revision));
        }
        assert_eq!(recent.since(0).map(|all| all.len()), Some(KEPT));
        recent.record(&change(Table::Keys, 4000));
        assert!(recent.since(0).is_none());
        assert_eq!(recent.since(1).map(|all| all.len()), Some(KEPT));
        assert_eq!(recent.since(3999).map(|all| all.len()), Some(1));
        assert_eq!(recent.since(4000).map(|all| all.len()), Some(0));
    }
}
