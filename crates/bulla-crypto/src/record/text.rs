use super::{MAX_RECORD_BYTES, Record, SUBJECT};
use crate::{FormatError, FormatErrorKind};

/// What a record in its text form begins with.
pub const TEXT_PREFIX: &str = "bulla.1.";

/// Writes a record as text: `bulla.1.` and base64url without padding (RFC 4648, 5).
#[must_use]
pub fn to_text(record: &[u8]) -> String {
    let base64 = base64_simd::URL_SAFE_NO_PAD;
    let mut text = String::with_capacity(TEXT_PREFIX.len() + base64.encoded_length(record.len()));
    text.push_str(TEXT_PREFIX);
    base64.encode_append(record, &mut text);
    text
}

/// Reads the text form and gives the record's bytes, which [`Record::parse`] accepts.
///
/// # Errors
/// [`FormatError`] where the text has another prefix, padding, white space, a character outside the alphabet, trailing bits that
/// are not zero, or holds no record.
pub fn from_text(text: &str) -> Result<Vec<u8>, FormatError> {
    let refuse = |kind| FormatError::new(SUBJECT, kind);
    let encoded = text
        .strip_prefix(TEXT_PREFIX)
        .ok_or(refuse(FormatErrorKind::Malformed))?;
    let base64 = base64_simd::URL_SAFE_NO_PAD;
    if encoded.len() > base64.encoded_length(MAX_RECORD_BYTES) {
        return Err(refuse(FormatErrorKind::TooLong));
    }
    let record = base64
        .decode_to_vec(encoded)
        .map_err(|_| refuse(FormatErrorKind::Malformed))?;
    Record::parse(&record)?;
    Ok(record)
}
