use serde::de::{Deserialize, DeserializeSeed};

use super::message::{self, OnePayload, RawPayloads};
use super::raw::RawPayload;
use super::{MAX_METADATA_ENTRIES, Shape};
use crate::Payload;

/// A request's payloads and the form that they came in.
#[derive(Debug)]
pub struct Request {
    /// The form, in which to answer.
    pub shape: Shape,
    /// The payloads, in order. Of the replaced server's shape, what lay beside the data is in their metadata.
    pub payloads: Vec<Payload>,
}

/// A body that is none. Says where and what, and nothing of the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Not JSON, or not of the message's members and kinds.
    #[error("the body is not the JSON of temporal.api.common.v1.Payloads: {reason} at line {line} column {column}")]
    Json {
        /// What was found, as far as it can be said without content.
        reason: &'static str,
        /// Line, from 1.
        line: usize,
        /// Column, from 0.
        column: usize,
    },
    /// A value that is not base64.
    #[error("payload {index}: {what} is not base64")]
    Base64 {
        /// Which payload, counted from 0.
        index: usize,
        /// `data` or `a metadata value`.
        what: &'static str,
    },
    /// Some payloads are in the replaced server's shape, and some are not.
    #[error("payload {0} is in another shape than the ones before it")]
    MixedShapes(usize),
}

/// Reads a request's body.
///
/// # Errors
/// [`ReadError`].
pub fn read(body: &[u8]) -> Result<Request, ReadError> {
    let raw: RawPayloads<'_> = parse(body)?;
    let raw = raw.0;
    // "the whole request is in the shape of the server that Bulla replaces"
    let shape = if raw.iter().any(RawPayload::is_literal) {
        Shape::Replaced
    } else {
        Shape::Proto
    };
    let mut payloads = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        if shape == Shape::Replaced && raw.is_base64() {
            return Err(ReadError::MixedShapes(index));
        }
        payloads.push(raw.into_payload(shape, index)?);
    }
    Ok(Request { shape, payloads })
}

/// Reads the JSON object of one payload in the replaced server's shape.
pub(crate) fn read_replaced(json: &[u8]) -> Result<Payload, ReadError> {
    let mut budget = MAX_METADATA_ENTRIES;
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let raw = OnePayload(&mut budget).deserialize(&mut deserializer);
    let raw = raw.and_then(|raw| deserializer.end().map(|()| raw));
    raw.map_err(ReadError::of)?.into_payload(Shape::Replaced, 0)
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, ReadError> {
    serde_json::from_slice(json).map_err(ReadError::of)
}

impl ReadError {
    /// Keeps the place, and of the reason only what quotes nothing.
    fn of(error: serde_json::Error) -> Self {
        let text = error.to_string();
        let reason = message::REASONS.into_iter().find(|reason| text.starts_with(reason));
        Self::Json {
            reason: reason.unwrap_or(if error.is_data() {
                "a value of another kind"
            } else {
                "no JSON"
            }),
            line: error.line(),
            column: error.column(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExternalPayload;
    use crate::json::MAX_PAYLOADS;

    fn payloads(json: &str) -> Vec<Payload> {
        let request = read(json.as_bytes()).expect(json);
        assert_eq!(request.shape, Shape::Proto, "{json}");
        request.payloads
    }

    fn refusal(json: &str) -> String {
        read(json.as_bytes()).expect_err(json).to_string()
    }

    #[test]
    fn what_is_missing_or_null_is_empty() {
        for json in ["{}", r#"{"payloads":null}"#, r#"{"payloads":[]}"#] {
            assert_eq!(payloads(json), [], "{json}");
        }
        for json in [
            r#"{"payloads":[{}]}"#,
            r#"{"payloads":[{"metadata":null,"data":null,"externalPayloads":null}]}"#,
            r#"{"payloads":[{"metadata":{},"data":"","external_payloads":[]}]}"#,
        ] {
            assert_eq!(payloads(json), [Payload::default()], "{json}");
        }
        let json = r#"{"payloads":[{"metadata":{"a":null},"externalPayloads":[{},{"sizeBytes":null}]}]}"#;
        let payload = payloads(json).remove(0);
        assert!(payload.metadata["a"].is_empty());
        assert_eq!(payload.external_payloads, [ExternalPayload::default(); 2]);
    }

    #[test]
    fn metadata_and_data_are_base64_also_where_the_string_has_escapes() {
        let json =
            r#" { "payloads" : [ {"metadata":{"encoding":"anNvbi9wbGFpbg","\u0061":"-_8="},"data":"\/\/8="} ] } "#;
        let payload = payloads(json).remove(0);
        assert_eq!(payload.encoding(), b"json/plain");
        assert_eq!(payload.metadata["a"], [0xfb, 0xff]);
        assert_eq!(payload.data, [0xff, 0xff]);
    }

    #[test]
    fn what_is_not_understood_is_refused_and_named() {
        for (json, reason) in [
            ("", "no JSON"),
            ("null", "a value of another kind"),
            ("[]", "a value of another kind"),
            (r#"{"payloads":[]} x"#, "no JSON"),
            (r#"{"payloads":[],"next":1}"#, "an unknown member"),
            (r#"{"payloads":[{"extra":1}]}"#, "an unknown member"),
            (
                r#"{"payloads":[{"externalPayloads":[{"url":"x"}]}]}"#,
                "an unknown member",
            ),
            (r#"{"payloads":[],"payloads":[]}"#, "a member given twice"),
            (r#"{"payloads":[{"data":"","data":""}]}"#, "a member given twice"),
            (
                r#"{"payloads":[{"externalPayloads":[],"external_payloads":[]}]}"#,
                "a member given twice",
            ),
            (r#"{"payloads":[{"metadata":{"a":"","a":""}}]}"#, "a member given twice"),
            (r#"{"payloads":[null]}"#, "null as an element"),
            (r#"{"payloads":[{"data":1}]}"#, "a value of another kind"),
            (r#"{"payloads":[{"metadata":[]}]}"#, "a value of another kind"),
            (r#"{"payloads":[{"metadata":{"a":1}}]}"#, "a value of another kind"),
            (r#"{"payloads":[{"externalPayloads":[{"sizeBytes":1.5}]}]}"#, "a size"),
            (r#"{"payloads":[{"externalPayloads":[{"sizeBytes":"x"}]}]}"#, "a size"),
            (
                r#"{"payloads":[{"externalPayloads":[{"sizeBytes":9223372036854775808}]}]}"#,
                "a size",
            ),
            (r#"{"payloads":[{"data":"!"}]}"#, "payload 0: data is not base64"),
            (
                r#"{"payloads":[{},{"metadata":{"a":"!"}}]}"#,
                "payload 1: a metadata value is not base64",
            ),
        ] {
            let said = refusal(json);
            assert!(said.contains(reason), "{json}: {said}");
        }
    }

    #[test]
    fn an_error_repeats_nothing_of_the_body() {
        for json in [
            r#"{"payloads":[{"data":"hunter2!"}]}"#,
            r#"{"payloads":[{"hunter2":1}]}"#,
            r#"{"payloads":"hunter2"}"#,
            r#"{"payloads":[{"metadata":{"a":["hunter2"]}}]}"#,
        ] {
            assert!(!refusal(json).contains("hunter2"), "{json}");
        }
    }

    #[test]
    fn counts_are_limited() {
        let many = |count: usize| format!(r#"{{"payloads":[{}]}}"#, vec!["{}"; count].join(","));
        assert_eq!(payloads(&many(MAX_PAYLOADS)).len(), MAX_PAYLOADS);
        assert!(refusal(&many(MAX_PAYLOADS + 1)).contains("more than 16384"));
        let entries = |count| (0..count).map(|i| format!(r#""{i}":"""#)).collect::<Vec<_>>().join(",");
        let json = format!(
            r#"{{"payloads":[{{"metadata":{{{}}}}},{{"metadata":{{{}}}}}]}}"#,
            entries(65_000),
            entries(537)
        );
        assert!(refusal(&json).contains("more than 65536"));
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn the_replaced_servers_shape_is_known_by_its_literal_encoding() {
        let json = r#"{"payloads":[{"metadata":{"encoding":"json/plain"},"data":"eyJpZCI6MTIzLCJuYW1lIjoiSm9obiJ9"},{"data":"MQ=="}]}"#;
        let request = read(json.as_bytes()).unwrap();
        assert_eq!(request.shape, Shape::Replaced);
        assert_eq!(request.payloads[0].encoding(), b"json/plain");
        assert_eq!(request.payloads[0].data, br#"{"id":123,"name":"John"}"#);
        let json = r#"{"payloads":[{"metadata":{"encoding":"binary/encrypted"},"data":"MQ==","kms_key_id":"arn:k","encrypted_data_key":"MQ==","algorithm":"AES-256-GCM"}]}"#;
        let request = read(json.as_bytes()).unwrap();
        assert_eq!(request.payloads[0].metadata["kms_key_id"], b"arn:k");
        // "A request in which some payloads are in this shape and some are not"
        let json =
            r#"{"payloads":[{"metadata":{"encoding":"json/plain"}},{"metadata":{"encoding":"anNvbi9wbGFpbg=="}}]}"#;
        assert_eq!(read(json.as_bytes()).unwrap_err(), ReadError::MixedShapes(1));
    }
}
