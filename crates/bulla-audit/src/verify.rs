//! Recomputes a log and names what was done to it.

mod displaced;
mod finding;
mod line;
mod parse;
mod replay;
mod report;
mod rows;
mod verifier;

pub use finding::{Finding, FindingKind};
pub use report::{Completeness, OpenIntent, Report};
pub use rows::{ActualRow, ExpectedRow, ExpectedRows, RowFinding, RowFindingKind};
pub use verifier::{LogHead, LogVerifier};
