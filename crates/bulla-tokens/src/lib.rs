//! The token vault: a token is fetched once, sealed under its client's own key, shared through a store that is not trusted, and each access
//! is on record.
//!
//! [`TokenVault`] is the whole of it. It is given a store ([`TokenStore`]: [`RedisStore`] or [`EmbeddedStore`]), a way to a key for each client
//! ([`ClientKeys`]), and an [`AccessLog`]; `spec/token-vault.md` has the bytes.
//!
//! # Costs
//! A get on a warm cache is one round trip to the store and no call to a key service. A data key serves one client and provider for the
//! Sealer's periods ([`bulla_envelope::Settings`]).
//!
//! # What a façade must know
//! - [`TokenVault::recording`] makes the same vault with another [`AccessLog`]: a service makes one for each request, whose principal the log knows.
//! - [`Marks`] is where a service keeps what makes old values unbelievable; [`ProcessMarks`] is for a library.
//! - Errors have a stable [`TokenError::code`].
//!
//! # What who can write to the store gets
//! Denial of service, and what the section of that name in `spec/token-vault.md` says.

#![deny(clippy::await_holding_lock)]

mod access;
mod content;
mod embedded;
mod error;
pub mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod keys;
mod marks;
mod names;
pub mod place;
mod redis;
mod spool;
mod stats;
pub mod store;
mod template;
mod token;
mod vault;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use access::{Access, AccessError, AccessLog, Action, Outcome, Pending, Seen, Unrecorded};
pub use content::LimitError;
pub use embedded::EmbeddedStore;
pub use error::TokenError;
pub use keys::{ClientKey, ClientKeyError, ClientKeys, KeyTable, KeyTemplate};
pub use marks::{Lasts, Marks, MarksError, ProcessMarks};
pub use names::{ClientId, MAX_NAME_BYTES, NameError, Provider, TokenName, TokenRef};
pub use place::Prefix;
pub use redis::{RedisConfig, RedisConfigError, RedisStore};
pub use spool::{Spool, SpoolConfig, SpoolError};
pub use stats::{CallPrice, CallPriceError, VaultStats};
pub use store::{StoreError, StoreErrorKind, TokenStore};
pub use template::ClientTemplate;
pub use token::{About, Listed, MAX_VALUE_BYTES, NewToken, Stored, Token};
pub use vault::{Page, TokenVault, VaultBuilder, VaultSettings};
