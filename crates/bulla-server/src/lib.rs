//! The HTTP edge of the key service: the AWS KMS API, health and metrics pages, TLS, limits.
//!
//! The edge knows no SQL, no Redis and no cloud SDK, and decides nothing: it finds out who asks, reads what he asks, calls
//! one method of [`bulla_service::Service`] and renders the answer. All DTOs live here.
//!
//! # What stays in memory
//! Plaintexts are decoded into buffers that are wiped, and answers are written into such buffers. Not wiped: hyper's read buffer,
//! until the connection's next request overwrites it; hyper's and rustls's write buffers; the scratch space of the JSON parser
//! for strings with escapes.

mod aws;
mod body;
mod clients;
pub mod codec;
mod config;
mod connection;
mod dev;
mod edge;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod metrics;
mod network;
mod pace;
mod readiness;
mod request_id;
mod rest;
mod server;
mod sigv4;
mod tls;
pub mod tokens;
mod wiping;

pub use aws::{CHOICES, Choices, ROUTES, RULES, Route, Rule};
pub use config::{AuthMode, Limits, ServerConfig, TlsFiles};
pub use dev::DevClock;
pub use network::{Network, NetworkError};
pub use rest::{QueryParameter, REST_ROUTES, RequestBody, RestRoute, openapi};
pub use server::{BoundServer, ReloadHandle, Server, ServerError};
pub use tls::TlsError;
