//! The store on SQLite, PostgreSQL and MySQL or MariaDB: one code path, three dialects.
//!
//! sea-query writes each statement once, when the store is opened; sqlx runs it, prepared. What the dialects don't share is in
//! `dialect.rs`, what their error codes mean in `error.rs`. The layout of the tables is `spec/store-sql.md`.
//!
//! # Security
//! Values are bound, never part of SQL text, and never logged. What an attacker who can write to the database can do is in
//! [`bulla_store`].

mod connections;
mod dialect;
mod error;
mod options;
mod query;
mod rows;
mod schema;
mod statements;
mod store;
mod transaction;

pub use options::OpenOptions;
pub use store::SqlStore;
