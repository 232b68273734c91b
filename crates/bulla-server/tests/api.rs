//! The edge against a real service on a temporary store, over real sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "api/arbitrary_bytes.rs"]
mod arbitrary_bytes;
#[path = "api/audited_refusals.rs"]
mod audited_refusals;
#[path = "api/authorisation.rs"]
mod authorisation;
#[path = "api/bad_input.rs"]
mod bad_input;
#[path = "api/calls.rs"]
mod calls;
#[path = "api/condition_keys.rs"]
mod condition_keys;
#[path = "api/custom_key_stores.rs"]
mod custom_key_stores;
#[path = "api/dev_mode.rs"]
mod dev_mode;
#[path = "api/dev_tools.rs"]
mod dev_tools;
#[path = "api/dry_run.rs"]
mod dry_run;
#[path = "api/grants.rs"]
mod grants;
#[path = "api/harness.rs"]
mod harness;
#[path = "api/import.rs"]
mod import;
#[path = "api/key_kinds.rs"]
mod key_kinds;
#[path = "api/key_policies.rs"]
mod key_policies;
#[path = "api/key_usage.rs"]
mod key_usage;
#[path = "api/limits.rs"]
mod limits;
#[path = "api/multi_region.rs"]
mod multi_region;
#[path = "api/operations.rs"]
mod operations;
#[path = "api/order_of_checks.rs"]
mod order_of_checks;
#[path = "api/pages.rs"]
mod pages;
#[path = "api/shutdown.rs"]
mod shutdown;
#[path = "api/signatures.rs"]
mod signatures;
#[path = "api/strangers.rs"]
mod strangers;
#[path = "api/tags.rs"]
mod tags;
#[path = "api/tls.rs"]
mod tls;
#[path = "api/wire.rs"]
mod wire;
