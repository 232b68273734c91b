use serde_json::{Map, Value};

use super::{FindingKind, finding::Findings};
use crate::{Change, Hash, MAX_EVENT_BYTES, canonical, leaf_hash, timestamp};

/// A stored row, hashed and read as far as it can be.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// The number that the row has in the store.
    pub(super) column: u64,
    /// The sequence that the event says of itself.
    pub(super) sequence: Option<u64>,
    pub(super) hash: Hash,
    /// The `previousHash` that the event says.
    pub(super) previous: Option<Hash>,
    /// What is wrong with the bytes themselves.
    pub(super) defect: Option<FindingKind>,
    pub(super) content: Content,
}

/// What the verifier replays of an event.
#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    pub(super) metadata_revision: u64,
    pub(super) changes: Vec<Change>,
    pub(super) event_id: String,
    pub(super) event_name: String,
    pub(super) announces: bool,
    pub(super) outcome_of: Option<String>,
}

impl Row {
    pub(super) fn read(column: u64, bytes: &[u8]) -> Row {
        let mut row = Row {
            column,
            sequence: None,
            hash: leaf_hash(bytes),
            previous: None,
            defect: None,
            content: Content::default(),
        };
        let value = match canonical::parse(bytes) {
            Ok(value) if bytes.len() <= MAX_EVENT_BYTES => Some(value),
            _ => {
                row.defect = Some(FindingKind::NotCanonical);
                // What can be read still tells which event this was.
                serde_json::from_slice(bytes).ok()
            }
        };
        let Some(Value::Object(members)) = value else {
            row.defect.get_or_insert(FindingKind::Malformed);
            return row;
        };
        row.sequence = members
            .get("sequence")
            .and_then(Value::as_u64)
            .filter(|sequence| *sequence < canonical::MAX_INTEGER);
        row.previous = members
            .get("previousHash")
            .and_then(Value::as_str)
            .and_then(Hash::from_hex);
        match Content::read(&members) {
            Some(content) if row.sequence.is_some() && row.previous.is_some() => row.content = content,
            _ => {
                row.defect.get_or_insert(FindingKind::Malformed);
            }
        }
        row
    }

    /// Says what is wrong with the bytes; `at` is the sequence that the row takes in the log.
    pub(super) fn report_defect(&self, at: u64, findings: &mut Findings) {
        if let Some(kind) = self.defect {
            findings.one(kind, at);
        }
    }
}

impl Content {
    /// "The members of this table are the *known* ones; they are known to every reader, whatever it uses of them."
    fn read(members: &Map<String, Value>) -> Option<Content> {
        let text = |name: &str| members.get(name)?.as_str();
        let is_absent_or = |name: &str, is: fn(&Value) -> bool| members.get(name).is_none_or(is).then_some(());
        for name in [
            "eventVersion",
            "eventSource",
            "awsRegion",
            "requestID",
            "eventType",
            "recipientAccountId",
            "sourceIPAddress",
            "userAgent",
        ] {
            text(name)?;
        }
        for name in ["errorCode", "errorMessage", "keyVersion", "purpose"] {
            is_absent_or(name, Value::is_string)?;
        }
        is_absent_or("cacheHit", Value::is_boolean)?;
        is_absent_or("additionalEventData", Value::is_object)?;
        is_absent_or("resources", are_resources)?;
        for name in ["requestParameters", "responseElements"] {
            members.get(name).filter(|value| value.is_object() || value.is_null())?;
        }
        identity(members.get("userIdentity")?)?;
        members.get("readOnly")?.as_bool()?;
        timestamp::parse(text("eventTime")?)?;
        let changes = match members.get("changes") {
            None => Vec::new(),
            Some(Value::Array(changes)) if !changes.is_empty() => {
                changes.iter().map(Change::from_value).collect::<Option<_>>()?
            }
            Some(_) => return None,
        };
        let announces = match members.get("intent") {
            None => false,
            Some(Value::Bool(true)) => true,
            Some(_) => return None,
        };
        let outcome_of = match members.get("intentID") {
            None => None,
            Some(Value::String(id)) if !announces => Some(id.clone()),
            Some(_) => return None,
        };
        Some(Content {
            metadata_revision: members.get("metadataRevision")?.as_u64()?,
            changes,
            event_id: text("eventID")?.to_owned(),
            event_name: text("eventName")?.to_owned(),
            announces,
            outcome_of,
        })
    }
}

fn identity(identity: &Value) -> Option<()> {
    let members = identity.as_object()?;
    members.get("type")?.as_str()?;
    let known = ["principalId", "arn", "accountId", "accessKeyId", "userName"];
    known
        .iter()
        .all(|name| members.get(*name).is_none_or(Value::is_string))
        .then_some(())
}

/// Objects of exactly `ARN`, `accountId`, `type`; at least one.
fn are_resources(resources: &Value) -> bool {
    let is_resource = |resource: &Value| {
        let members = resource.as_object();
        let known = |members: &Map<String, Value>, name| members.get(name).is_some_and(Value::is_string);
        members.is_some_and(|members| {
            members.len() == 3 && ["ARN", "accountId", "type"].iter().all(|name| known(members, *name))
        })
    };
    resources
        .as_array()
        .is_some_and(|resources| !resources.is_empty() && resources.iter().all(is_resource))
}
