//! Keys of every spec: round trips, refusals, and the vectors of Wycheproof, NIST and another library.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "keys/round_trips.rs"]
mod round_trips;
