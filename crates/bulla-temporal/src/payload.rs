use std::collections::BTreeMap;
use std::fmt;

use bulla_crypto::SecretBytes;
use prost::Message;

use crate::ENCODING;

/// One `temporal.api.common.v1.Payload`: metadata, data, and sizes of what lies elsewhere.
///
/// Its bytes are wiped on drop; `Debug` shows the encoding and sizes only.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Payload {
    /// Says what the data is, under `encoding` and other names.
    #[prost(btree_map = "string, bytes", tag = "1")]
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// The value.
    #[prost(bytes = "vec", tag = "2")]
    pub data: Vec<u8>,
    /// What is kept in external storage.
    #[prost(message, repeated, tag = "3")]
    pub external_payloads: Vec<ExternalPayload>,
}

/// One `temporal.api.common.v1.Payload.ExternalPayloadDetails`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ExternalPayload {
    /// How large the payload is where it is kept.
    #[prost(int64, tag = "1")]
    pub size_bytes: i64,
}

impl Payload {
    /// Makes a payload of one encoding and its data.
    #[must_use]
    pub fn new(encoding: &str, data: Vec<u8>) -> Self {
        Self {
            metadata: BTreeMap::from([("encoding".to_owned(), encoding.into())]),
            data,
            external_payloads: Vec::new(),
        }
    }

    /// The payload's `encoding`; empty where it has none.
    #[must_use]
    pub fn encoding(&self) -> &[u8] {
        self.metadata.get("encoding").map_or(&[], Vec::as_slice)
    }

    /// Whether it says that it is sealed in this version of the format.
    #[must_use]
    pub fn claims_to_be_sealed(&self) -> bool {
        self.encoding() == ENCODING.as_bytes()
    }

    /// Writes the binary form: the same bytes for the same payload, whoever writes.
    pub(crate) fn to_wire(&self) -> SecretBytes {
        SecretBytes::from_vec(self.encode_to_vec())
    }

    /// Reads the binary form.
    pub(crate) fn from_wire(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        // Wiped by whoever drops them, at the speed of `memset`.
        let wipe = |bytes: &mut Vec<u8>| drop(SecretBytes::from_vec(std::mem::take(bytes)));
        wipe(&mut self.data);
        self.metadata.values_mut().for_each(wipe);
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("encoding", &String::from_utf8_lossy(self.encoding()))
            .field("metadata", &self.metadata.len())
            .field("size_bytes", &self.data.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_form_is_the_one_of_protocol_buffers_with_sorted_metadata() {
        let mut payload = Payload::new("json/plain", b"1".to_vec());
        payload.metadata.insert("a".to_owned(), vec![0xff]);
        payload.external_payloads.push(ExternalPayload { size_bytes: 3 });
        let wire = b"\x0a\x06\x0a\x01a\x12\x01\xff\x0a\x16\x0a\x08encoding\x12\x0ajson/plain\x12\x011\x1a\x02\x08\x03";
        assert_eq!(payload.to_wire().expose_secret(), wire);
        assert_eq!(Payload::from_wire(wire), Some(payload));
        assert_eq!(Payload::from_wire(b"\x0a"), None);
    }

    #[test]
    fn debug_shows_no_content() {
        let payload = Payload::new("json/plain", b"hunter2".to_vec());
        assert!(!format!("{payload:?}").contains("hunter2"));
    }
}
