//! Events that libraries and vaults elsewhere recorded: taken into the log under the name of who brings them, and marked as his word.

use std::collections::BTreeMap;

use bulla_audit::{PreparedEvent, Resource, row_digest, timestamp};
use bulla_crypto::Context;
use bulla_model::BullaArn;
use bulla_store::Table;
use serde_json::{Value, json};

use crate::bodies::{AuditBatchBody, VERSION};
use crate::committer::CommitError;
use crate::decision::{Decision, EventKind};
use crate::limits::{self, context_value, members, shown};
use crate::runner::BULLA;
use crate::{Call, Service, ServiceError};

const MAX_EVENTS: usize = 100;
/// What the events of clients have as their source.
pub(super) const SOURCE: &str = "bulla.client";

/// Events that were recorded elsewhere, together.
#[derive(Debug, Clone)]
pub struct AssertedBatch {
    /// The client's name for it: 1 to 64 letters, digits, `.`, `_` and `-`. A batch of the same name is taken once.
    pub id: String,
    /// 1 to 100.
    pub events: Vec<AssertedEvent>,
}

/// An event that was recorded elsewhere.
#[derive(Debug, Clone, Default)]
pub struct AssertedEvent {
    /// A capital and at most 63 letters and digits: `Open`, `GetToken`.
    pub name: String,
    /// When, by the client's clock, in microseconds since 1970, UTC.
    pub time_micros: i64,
    /// The encryption context.
    pub context: Context,
    /// The ARN of what it was about, at most 512 bytes; whose it is, is the client's word, too.
    pub resource: Option<String>,
    /// How many accesses the event stands for.
    pub count: u64,
    /// Whether a cache answered.
    pub cache_hit: Option<bool>,
    /// What for, at most 128 bytes.
    pub purpose: Option<String>,
    /// How it failed, at most 128 bytes; nothing where it did not.
    pub error_code: Option<String>,
    /// What else the client says: at most 16 texts of at most 1,024 bytes, under names of at most 64.
    pub details: BTreeMap<String, String>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedBatch {
    /// Events of it that are in the log.
    pub events: u32,
    /// Whether they were there already.
    pub replayed: bool,
}

impl Service {
    /// Takes events into the log, durable when this returns: each with the caller as its principal, the service's time, and
    /// `clientAsserted` beside what the client says.
    ///
    /// A batch of a name that the caller used in the last 30 days is not taken again, whichever node took it. The caller is known by his ARN: a
    /// session of another name is another caller.
    ///
    /// # Errors
    /// `AccessDenied` for who may not `bulla:WriteAudit`; `Validation`; `AlreadyExists` for another batch of the same name; `Store`.
    pub async fn record_asserted(&self, call: &Call, batch: AssertedBatch) -> Result<RecordedBatch, ServiceError> {
        let core = &self.core;
        let kind = EventKind {
            name: "PutAuditEvents",
            source: BULLA,
            read_only: false,
        };
        let asked = || members([("batchId", shown(&batch.id)), ("count", batch.events.len().into())]);
        for _ in 0..core.max_decisions {
            let mut decision = Decision::of(core, call, &asked, &[]);
            let decided = match decision.identify().await {
                Ok(()) => decide(&mut decision, &batch).await,
                Err(error) => Err(error),
            };
            let (result, further) = match decided {
                Ok((recorded, further)) => (Ok(recorded), further),
                Err(error) => (Err(error), Vec::new()),
            };
            let parameters = decision.take_parameters();
            let (event, _) = core.event(&decision, kind, parameters, result.as_ref().err())?;
            let writes = if result.is_ok() { decision.writes } else { Vec::new() };
            let outcome = core
                .commit_with(decision.seen, decision.reads, writes, further, event)
                .await;
            match outcome {
                Ok(()) => return result,
                Err(CommitError::Stale) => {}
                Err(CommitError::Failed(error)) => return Err(error),
            }
        }
        Err(core.give_up(call, kind, asked()).await)
    }
}

async fn decide(
    decision: &mut Decision<'_>,
    batch: &AssertedBatch,
) -> Result<(RecordedBatch, Vec<PreparedEvent>), ServiceError> {
    batch.check()?;
    let log = BullaArn::of_all_regions(decision.account(), "audit", &["log"]);
    decision.authorise("bulla:WriteAudit", log.as_str())?;
    let owner = decision.call.caller.arn().as_str().to_owned();
    let id = format!("{owner}/{}", batch.id);
    let digest = batch.digest();
    let events = u32::try_from(batch.events.len()).unwrap_or(u32::MAX);
    if let Some(known) = decision.audit_batch(&id).await? {
        if known.body.digest != digest {
            return Err(ServiceError::AlreadyExists(
                "Another batch of this name was taken before.".to_owned(),
            ));
        }
        let recorded = RecordedBatch { events, replayed: true };
        return Ok((recorded, Vec::new()));
    }
    let body = AuditBatchBody {
        version: VERSION,
        created: decision.now,
        events,
        digest,
    };
    decision.put(Table::AuditBatches, &id, &owner, &body);
    let prepared = batch.events.iter().enumerate();
    let prepared = prepared.map(|(at, event)| event.prepare(decision, &batch.id, at));
    let recorded = RecordedBatch {
        events,
        replayed: false,
    };
    Ok((recorded, prepared.collect::<Result<_, _>>()?))
}

impl AssertedBatch {
    fn check(&self) -> Result<(), ServiceError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        limits::blob("batchId", self.id.len(), 1, 64)?;
        limits::blob("events", self.events.len(), 1, MAX_EVENTS)?;
        if !self.id.bytes().all(legal) {
            return Err(invalid("batchId"));
        }
        self.events.iter().try_for_each(AssertedEvent::check)
    }

    /// Tells one batch from another of the same name.
    fn digest(&self) -> String {
        let events: Vec<Value> = self.events.iter().map(AssertedEvent::shown).collect();
        row_digest(
            Table::AuditBatches.name(),
            &self.id,
            "",
            0,
            Value::from(events).to_string().as_bytes(),
        )
        .to_string()
    }
}

impl AssertedEvent {
    fn check(&self) -> Result<(), ServiceError> {
        let mut name = self.name.bytes();
        let legal = name.next().is_some_and(|first| first.is_ascii_uppercase())
            && name.all(|b| b.is_ascii_alphanumeric())
            && self.name.len() <= 64;
        if !legal {
            return Err(invalid("name"));
        }
        let short =
            |text: &Option<String>, most: usize| text.as_ref().is_none_or(|text| (1..=most).contains(&text.len()));
        if !short(&self.purpose, 128) || !short(&self.error_code, 128) {
            return Err(invalid("purpose or error_code"));
        }
        let is_arn = |arn: &String| arn.starts_with("arn:aws:") && arn.split(':').count() >= 6;
        if !short(&self.resource, 512) || !self.resource.as_ref().is_none_or(is_arn) {
            return Err(invalid("resource"));
        }
        let fits = |(name, text): (&String, &String)| (1..=64).contains(&name.len()) && text.len() <= 1024;
        if self.details.len() > 16 || !self.details.iter().all(fits) {
            return Err(invalid("details"));
        }
        if timestamp::format(self.time_micros).is_none() || self.count == 0 || self.count > 1 << 53 {
            return Err(invalid("time or count"));
        }
        Ok(())
    }

    fn shown(&self) -> Value {
        let mut shown = json!({"name": self.name, "time": self.time_micros, "context": context_value(&self.context), "resource": self.resource,
            "count": self.count, "cacheHit": self.cache_hit, "purpose": self.purpose, "errorCode": self.error_code});
        if !self.details.is_empty() {
            shown["details"] = json!(self.details);
        }
        shown
    }

    /// The event as the log has it.
    fn prepare(&self, decision: &Decision<'_>, batch: &str, at: usize) -> Result<PreparedEvent, ServiceError> {
        let kind = EventKind {
            name: "Asserted",
            source: SOURCE,
            read_only: true,
        };
        let event_id = decision.core.draw_uuid()?;
        let parameters = members([("encryptionContext", context_value(&self.context))]);
        let mut draft = decision.draft(&kind, &event_id, parameters, None);
        draft.event_name = self.name.as_str().into();
        // What a client says of a key is no event of the key's account.
        draft.recipient_account_id = decision.account().as_str().into();
        draft.cache_hit = self.cache_hit;
        draft.purpose = self.purpose.as_deref().map(Into::into);
        draft.error_code = self.error_code.as_deref().map(Into::into);
        draft.resources = self
            .resource
            .iter()
            .map(|arn| Resource {
                arn: arn.as_str().into(),
                account_id: arn.split(':').nth(4).unwrap_or_default().into(),
                kind: crate::decision::kind_of(arn).into(),
            })
            .collect();
        // Whose token it was that asserts this is not the client's word.
        draft.additional_event_data.retain(|name, _| name == "webIdentity");
        draft.additional_event_data.extend([
            ("clientAsserted".to_owned(), true.into()),
            ("batchId".to_owned(), batch.into()),
            ("index".to_owned(), at.into()),
            ("count".to_owned(), self.count.into()),
            ("assertedTime".to_owned(), timestamp::format(self.time_micros).into()),
        ]);
        if !self.details.is_empty() {
            draft
                .additional_event_data
                .insert("details".to_owned(), json!(self.details));
        }
        draft
            .prepare()
            .map_err(|_| ServiceError::Validation("An event of the batch is too large.".to_owned()))
    }
}

fn invalid(what: &str) -> ServiceError {
    ServiceError::Validation(format!("An event of the batch, or the batch, has no valid {what}."))
}
