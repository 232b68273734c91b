use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::text::{Text, decode_base64};
use super::{BESIDE, MAX_METADATA_ENTRIES, MAX_PAYLOADS, Shape};
use crate::{ExternalPayload, Payload};

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

/// Encodings as the replaced server writes them, which no client's base64 is.
const LITERALS: [&str; 6] = [
    "json/plain",
    "json/protobuf",
    "binary/null",
    "binary/plain",
    "binary/protobuf",
    "binary/encrypted",
];

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
        const REASONS: [&str; 6] = [UNKNOWN, TWICE, NULL_ELEMENT, TOO_MANY, TOO_MUCH_METADATA, NO_SIZE];
        let text = error.to_string();
        let reason = REASONS.into_iter().find(|reason| text.starts_with(reason));
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

const UNKNOWN: &str = "an unknown member";
const TWICE: &str = "a member given twice";
const NULL_ELEMENT: &str = "null as an element";
const TOO_MANY: &str = "more than 16384 payloads";
const TOO_MUCH_METADATA: &str = "more than 65536 metadata entries";
const NO_SIZE: &str = "a size that is no 64-bit integer";

/// A payload as it lies in the body.
#[derive(Default)]
struct RawPayload<'a> {
    metadata: Vec<(Text<'a>, Option<Text<'a>>)>,
    data: Option<Text<'a>>,
    external_payloads: Vec<ExternalPayload>,
    beside: [Option<Text<'a>>; BESIDE.len()],
}

impl RawPayload<'_> {
    fn encoding(&self) -> Option<&str> {
        let found = self.metadata.iter().find(|(name, _)| &**name == "encoding");
        found.and_then(|(_, value)| value.as_deref())
    }

    fn is_literal(&self) -> bool {
        self.encoding().is_some_and(|encoding| LITERALS.contains(&encoding)) || self.beside.iter().any(Option::is_some)
    }

    /// Whether its encoding is the base64 of one.
    fn is_base64(&self) -> bool {
        let decoded = self.encoding().and_then(decode_base64);
        decoded.is_some_and(|name| name.contains(&b'/') && name.iter().all(u8::is_ascii_graphic))
    }

    fn into_payload(self, shape: Shape, index: usize) -> Result<Payload, ReadError> {
        let refused = |what| move || ReadError::Base64 { index, what };
        let mut payload = Payload::default();
        if let Some(data) = &self.data {
            payload.data = decode_base64(data).ok_or_else(refused("data"))?;
        }
        for (name, value) in &self.metadata {
            let text = value.as_deref().unwrap_or_default();
            let value = match shape {
                Shape::Proto => decode_base64(text).ok_or_else(refused("a metadata value"))?,
                Shape::Replaced => text.into(),
            };
            payload.metadata.insert((**name).to_owned(), value);
        }
        for (name, value) in BESIDE.into_iter().zip(&self.beside) {
            if let Some(value) = value {
                payload.metadata.insert(name.to_owned(), value.as_bytes().to_vec());
            }
        }
        payload.external_payloads = self.external_payloads;
        Ok(payload)
    }
}

/// `Payloads`: a list under one name.
struct RawPayloads<'a>(Vec<RawPayload<'a>>);

impl<'de> Deserialize<'de> for RawPayloads<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Message;
        impl<'de> Visitor<'de> for Message {
            type Value = RawPayloads<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPayloads<'de>, A::Error> {
                let mut payloads = None;
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if &*name != "payloads" {
                        return Err(A::Error::custom(UNKNOWN));
                    }
                    if payloads
                        .replace(map.next_value::<Maybe<ListOfPayloads<'de>>>()?)
                        .is_some()
                    {
                        return Err(A::Error::custom(TWICE));
                    }
                }
                let payloads = payloads.and_then(|payloads| payloads.0).map(|list| list.0);
                Ok(RawPayloads(payloads.unwrap_or_default()))
            }
        }
        deserializer.deserialize_map(Message)
    }
}

/// A member that may be `null`, which is as if it were not there.
struct Maybe<T>(Option<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Maybe<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(deserializer).map(Maybe)
    }
}

struct ListOfPayloads<'a>(Vec<RawPayload<'a>>);

impl<'de> Deserialize<'de> for ListOfPayloads<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = ListOfPayloads<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<ListOfPayloads<'de>, A::Error> {
                let mut payloads = Vec::new();
                let mut budget = MAX_METADATA_ENTRIES;
                while let Some(payload) = list.next_element_seed(OnePayload(&mut budget))? {
                    if payloads.len() == MAX_PAYLOADS {
                        return Err(A::Error::custom(TOO_MANY));
                    }
                    payloads.push(payload);
                }
                Ok(ListOfPayloads(payloads))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Reads one payload; counts metadata entries down from what is left for the request.
struct OnePayload<'b>(&'b mut usize);

impl<'de> DeserializeSeed<'de> for OnePayload<'_> {
    type Value = RawPayload<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawPayload<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OnePayload<'_> {
    type Value = RawPayload<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payload")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<RawPayload<'de>, E> {
        Err(E::custom(NULL_ELEMENT))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawPayload<'de>, A::Error> {
        let mut payload = RawPayload::default();
        // metadata, data, externalPayloads, and what may lie beside them.
        let mut seen = [false; 3 + BESIDE.len()];
        while let Some(name) = map.next_key::<Text<'de>>()? {
            let beside = BESIDE.iter().position(|beside| **beside == *name);
            let member = match &*name {
                "metadata" => 0,
                "data" => 1,
                "externalPayloads" | "external_payloads" => 2,
                _ => 3 + beside.ok_or_else(|| A::Error::custom(UNKNOWN))?,
            };
            if std::mem::replace(&mut seen[member], true) {
                return Err(A::Error::custom(TWICE));
            }
            match member {
                0 => payload.metadata = map.next_value_seed(Metadata(self.0))?,
                1 => payload.data = map.next_value::<Maybe<Text<'de>>>()?.0,
                2 => {
                    let sizes = map.next_value::<Maybe<Vec<Details>>>()?.0.unwrap_or_default();
                    payload.external_payloads = sizes.into_iter().map(|details| details.0).collect();
                }
                _ => payload.beside[member - 3] = map.next_value::<Maybe<Text<'de>>>()?.0,
            }
        }
        Ok(payload)
    }
}

struct Metadata<'b>(&'b mut usize);

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = Vec<(Text<'de>, Option<Text<'de>>)>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = Vec<(Text<'de>, Option<Text<'de>>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries: Self::Value = Vec::new();
        let mut sorted = std::collections::BTreeSet::new();
        while let Some(name) = map.next_key::<Text<'de>>()? {
            *self.0 = self
                .0
                .checked_sub(1)
                .ok_or_else(|| A::Error::custom(TOO_MUCH_METADATA))?;
            if !sorted.insert((*name).to_owned()) {
                return Err(A::Error::custom(TWICE));
            }
            entries.push((name, map.next_value::<Maybe<Text<'de>>>()?.0));
        }
        Ok(entries)
    }
}

/// `ExternalPayloadDetails`.
struct Details(ExternalPayload);

impl<'de> Deserialize<'de> for Details {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Message;
        impl<'de> Visitor<'de> for Message {
            type Value = Details;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Details, A::Error> {
                let mut size = None;
                while let Some(name) = map.next_key::<Text<'de>>()? {
                    if !matches!(&*name, "sizeBytes" | "size_bytes") {
                        map.next_value::<IgnoredAny>()?;
                        return Err(A::Error::custom(UNKNOWN));
                    }
                    if size.replace(map.next_value::<Maybe<Size>>()?).is_some() {
                        return Err(A::Error::custom(TWICE));
                    }
                }
                let size_bytes = size.and_then(|size| size.0).map_or(0, |size| size.0);
                Ok(Details(ExternalPayload { size_bytes }))
            }
        }
        deserializer.deserialize_map(Message)
    }
}

/// A 64-bit integer as a number or a string.
struct Size(i64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Size, E> {
                Ok(Size(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Size, E> {
                i64::try_from(value).map(Size).map_err(|_| E::custom(NO_SIZE))
            }
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Size, E> {
                // Whole numbers that a double holds exactly, as in 1e3.
                let exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
                exact.then_some(Size(value as i64)).ok_or_else(|| E::custom(NO_SIZE))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                let plain = !text.starts_with('+');
                let size = text.parse().ok().filter(|_| plain);
                size.map(Size).ok_or_else(|| E::custom(NO_SIZE))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn both_spellings_of_names_and_numbers_are_read() {
        for (size, value) in [
            ("7", 7),
            (r#""7""#, 7),
            ("-1", -1),
            ("1e3", 1000),
            (r#""9223372036854775807""#, i64::MAX),
            ("9223372036854775807", i64::MAX),
        ] {
            for (list, name) in [("externalPayloads", "sizeBytes"), ("external_payloads", "size_bytes")] {
                let json = format!(r#"{{"payloads":[{{"{list}":[{{"{name}":{size}}}]}}]}}"#);
                assert_eq!(payloads(&json)[0].external_payloads[0].size_bytes, value, "{json}");
            }
        }
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
