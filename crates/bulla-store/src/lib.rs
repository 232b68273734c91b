//! The port to whatever keeps the service's state: rows, the change feed, the audit log, and the one transaction.
//!
//! The store knows nothing of keys or of trust. Rows come to it with their MAC and leave it with their MAC; who reads one
//! checks it (`spec/store.md`). What the store promises is atomicity, durability and order.
//!
//! # Security
//! Who can write to the store can destroy it, and can replace the whole by an older whole. He can't read secrets (they are
//! wrapped), can't make a row that decides (it carries a MAC), can't put an older row back unseen (the change feed and the
//! signed log name the newest), and can't rewrite the log's tail (checkpoints are signed).

mod error;
pub mod limits;
mod rows;
mod store;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use error::StoreError;
pub use rows::{Change, ChangeKind, CheckpointRow, EventRow, HeadRow, Lookup, Row, Table};
pub use store::{GroupCommit, RowFilter, RowWrite, Store, Transaction};
