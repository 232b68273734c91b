use bulla_crypto::record::Record;

use super::{BESIDE, Shape};
use crate::Payload;
use crate::finished::Output;

/// A payload that the replaced server's shape can't say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payload {0} has metadata that is not text")]
pub struct WriteError(pub usize);

/// Writes an answer's body: the proto's members and nothing else, in memory that never moves while it is written.
///
/// # Errors
/// [`WriteError`], of [`Shape::Replaced`] alone.
pub fn write(shape: Shape, payloads: &[Payload]) -> Result<Vec<u8>, WriteError> {
    write_all(shape, payloads.iter().map(Item::Payload))
}

/// The same of what an encode or a decode gives.
pub(crate) fn write_outputs(shape: Shape, outputs: &[Output]) -> Result<Vec<u8>, WriteError> {
    write_all(
        shape,
        outputs.iter().map(|output| match output {
            Output::Payload(payload) => Item::Payload(payload),
            Output::Sealed(record) => Item::Record(record),
        }),
    )
}

/// What is written as one payload.
#[derive(Clone, Copy)]
enum Item<'a> {
    Payload(&'a Payload),
    /// A payload that was sealed here: its record says all of it.
    Record(&'a [u8]),
}

fn write_all<'a>(shape: Shape, items: impl Iterator<Item = Item<'a>> + Clone) -> Result<Vec<u8>, WriteError> {
    let room = items.clone().map(|item| item.size_bytes(shape));
    let mut body = Vec::with_capacity(32 + room.sum::<usize>());
    body.extend_from_slice(b"{\"payloads\":[");
    for (index, item) in items.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        let written = match (shape, item) {
            (Shape::Proto, Item::Payload(payload)) => {
                write_proto(&mut body, payload);
                Some(())
            }
            (Shape::Replaced, Item::Payload(payload)) => write_replaced(&mut body, payload),
            (Shape::Proto, Item::Record(record)) => write_sealed(&mut body, record),
            (Shape::Replaced, Item::Record(record)) => write_replaced_record(&mut body, record),
        };
        written.ok_or(WriteError(index))?;
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

impl Item<'_> {
    fn size_bytes(self, shape: Shape) -> usize {
        match self {
            Self::Payload(payload) => size_bytes(shape, payload),
            Self::Record(record) => {
                256 + base64_bytes(record) + Record::parse(record).map_or(0, |record| of_record(&record))
            }
        }
    }
}

/// At least what a payload takes, and not much more: who sends payloads says by it how much memory is asked for.
fn size_bytes(shape: Shape, payload: &Payload) -> usize {
    let metadata = payload.metadata.iter().map(|(name, value)| {
        let value = match shape {
            Shape::Proto => base64_bytes(value),
            Shape::Replaced => std::str::from_utf8(value).map_or(0, text_bytes),
        };
        text_bytes(name) + value + 4
    });
    let record = sealed(payload).filter(|_| shape == Shape::Replaced);
    64 + metadata.sum::<usize>()
        + base64_bytes(&payload.data)
        + payload.external_payloads.len() * 48
        + record.map_or(0, |record| of_record(&record))
}

/// What a record's key and wrapped key take beside it, in either shape.
fn of_record(record: &Record<'_>) -> usize {
    128 + text_bytes(record.key()) + record.key().len() / 3 + base64_bytes(record.wrapped_key())
}

fn base64_bytes(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(3) * 4 + 2
}

/// The most that a text takes: six characters for each one of a text that needs an escape somewhere.
fn text_bytes(text: &str) -> usize {
    let each = if is_plain(text) { 1 } else { 6 };
    text.len() * each + 2
}

/// The record of a payload that is one.
fn sealed(payload: &Payload) -> Option<Record<'_>> {
    let claims = payload.claims_to_be_sealed();
    claims.then(|| Record::parse(&payload.data).ok()).flatten()
}

fn write_proto(body: &mut Vec<u8>, payload: &Payload) {
    let mut object = Object::begin(body);
    if !payload.metadata.is_empty() {
        object.name("metadata");
        let mut metadata = Object::begin(object.body);
        for (name, value) in &payload.metadata {
            metadata.name(name);
            base64(metadata.body, value);
        }
        metadata.end();
    }
    object.data_and_sizes(payload);
    object.end();
}

/// What every payload that was sealed here begins with: base64 of "record-1", and then of the key.
const SEALED_BEGINS: &str = r#"{"metadata":{"bulla-format":"cmVjb3JkLTE=","bulla-key-id":"#;
/// What follows it: base64 of "binary/bulla-v1", and then of the record.
const SEALED_GOES_ON: &str = r#","encoding":"YmluYXJ5L2J1bGxhLXYx"},"data":"#;

fn write_sealed(body: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let record = Record::parse(bytes).ok()?;
    body.extend_from_slice(SEALED_BEGINS.as_bytes());
    base64(body, record.key().as_bytes());
    body.extend_from_slice(SEALED_GOES_ON.as_bytes());
    base64(body, bytes);
    body.push(b'}');
    Some(())
}

fn write_replaced_record(body: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let record = Record::parse(bytes).ok()?;
    let mut object = Object::begin(body);
    object.name("metadata");
    let mut metadata = Object::begin(object.body);
    metadata.name("encoding");
    text(metadata.body, "binary/encrypted");
    metadata.end();
    object.name("data");
    base64(object.body, bytes);
    let bare = record.key().split_once(':').map_or(record.key(), |(_, bare)| bare);
    object.name("kms_key_id");
    text(object.body, bare.strip_prefix("//").unwrap_or(bare));
    object.name("encrypted_data_key");
    base64(object.body, record.wrapped_key());
    object.name("algorithm");
    text(object.body, "AES-256-GCM");
    object.end();
    Some(())
}

fn write_replaced(body: &mut Vec<u8>, payload: &Payload) -> Option<()> {
    if sealed(payload).is_some() {
        return write_replaced_record(body, &payload.data);
    }
    let mut object = Object::begin(body);
    object.name("metadata");
    let mut metadata = Object::begin(object.body);
    let inside = |name: &str| !BESIDE.contains(&name);
    for (name, value) in payload.metadata.iter().filter(|(name, _)| inside(name)) {
        metadata.name(name);
        text(metadata.body, std::str::from_utf8(value).ok()?);
    }
    metadata.end();
    object.data_and_sizes(payload);
    for name in BESIDE {
        if let Some(value) = payload.metadata.get(name) {
            object.name(name);
            text(object.body, std::str::from_utf8(value).ok()?);
        }
    }
    object.end();
    Some(())
}

/// A JSON object that is being written.
struct Object<'a> {
    body: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    fn begin(body: &'a mut Vec<u8>) -> Self {
        body.push(b'{');
        Self { body, empty: true }
    }

    fn name(&mut self, name: &str) {
        if !std::mem::replace(&mut self.empty, false) {
            self.body.push(b',');
        }
        text(self.body, name);
        self.body.push(b':');
    }

    fn data_and_sizes(&mut self, payload: &Payload) {
        if !payload.data.is_empty() {
            self.name("data");
            base64(self.body, &payload.data);
        }
        if payload.external_payloads.is_empty() {
            return;
        }
        self.name("externalPayloads");
        for (index, details) in payload.external_payloads.iter().enumerate() {
            self.body.push(if index == 0 { b'[' } else { b',' });
            let mut object = Object::begin(self.body);
            if details.size_bytes != 0 {
                object.name("sizeBytes");
                text(object.body, &details.size_bytes.to_string());
            }
            object.end();
        }
        self.body.push(b']');
    }

    fn end(self) {
        self.body.push(b'}');
    }
}

fn base64(body: &mut Vec<u8>, bytes: &[u8]) {
    body.push(b'"');
    base64_simd::STANDARD.encode_append(bytes, body);
    body.push(b'"');
}

fn text(body: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        body.push(b'"');
        body.extend_from_slice(text.as_bytes());
        body.push(b'"');
    } else {
        serde_json::to_writer(body, text).expect("a string is written to memory");
    }
}

/// Whether a text needs no escapes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExternalPayload;
    use crate::finished::Finished;
    use crate::json::read;

    #[test]
    fn an_answer_has_the_protos_members_and_leaves_out_what_is_empty() {
        let mut payload = Payload::new("json/plain", vec![0xff]);
        payload.metadata.insert("quote\"\u{1}".to_owned(), vec![]);
        payload.external_payloads = vec![ExternalPayload { size_bytes: 7 }, ExternalPayload { size_bytes: 0 }];
        let written = write(Shape::Proto, &[Payload::default(), payload]).unwrap();
        assert_eq!(
            String::from_utf8(written).unwrap(),
            r#"{"payloads":[{},{"metadata":{"encoding":"anNvbi9wbGFpbg==","quote\"\u0001":""},"data":"/w==","externalPayloads":[{"sizeBytes":"7"},{}]}]}"#
        );
        assert_eq!(write(Shape::Proto, &[]).unwrap(), br#"{"payloads":[]}"#);
    }

    #[test]
    fn the_buffer_never_grows_while_it_is_written() {
        let mut payload = Payload::new("json/plain", vec![7; 1000]);
        payload.metadata.insert("\u{1}".repeat(300), vec![1; 300]);
        payload.external_payloads = vec![ExternalPayload { size_bytes: i64::MIN }; 50];
        for shape in [Shape::Proto, Shape::Replaced] {
            let payloads = vec![payload.clone(); 20];
            let room = 32 + payloads.iter().map(|payload| size_bytes(shape, payload)).sum::<usize>();
            assert!(write(shape, &payloads).unwrap().len() <= room);
        }
    }

    #[test]
    fn a_record_is_written_as_the_payload_that_it_is() {
        let record = record(b"plaintext");
        for shape in [Shape::Proto, Shape::Replaced] {
            let finished = Finished {
                outputs: vec![Output::Sealed(record.clone())],
                usage: crate::Usage::default(),
            };
            let short = finished.write(shape).unwrap();
            assert!(short.len() <= 32 + Item::Record(&record).size_bytes(shape));
            assert_eq!(short, write(shape, &finished.into_payloads()).unwrap(), "{shape:?}");
        }
        let broken = [Output::Payload(Payload::default()), Output::Sealed(vec![1])];
        assert_eq!(write_outputs(Shape::Proto, &broken), Err(WriteError(1)));
    }

    #[test]
    fn as_many_payloads_as_a_request_may_have_reserve_what_they_take() {
        let payloads = vec![Payload::new(crate::ENCODING, record(b"")); crate::json::MAX_PAYLOADS];
        for shape in [Shape::Proto, Shape::Replaced] {
            let written = write(shape, &payloads).unwrap();
            assert!(
                written.capacity() < 2 * written.len(),
                "{shape:?} {}",
                written.capacity()
            );
            let records = payloads.iter().map(|payload| Item::Record(&payload.data));
            let written = write_all(shape, records).unwrap();
            assert!(
                written.capacity() < 2 * written.len(),
                "{shape:?} {}",
                written.capacity()
            );
        }
    }

    fn record(plaintext: &[u8]) -> Vec<u8> {
        use bulla_crypto::record::{Header, RecordKey};
        use bulla_crypto::{Context, DataKey, SystemRandom};
        let record_key = RecordKey::derive(&DataKey::from_slice(&[7; 32]).unwrap()).unwrap();
        let name = "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/1";
        let header = Header::new(name, &[7; 180], &record_key).unwrap();
        let random = SystemRandom;
        record_key
            .seal(&header, &Context::empty(), b"", &random, plaintext)
            .unwrap()
    }

    #[test]
    fn the_replaced_servers_shape_is_written_as_it_was_read() {
        let json = br#"{"payloads":[{"metadata":{"a":"\u00fc","encoding":"json/plain"},"data":"MQ=="},{"metadata":{"encoding":"binary/encrypted"},"data":"MQ==","kms_key_id":"k","encrypted_data_key":"MQ==","algorithm":"A"}]}"#;
        let request = read(json).unwrap();
        let written = write(request.shape, &request.payloads).unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&written).unwrap(),
            serde_json::from_slice::<serde_json::Value>(json).unwrap()
        );
        let payload = Payload::new("json/plain", vec![]);
        let mut odd = payload.clone();
        odd.metadata.insert("a".to_owned(), vec![0xff]);
        assert_eq!(write(Shape::Replaced, &[payload, odd]).unwrap_err(), WriteError(1));
    }
}
