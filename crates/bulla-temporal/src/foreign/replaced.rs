//! What the server that Bulla replaces sealed: a data key that KMS wrapped, beside its ciphertext.

use bulla_crypto::record::Record;

use crate::Payload;

/// A payload of the replaced server, taken apart.
pub(crate) struct ReplacedSeal {
    /// The key with its scheme, as a Sealer names it.
    pub(crate) key: String,
    /// The data key, wrapped by it.
    pub(crate) wrapped: Vec<u8>,
}

impl ReplacedSeal {
    /// Reads the members beside the data; `None` where they are not what that server wrote. `scheme_of` says whose the key is.
    pub(crate) fn of(payload: &Payload, scheme_of: impl FnOnce(&str) -> &'static str) -> Option<Self> {
        let text = |name| std::str::from_utf8(payload.metadata.get(name)?).ok();
        if text("algorithm").is_some_and(|algorithm| algorithm != "AES-256-GCM") {
            return None;
        }
        let wrapped = crate::json::decode_base64(text("encrypted_data_key")?)?;
        let id = text("kms_key_id")?;
        if id.is_empty() || id.len() > 512 || id.chars().any(char::is_control) || wrapped.is_empty() {
            return None;
        }
        let scheme = scheme_of(id);
        // Resolved keys that are ARNs are written as URIs.
        let key = if id.starts_with("arn:") {
            format!("{scheme}://{id}")
        } else {
            format!("{scheme}:{id}")
        };
        Some(Self { key, wrapped })
    }

    /// Tells whether the data is the record of a sealed payload, in this clothing.
    pub(crate) fn is_record(&self, data: &[u8]) -> bool {
        Record::parse(data).is_ok_and(|record| record.wrapped_key() == self.wrapped)
    }
}
