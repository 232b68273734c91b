use crate::{
    Change, EVENT_VERSION, EventDraft, EventError, Hash, Intent, MAX_EVENT_BYTES, MAX_PREPARED_BYTES, Resource,
    UserIdentity,
    canonical::{write_bool, write_integer, write_object, write_string},
    timestamp,
};

/// An event's canonical bytes, cut where the commit puts its members in.
///
/// ```text
/// {"additionalEventData":{…},"awsRegion":…,"cacheHit":… │ ,"changes":[…] │ ,"errorCode":… … "keyVersion":… │ ,"metadataRevision":…,"previousHash":… │
///  ,"purpose":… … "responseElements":… │ ,"sequence":… │ ,"sourceIPAddress":…,"userAgent":…,"userIdentity":{…}}
/// ```
/// The members before each cut are always there, so that each splice begins with a comma.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedEvent {
    bytes: Vec<u8>,
    changes_at: usize,
    previous_at: usize,
    sequence_at: usize,
}

/// What only the commit knows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitPoint<'a> {
    /// The event's place in the log, from 0; at most 2^53 − 1.
    pub sequence: u64,
    /// The leaf hash of the event before, [`Hash::ZERO`] for the first.
    pub previous: Hash,
    /// The metadata revision after this event.
    pub metadata_revision: u64,
    /// What this event did to rows that decide; each at `metadata_revision`; left out when empty.
    pub changes: &'a [Change],
}

impl PreparedEvent {
    /// Puts in what the commit knows: two allocations at most, no sorting, no escaping but of the changes' ids.
    ///
    /// # Errors
    /// [`EventError::TooLarge`] and [`EventError::Canonical`].
    pub fn finish(&self, commit: &CommitPoint<'_>) -> Result<Vec<u8>, EventError> {
        let room: usize = 160
            + commit
                .changes
                .iter()
                .map(|change| 160 + change.id.len() + change.table.len())
                .sum::<usize>();
        let mut out = Vec::with_capacity(self.bytes.len() + room);
        out.extend_from_slice(&self.bytes[..self.changes_at]);
        if !commit.changes.is_empty() {
            out.extend_from_slice(b",\"changes\":[");
            for (index, change) in commit.changes.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                change.write(&mut out)?;
            }
            out.push(b']');
        }
        out.extend_from_slice(&self.bytes[self.changes_at..self.previous_at]);
        out.extend_from_slice(b",\"metadataRevision\":");
        write_integer(&mut out, commit.metadata_revision)?;
        out.extend_from_slice(b",\"previousHash\":\"");
        commit.previous.write_hex(&mut out);
        out.push(b'"');
        out.extend_from_slice(&self.bytes[self.previous_at..self.sequence_at]);
        out.extend_from_slice(b",\"sequence\":");
        write_integer(&mut out, commit.sequence)?;
        out.extend_from_slice(&self.bytes[self.sequence_at..]);
        if out.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLarge);
        }
        Ok(out)
    }

    /// The size before the commit, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the members in their canonical order, which for these names is the order of ASCII.
    pub(super) fn write(draft: &EventDraft<'_>) -> Result<Self, EventError> {
        let mut out = Vec::with_capacity(1536);
        out.push(b'{');
        if !draft.additional_event_data.is_empty() {
            out.extend_from_slice(b"\"additionalEventData\":");
            write_object(&mut out, &draft.additional_event_data, 1)?;
            out.push(b',');
        }
        out.extend_from_slice(b"\"awsRegion\":");
        write_string(&mut out, &draft.aws_region);
        if let Some(cache_hit) = draft.cache_hit {
            out.extend_from_slice(b",\"cacheHit\":");
            write_bool(&mut out, cache_hit);
        }
        let changes_at = out.len();
        optional(&mut out, "errorCode", draft.error_code.as_deref());
        optional(&mut out, "errorMessage", draft.error_message.as_deref());
        member(&mut out, "eventID", &draft.event_id);
        member(&mut out, "eventName", &draft.event_name);
        member(&mut out, "eventSource", &draft.event_source);
        out.extend_from_slice(b",\"eventTime\":\"");
        timestamp::write(&mut out, draft.event_time).ok_or(EventError::Time)?;
        out.push(b'"');
        member(&mut out, "eventType", draft.event_type.name());
        member(&mut out, "eventVersion", EVENT_VERSION);
        match &draft.intent {
            Intent::None => {}
            Intent::Announced => out.extend_from_slice(b",\"intent\":true"),
            Intent::Outcome(announced) => member(&mut out, "intentID", announced),
        }
        optional(&mut out, "keyVersion", draft.key_version.as_deref());
        let previous_at = out.len();
        optional(&mut out, "purpose", draft.purpose.as_deref());
        out.extend_from_slice(b",\"readOnly\":");
        write_bool(&mut out, draft.read_only);
        member(&mut out, "recipientAccountId", &draft.recipient_account_id);
        member(&mut out, "requestID", &draft.request_id);
        map(&mut out, "requestParameters", &draft.request_parameters)?;
        resources(&mut out, &draft.resources);
        map(&mut out, "responseElements", &draft.response_elements)?;
        let sequence_at = out.len();
        member(&mut out, "sourceIPAddress", &draft.source_ip_address);
        member(&mut out, "userAgent", &draft.user_agent);
        user_identity(&mut out, &draft.user_identity)?;
        out.push(b'}');
        if out.len() > MAX_PREPARED_BYTES {
            return Err(EventError::TooLarge);
        }
        Ok(Self {
            bytes: out,
            changes_at,
            previous_at,
            sequence_at,
        })
    }
}

fn name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn member(out: &mut Vec<u8>, key: &str, value: &str) {
    name(out, key);
    write_string(out, value);
}

fn optional(out: &mut Vec<u8>, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        member(out, key, value);
    }
}

fn map(out: &mut Vec<u8>, key: &str, members: &serde_json::Map<String, serde_json::Value>) -> Result<(), EventError> {
    name(out, key);
    if members.is_empty() {
        out.extend_from_slice(b"null");
    } else {
        write_object(out, members, 1)?;
    }
    Ok(())
}

fn resources(out: &mut Vec<u8>, resources: &[Resource<'_>]) {
    if resources.is_empty() {
        return;
    }
    name(out, "resources");
    for (index, resource) in resources.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"[{\"ARN\":" } else { b",{\"ARN\":" });
        write_string(out, &resource.arn);
        member(out, "accountId", &resource.account_id);
        member(out, "type", &resource.kind);
        out.push(b'}');
    }
    out.push(b']');
}

fn user_identity(out: &mut Vec<u8>, identity: &UserIdentity<'_>) -> Result<(), EventError> {
    name(out, "userIdentity");
    let opened_at = out.len();
    optional(out, "accessKeyId", identity.access_key_id.as_deref());
    optional(out, "accountId", identity.account_id.as_deref());
    optional(out, "arn", identity.arn.as_deref());
    optional(out, "principalId", identity.principal_id.as_deref());
    if !identity.session_context.is_empty() {
        name(out, "sessionContext");
        write_object(out, &identity.session_context, 2)?;
    }
    member(out, "type", &identity.kind);
    optional(out, "userName", identity.user_name.as_deref());
    // The first member's comma becomes the object's brace.
    out[opened_at] = b'{';
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::{ChangeOperation, EventType, canonical};

    /// Builds the whole event as a tree and canonicalises that: what the splices must equal.
    fn by_tree(draft: &EventDraft<'_>, commit: &CommitPoint<'_>) -> Vec<u8> {
        let or_null = |map: &Map<String, Value>| {
            if map.is_empty() {
                Value::Null
            } else {
                Value::Object(map.clone())
            }
        };
        let mut event = json!({
            "eventVersion": EVENT_VERSION, "eventTime": timestamp::format(draft.event_time).unwrap(),
            "eventSource": draft.event_source, "eventName": draft.event_name, "awsRegion": draft.aws_region,
            "sourceIPAddress": draft.source_ip_address, "userAgent": draft.user_agent,
            "userIdentity": { "type": draft.user_identity.kind },
            "requestParameters": or_null(&draft.request_parameters), "responseElements": or_null(&draft.response_elements),
            "requestID": draft.request_id, "eventID": draft.event_id, "readOnly": draft.read_only,
            "eventType": draft.event_type.name(), "recipientAccountId": draft.recipient_account_id,
            "sequence": commit.sequence, "previousHash": commit.previous.to_string(),
            "metadataRevision": commit.metadata_revision,
        });
        let identity = &draft.user_identity;
        for (key, value) in [
            ("principalId", &identity.principal_id),
            ("arn", &identity.arn),
            ("accountId", &identity.account_id),
            ("accessKeyId", &identity.access_key_id),
            ("userName", &identity.user_name),
        ] {
            if let Some(value) = value {
                event["userIdentity"][key] = json!(value);
            }
        }
        if !identity.session_context.is_empty() {
            event["userIdentity"]["sessionContext"] = Value::Object(identity.session_context.clone());
        }
        for (key, value) in [
            ("errorCode", &draft.error_code),
            ("errorMessage", &draft.error_message),
            ("keyVersion", &draft.key_version),
            ("purpose", &draft.purpose),
        ] {
            if let Some(value) = value {
                event[key] = json!(value);
            }
        }
        if let Some(hit) = draft.cache_hit {
            event["cacheHit"] = json!(hit);
        }
        if !draft.additional_event_data.is_empty() {
            event["additionalEventData"] = Value::Object(draft.additional_event_data.clone());
        }
        match &draft.intent {
            Intent::None => {}
            Intent::Announced => event["intent"] = json!(true),
            Intent::Outcome(id) => event["intentID"] = json!(id),
        }
        if !draft.resources.is_empty() {
            event["resources"] = draft
                .resources
                .iter()
                .map(|r| json!({"ARN": r.arn, "accountId": r.account_id, "type": r.kind}))
                .collect();
        }
        if !commit.changes.is_empty() {
            event["changes"] = commit
                .changes
                .iter()
                .map(|change| match change.operation {
                    ChangeOperation::Put { digest } => json!({"table": change.table, "id": change.id,
                        "revision": change.revision, "op": "put", "digest": digest.to_string()}),
                    ChangeOperation::Delete => {
                        json!({"table": change.table, "id": change.id, "revision": change.revision, "op": "delete"})
                    }
                })
                .collect();
        }
        canonical::to_vec(&event).unwrap()
    }

    fn optional_text() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(any::<String>())
    }

    prop_compose! {
        fn draft()(
            event_time in 0..=timestamp::MAX_MICROS, texts in proptest::collection::vec(any::<String>(), 12),
            optionals in proptest::collection::vec(optional_text(), 9), flags in any::<(bool, bool, Option<bool>)>(),
            members in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..6),
            numbers in proptest::collection::btree_map(any::<String>(), any::<i32>(), 0..4),
            context in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3),
            resources in 0_usize..3, intent in 0..3, data in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3),
        ) -> EventDraft<'static> {
            EventDraft {
                event_time,
                event_name: texts[0].clone().into(),
                event_source: texts[1].clone().into(),
                event_type: if flags.0 { EventType::ApiCall } else { EventType::ServiceEvent },
                aws_region: texts[2].clone().into(),
                user_identity: UserIdentity {
                    kind: texts[3].clone().into(),
                    principal_id: optionals[0].clone().map(Into::into),
                    arn: optionals[1].clone().map(Into::into),
                    account_id: optionals[2].clone().map(Into::into),
                    access_key_id: optionals[3].clone().map(Into::into),
                    user_name: optionals[4].clone().map(Into::into),
                    session_context: context.into_iter().map(|(k, v)| (k, json!({ "v": v }))).collect(),
                },
                source_ip_address: texts[4].clone().into(),
                user_agent: texts[5].clone().into(),
                request_parameters: members.into_iter().map(|(k, v)| (k, json!({"v": v}))).collect(),
                response_elements: numbers.into_iter().map(|(k, v)| (k, json!([v]))).collect(),
                resources: vec![Resource { arn: texts[6].clone().into(), account_id: texts[7].clone().into(), kind: texts[8].clone().into() };
                    resources],
                error_code: optionals[5].clone().map(Into::into),
                error_message: optionals[6].clone().map(Into::into),
                request_id: texts[9].clone().into(),
                event_id: texts[10].clone().into(),
                read_only: flags.1,
                recipient_account_id: texts[11].clone().into(),
                key_version: optionals[7].clone().map(Into::into),
                cache_hit: flags.2,
                purpose: optionals[8].clone().map(Into::into),
                additional_event_data: data.into_iter().map(|(k, v)| (k, json!([{ "v": v }]))).collect(),
                intent: match intent {
                    0 => Intent::None,
                    1 => Intent::Announced,
                    _ => Intent::Outcome(texts[0].clone()),
                },
            }
        }
    }

    proptest! {
        #[test]
        fn spliced_bytes_equal_the_canonicalisation_of_the_whole(
            draft in draft(), sequence in 0..=canonical::MAX_INTEGER, metadata_revision in 0..=canonical::MAX_INTEGER,
            previous in any::<[u8; 32]>(), ids in proptest::collection::vec(any::<(String, bool)>(), 0..4),
        ) {
            let changes: Vec<Change> = ids
                .into_iter()
                .map(|(id, put)| Change {
                    table: "aliases".into(),
                    id,
                    revision: metadata_revision,
                    operation: if put { ChangeOperation::Put { digest: Hash::from_bytes(previous) } } else { ChangeOperation::Delete },
                })
                .collect();
            let commit = CommitPoint { sequence, previous: Hash::from_bytes(previous), metadata_revision, changes: &changes };
            let bytes = draft.prepare().unwrap().finish(&commit).unwrap();
            let expected = by_tree(&draft, &commit);
            prop_assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&expected));
            prop_assert!(canonical::parse(&bytes).is_ok());
        }
    }
}
