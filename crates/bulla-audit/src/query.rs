//! Finding events: by who, what, on which key, in which context, with which outcome, when.

mod hours;
mod principals;

use serde_json::Value;

pub use self::hours::{BusinessHours, HoursError};
pub use self::principals::{PrincipalAccesses, Principals};
use crate::timestamp;

/// Which events are wanted: those of which everything holds that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The ARN of who asked.
    pub principal: Option<String>,
    /// The event's name.
    pub event: Option<String>,
    /// The ARN of something that the event is about, or the id of a key.
    pub key: Option<String>,
    /// Pairs that the encryption context has.
    pub context: Vec<(String, String)>,
    /// The client that it was about: `client_id` in the encryption context, or the parameter `client`.
    pub client: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// From this moment on, in microseconds since 1970, UTC.
    pub from_micros: Option<i64>,
    /// Before this moment.
    pub to_micros: Option<i64>,
    /// Outside these hours.
    pub outside: Option<BusinessHours>,
    /// Only accesses: calls of somebody, about a key or something sealed under one.
    pub accesses_only: bool,
}

/// How an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Without an error.
    Succeeded,
    /// With any error.
    Failed,
    /// With this error.
    Code(String),
}

impl EventFilter {
    /// Whether an event is wanted. What is no event is not.
    pub fn matches(&self, event: &Value) -> bool {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.as_deref().is_none_or(|it| found == Some(it));
        if !is(&self.principal, text("/userIdentity/arn")) || !is(&self.event, text("/eventName")) {
            return false;
        }
        let error = text("/errorCode");
        let ended = match &self.outcome {
            None => true,
            Some(Outcome::Succeeded) => error.is_none(),
            Some(Outcome::Failed) => error.is_some(),
            Some(Outcome::Code(code)) => error == Some(code),
        };
        if !ended || (self.accesses_only && !is_access(event)) {
            return false;
        }
        if self.key.as_deref().is_some_and(|key| !is_about(event, key)) {
            return false;
        }
        let mut pairs = self.context.iter();
        if !pairs.all(|(name, value)| has_pair(event, name, value)) {
            return false;
        }
        if let Some(client) = &self.client
            && !has_pair(event, "client_id", client)
            && text("/requestParameters/client") != Some(client)
        {
            return false;
        }
        self.is_in_time(text("/eventTime"))
    }

    fn is_in_time(&self, time: Option<&str>) -> bool {
        if self.from_micros.is_none() && self.to_micros.is_none() && self.outside.is_none() {
            return true;
        }
        let Some(micros) = time.and_then(timestamp::parse) else {
            return false;
        };
        self.from_micros.is_none_or(|from| from <= micros)
            && self.to_micros.is_none_or(|to| micros < to)
            && self.outside.is_none_or(|hours| !hours.contain(micros))
    }
}

/// Whether an event is an access: somebody's call, not the service's own, about a key or something sealed under one.
pub fn is_access(event: &Value) -> bool {
    event["eventType"] == "AwsApiCall" && event["resources"].as_array().is_some_and(|about| !about.is_empty())
}

fn is_about(event: &Value, key: &str) -> bool {
    let resources = event["resources"].as_array().into_iter().flatten();
    let mut arns = resources.filter_map(|resource| resource["ARN"].as_str());
    arns.any(|arn| arn == key || arn.rsplit_once(":key/").is_some_and(|(_, id)| id == key))
}

/// Whether an encryption context of the event has this pair.
fn has_pair(event: &Value, name: &str, value: &str) -> bool {
    [
        "encryptionContext",
        "sourceEncryptionContext",
        "destinationEncryptionContext",
    ]
    .iter()
    .any(|context| event["requestParameters"][context][name] == value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn event() -> Value {
        json!({"eventName": "Decrypt", "eventType": "AwsApiCall", "eventTime": "2026-01-05T07:59:59.999999Z",
            "userIdentity": {"arn": "arn:aws:iam::111122223333:user/ann"}, "errorCode": "AccessDeniedException",
            "requestParameters": {"encryptionContext": {"client_id": "a", "api_provider": "stripe"}},
            "resources": [{"ARN": ARN}]})
    }

    fn given(set: impl FnOnce(&mut EventFilter)) -> bool {
        let mut filter = EventFilter::default();
        set(&mut filter);
        filter.matches(&event())
    }

    #[test]
    fn each_part_of_a_filter_decides() {
        let some = |text: &str| Some(text.to_owned());
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        assert!(given(|_| {}));
        for (wanted, other) in [
            (
                given(|filter| filter.principal = some("arn:aws:iam::111122223333:user/ann")),
                given(|filter| filter.principal = some("ann")),
            ),
            (
                given(|filter| filter.event = some("Decrypt")),
                given(|filter| filter.event = some("decrypt")),
            ),
            (
                given(|filter| filter.key = some(ARN)),
                given(|filter| filter.key = some("arn:aws:kms:*")),
            ),
            (
                given(|filter| filter.key = some("1234abcd-12ab-34cd-56ef-1234567890ab")),
                given(|filter| filter.key = some("1234567890ab")),
            ),
            (
                given(|filter| filter.context = pair("api_provider", "stripe")),
                given(|filter| filter.context = pair("api_provider", "paypal")),
            ),
            (
                given(|filter| filter.client = some("a")),
                given(|filter| filter.client = some("b")),
            ),
            (
                given(|filter| filter.outcome = Some(Outcome::Failed)),
                given(|filter| filter.outcome = Some(Outcome::Succeeded)),
            ),
            (
                given(|filter| filter.outcome = Some(Outcome::Code("AccessDeniedException".to_owned()))),
                given(|filter| filter.outcome = Some(Outcome::Code("DisabledException".to_owned()))),
            ),
            (
                given(|filter| filter.from_micros = timestamp::parse("2026-01-05T07:59:59.999999Z")),
                given(|filter| filter.to_micros = timestamp::parse("2026-01-05T07:59:59.999999Z")),
            ),
            (
                given(|filter| filter.outside = Some("Mon-Fri 08:00-18:00".parse().unwrap())),
                given(|filter| filter.outside = Some("Mon-Fri 07:00-18:00".parse().unwrap())),
            ),
        ] {
            assert!(wanted && !other);
        }
    }

    #[test]
    fn an_access_is_somebodys_and_about_something() {
        assert!(given(|filter| filter.accesses_only = true));
        let only = EventFilter {
            accesses_only: true,
            ..EventFilter::default()
        };
        let mut own = event();
        own["eventType"] = "AwsServiceEvent".into();
        let mut of_nothing = event();
        of_nothing["resources"] = Value::Null;
        for other in [own, of_nothing, json!([]), json!("text"), Value::Null] {
            assert!(!only.matches(&other), "{other}");
        }
    }
}
