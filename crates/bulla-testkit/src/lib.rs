//! What the tests of Bulla's crates share: a clock that a test moves, randomness that repeats itself, a provider that fails on request,
//! and server processes.
//!
//! A dev-dependency only; a test over `cargo metadata` keeps it out of the program.

mod clock;
mod command;
mod faulty_provider;
mod fuzz;
pub mod load;
pub mod memory;
mod not_impl;
mod process;
mod random;
mod sign;

pub use clock::TestClock;
pub use command::{BullaCommand, Finished};
pub use faulty_provider::{Calls, FaultyProvider};
pub use fuzz::replay_corpus;
pub use process::{BullaProcess, ProcessError, built_binary};
pub use random::SeededRandom;
pub use sign::Signer;
