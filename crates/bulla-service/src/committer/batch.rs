use std::collections::HashSet;

use bulla_audit::{Change as AuditChange, ChangeOperation, CommitPoint, LogState, PreparedEvent, row_digest};
use bulla_store::{Change, CheckpointRow, EventRow, GroupCommit, HeadRow, RowWrite, StoreError, Transaction};
use tokio::sync::oneshot;

use super::staleness::Recent;
use super::{CommitError, CommitRequest, Write};
use crate::keyring::StoreKey;
use crate::metrics::count;
use crate::row_ids::{RowKey, set_of};
use crate::{Metrics, ServiceError};

type Answer = oneshot::Sender<Result<(), CommitError>>;

/// One group commit, worked out in memory before anything of it is written.
pub(crate) struct Batch {
    /// The log after it.
    pub(crate) log: LogState,
    pub(crate) changes: Vec<Change>,
    pub(crate) applied: Vec<Answer>,
    rows: Vec<RowWrite>,
    events: Vec<EventRow>,
    stale: Vec<Answer>,
}

impl Batch {
    /// Takes the requests in their order: each stands if nothing that it read was changed since, by an earlier commit or by a request
    /// before it in this one.
    pub(crate) fn decide(requests: Vec<CommitRequest>, recent: &Recent, log: LogState, store_key: &StoreKey) -> Self {
        let mut batch = Self {
            log,
            changes: Vec::new(),
            applied: Vec::new(),
            rows: Vec::new(),
            events: Vec::new(),
            stale: Vec::new(),
        };
        batch.events.reserve(requests.len());
        let mut changed_here: HashSet<RowKey> = HashSet::new();
        for request in requests {
            let touched = || {
                request
                    .reads
                    .iter()
                    .chain(request.writes.iter().map(|write| &write.key))
            };
            let current = request.seen == batch.log.metadata_revision();
            let stale =
                !current && (touched().any(|key| changed_here.contains(key)) || recent.moved(request.seen, touched()));
            if stale {
                batch.stale.push(request.answer);
            } else {
                for Write { key, .. } in &request.writes {
                    changed_here.extend(set_of(key.table, &key.id).map(|set| RowKey::new(key.table, set)));
                    changed_here.insert(key.clone());
                }
                batch.apply(request, store_key);
            }
        }
        batch
    }

    /// A batch of which nothing came.
    pub(crate) fn failed(requests: Vec<CommitRequest>) -> Self {
        Self {
            log: LogState::new(),
            changes: Vec::new(),
            applied: requests.into_iter().map(|request| request.answer).collect(),
            rows: Vec::new(),
            events: Vec::new(),
            stale: Vec::new(),
        }
    }

    fn apply(&mut self, request: CommitRequest, store_key: &StoreKey) {
        for further in &request.further {
            let Some(()) = self.append(further) else {
                let error = ServiceError::Internal("the event has no canonical form or is too large");
                let _ = request.answer.send(Err(CommitError::Failed(error)));
                return;
            };
        }
        let revision = self.log.metadata_revision() + u64::from(!request.writes.is_empty());
        let count = u32::try_from(request.writes.len()).unwrap_or(u32::MAX);
        let mut audit_changes = Vec::with_capacity(request.writes.len());
        let mut rows = Vec::with_capacity(request.writes.len());
        let mut changes = Vec::with_capacity(request.writes.len());
        for (ordinal, write) in (0..count).zip(request.writes) {
            let (table, id) = (write.key.table, &*write.key.id);
            let operation = match &write.body {
                Some(body) => {
                    let digest = row_digest(table.name(), id, &write.owner, revision, body);
                    ChangeOperation::Put { digest }
                }
                None => ChangeOperation::Delete,
            };
            audit_changes.push(AuditChange {
                table: table.name().to_owned(),
                id: id.to_owned(),
                revision,
                operation,
            });
            let row = write
                .body
                .map(|body| store_key.seal_row(table, id, &write.owner, revision, body));
            changes.push(store_key.seal_change(revision, ordinal, count, table, id, row.as_ref()));
            rows.push(match row {
                Some(row) => RowWrite::Put(table, row),
                None => RowWrite::Delete(table, id.to_owned()),
            });
        }
        let point = CommitPoint {
            sequence: self.log.size(),
            previous: self.log.last(),
            metadata_revision: revision,
            changes: &audit_changes,
        };
        let Ok(event) = request.event.finish(&point) else {
            let error = ServiceError::Internal("the event has no canonical form or is too large");
            let _ = request.answer.send(Err(CommitError::Failed(error)));
            return;
        };
        if !changes.is_empty() {
            self.log.next_metadata_revision();
        }
        self.log.append(&event);
        self.events.push(EventRow {
            sequence: point.sequence,
            event,
        });
        self.rows.append(&mut rows);
        self.changes.append(&mut changes);
        self.applied.push(request.answer);
    }

    /// Appends an event that changed nothing.
    fn append(&mut self, event: &PreparedEvent) -> Option<()> {
        let point = CommitPoint {
            sequence: self.log.size(),
            previous: self.log.last(),
            metadata_revision: self.log.metadata_revision(),
            changes: &[],
        };
        let event = event.finish(&point).ok()?;
        self.log.append(&event);
        self.events.push(EventRow {
            sequence: point.sequence,
            event,
        });
        Some(())
    }

    /// Writes all of it and makes it durable.
    pub(crate) async fn commit(&self, transaction: Box<dyn Transaction>, head: &HeadRow) -> Result<(), StoreError> {
        let checkpoint = CheckpointRow {
            size: head.size,
            note: head.checkpoint.clone(),
        };
        let group = GroupCommit {
            rows: &self.rows,
            changes: &self.changes,
            events: &self.events,
            checkpoint: &checkpoint,
            head,
        };
        transaction.commit_group(group).await
    }

    /// Answers everybody, those who are to decide again last.
    pub(crate) fn answer(self, outcome: &Result<(), ServiceError>, metrics: &Metrics) {
        for answer in self.applied {
            // Who does not wait any more has gone; the event stands.
            let _ = answer.send(outcome.clone().map_err(CommitError::Failed));
        }
        for answer in self.stale {
            count(&metrics.stale_decisions);
            let _ = answer.send(Err(CommitError::Stale));
        }
    }

    pub(crate) fn answer_stale(self, metrics: &Metrics) {
        self.answer(&Ok(()), metrics);
    }
}
