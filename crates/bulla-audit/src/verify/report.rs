use std::fmt;

use super::{ExpectedRows, Finding};
use crate::{Checkpoint, Verified};

/// What the verification of a log found.
#[derive(Debug)]
pub struct Report {
    /// Rows that were read.
    pub rows_read: u64,
    /// Stored checkpoints that were read.
    pub checkpoints_read: u64,
    /// The head's checkpoint, if its signature verifies.
    pub head: Option<Verified<Checkpoint>>,
    /// What is wrong, in the order of sequences; empty for an untouched log.
    pub findings: Vec<Finding>,
    /// How many findings there were beyond those listed.
    pub suppressed: u64,
    /// Whether a checkpoint from elsewhere says that nothing is missing.
    pub completeness: Completeness,
    /// Effects that were announced and never reported; not tampering, but somebody should look.
    pub open_intents: Vec<OpenIntent>,
    /// What the log says that the rows that decide must be.
    pub expected_rows: ExpectedRows,
    /// Whether every event was there and vouched for, so that `expected_rows` is all there is to say.
    pub expected_rows_complete: bool,
}

/// Whether something outside the store vouches that the log was not cut or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// No checkpoint from elsewhere was given, or none that compares: the log is consistent in itself at best.
    NotVouched,
    /// The log extends a checkpoint from elsewhere: its first `size` events are the ones that were there then.
    VouchedUpTo {
        /// The greatest such checkpoint's size.
        size: u64,
    },
}

/// An intent without an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    /// The intent's sequence.
    pub sequence: u64,
    /// Its `eventID`.
    pub event_id: String,
    /// Its `eventName`.
    pub event_name: String,
}

impl Report {
    /// Whether nothing is wrong with the log.
    pub fn is_consistent(&self) -> bool {
        self.findings.is_empty() && self.suppressed == 0
    }
}

/// Says the verdict in one line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_consistent() {
            return write!(
                f,
                "not consistent: {} findings",
                self.findings.len() as u64 + self.suppressed
            );
        }
        match self.completeness {
            Completeness::NotVouched => f.write_str("consistent, completeness not vouched for"),
            Completeness::VouchedUpTo { size } => {
                write!(
                    f,
                    "consistent, and complete up to event {size} by the checkpoint that was kept elsewhere"
                )
            }
        }
    }
}
