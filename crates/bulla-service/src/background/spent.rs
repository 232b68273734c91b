//! Rows that bar nothing any more: marks of tokens that have expired, names of batches that nobody sends again.

use std::sync::Arc;

use bulla_model::Timestamp;
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use super::PAGE;
use crate::decision::{Decision, EventKind};
use crate::entry::Entry;
use crate::limits::members;
use crate::row_ids::RowKey;
use crate::runner::{BULLA, Operation};
use crate::service::Core;
use crate::{Service, ServiceError};

/// How long the name of a batch of events is remembered, so that the batch is taken once.
pub(crate) const BATCH_DAYS: u32 = 30;
/// Rows deleted at once: what an event has room for.
const AT_ONCE: usize = 200;

impl Service {
    /// Deletes the rows of a table that are spent; tells how many. What is tampered with stays, and is recorded.
    pub(super) async fn sweep_spent(&self, table: Table) -> Result<u32, ServiceError> {
        let core = &self.core;
        let mut swept = 0;
        let mut failed = None;
        let mut after: Option<Arc<str>> = None;
        loop {
            let page = core
                .rows
                .list_each(table, RowFilter::All, after.as_deref(), PAGE)
                .await?;
            let full = page.len() == PAGE as usize;
            let mut spent = Vec::new();
            for (id, entry) in page {
                after = Some(id.as_str().into());
                let is_spent = match entry {
                    Ok(Some(entry)) => core.is_row_spent(&entry, core.clock.now()).await,
                    Ok(None) => Ok(false),
                    Err(error) => Err(error),
                };
                match is_spent {
                    Ok(true) => spent.push(id),
                    Ok(false) => {}
                    Err(error @ ServiceError::Tampered { .. }) => {
                        core.record_tampering(&error).await?;
                        failed.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
            }
            for rows in spent.chunks(AT_ONCE) {
                swept += core.run(&core.own_call()?, &DeleteSpent { table, rows }).await?;
            }
            if !full {
                return failed.map_or(Ok(swept), Err);
            }
        }
    }
}

impl Core {
    async fn is_row_spent(&self, entry: &Entry, now: Timestamp) -> Result<bool, ServiceError> {
        match entry {
            Entry::TokenMark(mark) => self.is_spent(mark, now).await,
            Entry::AuditBatch(batch) => Ok(batch.body.created.plus_days(BATCH_DAYS) <= now),
            _ => Ok(false),
        }
    }
}

/// Deletion of spent rows; tells how many still were.
struct DeleteSpent<'a> {
    table: Table,
    rows: &'a [String],
}

impl Operation for DeleteSpent<'_> {
    type Response = u32;

    const EVENT: EventKind = EventKind {
        name: "DeleteSpentRows",
        source: BULLA,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("table", self.table.name().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<u32, ServiceError> {
        let mut deleted = 0;
        for id in self.rows {
            let row = RowKey::new(self.table, id);
            decision.reads.push(row.clone());
            // Raised or deleted meanwhile, on whatever node: the read set has it.
            let Some(entry) = decision.core.known_entry(self.table, id).await? else {
                continue;
            };
            if decision.core.is_row_spent(&entry, decision.now).await? {
                decision.delete(&row);
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}
