//! "The data is nonce (12) ‖ ciphertext ‖ tag (16): AES-256-GCM without associated data, under the key that the configuration has
//! for the text in `encryption-key-id`."

use std::collections::BTreeMap;

use crate::Payload;
use crate::foreign::OpeningKey;

/// The keys of what the SDK samples encrypted, by the texts in `encryption-key-id`.
#[derive(Debug, Default)]
pub struct SampleKeys(BTreeMap<String, OpeningKey>);

/// One of them: its id, and 32 bytes.
#[derive(Debug)]
pub struct SampleKey {
    id: String,
    key: OpeningKey,
}

/// A key that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SampleKeyError {
    /// Not 32 bytes.
    #[error("a key of the SDK samples is 32 bytes")]
    Length,
    /// Given twice.
    #[error("two keys have the same id")]
    Twice,
}

impl SampleKey {
    /// Takes a key's id and its bytes, which the caller wipes.
    ///
    /// # Errors
    /// [`SampleKeyError::Length`].
    pub fn new(id: impl Into<String>, key: &[u8]) -> Result<Self, SampleKeyError> {
        let key = key.try_into().ok().and_then(OpeningKey::new);
        Ok(Self {
            id: id.into(),
            key: key.ok_or(SampleKeyError::Length)?,
        })
    }
}

impl SampleKeys {
    /// Collects keys.
    ///
    /// # Errors
    /// [`SampleKeyError::Twice`].
    pub fn new(keys: impl IntoIterator<Item = SampleKey>) -> Result<Self, SampleKeyError> {
        let mut all = BTreeMap::new();
        for SampleKey { id, key } in keys {
            if all.insert(id, key).is_some() {
                return Err(SampleKeyError::Twice);
            }
        }
        Ok(Self(all))
    }

    /// Opens a payload of the samples; `None` where its key is not here, or it does not authenticate, or holds no payload.
    pub(crate) fn open(&self, payload: &Payload) -> Option<Payload> {
        let id = std::str::from_utf8(payload.metadata.get("encryption-key-id")?).ok()?;
        let plaintext = self.0.get(id)?.open(&payload.data)?;
        Payload::from_wire(&plaintext)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::seal_as_others_do;

    fn sealed(id: &str) -> Payload {
        let inner = Payload::new("json/plain", b"\"x\"".to_vec());
        let mut payload = Payload::new(
            "binary/encrypted",
            seal_as_others_do(&[7; 32], [1; 12], inner.to_wire().expose_secret()),
        );
        payload.metadata.insert("encryption-key-id".to_owned(), id.into());
        payload
    }

    #[test]
    fn a_payload_of_the_samples_opens_under_its_key_and_no_other() {
        let keys = [("a", [7; 32]), ("b", [8; 32])].map(|(id, key)| SampleKey::new(id, &key).unwrap());
        let keys = SampleKeys::new(keys).unwrap();
        assert_eq!(keys.open(&sealed("a")).unwrap().data, b"\"x\"");
        assert!(keys.open(&sealed("b")).is_none());
        assert!(keys.open(&sealed("c")).is_none());
        let mut cut = sealed("a");
        cut.data.truncate(5);
        assert!(keys.open(&cut).is_none());
    }

    #[test]
    fn a_key_is_32_bytes_and_has_its_id_alone() {
        assert_eq!(SampleKey::new("a", &[0; 16]).unwrap_err(), SampleKeyError::Length);
        let twice = [0, 1].map(|byte| SampleKey::new("a", &[byte; 32]).unwrap());
        assert_eq!(SampleKeys::new(twice).unwrap_err(), SampleKeyError::Twice);
        assert!(!format!("{:?}", SampleKey::new("a", &[0x41; 32])).contains("AAAA"));
    }
}
