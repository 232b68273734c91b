//! What a store accepts, the same on every database; an adapter asks here before it asks its database.

use crate::{Change, CheckpointRow, EventRow, HeadRow, Row, StoreError};

/// Longest id and owner, in bytes.
pub const ID_BYTES: usize = 512;
/// Largest body of a row, in bytes.
pub const BODY_BYTES: usize = 1024 * 1024;
/// Largest event, in bytes.
pub const EVENT_BYTES: usize = 256 * 1024;
/// Largest state of the log, in bytes.
pub const STATE_BYTES: usize = 4096;
/// Largest checkpoint, in bytes.
pub const NOTE_BYTES: usize = 16 * 1024;
/// Most rows that [`Store::list`](crate::Store::list) answers.
pub const LIST_LIMIT: u32 = 1_000;
/// Most changes, events or checkpoints that one call answers.
pub const LOG_LIMIT: u32 = 10_000;

/// Checks a primary key: 1 to 512 bytes, none of them zero (PostgreSQL has no such text).
pub fn id(id: &str) -> Result<(), StoreError> {
    within(
        !id.is_empty() && id.len() <= ID_BYTES && !id.contains('\0'),
        "a row's id",
    )
}

/// Checks an owner: 0 to 512 bytes, none of them zero.
pub fn owner(owner: &str) -> Result<(), StoreError> {
    within(owner.len() <= ID_BYTES && !owner.contains('\0'), "a row's owner")
}

/// Checks a row that is about to be written.
pub fn row(row: &Row) -> Result<(), StoreError> {
    id(&row.id)?;
    owner(&row.owner)?;
    within(row.body.len() <= BODY_BYTES, "a row's body")
}

/// Checks a change that is about to be appended: revisions count from 1.
pub fn change(change: &Change) -> Result<(), StoreError> {
    id(&change.id)?;
    within(change.revision >= 1, "a change's revision")?;
    within(change.ordinal < change.count, "a change's ordinal")
}

/// Checks an event that is about to be appended.
pub fn event(event: &EventRow) -> Result<(), StoreError> {
    within(event.event.len() <= EVENT_BYTES, "an event")
}

/// Checks a checkpoint that is about to be stored.
pub fn checkpoint(checkpoint: &CheckpointRow) -> Result<(), StoreError> {
    note(&checkpoint.note)
}

/// Checks a head that is about to be written.
pub fn head(head: &HeadRow) -> Result<(), StoreError> {
    within(head.state.len() <= STATE_BYTES, "the head's state")?;
    note(&head.checkpoint)
}

/// Checks how many rows a listing asks for.
pub fn list_limit(limit: u32) -> Result<u32, StoreError> {
    within((1..=LIST_LIMIT).contains(&limit), "the limit of a listing").map(|()| limit)
}

/// Checks how many events or checkpoints a call asks for.
pub fn log_limit(limit: u32) -> Result<u32, StoreError> {
    within((1..=LOG_LIMIT).contains(&limit), "the limit of a listing").map(|()| limit)
}

/// Checks how many changes a call asks for.
pub fn changes_limit(limit: u32) -> Result<u32, StoreError> {
    log_limit(limit)
}

fn note(note: &str) -> Result<(), StoreError> {
    within(note.len() <= NOTE_BYTES && !note.contains('\0'), "a checkpoint")
}

fn within(holds: bool, what: &'static str) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(StoreError::Limit { what }) }
}
