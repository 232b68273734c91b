//! The bodies of the HTTP protocol: the proto3 JSON of `temporal.api.common.v1.Payloads`, and the shape of the server that Bulla
//! replaces (`spec/temporal-codec.md`).

mod details;
mod message;
mod raw;
mod read;
mod text;
mod write;

pub(crate) use read::read_replaced;
pub use read::{ReadError, Request, read};
pub(crate) use text::decode_base64;
pub(crate) use write::write_outputs;
pub use write::{WriteError, write};

/// The form of a request, in which it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// proto3 JSON: metadata values are base64.
    Proto,
    /// The replaced server's: metadata values are plain text, and what belongs to a sealed payload lies beside its data.
    Replaced,
}

/// The most payloads of a request.
pub const MAX_PAYLOADS: usize = 16_384;
/// The most metadata entries of a request, of all payloads together.
pub const MAX_METADATA_ENTRIES: usize = 65_536;

/// Members that the replaced server has beside `data`; a payload holds them as metadata.
const BESIDE: [&str; 3] = ["kms_key_id", "encrypted_data_key", "algorithm"];
