//! Payloads that stand for what is in external storage: they hold no value, and whoever resolves them must be able to read them.

use serde_json::{Map, Value};

use crate::Payload;

const MARKER: &str = "__temporal_external_storage_reference";
const MESSAGE_TYPE: &[u8] = b"temporal.api.sdk.v1.ExternalStorageReference";

/// Tells whether a payload is a reference and nothing besides: what merely says so is sealed like anything else.
pub(crate) fn is_storage_reference(payload: &Payload) -> bool {
    if payload.external_payloads.is_empty() {
        return false;
    }
    let of_message = match payload.encoding() {
        b"json/protobuf" => payload.metadata.get("messageType").map(Vec::as_slice) == Some(MESSAGE_TYPE),
        b"json/external-storage-reference" => !payload.metadata.contains_key("messageType"),
        _ => false,
    };
    let known = |name: &String| matches!(name.as_str(), "encoding" | "messageType" | MARKER);
    let marked = payload.metadata.get(MARKER).is_none_or(|value| value == b"true");
    of_message && marked && payload.metadata.keys().all(known) && {
        match serde_json::from_slice(&payload.data) {
            Ok(Value::Object(object)) if payload.encoding() == b"json/protobuf" => is_message(&object),
            Ok(Value::Object(object)) => is_of_first_sdks(&object),
            _ => false,
        }
    }
}

fn is_message(object: &Map<String, Value>) -> bool {
    object.iter().all(|(name, value)| match name.as_str() {
        "driverName" | "driver_name" => value.is_string(),
        "claimData" | "claim_data" => is_of_strings(value),
        _ => false,
    })
}

fn is_of_first_sdks(object: &Map<String, Value>) -> bool {
    object.iter().all(|(name, value)| match (name.as_str(), value) {
        ("driver_name", value) => value.is_string(),
        ("driver_claim", Value::Object(claim)) => claim
            .iter()
            .all(|(name, value)| name == "claim_data" && is_of_strings(value)),
        _ => false,
    })
}

fn is_of_strings(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.values().all(Value::is_string))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExternalPayload;

    fn reference(data: &str) -> Payload {
        let mut payload = Payload::new("json/protobuf", data.into());
        payload.metadata.insert("messageType".to_owned(), MESSAGE_TYPE.to_vec());
        payload.external_payloads.push(ExternalPayload { size_bytes: 9 });
        payload
    }

    #[test]
    fn references_of_the_sdks_are_recognised() {
        let now = reference(r#"{"driverName":"s3","claimData":{"key":"a/b"}}"#);
        assert!(is_storage_reference(&now));
        let mut marked = now.clone();
        marked.metadata.insert(MARKER.to_owned(), b"true".to_vec());
        assert!(is_storage_reference(&marked));
        let mut first = Payload::new(
            "json/external-storage-reference",
            br#"{"driver_name":"s3","driver_claim":{"claim_data":{"key":"a"}}}"#.to_vec(),
        );
        first.external_payloads.push(ExternalPayload { size_bytes: 9 });
        assert!(is_storage_reference(&first));
    }

    #[test]
    fn what_carries_anything_else_is_none() {
        for data in [
            r#"{"driverName":"s3","secret":"x"}"#,
            r#"{"driverName":{"secret":"x"}}"#,
            r#"{"claimData":{"a":["secret"]}}"#,
            r#"["secret"]"#,
            "secret",
            r#"{"driverName":"s3"} {"driverName":"s3"}"#,
        ] {
            assert!(!is_storage_reference(&reference(data)), "{data}");
        }
        let whole = reference("{}");
        let mut with_more = whole.clone();
        with_more.metadata.insert("note".to_owned(), b"secret".to_vec());
        let mut of_no_size = whole.clone();
        of_no_size.external_payloads.clear();
        let mut of_other_type = whole.clone();
        of_other_type
            .metadata
            .insert("messageType".to_owned(), b"my.Order".to_vec());
        let mut oddly_marked = whole.clone();
        oddly_marked.metadata.insert(MARKER.to_owned(), b"secret".to_vec());
        for payload in [with_more, of_no_size, of_other_type, oddly_marked] {
            assert!(!is_storage_reference(&payload));
        }
    }
}
