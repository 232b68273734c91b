use bulla_store::{Change, ChangeKind, CheckpointRow, EventRow, HeadRow, Lookup, Row, StoreError, Table};
use sqlx::any::AnyRow;

use crate::query::{bytes, corrupt, is_null, mac, number, text};

/// Reads `size, metadata_revision, state, checkpoint`.
pub(crate) fn head(row: &AnyRow) -> Result<HeadRow, StoreError> {
    Ok(HeadRow {
        size: number(row, 0, "audit_head.size")?,
        metadata_revision: number(row, 1, "audit_head.metadata_revision")?,
        state: bytes(row, 2, "audit_head.state")?,
        checkpoint: text(row, 3, "audit_head.checkpoint")?,
    })
}

/// Reads `sequence, event`; an event that is no bytes is shown as none, which is no event either and hides no other.
pub(crate) fn event(row: &AnyRow) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        sequence: number(row, 0, "audit_events.sequence")?,
        event: bytes(row, 1, "audit_events.event").unwrap_or_default(),
    })
}

/// Reads `size, note`, in the same way.
pub(crate) fn checkpoint(row: &AnyRow) -> Result<CheckpointRow, StoreError> {
    Ok(CheckpointRow {
        size: number(row, 0, "audit_checkpoints.size")?,
        note: text(row, 1, "audit_checkpoints.note").unwrap_or_default(),
    })
}

/// Reads `revision, ordinal, count, table_name, row_id, kind, mac`.
pub(crate) fn change(row: &AnyRow) -> Result<Change, StoreError> {
    let table = text(row, 3, "changes.table_name")?;
    Ok(Change {
        revision: number(row, 0, "changes.revision")?,
        ordinal: small(row, 1, "changes.ordinal")?,
        count: small(row, 2, "changes.count")?,
        table: Table::from_name(&table).ok_or_else(|| corrupt("changes.table_name"))?,
        id: text(row, 4, "changes.row_id")?,
        kind: kind(row, 5)?,
        mac: mac(row, 6, "changes.mac")?,
    })
}

/// Reads a row (from column 0) and its newest change (from column 5), either of which may be NULL. The id is `asked` where the row is missing.
///
/// What has a value of an impossible form is shown with a MAC of zeros: it is there, nobody believes it, and it hides no other.
pub(crate) fn lookup(row: &AnyRow, table: Table, asked: Option<&str>) -> Result<Lookup, StoreError> {
    let found = if is_null(row, 0)? {
        None
    } else {
        let id = text(row, 0, "a row's id").ok().or_else(|| asked.map(str::to_owned));
        let id = id.ok_or_else(|| corrupt("a row's id"))?;
        Some(whole_row(row, &id).unwrap_or_else(|_| Row {
            id,
            owner: String::new(),
            revision: 0,
            body: Vec::new(),
            mac: NO_MAC,
        }))
    };
    let id = found.as_ref().map(|row| row.id.as_str()).or(asked);
    let newest_change = match id {
        Some(id) if !is_null(row, 5)? => Some(whole_change(row, table, id).unwrap_or_else(|_| Change {
            revision: 0,
            ordinal: 0,
            count: 0,
            table,
            id: id.to_owned(),
            kind: ChangeKind::Put,
            mac: NO_MAC,
        })),
        _ => None,
    };
    Ok(Lookup {
        row: found,
        newest_change,
    })
}

/// The MAC of nothing.
const NO_MAC: [u8; 32] = [0; 32];

fn whole_row(row: &AnyRow, id: &str) -> Result<Row, StoreError> {
    Ok(Row {
        id: id.to_owned(),
        owner: text(row, 1, "a row's owner")?,
        revision: number(row, 2, "a row's revision")?,
        body: bytes(row, 3, "a row's body")?,
        mac: mac(row, 4, "a row's mac")?,
    })
}

fn whole_change(row: &AnyRow, table: Table, id: &str) -> Result<Change, StoreError> {
    Ok(Change {
        revision: number(row, 5, "changes.revision")?,
        ordinal: small(row, 6, "changes.ordinal")?,
        count: small(row, 7, "changes.count")?,
        table,
        id: id.to_owned(),
        kind: kind(row, 8)?,
        mac: mac(row, 9, "changes.mac")?,
    })
}

/// The number that stands for a kind in the database.
pub(crate) fn kind_number(kind: ChangeKind) -> i64 {
    match kind {
        ChangeKind::Put => 1,
        ChangeKind::Delete => 2,
    }
}

fn kind(row: &AnyRow, index: usize) -> Result<ChangeKind, StoreError> {
    match number(row, index, "changes.kind")? {
        1 => Ok(ChangeKind::Put),
        2 => Ok(ChangeKind::Delete),
        _ => Err(corrupt("changes.kind")),
    }
}

fn small(row: &AnyRow, index: usize, what: &str) -> Result<u32, StoreError> {
    u32::try_from(number(row, index, what)?).map_err(|_| corrupt(what))
}
