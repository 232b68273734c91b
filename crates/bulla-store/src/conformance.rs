//! The store conformance suite: every sentence of the contract of [`Store`](crate::Store) and [`Transaction`](crate::Transaction) as a
//! test that an adapter runs against its own database.
//!
//! An adapter implements [`Backend`] in a test file and writes `bulla_store::store_conformance!(MyBackend);` there.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Change, ChangeKind, CheckpointRow, EventRow, HeadRow, Row, Store, Table};

pub mod limits;
pub mod log;
pub mod nodes;
pub mod rows;
pub mod transactions;

/// One database for one test.
#[async_trait]
pub trait Backend: Send + Sync + Sized + 'static {
    /// Makes a new, empty database.
    async fn create() -> Self;

    /// Opens the database once more, as another node would.
    async fn open(&self, lock_timeout: Duration) -> Arc<dyn Store>;

    /// Removes the database; stores may still have it open.
    async fn destroy(&self);
}

/// Lock timeout where a test wants to wait for the lock.
pub const LONG: Duration = Duration::from_secs(60);
/// Lock timeout where a test wants to be refused; whole seconds, since MySQL counts those.
pub const SHORT: Duration = Duration::from_secs(1);

/// Runs one case on a new database, and removes it whatever happened.
pub async fn run<B, F, R>(case: F)
where
    B: Backend,
    F: FnOnce(Arc<B>) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let backend = Arc::new(B::create().await);
    let outcome = tokio::spawn(case(Arc::clone(&backend))).await;
    backend.destroy().await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure.into_panic());
    }
}

/// Writes one test for each case of the suite; the crate that calls it needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! store_conformance {
    ($backend:ty) => {
        $crate::store_conformance! {
            @cases $backend,
            limits: [
                a_listing_takes_1_to_1000_rows
                events_and_checkpoints_and_changes_take_1_to_10000_rows
                an_id_takes_1_to_512_bytes_and_no_zero
                an_owner_takes_0_to_512_bytes_and_no_zero
                a_body_takes_0_bytes_to_1_mebibyte
                an_event_takes_0_bytes_to_256_kibibytes
                the_head_and_checkpoints_have_limits
                numbers_fit_into_63_bits
                a_value_outside_the_limits_leaves_the_transaction_usable
            ],
            log: [
                there_is_no_head_before_the_first
                the_head_is_written_over
                ten_thousand_events_are_paged_in_order
                events_keep_every_byte
                an_event_that_exists_conflicts
                an_event_that_exists_conflicts_inside_a_batch
                checkpoints_are_paged_in_order
                a_checkpoint_that_exists_conflicts
                changes_are_paged_in_order
                a_change_that_exists_conflicts
                revisions_are_counted_once_each
                appending_nothing_does_nothing
            ],
            nodes: [
                a_commit_is_seen_by_another_node_at_once
                two_nodes_interleave_without_a_gap
                what_was_committed_is_there_after_a_reopen
                many_nodes_open_an_empty_database_at_once
                a_probe_changes_nothing_that_is_seen
                a_probe_waits_for_the_transaction
            ],
            rows: [
                a_row_that_never_was_is_absent
                a_row_is_written_and_written_over
                a_row_is_deleted_and_its_change_stays
                deleting_nothing_does_nothing
                the_newest_change_is_the_one_with_the_highest_revision_and_ordinal
                changes_of_other_tables_and_ids_are_not_mixed_in
                a_row_without_a_change_is_shown_without_one
                ids_are_listed_in_the_order_of_their_bytes
                ids_that_look_alike_are_different
                a_listing_is_paged
                a_listing_by_owner_takes_the_owner_literally
                bodies_keep_every_byte
                every_table_keeps_its_own_rows
            ],
            transactions: [
                a_commit_makes_everything_visible
                a_transaction_that_is_dropped_leaves_nothing
                a_transaction_sees_its_own_writes
                reads_see_committed_rows_only_and_do_not_wait
                a_second_transaction_waits_for_the_first
                a_second_transaction_of_another_node_waits_for_the_first
                a_transaction_that_waits_too_long_is_busy
                a_transaction_of_another_node_that_waits_too_long_is_busy
                after_a_conflict_nothing_can_be_committed
                a_begin_that_is_dropped_holds_no_lock
                a_statement_that_is_dropped_ends_its_transaction
            ],
        }
    };
    (@cases $backend:ty, $($group:ident: [$($case:ident)*],)*) => {
        $(mod $group {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::conformance::run(|backend| $crate::conformance::$group::$case::<$backend>(backend)).await;
                }
            )*
        })*
    };
}

/// Makes a row whose other fields follow from id and revision.
pub(crate) fn row(id: &str, owner: &str, revision: u64) -> Row {
    let body = format!("{id}@{revision}").into_bytes();
    Row {
        id: id.to_owned(),
        owner: owner.to_owned(),
        revision,
        body,
        mac: [revision as u8; 32],
    }
}

/// Makes the only change of a revision.
pub(crate) fn change(revision: u64, table: Table, id: &str, kind: ChangeKind) -> Change {
    Change {
        revision,
        ordinal: 0,
        count: 1,
        table,
        id: id.to_owned(),
        kind,
        mac: [revision as u8; 32],
    }
}

pub(crate) fn event(sequence: u64) -> EventRow {
    EventRow {
        sequence,
        event: format!("{{\"sequence\":{sequence}}}").into_bytes(),
    }
}

pub(crate) fn checkpoint(size: u64) -> CheckpointRow {
    CheckpointRow {
        size,
        note: format!("bulla\n{size}\n\n— bulla é"),
    }
}

pub(crate) fn head(size: u64, metadata_revision: u64) -> HeadRow {
    HeadRow {
        size,
        metadata_revision,
        state: size.to_be_bytes().to_vec(),
        checkpoint: checkpoint(size).note,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list_of_the_macro() {
        let sources = [
            include_str!("conformance/limits.rs"),
            include_str!("conformance/log.rs"),
            include_str!("conformance/nodes.rs"),
            include_str!("conformance/rows.rs"),
            include_str!("conformance/transactions.rs"),
        ];
        let list = include_str!("conformance.rs");
        for source in sources {
            for line in source.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
                let name = line.split(['<', '(']).next().expect("a name");
                assert!(list.contains(&format!(" {name}\n")), "{name} is not run");
            }
        }
    }
}
