//! The Temporal codec over HTTP: `/encode` and `/decode` as the Web UI, the CLI and the SDKs call them (`spec/temporal-codec.md`).
//!
//! It finds out who asks, asks its [`Gate`] whether he may, has the payloads sealed or opened, has the access recorded, and only then
//! answers. In `bulla serve` the gate is the service with its policies and its log; alone it is a table ([`TableGate`]).

mod answer;
mod bearer;
mod cors;
mod encoding;
mod gate;
mod issuer_keys;
mod jwt;
mod listener;
mod metrics;
mod pages;
mod rates;
mod refused;
mod route;
mod service_gate;
mod table;

pub(crate) use answer::Sender;
pub use answer::{Codec, CodecConfig};
pub use cors::Origins;
pub use gate::{Admission, CodecAccess, CodecOperation, Credentials, Gate, Refusal, Refused};
pub use jwt::{Issuer, IssuerError, JwksSource};
pub use listener::{BoundCodecServer, CodecServer, CodecServerConfig};
pub(crate) use route::is_of_codec;
pub use service_gate::ServiceGate;
pub use table::{AccessLine, AccessSink, Allow, StaticToken, TableGate};
