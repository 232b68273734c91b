//! The token store conformance suite: every sentence of the contract of [`TokenStore`] as a test that a store runs.
//!
//! A store implements [`Backend`] in a test file and writes `bulla_tokens::token_store_conformance!(MyBackend);` there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::place::{Kind, Place, Prefix};
use crate::store::{Condition, TokenStore, Write, Written};
use crate::{ClientId, Provider, TokenName};

pub mod entries;
pub mod leases;
pub mod listings;

/// One store for one test.
#[async_trait]
pub trait Backend: Send + Sync + Sized + 'static {
    /// Makes an empty store.
    async fn create() -> Self;

    /// Opens it once more, as another process would.
    async fn open(&self) -> Arc<dyn TokenStore>;

    /// Lets this much of the store's own time pass.
    async fn pass(&self, time: Duration);
}

/// A place of the test's own client.
pub fn place(client: &str, provider: &str) -> Place {
    Prefix::default()
        .client(&ClientId::new(client).expect("a client"))
        .place(
            Kind::Token,
            &Provider::new(provider).expect("a provider"),
            &TokenName::default(),
        )
}

/// A write of `record` as `version`, under no condition.
pub fn write(version: u64, record: &[u8]) -> Write<'_> {
    Write {
        version,
        record: Some(record),
        keep: None,
        condition: Condition::Any,
        lease: None,
        unbelieved: None,
    }
}

/// A deletion as `version`.
pub fn delete(version: u64) -> Write<'static> {
    Write {
        version,
        record: None,
        keep: None,
        condition: Condition::Live,
        lease: None,
        unbelieved: None,
    }
}

/// Writes and expects it stored.
pub async fn store(store: &Arc<dyn TokenStore>, place: &Place, write: Write<'_>) {
    assert_eq!(store.write(place, &write).await.expect("a write"), Written::Stored);
}

/// Writes one test for each case of the suite; the crate that calls it needs tokio with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! token_store_conformance {
    ($backend:ty) => {
        $crate::token_store_conformance! {
            @cases $backend,
            entries: [
                what_one_wrote_another_reads
                what_was_never_there_is_absent
                a_record_keeps_every_byte_and_may_be_large
                odd_names_and_long_ones_are_places_of_their_own
                a_version_never_goes_back
                a_write_that_is_repeated_is_stored_once
                a_condition_that_does_not_hold_changes_nothing
                a_deleted_entry_leaves_its_version
                what_has_outlived_its_time_is_absent
                of_many_writers_with_one_condition_one_wins
                a_revoked_client_has_nothing_and_starts_above_its_epoch
                an_entry_that_is_not_believed_is_written_over_under_any_version
                an_epoch_that_nobody_of_the_vault_wrote_is_replaced
            ],
            leases: [
                a_lease_has_one_holder
                a_lease_that_was_given_back_can_be_taken
                a_lease_ends_by_itself_and_the_next_number_is_greater
                an_attempt_that_asks_twice_has_one_lease
                a_write_needs_the_lease_that_it_names
                of_many_who_ask_for_a_lease_one_gets_it
                a_revoked_client_has_no_leases
                a_lease_of_before_a_revocation_is_nobodys_though_nothing_was_there
            ],
            listings: [
                a_listing_has_what_is_there_in_order
                clients_do_not_see_each_other
            ],
        }
    };
    (@cases $backend:ty, $($module:ident: [$($case:ident)*],)*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::conformance::$module::$case(<$backend as $crate::conformance::Backend>::create().await).await;
            }
        )*)*
    };
}
