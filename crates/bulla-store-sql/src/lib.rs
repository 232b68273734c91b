//! bulla-store-sql.
