//! The tamper-evident audit log: event bytes, hash chain, Merkle tree, signed checkpoints, proofs, offline verifier.
//!
//! Everything here is pure: no clock, no randomness, no store. The formats are normative in `spec/audit-log.md`.
//!
//! - An [`EventDraft`] becomes a [`PreparedEvent`] in the task of the request, and bytes at commit ([`PreparedEvent::finish`]).
//! - [`LogState`] is what the head row keeps: size, newest hash, compact Merkle range, metadata revision.
//! - A [`Checkpoint`] is the signed statement of one state; a [`KeyChain`] says which key signs at which size.
//! - [`LogVerifier`] recomputes a whole log and names what was done to it; [`ExpectedRows`] does the same for the rows that decide.
//! - [`ProofBundle`] is what a third party checks without Bulla.
//!
//! # Security
//! [`EventDraft`] has no member for plaintext, ciphertext, key bytes, tokens or passwords, and takes none: what a caller puts into
//! `request_parameters` and `response_elements` is a list of names, identifiers and the (non-secret) encryption context.

mod bundle;
pub mod canonical;
mod change;
mod checkpoint;
mod event;
mod hash;
mod key_chain;
mod merkle;
mod note;
mod query;
mod state;
pub mod timestamp;
mod verify;

pub use bundle::{BundleError, ProofBundle, ProvenEvent};
pub use change::{Change, ChangeOperation, row_digest};
pub use checkpoint::{Checkpoint, CheckpointError, MAX_NOTE_BYTES, Verified};
pub use event::{
    AuthenticationFailures, CommitPoint, EVENT_VERSION, EventDraft, EventError, EventType, Intent, MAX_EVENT_BYTES,
    MAX_PREPARED_BYTES, PreparedEvent, Resource, UserIdentity,
};
pub use hash::{Hash, leaf_hash};
pub use key_chain::{KeyChain, KeyStatement};
pub use merkle::{
    CompactRange, ProofBuilder, ProofError, consistency_proof, inclusion_proof, root_of, verify_consistency,
    verify_inclusion,
};
pub use note::{NoteError, VerifierKey};
pub use query::{BusinessHours, EventFilter, HoursError, Outcome, PrincipalAccesses, Principals, is_access};
pub use state::{LogState, StateError};
pub use verify::{
    ActualRow, Completeness, ExpectedRow, ExpectedRows, Finding, FindingKind, LogHead, LogVerifier, OpenIntent, Report,
    RowFinding, RowFindingKind,
};
