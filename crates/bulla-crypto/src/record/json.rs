use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{MAX_RECORD_BYTES, Record, SUBJECT, VERSION};
use crate::{FormatError, FormatErrorKind};

/// The name of suite 1 in the JSON view.
const ALGORITHM: &str = "AES-256-GCM";

/// "The object has exactly these members": `deny_unknown_fields` refuses more, serde refuses fewer and duplicates.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct View<'a> {
    version: u8,
    #[serde(borrow)]
    algorithm: Cow<'a, str>,
    #[serde(borrow)]
    key_id: Cow<'a, str>,
    #[serde(borrow)]
    encrypted_data_key: Cow<'a, str>,
    #[serde(borrow)]
    commitment: Cow<'a, str>,
    #[serde(borrow)]
    iv: Cow<'a, str>,
    #[serde(borrow)]
    encrypted: Cow<'a, str>,
    #[serde(borrow)]
    auth_tag: Cow<'a, str>,
}

/// Writes a record as a JSON object, its byte strings in standard base64 with padding.
///
/// Members, in this order: `version` (1), `algorithm` (`"AES-256-GCM"`), `keyId`, `encryptedDataKey`, `commitment`, `iv`,
/// `encrypted`, `authTag`.
#[must_use]
pub fn to_json(record: &Record<'_>) -> String {
    let view = View {
        version: VERSION,
        algorithm: ALGORITHM.into(),
        key_id: record.key().into(),
        encrypted_data_key: encode(record.wrapped_key()),
        commitment: encode(record.commitment()),
        iv: encode(record.nonce()),
        encrypted: encode(record.ciphertext()),
        auth_tag: encode(record.tag()),
    };
    serde_json::to_string(&view).expect("strings and a number always serialize")
}

/// Reads the JSON view and gives the record's bytes.
///
/// # Errors
/// [`FormatError`] where a member is missing, unknown, there twice or of another type, the version or algorithm is another, base64 is
/// not canonical, or a length is wrong.
pub fn from_json(json: &str) -> Result<Vec<u8>, FormatError> {
    let refuse = |kind| FormatError::new(SUBJECT, kind);
    if json.len() > base64_simd::STANDARD.encoded_length(MAX_RECORD_BYTES) + 65_536 {
        return Err(refuse(FormatErrorKind::TooLong));
    }
    let view: View<'_> = serde_json::from_str(json).map_err(|_| refuse(FormatErrorKind::Malformed))?;
    if view.version != VERSION {
        return Err(refuse(FormatErrorKind::UnknownVersion));
    }
    if view.algorithm != ALGORITHM {
        return Err(refuse(FormatErrorKind::UnknownAlgorithm));
    }
    Record::from_fields(
        &view.key_id,
        &decode(&view.encrypted_data_key)?,
        &decode(&view.commitment)?,
        &decode(&view.iv)?,
        &decode(&view.encrypted)?,
        &decode(&view.auth_tag)?,
    )
}

fn encode(bytes: &[u8]) -> Cow<'static, str> {
    base64_simd::STANDARD.encode_to_string(bytes).into()
}

fn decode(text: &str) -> Result<Vec<u8>, FormatError> {
    base64_simd::STANDARD
        .decode_to_vec(text)
        .map_err(|_| FormatError::new(SUBJECT, FormatErrorKind::Malformed))
}
