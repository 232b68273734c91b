use std::fmt;

use super::{
    COMMITMENT_BYTES, MAX_KEY_BYTES, MAX_RECORD_BYTES, MAX_WRAPPED_KEY_BYTES, NONCE_BYTES, RecordKey, SUBJECT, SUITE,
    TAG_BYTES, VERSION,
};
use crate::{FormatError, FormatErrorKind};

/// Views a record's fields in its bytes. `Debug` shows the key and sizes, no ciphertext.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    key: &'a str,
    wrapped_key: &'a [u8],
    commitment: &'a [u8; COMMITMENT_BYTES],
    nonce: &'a [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Record<'a> {
    /// Reads a record; accepts nothing that this crate would not write.
    ///
    /// # Errors
    /// [`FormatError`] where the bytes are no record of version 1, suite 1, within the limits.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        // "A reader MUST refuse a record longer than 67,108,864 bytes."
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(refuse(FormatErrorKind::TooLong));
        }
        let ([version, suite], rest) = take_array(bytes)?;
        // "A reader MUST refuse any other version, and any other suite."
        if *version != VERSION {
            return Err(refuse(FormatErrorKind::UnknownVersion));
        }
        if *suite != SUITE {
            return Err(refuse(FormatErrorKind::UnknownAlgorithm));
        }
        let (key, rest) = take_field(rest, MAX_KEY_BYTES)?;
        let key = std::str::from_utf8(key).map_err(|_| refuse(FormatErrorKind::NotUtf8))?;
        let (wrapped_key, rest) = take_field(rest, MAX_WRAPPED_KEY_BYTES)?;
        let (commitment, rest) = take_array(rest)?;
        let (nonce, rest) = take_array(rest)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(refuse(FormatErrorKind::Truncated))?;
        Ok(Self {
            key,
            wrapped_key,
            commitment,
            nonce,
            ciphertext,
            tag,
        })
    }

    /// Gives the resolved key that wraps the data key, with its scheme; 1 to 512 bytes.
    ///
    /// # Security
    /// Not authenticated: whoever stores the record can change it. Check it against a key ring before any call with it.
    #[must_use]
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// Gives the wrapped data key, 1 to 6,144 bytes, in its provider's format.
    #[must_use]
    pub fn wrapped_key(&self) -> &'a [u8] {
        self.wrapped_key
    }

    /// Gives the commitment to the data key.
    #[must_use]
    pub fn commitment(&self) -> &'a [u8; COMMITMENT_BYTES] {
        self.commitment
    }

    /// Gives the length of the sealed plaintext in bytes.
    #[must_use]
    pub fn plaintext_len(&self) -> usize {
        self.ciphertext.len()
    }

    /// Writes the same sealed value under another wrapping of the same data key.
    ///
    /// # Errors
    /// [`FormatError`] where `key` or `wrapped` is empty or too long, or the record would become too long.
    pub fn rewrap(&self, key: &str, wrapped: &[u8]) -> Result<Vec<u8>, FormatError> {
        let mut out = Vec::with_capacity(self.encoded_len(key, wrapped));
        write_prefix(&mut out, key, wrapped, self.commitment)?;
        self.write_tail(&mut out);
        if out.len() > MAX_RECORD_BYTES {
            return Err(refuse(FormatErrorKind::TooLong));
        }
        Ok(out)
    }

    /// Builds a view of loose fields, checked as [`parse`](Self::parse) checks them.
    pub(super) fn from_fields(
        key: &'a str,
        wrapped_key: &'a [u8],
        commitment: &'a [u8],
        nonce: &'a [u8],
        ciphertext: &'a [u8],
        tag: &'a [u8],
    ) -> Result<Vec<u8>, FormatError> {
        let length = |_| refuse(FormatErrorKind::Malformed);
        let commitment = commitment.try_into().map_err(length)?;
        let nonce = nonce.try_into().map_err(length)?;
        let tag = tag.try_into().map_err(length)?;
        Self {
            key,
            wrapped_key,
            commitment,
            nonce,
            ciphertext,
            tag,
        }
        .rewrap(key, wrapped_key)
    }

    pub(super) fn nonce(&self) -> &'a [u8; NONCE_BYTES] {
        self.nonce
    }

    pub(super) fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }

    pub(super) fn tag(&self) -> &'a [u8; TAG_BYTES] {
        self.tag
    }

    fn encoded_len(&self, key: &str, wrapped: &[u8]) -> usize {
        prefix_len(key, wrapped) + NONCE_BYTES + self.ciphertext.len() + TAG_BYTES
    }

    fn write_tail(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.nonce);
        out.extend_from_slice(self.ciphertext);
        out.extend_from_slice(self.tag);
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({}, {} bytes)", self.key, self.ciphertext.len())
    }
}

/// Holds what all records of one data key begin with, encoded once: version ‖ suite ‖ key ‖ wrapped key ‖ commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header(Vec<u8>);

impl Header {
    /// Encodes the header of a data key: its resolved key's name (1 to 512 bytes) and its wrapped form (1 to 6,144 bytes).
    ///
    /// # Errors
    /// [`FormatError`] where one of them is empty or too long.
    pub fn new(key: &str, wrapped: &[u8], record_key: &RecordKey) -> Result<Self, FormatError> {
        let mut prefix = Vec::with_capacity(prefix_len(key, wrapped));
        write_prefix(&mut prefix, key, wrapped, record_key.commitment())?;
        Ok(Self(prefix))
    }

    /// Gives the length of a record with this header over `plaintext_bytes` of plaintext.
    #[must_use]
    pub fn record_len(&self, plaintext_bytes: usize) -> usize {
        (self.0.len() + NONCE_BYTES + TAG_BYTES).saturating_add(plaintext_bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn commitment(&self) -> &[u8] {
        &self.0[self.0.len() - COMMITMENT_BYTES..]
    }
}

fn prefix_len(key: &str, wrapped: &[u8]) -> usize {
    2 + 2 + key.len() + 2 + wrapped.len() + COMMITMENT_BYTES
}

fn write_prefix(out: &mut Vec<u8>, key: &str, wrapped: &[u8], commitment: &[u8]) -> Result<(), FormatError> {
    out.extend_from_slice(&[VERSION, SUITE]);
    write_field(out, key.as_bytes(), MAX_KEY_BYTES)?;
    write_field(out, wrapped, MAX_WRAPPED_KEY_BYTES)?;
    out.extend_from_slice(commitment);
    Ok(())
}

fn write_field(out: &mut Vec<u8>, field: &[u8], limit_bytes: usize) -> Result<(), FormatError> {
    check_length(field.len(), limit_bytes)?;
    out.extend_from_slice(&(field.len() as u16).to_be_bytes());
    out.extend_from_slice(field);
    Ok(())
}

fn take_field(bytes: &[u8], limit_bytes: usize) -> Result<(&[u8], &[u8]), FormatError> {
    let (length, rest) = take_array(bytes)?;
    let length = usize::from(u16::from_be_bytes(*length));
    check_length(length, limit_bytes)?;
    rest.split_at_checked(length).ok_or(refuse(FormatErrorKind::Truncated))
}

fn check_length(length: usize, limit_bytes: usize) -> Result<(), FormatError> {
    match length {
        0 => Err(refuse(FormatErrorKind::Empty)),
        length if length > limit_bytes => Err(refuse(FormatErrorKind::TooLong)),
        _ => Ok(()),
    }
}

fn take_array<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), FormatError> {
    bytes.split_first_chunk().ok_or(refuse(FormatErrorKind::Truncated))
}

fn refuse(kind: FormatErrorKind) -> FormatError {
    FormatError::new(SUBJECT, kind)
}
