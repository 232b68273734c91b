//! The key service over a store that a test can edit, stop and break, and over SQLite.

mod administration;
mod aliases;
mod audit;
mod cryptography;
mod custom_key_stores;
mod decide_at_commit;
mod expiry;
mod faults;
mod harness;
mod hostile_store;
mod import;
mod import_races;
mod importing;
mod key_kinds;
mod key_usage;
mod keys;
mod memory_store;
mod multi_region;
mod multi_region_races;
mod opening;
mod races;
mod regions;
mod rotation;
mod signing;
mod tags;
mod verification;
