//! The audit log from outside: tampering, growth, Merkle proofs, bundles, frozen vectors.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bundle;
mod decided;
mod fixture;
mod growth;
mod merkle;
mod rewriting;
mod tampering;
mod vectors;
