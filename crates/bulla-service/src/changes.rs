//! What caches elsewhere must drop: the changes of the metadata since a revision, waited for if need be.

use std::collections::BTreeSet;
use std::time::Duration;

use bulla_model::BullaArn;
use bulla_store::Table;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::decision::{Decision, EventKind};
use crate::limits::members;
use crate::row_ids::parse_key_row;
use crate::runner::{BULLA, Operation};
use crate::{Call, Service, ServiceError};

/// Changes named one by one; who is further behind drops everything.
const NAMED_AT_MOST: u32 = 1000;
/// The longest that a request waits.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(25);
/// How often a waiting request looks at what other nodes changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Requests that wait at once.
pub(crate) const MAX_WAITERS: usize = 512;

/// What was changed since a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The revision up to which this is true: the next request's `since`.
    pub revision: u64,
    /// Everything that is cached is to be dropped: too much was changed to name it.
    pub everything: bool,
    /// ARNs of keys that changed in any way, with their material, policies and grants.
    pub keys: Vec<String>,
    /// ARNs of aliases that were made, moved or deleted.
    pub aliases: Vec<String>,
    /// Whether principals, their credentials or their policies changed: who may what is to be asked anew.
    pub principals: bool,
}

impl Service {
    /// Tells what was changed since a revision in the caller's account; where nothing was, waits for a change, `wait` at most (25
    /// seconds).
    ///
    /// # Errors
    /// `AccessDenied` for who may not `bulla:ReadChanges`, also where he could when he began to wait; `Throttled` where 512 wait already.
    pub async fn changes_since(&self, call: &Call, since: u64, wait: Duration) -> Result<Changes, ServiceError> {
        let read = ReadChanges { since };
        if self.core.rows.synced() < since {
            // Another node may have told him.
            self.core.freshness.catch_up(&self.core.queue).await?;
        }
        if !wait.is_zero() && self.core.rows.synced() == since {
            // Who may not, does not wait; that he asked is recorded now, and that he may, when he is answered.
            let asked = || read.parameters();
            let mut decision = Decision::of(&self.core, call, &asked, &[]);
            let may = match decision.identify().await {
                Ok(()) => read.may(&mut decision),
                Err(error) => Err(error),
            };
            if may.is_ok() {
                let _waiting = self.core.waiters.try_acquire().map_err(|_| ServiceError::Throttled)?;
                self.wait_beyond(since, Instant::now() + wait.min(MAX_WAIT)).await?;
            }
        }
        self.core.run(call, &read).await
    }

    async fn wait_beyond(&self, since: u64, until: Instant) -> Result<(), ServiceError> {
        let core = &self.core;
        loop {
            let moved = core.rows.moved.notified();
            if core.rows.synced() > since || Instant::now() >= until {
                return Ok(());
            }
            let look = tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY));
            tokio::select! {
                () = moved => {}
                () = look => core.freshness.catch_up(&core.queue).await?,
            }
        }
    }
}

struct ReadChanges {
    since: u64,
}

impl ReadChanges {
    fn may(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let feed = BullaArn::new(decision.region(), decision.account(), "changes", &["feed"]);
        decision.authorise("bulla:ReadChanges", feed.as_str())
    }
}

impl Operation for ReadChanges {
    type Response = Changes;

    const EVENT: EventKind = EventKind {
        name: "ReadChanges",
        source: BULLA,
        read_only: true,
    };

    fn parameters(&self) -> Map<String, Value> {
        members([("since", self.since.min(1 << 53).to_string().into())])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Changes, ServiceError> {
        self.may(decision)?;
        let revision = decision.core.rows.synced();
        let own = decision.account().as_str();
        let mut changes = Changes {
            revision,
            everything: self.since > revision,
            keys: Vec::new(),
            aliases: Vec::new(),
            principals: false,
        };
        if self.since >= revision {
            return Ok(changes);
        }
        let rows = decision.core.rows.store.changes(self.since, NAMED_AT_MOST).await?;
        if rows.len() == NAMED_AT_MOST as usize {
            changes.everything = true;
            return Ok(changes);
        }
        let (mut keys, mut aliases) = (BTreeSet::new(), BTreeSet::new());
        for change in rows.iter().filter(|change| change.revision <= revision) {
            let mut parts = change.id.splitn(3, '/');
            match (change.table, parts.next(), parts.next(), parts.next()) {
                (Table::Keys | Table::Grants, Some(account), Some(region), Some(rest)) if account == own => {
                    let id = rest.split('/').next().unwrap_or_default();
                    if parse_key_row(&format!("{account}/{region}/{id}")).is_some() {
                        keys.insert(format!("arn:aws:kms:{region}:{account}:key/{id}"));
                    }
                }
                (Table::Aliases, Some(account), Some(region), Some(alias)) if account == own => {
                    aliases.insert(format!("arn:aws:kms:{region}:{account}:{alias}"));
                }
                // Material changes with its key's row.
                (Table::Keys | Table::Grants | Table::Aliases | Table::KeyVersions | Table::AuditBatches, ..) => {}
                _ => changes.principals = true,
            }
        }
        changes.keys = keys.into_iter().collect();
        changes.aliases = aliases.into_iter().collect();
        Ok(changes)
    }
}
