//! AWS's own model of its API, as botocore ships it, against the façade: for every operation and every member, the request that breaks
//! exactly one constraint, and the answer in AWS's words.
//!
//! Needs `BULLA_TEST_VENV`, which `scripts/test` sets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

#[path = "model/botocore.rs"]
mod botocore;
#[path = "model/compatibility.rs"]
mod compatibility;
#[path = "api/harness.rs"]
#[expect(dead_code, reason = "each test program uses a part of what they share")]
mod harness;
#[path = "model/inputs.rs"]
mod inputs;
#[path = "model/probes.rs"]
mod probes;
#[path = "model/tables.rs"]
mod tables;
