use bulla_audit::{EventFilter, Outcome, PrincipalAccesses, Principals, timestamp};
use bulla_model::BullaArn;
use bulla_store::EventRow;
use serde_json::{Map, Value};

use super::asserted_events::SOURCE as ASSERTED;
use super::vouched_events::{BATCH, VouchedEvents};
use crate::decision::{Decision, EventKind};
use crate::limits::{self, members, shown};
use crate::runner::{BULLA, Operation};
use crate::service::Core;
use crate::{Call, Service, ServiceError};

/// Events looked at for one answer; what lies beyond is the next page's.
const SCANNED_AT_MOST: u64 = 20_000;
/// Events looked at for one count.
const COUNTED_AT_MOST: u64 = 200_000;
/// Bytes of events in one answer, if it is more than one event.
const PAGE_BYTES: usize = 1024 * 1024;
/// Decisions are dated before they are committed: an event may be this much older than the one before it.
const DISORDER_MICROS: i64 = 10 * 60 * 1_000_000;

/// Which events are wanted, and from where on.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// What must hold of them.
    pub filter: EventFilter,
    /// The first sequence number that is looked at.
    pub from: u64,
    /// 1 to 1,000.
    pub limit: u32,
}

/// Events that were wanted.
#[derive(Debug, Clone)]
pub struct AuditPage {
    /// In the log's order.
    pub events: Vec<EventRow>,
    /// From where to go on; `None` at the log's end.
    pub next: Option<u64>,
}

/// Accesses, counted by who made them.
#[derive(Debug, Clone)]
pub struct PrincipalCounts {
    /// Who made most first; at most 10,000.
    pub principals: Vec<PrincipalAccesses>,
    /// Accesses of further principals.
    pub others: u64,
    /// From where to go on; `None` at the log's end.
    pub next: Option<u64>,
}

impl Service {
    /// Finds events; asking is an event itself. A caller of another account than the service's own finds that account's only.
    ///
    /// A page may be empty and have a next one: so many events are looked at for each, and no more. Every event that was looked at is vouched
    /// for by a signed checkpoint, and none is missing between them.
    ///
    /// # Errors
    /// `AccessDenied` for who may not `bulla:ReadAudit`; `Tampered` where an event was edited or is gone; `Validation`, `Store`.
    pub async fn query_audit(&self, call: &Call, query: AuditQuery) -> Result<AuditPage, ServiceError> {
        let asked = Asked {
            name: "QueryAudit",
            query: &query,
        };
        self.core.run(call, &asked).await?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        let limit = query.limit as usize;
        let next = self
            .vouched_scan(call, &query, SCANNED_AT_MOST, &mut |row, _| {
                bytes += row.event.len();
                events.push(row);
                events.len() < limit && bytes < PAGE_BYTES
            })
            .await?;
        Ok(AuditPage { events, next })
    }

    /// Counts the wanted events by who asked; asking is an event itself.
    ///
    /// # Errors
    /// As [`query_audit`](Self::query_audit).
    pub async fn count_principals(&self, call: &Call, query: AuditQuery) -> Result<PrincipalCounts, ServiceError> {
        let asked = Asked {
            name: "CountPrincipals",
            query: &query,
        };
        self.core.run(call, &asked).await?;
        let mut counted = Principals::default();
        let next = self
            .vouched_scan(call, &query, COUNTED_AT_MOST, &mut |_, event| {
                counted.count(&event);
                true
            })
            .await?;
        let (principals, others) = counted.finish();
        Ok(PrincipalCounts {
            principals,
            others,
            next,
        })
    }

    /// Shows wanted events to `see` until it has enough; tells from where to go on, once a signed checkpoint vouches for what was seen.
    async fn vouched_scan(
        &self,
        call: &Call,
        query: &AuditQuery,
        most: u64,
        see: &mut (dyn FnMut(EventRow, Value) -> bool + Send),
    ) -> Result<Option<u64>, ServiceError> {
        let scanned = self.scan(call, query, most, see).await;
        if let Err(error @ ServiceError::Tampered { .. }) = &scanned {
            self.core.record_tampering(error).await?;
        }
        scanned
    }

    async fn scan(
        &self,
        call: &Call,
        query: &AuditQuery,
        most: u64,
        see: &mut (dyn FnMut(EventRow, Value) -> bool + Send),
    ) -> Result<Option<u64>, ServiceError> {
        let own = call.caller.account().as_str();
        let mut next = query.from;
        if let Some(from) = query.filter.from_micros {
            next = next.max(self.first_since(from).await?);
        }
        let end = next.saturating_add(most);
        let mut events = self.events_from(next);
        let go_on = 'scan: loop {
            let batch = events.read(BATCH).await?;
            let whole = batch.len() == BATCH as usize;
            for (row, event) in batch {
                next = row.sequence.saturating_add(1);
                let visible = self.core.shows(&event, own);
                if visible && query.filter.matches(&event) && !see(row, event) {
                    break 'scan Some(next);
                }
            }
            if !whole {
                break None;
            }
            if next >= end {
                break Some(next);
            }
        };
        events.vouch().await?;
        Ok(go_on)
    }

    fn events_from(&self, first: u64) -> VouchedEvents<'_> {
        VouchedEvents::from(&self.core.rows, &self.core.verifier_key, first)
    }

    /// A sequence number before which no event is as late as `micros`.
    async fn first_since(&self, micros: i64) -> Result<u64, ServiceError> {
        let size = self.core.rows.log_size();
        let wanted = micros.saturating_sub(DISORDER_MICROS);
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut events = self.events_from(middle);
            let event = events.read(1).await?.pop().map(|(_, event)| event);
            events.vouch().await?;
            let time = event.as_ref().and_then(|event| event["eventTime"].as_str());
            let time = time.and_then(timestamp::parse);
            if time.is_some_and(|time| time < wanted) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

impl Core {
    /// Whether an account is shown an event: the service's own account every one, any other those that it asked for or that are about
    /// something of it.
    pub(super) fn shows(&self, event: &Value, account: &str) -> bool {
        let is = |of: Option<&Value>| of.and_then(Value::as_str) == Some(account);
        // What a client asserted is shown to whose client it is: anybody can name anything.
        let about = event["resources"]
            .as_array()
            .filter(|_| event["eventSource"] != ASSERTED);
        let mut about = about.into_iter().flatten();
        account == self.account.as_str()
            || is(event.pointer("/recipientAccountId"))
            || is(event.pointer("/userIdentity/accountId"))
            || about.any(|resource| is(resource.get("accountId")))
    }
}

struct Asked<'q> {
    name: &'static str,
    query: &'q AuditQuery,
}

impl Operation for Asked<'_> {
    type Response = ();

    const EVENT: EventKind = EventKind {
        name: "QueryAudit",
        source: BULLA,
        read_only: true,
    };

    fn event(&self) -> EventKind {
        EventKind {
            name: self.name,
            ..Self::EVENT
        }
    }

    fn parameters(&self) -> Map<String, Value> {
        let AuditQuery { filter, from, limit } = self.query;
        let text = |part: &Option<String>| part.as_deref().map_or(Value::Null, shown);
        let time = |micros: Option<i64>| micros.and_then(timestamp::format).map_or(Value::Null, Value::from);
        let context = filter.context.iter().take(16);
        let context: Vec<Value> = context.map(|(name, value)| shown(&format!("{name}={value}"))).collect();
        members([
            ("principal", text(&filter.principal)),
            ("event", text(&filter.event)),
            ("key", text(&filter.key)),
            // Under another name than that of a client: asking is no access for one.
            ("ofClient", text(&filter.client)),
            (
                "context",
                if context.is_empty() {
                    Value::Null
                } else {
                    context.into()
                },
            ),
            (
                "outcome",
                match &filter.outcome {
                    None => Value::Null,
                    Some(Outcome::Succeeded) => "succeeded".into(),
                    Some(Outcome::Failed) => "failed".into(),
                    Some(Outcome::Code(code)) => shown(code),
                },
            ),
            ("from", time(filter.from_micros)),
            ("to", time(filter.to_micros)),
            (
                "outside",
                filter.outside.map_or(Value::Null, |hours| hours.to_string().into()),
            ),
            ("fromSequence", (*from).min(1 << 53).to_string().into()),
            ("limit", (*limit).into()),
        ])
    }

    async fn decide(&self, decision: &mut Decision<'_>) -> Result<(), ServiceError> {
        if self.name == "QueryAudit" {
            limits::range("limit", self.query.limit, 1, 1000)?;
        }
        let log = BullaArn::of_all_regions(decision.account(), "audit", &["log"]);
        decision.authorise("bulla:ReadAudit", log.as_str())
    }
}
