//! The token vault inside the key service: keys of the service for clients, and every access decided and recorded by the service.
//!
//! A crate of its own as a firewall: the vault brings Redis and SQLite, which the service must not know, and the service is nothing that a
//! library user of the vault wants.
//!
//! `bulla-server` can't use it either, for it must not know Redis: its resource of tokens takes a port, and the program implements that with this.
//!
//! A façade holds one [`TokenVault`](bulla_tokens::TokenVault) over [`ServiceKeys`], and for each request makes
//! `vault.recording(Arc::new(ServiceAccessLog::new(service, call, account, names)))`. The vault
//! is built with [`ServiceMarks`], so that an old value is refused by all nodes and after a restart.

mod access_log;
mod keys;
mod marks;

pub use access_log::ServiceAccessLog;
pub use keys::{AliasTemplate, AliasTemplateError, KeyNames, ServiceKeys};
pub use marks::ServiceMarks;
