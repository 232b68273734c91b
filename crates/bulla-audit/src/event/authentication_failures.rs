use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{EventDraft, EventType, Intent, UserIdentity, timestamp};

/// A flood of requests that did not authenticate, as one event.
///
/// Failures before anybody is known are counted rather than written one by one, so that who has no credentials can't fill the disk. The
/// event's name is `AuthenticationFailures`; count, times, reasons and sources are its `requestParameters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticationFailures {
    /// When the first of them came, in microseconds since 1970.
    pub first_time: i64,
    /// When the last of them came, in microseconds since 1970; also the event's time.
    pub last_time: i64,
    /// How many for each AWS error code (`InvalidSignatureException`, `UnrecognizedClientException`, …); closed names, never what
    /// the client sent.
    pub reasons: BTreeMap<&'static str, u64>,
    /// How many from each of the addresses that sent most; a bounded number of them.
    pub sources: BTreeMap<String, u64>,
    /// How many are in no entry of `sources`: it and they add up to the count.
    pub other_sources: u64,
}

impl AuthenticationFailures {
    /// How many failures there were.
    pub fn count(&self) -> u64 {
        self.reasons.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Makes the event. The identity is `Unknown`, the address is the service's own name, as in CloudTrail's service events.
    pub fn draft<'a>(
        &self,
        event_id: String,
        event_source: &'a str,
        aws_region: &'a str,
        account_id: &'a str,
    ) -> EventDraft<'a> {
        let mut parameters = Map::new();
        parameters.insert("count".into(), json!(self.count()));
        parameters.insert(
            "firstTime".into(),
            timestamp::format(self.first_time).map_or(Value::Null, Value::String),
        );
        parameters.insert(
            "lastTime".into(),
            timestamp::format(self.last_time).map_or(Value::Null, Value::String),
        );
        parameters.insert("reasons".into(), json!(self.reasons));
        parameters.insert("sources".into(), json!(self.sources));
        parameters.insert("otherSources".into(), json!(self.other_sources));
        EventDraft {
            event_time: self.last_time,
            event_name: "AuthenticationFailures".into(),
            event_source: event_source.into(),
            event_type: EventType::ServiceEvent,
            aws_region: aws_region.into(),
            user_identity: UserIdentity {
                kind: "Unknown".into(),
                ..UserIdentity::default()
            },
            source_ip_address: event_source.into(),
            user_agent: event_source.into(),
            request_parameters: parameters,
            response_elements: Map::new(),
            resources: Vec::new(),
            error_code: Some("AccessDenied".into()),
            error_message: None,
            request_id: event_id.clone().into(),
            event_id: event_id.into(),
            read_only: true,
            recipient_account_id: account_id.into(),
            key_version: None,
            cache_hit: None,
            purpose: None,
            additional_event_data: Default::default(),
            intent: Intent::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommitPoint, Hash, canonical};

    #[test]
    fn a_flood_is_one_event_that_says_how_many_when_and_why() {
        let flood = AuthenticationFailures {
            first_time: 1_000_000,
            last_time: 3_500_000,
            reasons: BTreeMap::from([("InvalidSignatureException", 41), ("UnrecognizedClientException", 1)]),
            sources: BTreeMap::from([("192.0.2.9".to_owned(), 40)]),
            other_sources: 2,
        };
        let commit = CommitPoint {
            sequence: 0,
            previous: Hash::ZERO,
            metadata_revision: 0,
            changes: &[],
        };
        let draft = flood.draft("e1".into(), "kms.amazonaws.com", "eu-north-1", "000000000000");
        let event = canonical::parse(&draft.prepare().unwrap().finish(&commit).unwrap()).unwrap();
        assert_eq!(event["eventName"], "AuthenticationFailures");
        assert_eq!(event["eventTime"], "1970-01-01T00:00:03.500000Z");
        assert_eq!(
            event["requestParameters"],
            json!({"count": 42, "firstTime": "1970-01-01T00:00:01.000000Z", "lastTime": "1970-01-01T00:00:03.500000Z",
                "reasons": {"InvalidSignatureException": 41, "UnrecognizedClientException": 1},
                "sources": {"192.0.2.9": 40}, "otherSources": 2})
        );
    }
}
