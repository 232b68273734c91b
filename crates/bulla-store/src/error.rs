use std::error::Error;

/// A store that could not do what it was asked; nothing of it is visible unless [`Unknown`](Self::Unknown) says so.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another transaction held the lock for longer than the lock timeout; later.
    #[error("the store is locked by another transaction")]
    Busy(#[source] Box<dyn Error + Send + Sync>),
    /// Not reached, or the connection broke; later.
    #[error("the store can't be reached")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The commit was sent and not answered: it may have happened.
    #[error("the store did not say whether it committed")]
    Unknown(#[source] Box<dyn Error + Send + Sync>),
    /// The disk or the quota is full.
    #[error("the store is full")]
    Full(#[source] Box<dyn Error + Send + Sync>),
    /// Opened for reading only, or on a read-only file system.
    #[error("the store is read-only")]
    ReadOnly(#[source] Box<dyn Error + Send + Sync>),
    /// The database says of itself that it is damaged, or a stored value has an impossible form.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// What is damaged, without its content.
        what: String,
        /// What the database said.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// What was to be appended is there already: two writers, or a store that went back in time.
    #[error("{what} exists already")]
    Conflict {
        /// What exists: `event 17`.
        what: String,
    },
    /// The database is set up in a way that loses acknowledged commits.
    #[error("the database is not durable: {setting}")]
    NotDurable {
        /// The setting, its value and the one that is needed.
        setting: String,
    },
    /// The schema is newer than this program, or not Bulla's.
    #[error("the schema is {found}, this program knows up to {known}")]
    Schema {
        /// What the database has.
        found: String,
        /// What this program knows.
        known: u32,
    },
    /// A value outside the limits of the contract; a defect of the caller.
    #[error("{what} is outside the store's limits")]
    Limit {
        /// Which value.
        what: &'static str,
    },
    /// Any other answer of the database.
    #[error("the store failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
