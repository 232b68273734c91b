//! Records: one sealed value each (`spec/record.md`).
//!
//! ```text
//! version u8 = 1 │ suite u8 = 1 │ key: u16 + bytes │ wrapped key: u16 + bytes │ commitment 32 │ nonce 12 │ ciphertext │ tag 16
//! ```

mod json;
mod key;
mod layout;
mod text;

pub use json::{from_json, to_json};
pub use key::RecordKey;
pub use layout::{Header, Record};
pub use text::{TEXT_PREFIX, from_text, to_text};

/// The version of the record format.
pub const VERSION: u8 = 1;
/// Suite 1: AES-256-GCM under a key from HKDF-SHA-512, with a commitment.
pub const SUITE: u8 = 1;
/// The longest record, in bytes: 64 MiB.
pub const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;
/// The longest name of a resolved key, in bytes.
pub const MAX_KEY_BYTES: usize = 512;
/// The longest wrapped key, in bytes.
pub const MAX_WRAPPED_KEY_BYTES: usize = 6144;
/// The longest binding, in bytes.
pub const MAX_BINDING_BYTES: usize = 65_536;
/// Length of the commitment, in bytes.
pub const COMMITMENT_BYTES: usize = 32;
/// Length of the nonce, in bytes.
pub const NONCE_BYTES: usize = crate::hazmat::NONCE_BYTES;
/// Length of the tag, in bytes.
pub const TAG_BYTES: usize = crate::hazmat::TAG_BYTES;

const SUBJECT: &str = "record";
