//! The AWS provider against servers that answer as they are told: faults, regions, sessions, and what is wrong at start.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod environment;
mod fake_aws;
mod faults;
mod moto;
mod probing;
mod regions;
mod sessions;
