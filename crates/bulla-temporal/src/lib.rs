//! Seals what Temporal stores: payloads, whole, under data keys of their namespace, so that the cluster holds nothing readable.
//!
//! [`PayloadCodec`] is the use case: [`encode`](PayloadCodec::encode) and [`decode`](PayloadCodec::decode) over a table of
//! namespaces ([`Namespaces`]), each with its key, the keys that its older payloads may still be under, and a Sealer of its own.
//! [`json`] reads and writes the HTTP protocol's bodies. The bytes are in `spec/temporal-codec.md`.
//!
//! # Two steps
//! [`prepare_encode`](PayloadCodec::prepare_encode) and [`prepare_decode`](PayloadCodec::prepare_decode) do all that needs no
//! call to a key provider and say what is left ([`Work::usage`]), so that whoever serves requests can decide and record before
//! [`Work::finish`] asks a provider, and before anything is handed out.
//!
//! # What who can write the stored histories gets
//! Denial of service: a changed payload does not decode. A payload of another namespace does not decode. A payload under a key of
//! their own is refused before any call. An older payload of the same namespace decodes in another event's place: neither UI nor CLI
//! says which event it asks for. And any plaintext in a payload's place: a payload that nothing encrypted is given out as it is, unless
//! the namespace says [`OnPlaintext::Error`].

mod codec;
mod error;
mod finished;
mod foreign;
pub mod json;
mod keys;
mod namespace;
mod namespaces;
mod payload;
mod reference;
mod stats;
mod work;

pub use codec::PayloadCodec;
pub use error::{CodecError, PayloadError};
pub use finished::Finished;
pub use foreign::{SampleKey, SampleKeyError, SampleKeys};
pub use keys::{KeyName, MakeKeys, MakeKeysError, NamespaceKeys, OnPlaintext, OnUndecodable};
pub use namespace::{Namespace, NamespaceError, NamespacePattern};
pub use namespaces::{Namespaces, Unknown};
pub use payload::{ExternalPayload, Payload};
pub use stats::NamespaceStats;
pub use work::{Usage, Work};

/// The value of `encoding` in a sealed payload's metadata.
pub const ENCODING: &str = "binary/bulla-v1";
/// What every version's `encoding` begins with.
const ENCODING_FAMILY: &[u8] = b"binary/bulla-v";
/// The purpose that payloads are bound to, as the context pair `bulla:purpose`.
pub const PURPOSE: &str = "temporal-payload";
