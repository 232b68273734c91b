//! What caches elsewhere must drop: the changes of the metadata since a revision, waited for if need be.

mod waiters;

use std::collections::BTreeSet;
use std::time::Duration;

use bulla_model::{AccountId, BullaArn};
use bulla_store::Table;
use serde_json::{Map, Value};
use tokio::time::Instant;

pub(crate) use self::waiters::Waiters;
use crate::decision::{Decision, EventKind};
use crate::entry::Entry;
use crate::limits::members;
use crate::row_ids::parse_key_row;
use crate::rows::RecentChange;
use crate::runner::{BULLA, Operation};
use crate::service::Core;
use crate::{Call, Service, ServiceError};

/// The longest that a request waits.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(25);
/// How often a waiting request looks at what other nodes changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// Whether principals, their credentials, their policies or their grants on every key changed: who may what is to be asked anew.
    pub principals: bool,
}

impl Service {
    /// Tells what was changed since a revision in the caller's account; where nothing was, waits for a change, `wait` at most (25
    /// seconds).
    ///
    /// It is told from what this node applied, which the log's head vouches for; rows of the change feed are not read for it.
    ///
    /// # Errors
    /// `AccessDenied` for who may not `bulla:ReadChanges`, also where he could when he began to wait; `Throttled` where 256 wait for his
    /// principal, 512 for his account or 1,024 in all.
    pub async fn changes_since(&self, call: &Call, since: u64, wait: Duration) -> Result<Changes, ServiceError> {
        let mut read = ReadChanges { since, crowded: false };
        if self.core.rows.synced() < since {
            // Another node may have told him.
            self.core.freshness.catch_up(&self.core.queue).await?;
        }
        let own = call.caller.account();
        if !wait.is_zero()
            && changed(&self.core, own, since)
                .await
                .is_ok_and(|changes| changes.is_empty())
        {
            // Who may not, does not wait; that he asked is recorded now, and that he may, when he is answered.
            let asked = || members([("since", shown_since(since))]);
            let mut decision = Decision::of(&self.core, call, &asked, &[]);
            let may = match decision.identify().await {
                Ok(()) => read.may(&mut decision),
                Err(error) => Err(error),
            };
            if may.is_ok() {
                match self.core.waiters.admit(&call.caller) {
                    Some(_waiting) => {
                        self.wait_beyond(own, since, Instant::now() + wait.min(MAX_WAIT))
                            .await?
                    }
                    None => read.crowded = true,
                }
            }
        }
        self.core.run(call, &read).await
    }

    /// Waits until something is changed that concerns an account, or the time is over.
    async fn wait_beyond(&self, own: &AccountId, since: u64, until: Instant) -> Result<(), ServiceError> {
        let core = &self.core;
        let mut looked = since;
        loop {
            let moved = core.rows.moved.notified();
            match changed(core, own, looked).await {
                Ok(changes) if changes.is_empty() && Instant::now() < until => looked = changes.revision,
                // A row that is refused is found again, and recorded, when he is answered.
                _ => return Ok(()),
            }
            let look = tokio::time::sleep_until(until.min(Instant::now() + LOOK_EVERY));
            tokio::select! {
                () = moved => {}
                () = look => core.freshness.catch_up(&core.queue).await?,
            }
        }
    }
}

fn shown_since(since: u64) -> Value {
    since.min(1 << 53).to_string().into()
}

/// What was changed in an account.
async fn changed(core: &Core, own: &AccountId, since: u64) -> Result<Changes, ServiceError> {
    let (revision, recent) = core.rows.changed_since(since);
    let mut changes = Changes {
        revision,
        everything: since > revision || recent.is_none(),
        keys: Vec::new(),
        aliases: Vec::new(),
        principals: false,
    };
    let (mut keys, mut aliases) = (BTreeSet::new(), BTreeSet::new());
    for RecentChange { table, id, .. } in recent.into_iter().flatten() {
        let mut parts = id.splitn(3, '/');
        match (table, parts.next(), parts.next(), parts.next()) {
            (Table::Principals | Table::Roles | Table::Groups, ..) => {
                changes.principals |= id.split(':').nth(4) == Some(own.as_str());
            }
            (Table::AccessKeys | Table::ApiTokens, ..) => {
                changes.principals = changes.principals || is_of(core, own, table, &id).await?;
            }
            (Table::Aliases, Some(account), Some(region), Some(alias)) if account == own.as_str() => {
                aliases.insert(format!("arn:aws:kms:{region}:{account}:{alias}"));
            }
            (Table::Keys | Table::Grants, Some(account), Some(region), Some(rest)) if account == own.as_str() => {
                let id = rest.split('/').next().unwrap_or_default();
                match parse_key_row(&format!("{account}/{region}/{id}")) {
                    Some(_) => drop(keys.insert(format!("arn:aws:kms:{region}:{account}:key/{id}"))),
                    // A grant on every key is of no key: it says what a principal may.
                    None => changes.principals = true,
                }
            }
            _ => {}
        }
    }
    changes.keys = keys.into_iter().collect();
    changes.aliases = aliases.into_iter().collect();
    Ok(changes)
}

/// Whether a credential is one of the account's principals, as its row says; of one that is gone, nobody knows any more.
async fn is_of(core: &Core, own: &AccountId, table: Table, id: &str) -> Result<bool, ServiceError> {
    Ok(match core.known_entry(table, id).await? {
        Some(Entry::AccessKey(key)) => key.credential.account() == own,
        Some(Entry::ApiToken(token)) => token.principal.account() == *own,
        _ => true,
    })
}

impl Changes {
    fn is_empty(&self) -> bool {
        let names_none = self.keys.is_empty() && self.aliases.is_empty();
        names_none && !self.everything && !self.principals
    }
}

struct ReadChanges {
    since: u64,
    /// Whether too many wait already.
    crowded: bool,
}

impl ReadChanges {
    fn may(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        let feed = BullaArn::of_all_regions(decision.account(), "changes", &["feed"]);
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
        members([("since", shown_since(self.since))])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<Changes, ServiceError> {
        self.may(decision)?;
        if self.crowded {
            return Err(ServiceError::Throttled);
        }
        changed(decision.core, decision.account(), self.since).await
    }
}
