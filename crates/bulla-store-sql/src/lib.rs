//! The store on SQLite, PostgreSQL and MySQL or MariaDB: one code path, three dialects.

mod options;
mod store;

pub use options::OpenOptions;
pub use store::SqlStore;
