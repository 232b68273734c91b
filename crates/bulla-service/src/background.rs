//! What the service does by itself: rotations, deletions and expiries that are due, and counts that are to be written down.

mod spent;

use std::sync::{Arc, Weak};
use std::time::Duration;

use bulla_model::{KeyState, RotationType, Timestamp};
use bulla_store::{RowFilter, Table};
use serde_json::{Map, Value};

use crate::authorised::{Authorised, KeyForms};
use crate::bodies::{KeyBody, MultiRegionBody, RotationBody};
use crate::call::CallerKind;
use crate::decision::{Decision, EventKind};
use crate::entry::{Entry, KeyEntry};
use crate::freshness::look;
use crate::imported::Imported;
use crate::limits::members;
use crate::operations::list_key_rotations::versions_of;
use crate::rotation::rotate;
use crate::row_ids::parse_key_row;
use crate::runner::{BULLA, KMS, Operation};
use crate::service::Core;
use crate::{Call, Caller, Service, ServiceError};

/// How often counts of failures are written down.
const FAILURES_EVERY: Duration = Duration::from_secs(60);
/// How many of those periods pass between two sweeps.
const SWEEP_EVERY: u32 = 15;
/// How many of them pass between two times that the last uses of keys are written down.
const USAGE_EVERY: u32 = 5;
const PAGE: u32 = 500;

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sweep {
    /// Keys that were rotated.
    pub rotated: u32,
    /// Keys that were deleted, with all their material.
    pub deleted: u32,
    /// Keys of which imported material was deleted because it had come to its end.
    pub expired: u32,
    /// Marks of tokens that barred nothing any more.
    pub marks: u32,
    /// Names of batches of events that were old enough to be forgotten.
    pub batches: u32,
}

/// Starts the background task; it ends with the service.
pub(crate) fn start(core: &Arc<Core>, sweep: bool) {
    tokio::spawn(run(Arc::downgrade(core), sweep));
}

async fn run(core: Weak<Core>, sweep: bool) {
    let mut periods = 0_u32;
    loop {
        tokio::time::sleep(FAILURES_EVERY).await;
        let Some(core) = core.upgrade() else { return };
        if core.queue.is_closed() {
            return;
        }
        core.flush_authentication_failures().await;
        // A node that nobody asks anything follows the others nevertheless: what it has to read at its next commit stays little.
        if let Err(error) = look(&core.queue).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the head of the log could not be looked at"
            );
        }
        if periods % USAGE_EVERY == USAGE_EVERY - 1 {
            core.flush_key_usage(false).await;
        }
        // The first sweep is soon after the start, for what became due while nothing ran.
        if sweep && periods.is_multiple_of(SWEEP_EVERY) {
            let service = Service { core };
            if let Err(error) = service.sweep().await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "due rotations and deletions were not all carried out"
                );
            }
        }
        periods = periods.wrapping_add(1);
    }
}

impl Service {
    /// Carries out what is due: rotates keys whose period has ended, deletes keys whose deletion date has passed, and
    /// imported material whose end has come; and rows that bar nothing any more.
    ///
    /// The service does so by itself every fifteen minutes; a key past its deletion date is refused at once, without this. Any number
    /// of nodes may sweep at once.
    ///
    /// A key that can't be rotated or deleted keeps no other from it, nor does one whose row is tampered with; that leaves an event.
    ///
    /// # Errors
    /// `Store`, `Tampered`: the first of them; what could be done is done.
    pub async fn sweep(&self) -> Result<Sweep, ServiceError> {
        let mut sweep = Sweep::default();
        let mut failed = None;
        let mut after: Option<Arc<str>> = None;
        loop {
            let page = self
                .core
                .rows
                .list_each(Table::Keys, RowFilter::All, after.as_deref(), PAGE)
                .await?;
            let full = page.len() == PAGE as usize;
            for (id, entry) in page {
                after = Some(id.into());
                let key = match entry {
                    Ok(Some(Entry::Key(key))) => key,
                    Ok(_) => continue,
                    Err(error @ ServiceError::Tampered { .. }) => {
                        self.core.record_tampering(&error).await?;
                        failed.get_or_insert(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let now = self.core.clock.now();
                let (account, region, _) =
                    parse_key_row(&key.row.id).ok_or(ServiceError::Internal("a key row without a key id"))?;
                let call = Call {
                    caller: Caller::service(account),
                    region,
                    request_id: self.core.draw_uuid()?.into(),
                    source_ip: KMS.into(),
                    user_agent: KMS.into(),
                    secure_transport: true,
                };
                let key_id = key.arn.to_string();
                let (done, outcome) = if key.is_gone(now) {
                    let row = key.row.id.clone();
                    let deletion = DeleteKey { key_id, row };
                    let mut deleted = self.core.run(&call, &deletion).await;
                    while matches!(deleted, Ok(Deleted::Grants)) {
                        deleted = self.core.run(&call, &deletion).await;
                    }
                    if matches!(deleted, Ok(Deleted::Key)) {
                        self.core.key_usage.forget(key.arn.as_str());
                    }
                    (&mut sweep.deleted, deleted.map(|deleted| deleted == Deleted::Key))
                } else if has_expired(&key, now) {
                    let expiry = DeleteExpiredKeyMaterial { key_id };
                    (&mut sweep.expired, self.core.run(&call, &expiry).await)
                } else if is_due(&key, now) {
                    (&mut sweep.rotated, self.core.run(&call, &RotateKey { key_id }).await)
                } else {
                    continue;
                };
                match outcome {
                    Ok(did) => *done += u32::from(did),
                    // Another node was faster.
                    Err(ServiceError::NotFound(_)) => {}
                    Err(error @ (ServiceError::Store(_) | ServiceError::ShuttingDown)) => return Err(error),
                    Err(error) => {
                        failed.get_or_insert(error);
                    }
                }
            }
            if !full {
                break;
            }
        }
        for (table, swept) in [
            (Table::TokenMarks, &mut sweep.marks),
            (Table::AuditBatches, &mut sweep.batches),
        ] {
            match self.sweep_spent(table).await {
                Ok(count) => *swept = count,
                Err(error @ (ServiceError::Store(_) | ServiceError::ShuttingDown)) => return Err(error),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(sweep), Err)
    }
}

/// Keys that are disabled or pending deletion are not rotated; they are due when they are enabled again. Replicas rotate with their
/// primary.
fn is_due(key: &KeyEntry, now: Timestamp) -> bool {
    let due = key.body.rotation.as_ref().is_some_and(|rotation| rotation.next <= now);
    key.body.state == KeyState::Enabled && due && !key.is_replica()
}

/// Whether any imported material has come to its end, and is to be deleted.
fn has_expired(key: &KeyEntry, now: Timestamp) -> bool {
    let permanent = key.body.expiration.as_ref().and_then(|expiration| expiration.valid_to);
    let pending = key.body.pending.as_ref().and_then(|pending| pending.valid_to);
    [permanent, pending].into_iter().flatten().any(|end| end <= now)
}

/// Automatic rotation; tells whether it was still due.
struct RotateKey {
    key_id: String,
}

impl Operation for RotateKey {
    type Response = bool;

    const EVENT: EventKind = EventKind {
        name: "RotateKey",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", self.key_id.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<bool, ServiceError> {
        let key: Authorised<Self> = decision
            .authorise_key("kms:RotateKey", &self.key_id, KeyForms::KeysOnly)
            .await?;
        let body = &key.key.body;
        let Some(rotation) = body.rotation.as_ref().filter(|_| is_due(&key.key, decision.now)) else {
            return Ok(false);
        };
        let schedule = RotationBody {
            period_days: rotation.period_days,
            next: decision.now.plus_days(rotation.period_days),
        };
        rotate(decision, &key.key, RotationType::Automatic, Some(schedule)).await?;
        Ok(true)
    }
}

/// What a deletion came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deleted {
    /// The key is gone with all that was its.
    Key,
    /// Some of its many grants; the key is still there.
    Grants,
    /// Nothing was there any more.
    Nothing,
}

/// Grants deleted at once: what an event has room for.
const GRANTS_AT_ONCE: usize = 500;

/// Deletion of a key whose date has passed.
struct DeleteKey {
    key_id: String,
    row: Arc<str>,
}

impl Operation for DeleteKey {
    type Response = Deleted;

    const EVENT: EventKind = EventKind {
        name: "DeleteKey",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", self.key_id.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Deleted, ServiceError> {
        let Some(key) = decision.key(&self.row).await?.filter(|key| key.is_gone(decision.now)) else {
            return Ok(Deleted::Nothing);
        };
        decision.concerns(key.arn.shared());
        let grants = decision.grants_of(&key.row.id).await?;
        for grant in grants.in_order().into_iter().take(GRANTS_AT_ONCE) {
            decision.delete(&grant.row);
        }
        if grants.len() > GRANTS_AT_ONCE {
            return Ok(Deleted::Grants);
        }
        for version in versions_of(decision, &key).await? {
            decision.delete(&version.row);
        }
        let mut after: Option<Arc<str>> = None;
        loop {
            let filter = RowFilter::Owner(&key.row.id);
            let page = decision
                .core
                .rows
                .list(Table::Aliases, filter, after.as_deref(), PAGE)
                .await?;
            let full = page.len() == PAGE as usize;
            for alias in page {
                after = Some(alias.row().id.clone());
                decision.delete(alias.row());
            }
            if !full {
                break;
            }
        }
        decision.delete(&key.row);
        leave_regions(decision, &key).await?;
        Ok(Deleted::Key)
    }
}

/// Takes a replica that is deleted out of what the keys of the other regions say. A primary that waited for its last replica begins its
/// own waiting period.
async fn leave_regions(decision: &mut Decision<'_>, deleted: &Arc<KeyEntry>) -> Result<(), ServiceError> {
    let Some(regions) = &deleted.body.multi_region else {
        return Ok(());
    };
    let (_, region) = deleted.place()?;
    let regions = MultiRegionBody {
        primary: regions.primary.clone(),
        replicas: regions.replicas.iter().filter(|of| **of != region).cloned().collect(),
    };
    let keys = decision.in_all_regions(deleted).await?;
    for key in keys.iter().filter(|key| key.row != deleted.row) {
        let mut body = KeyBody {
            multi_region: Some(regions.clone()),
            ..key.body.clone()
        };
        let days = body.pending_window_days.filter(|_| regions.replicas.is_empty());
        if let Some(days) = days.filter(|_| body.state == KeyState::PendingReplicaDeletion) {
            body.state = KeyState::PendingDeletion;
            body.deletion_date = Some(decision.now.plus_days(days));
            body.pending_window_days = None;
        }
        decision.put_key(key, &body);
    }
    Ok(())
}

/// Deletion of imported material whose end has come; tells whether any was still there.
struct DeleteExpiredKeyMaterial {
    key_id: String,
}

impl Operation for DeleteExpiredKeyMaterial {
    type Response = bool;

    const EVENT: EventKind = EventKind {
        name: "DeleteExpiredKeyMaterial",
        source: KMS,
        read_only: false,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("keyId", self.key_id.as_str().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<bool, ServiceError> {
        let key: Authorised<Self> = decision
            .authorise_key("kms:DeleteExpiredKeyMaterial", &self.key_id, KeyForms::KeysOnly)
            .await?;
        let mut imported = Imported::read(decision, &key.key).await?;
        let expired = imported.expired(decision.now);
        if expired.is_empty() {
            return Ok(false);
        }
        for id in expired {
            imported.remove(decision, id)?;
        }
        imported.finish(decision);
        Ok(true)
    }
}

/// A tampered row that was met outside an operation.
struct TamperedRow<'a>(&'a ServiceError);

impl Operation for TamperedRow<'_> {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "VerifyRow",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, _: &mut Decision<'_>) -> Result<(), ServiceError> {
        Err(self.0.clone())
    }
}

/// Commits go on after one that failed.
struct ResumeCommits;

impl Operation for ResumeCommits {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "ResumeCommits",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        Map::new()
    }

    async fn decide(&self, _: &mut Decision<'_>) -> Result<(), ServiceError> {
        Ok(())
    }
}

impl Core {
    /// Writes down that commits go on, which is also how it is found out.
    pub(crate) async fn record_resumption(&self) -> Result<(), ServiceError> {
        self.run(&self.own_call()?, &ResumeCommits).await
    }

    pub(crate) fn own_call(&self) -> Result<Call, ServiceError> {
        Ok(Call {
            caller: Caller {
                kind: CallerKind::Service,
                ..Caller::operator(self.account.clone())
            },
            region: "us-east-1".parse().map_err(|_| ServiceError::Internal("a region"))?,
            request_id: self.draw_uuid()?.into(),
            source_ip: KMS.into(),
            user_agent: KMS.into(),
            secure_transport: true,
        })
    }

    /// Writes down that a row was found tampered with where nobody's operation does: while somebody was authenticated, or in a sweep.
    pub(crate) async fn record_tampering(&self, error: &ServiceError) -> Result<(), ServiceError> {
        match self.run(&self.own_call()?, &TamperedRow(error)).await {
            Err(ServiceError::Tampered { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
