use bulla_crypto::record::Record;

use super::{BESIDE, Shape};
use crate::Payload;

/// A payload that the replaced server's shape can't say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("payload {0} has metadata that is not text")]
pub struct WriteError(pub usize);

/// Writes an answer's body: the proto's members and nothing else, in memory that never moves while it is written.
///
/// # Errors
/// [`WriteError`], of [`Shape::Replaced`] alone.
pub fn write(shape: Shape, payloads: &[Payload]) -> Result<Vec<u8>, WriteError> {
    let mut body = Vec::with_capacity(32 + payloads.iter().map(size_bytes).sum::<usize>());
    body.extend_from_slice(b"{\"payloads\":[");
    for (index, payload) in payloads.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match shape {
            Shape::Proto => write_proto(&mut body, payload),
            Shape::Replaced => write_replaced(&mut body, payload).ok_or(WriteError(index))?,
        }
    }
    body.extend_from_slice(b"]}");
    Ok(body)
}

/// At least what a payload takes in either shape.
fn size_bytes(payload: &Payload) -> usize {
    let metadata = payload.metadata.iter();
    // An escape makes six characters of one, and base64 four of three.
    let metadata = metadata.map(|(name, value)| name.len() * 6 + value.len() * 6 + 16);
    96 + metadata.sum::<usize>()
        + payload.data.len().div_ceil(3) * 4
        + payload.external_payloads.len() * 48
        // What lies beside a record, in the replaced server's shape: its key, and its wrapped key again.
        + if payload.claims_to_be_sealed() { 512 * 6 + 8 * 1024 } else { 0 }
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

fn write_replaced(body: &mut Vec<u8>, payload: &Payload) -> Option<()> {
    let sealed = payload
        .claims_to_be_sealed()
        .then(|| Record::parse(&payload.data).ok())
        .flatten();
    let mut object = Object::begin(body);
    object.name("metadata");
    let mut metadata = Object::begin(object.body);
    if sealed.is_some() {
        metadata.name("encoding");
        text(metadata.body, "binary/encrypted");
    } else {
        let inside = |name: &str| !BESIDE.contains(&name);
        for (name, value) in payload.metadata.iter().filter(|(name, _)| inside(name)) {
            metadata.name(name);
            text(metadata.body, std::str::from_utf8(value).ok()?);
        }
    }
    metadata.end();
    object.data_and_sizes(payload);
    if let Some(record) = sealed {
        let bare = record.key().split_once(':').map_or(record.key(), |(_, bare)| bare);
        object.name("kms_key_id");
        text(object.body, bare.strip_prefix("//").unwrap_or(bare));
        object.name("encrypted_data_key");
        base64(object.body, record.wrapped_key());
        object.name("algorithm");
        text(object.body, "AES-256-GCM");
    } else {
        for name in BESIDE {
            if let Some(value) = payload.metadata.get(name) {
                object.name(name);
                text(object.body, std::str::from_utf8(value).ok()?);
            }
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
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        body.push(b'"');
        body.extend_from_slice(text.as_bytes());
        body.push(b'"');
    } else {
        serde_json::to_writer(body, text).expect("a string is written to memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExternalPayload;
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
            let room = 32 + payloads.iter().map(size_bytes).sum::<usize>();
            assert!(write(shape, &payloads).unwrap().len() <= room);
        }
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
