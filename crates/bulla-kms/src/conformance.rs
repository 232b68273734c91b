//! What every provider must pass: one clause of [`KeyProvider`](crate::KeyProvider)'s contract a test.
//!
//! An adapter writes a [`Fixture`] and one line, [`provider_conformance!`](crate::provider_conformance), in its
//! `tests/conformance.rs`. Where the thing behind the adapter departs from the contract (an emulator, say), the fixture says
//! so as data, with a [`Deviation`]; the clause is then expected to fail, so a deviation that is gone fails the test.

mod contexts;
mod failures;
mod keys;
mod rotation;
mod round_trips;
mod secrecy;
mod signing;
mod states;

pub use contexts::*;
pub use failures::*;
pub use keys::*;
pub use rotation::*;
pub use round_trips::*;
pub use secrecy::*;
pub use signing::*;
pub use states::*;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bulla_crypto::{Context, ContextError};

use crate::{KeyProvider, KeySpec, KmsError, KmsErrorKind};

/// A provider under test, and the keys that its clauses use.
///
/// Keys may be shared between clauses that run at once, except [`switchable_key`](Self::switchable_key).
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The provider under test.
    fn provider(&self) -> Arc<dyn KeyProvider>;

    /// A key that exists and stays enabled, as a caller names it.
    fn key(&self) -> String;

    /// Another key that exists and stays enabled.
    fn other_key(&self) -> String;

    /// A well-formed name of a key that does not exist.
    fn unknown_key(&self) -> String;

    /// A name that points at a key, and can point at another later; `None` where the provider has no such thing.
    async fn alias(&self) -> Option<String> {
        None
    }

    /// Points [`alias`](Self::alias) at another key.
    async fn move_alias(&self) {}

    /// A fresh key that no other clause uses, enabled; `None` where keys can't be disabled.
    async fn switchable_key(&self) -> Option<String> {
        None
    }

    /// Enables or disables a key that [`switchable_key`](Self::switchable_key) gave.
    async fn set_enabled(&self, _key: &str, _enabled: bool) {}

    /// A fresh key of this spec that signs, which the clause that asks for it may disable with
    /// [`set_enabled`](Self::set_enabled); `None` where there are none.
    async fn signing_key(&self, _spec: KeySpec) -> Option<String> {
        None
    }

    /// Whether what is behind this fixture signs; else the clauses about signing hold of nothing.
    fn signs(&self) -> bool {
        self.provider().capabilities().signing.is_some()
    }

    /// Clauses that do not hold for what is behind this fixture.
    fn deviations(&self) -> &'static [Deviation] {
        &[]
    }
}

/// A clause that does not hold for what is behind a fixture.
#[derive(Debug, Clone, Copy)]
pub struct Deviation {
    /// The clause's name: that of its function.
    pub clause: &'static str,
    /// What is done instead.
    pub instead: &'static str,
}

/// A clause that was broken, in words.
#[derive(Debug)]
pub struct Broken(String);

impl Broken {
    fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KmsError> for Broken {
    fn from(error: KmsError) -> Self {
        let cause = error
            .source
            .as_ref()
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        Self(format!("{error}{cause}"))
    }
}

impl From<ContextError> for Broken {
    fn from(error: ContextError) -> Self {
        Self(format!("the suite's own context: {error}"))
    }
}

/// Compares a clause's outcome with what the fixture said of it.
///
/// # Panics
/// If the clause is broken and no deviation says so, or a deviation says so and it is not.
pub fn judge(fixture: &impl Fixture, clause: &str, outcome: Result<(), Broken>) {
    let deviation = fixture.deviations().iter().find(|deviation| deviation.clause == clause);
    let complaint = match (outcome, deviation) {
        (Ok(()), None) | (Err(_), Some(_)) => None,
        (Err(broken), None) => Some(format!("{clause}: {broken}")),
        (Ok(()), Some(Deviation { instead, .. })) => Some(format!("{clause} holds, but the fixture says: {instead}")),
    };
    assert!(complaint.is_none(), "{}", complaint.unwrap_or_default());
}

/// Runs every clause of the provider contract, each as a test of its own.
///
/// Takes an expression that makes a [`Fixture`] inside an async function, once a clause. The calling crate has `tokio`
/// with `macros` and `rt-multi-thread` among its dev-dependencies.
#[macro_export]
macro_rules! provider_conformance {
    ($fixture:expr) => {
        $crate::provider_conformance!(@clauses $fixture;
            generate_then_unwrap_gives_the_same_key
            wrap_then_unwrap_gives_the_same_key
            fresh_data_keys_differ
            wrapping_twice_differs
            two_hundred_calls_at_once_do_not_mix
            the_empty_context_is_a_context_of_its_own
            unwrap_refuses_a_context_that_differs_in_one_byte
            unwrap_refuses_a_context_with_a_pair_missing
            unwrap_refuses_a_context_with_a_pair_more
            unwrap_refuses_swapped_values
            unwrap_refuses_a_boundary_that_moved
            a_context_in_any_language_is_bound
            a_long_context_is_bound
            unwrap_refuses_another_key
            unwrap_refuses_every_flipped_bit
            unwrap_refuses_truncated_bytes
            unwrap_refuses_appended_bytes
            unwrap_refuses_empty_bytes
            unwrap_refuses_oversized_bytes
            unwrap_refuses_a_wrapped_value_that_is_not_a_data_key
            an_unknown_key_is_not_found
            a_malformed_key_name_is_refused
            the_resolved_key_is_stable_and_usable
            an_alias_resolves_and_may_move
            capabilities_and_instance_do_not_change
            an_enabled_key_is_described_as_enabled
            a_disabled_key_refuses_every_use
            errors_carry_no_secret
            debug_carries_no_secret
            what_a_provider_can_not_do_is_unsupported
            a_signature_verifies_under_the_public_key
            a_signature_of_a_digest_is_one_of_its_message
            who_holds_the_key_agrees_on_what_is_valid
            a_signature_is_of_its_message_and_its_key
            the_public_key_is_that_of_the_resolved_key
            sign_refuses_an_algorithm_of_another_spec
            sign_refuses_forms_and_lengths_that_are_not_the_algorithms
            a_key_is_for_one_thing
            an_unknown_key_signs_nothing
            a_disabled_key_signs_nothing
            what_was_wrapped_before_a_rotation_unwraps_after_it
            a_signing_key_is_not_rotated
        );
    };
    (@clauses $fixture:expr; $($clause:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $clause() {
                let fixture = $fixture;
                let outcome = $crate::conformance::$clause(&fixture).await;
                $crate::conformance::judge(&fixture, stringify!($clause), outcome);
            }
        )*
    };
}

fn context(pairs: &[(&str, &str)]) -> Result<Context, Broken> {
    Ok(Context::from_pairs(pairs.iter().copied())?)
}

fn ensure(holds: bool, otherwise: &str) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken::new(otherwise)) }
}

fn refused<T>(outcome: Result<T, KmsError>, kinds: &[KmsErrorKind], what: &str) -> Result<(), Broken> {
    match outcome {
        Ok(_) => Err(Broken::new(format!("{what} was accepted"))),
        Err(error) if kinds.contains(&error.kind) => Ok(()),
        Err(error) => Err(Broken::new(format!(
            "{what}: expected {kinds:?}, got {}",
            Broken::from(error)
        ))),
    }
}
