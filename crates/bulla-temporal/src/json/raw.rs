use std::collections::BTreeMap;

use super::text::{Text, decode_base64};
use super::{BESIDE, ReadError, Shape};
use crate::{ExternalPayload, Payload};

/// A payload as it lies in the body.
#[derive(Default)]
pub(super) struct RawPayload<'a> {
    pub(super) metadata: BTreeMap<String, Option<Text<'a>>>,
    pub(super) data: Option<Text<'a>>,
    pub(super) external_payloads: Vec<ExternalPayload>,
    pub(super) beside: [Option<Text<'a>>; BESIDE.len()],
}

impl RawPayload<'_> {
    fn encoding(&self) -> Option<&str> {
        self.metadata.get("encoding")?.as_deref()
    }

    /// Whether it is in the shape of the server that Bulla replaces.
    pub(super) fn is_literal(&self) -> bool {
        self.encoding().is_some_and(|encoding| LITERALS.contains(&encoding)) || self.beside.iter().any(Option::is_some)
    }

    /// Whether its encoding is the base64 of one.
    pub(super) fn is_base64(&self) -> bool {
        let decoded = self.encoding().and_then(decode_base64);
        decoded.is_some_and(|name| name.contains(&b'/') && name.iter().all(u8::is_ascii_graphic))
    }

    /// Takes the base64 off what the shape has as base64; `index` is for the error.
    pub(super) fn into_payload(self, shape: Shape, index: usize) -> Result<Payload, ReadError> {
        let refused = |what| move || ReadError::Base64 { index, what };
        let mut payload = Payload::default();
        if let Some(data) = &self.data {
            payload.data = decode_base64(data).ok_or_else(refused("data"))?;
        }
        for (name, value) in self.metadata {
            let text = value.as_deref().unwrap_or_default();
            let value = match shape {
                Shape::Proto => decode_base64(text).ok_or_else(refused("a metadata value"))?,
                Shape::Replaced => text.into(),
            };
            payload.metadata.insert(name, value);
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

/// Encodings as the replaced server writes them, which no client's base64 is.
const LITERALS: [&str; 6] = [
    "json/plain",
    "json/protobuf",
    "binary/null",
    "binary/plain",
    "binary/protobuf",
    "binary/encrypted",
];
