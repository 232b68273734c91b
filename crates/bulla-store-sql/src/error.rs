use std::error::Error;
use std::fmt;

use bulla_store::StoreError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// What is damaged when a statement names what is not there.
pub(crate) const MISSING: &str = "a table or column is missing";

/// Says what an error of the database means to the caller; the only place that knows error codes.
pub(crate) fn from_sqlx(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(error) => from_database(&*error),
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => StoreError::Unavailable(Box::new(error)),
        // Of these the text may quote a stored value.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::AnyDriverError(_) => {
            StoreError::Corrupt {
                what: String::from("a column has a value of another type"),
                source: None,
            }
        }
        sqlx::Error::ColumnIndexOutOfBounds { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::RowNotFound => {
            StoreError::Corrupt {
                what: String::from("a column is missing"),
                source: Some(Box::new(error)),
            }
        }
        // May quote the URL, which may carry a password.
        sqlx::Error::Configuration(_) => StoreError::Failed("the database's URL can't be used".into()),
        other => StoreError::Failed(Box::new(other)),
    }
}

/// Says what an error of `COMMIT` means: what is not a definite refusal may have happened.
pub(crate) fn from_commit(error: sqlx::Error) -> StoreError {
    match from_sqlx(error) {
        StoreError::Unavailable(source) | StoreError::Failed(source) => StoreError::Unknown(source),
        definite => definite,
    }
}

/// Names what a conflict is about.
pub(crate) fn conflict_on(error: StoreError, what: impl FnOnce() -> String) -> StoreError {
    match error {
        StoreError::Conflict { .. } => StoreError::Conflict { what: what() },
        other => other,
    }
}

/// Tells apart an answer of the database from a connection that broke.
pub(crate) fn is_lost_connection(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_) | StoreError::Unknown(_))
}

/// What the database said, without what its text may quote.
#[derive(Debug)]
struct DatabaseFailure {
    code: String,
    message: Option<String>,
}

impl fmt::Display for DatabaseFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "database error {}: {message}", self.code),
            None => write!(f, "database error {}", self.code),
        }
    }
}

impl Error for DatabaseFailure {}

/// Kinds of answers that a database can give, before they carry their source.
enum Kind {
    Busy,
    Unavailable,
    Full,
    ReadOnly,
    Corrupt(&'static str),
    Conflict,
    Failed,
}

fn from_database(error: &dyn sqlx::error::DatabaseError) -> StoreError {
    let mut code = error.code().map(|code| code.into_owned()).unwrap_or_default();
    let mut quotes_values = false;
    let kind = if error.try_downcast_ref::<SqliteError>().is_some() {
        sqlite(code.parse().unwrap_or(1), error.message())
    } else if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        // Classes 22 (data) and 23 (integrity) quote values.
        quotes_values = code.starts_with("22") || code.starts_with("23");
        postgres(&code)
    } else if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        quotes_values = code.starts_with("22") || code.starts_with("23") || code == "HY000";
        code = error.number().to_string();
        mysql(error.number())
    } else {
        Kind::Failed
    };
    let message = (!quotes_values).then(|| error.message().to_owned());
    let source = Box::new(DatabaseFailure { code, message });
    match kind {
        Kind::Busy => StoreError::Busy(source),
        Kind::Unavailable => StoreError::Unavailable(source),
        Kind::Full => StoreError::Full(source),
        Kind::ReadOnly => StoreError::ReadOnly(source),
        Kind::Corrupt(what) => StoreError::Corrupt {
            what: what.to_owned(),
            source: Some(source),
        },
        Kind::Conflict => StoreError::Conflict {
            what: String::from("a row"),
        },
        Kind::Failed => StoreError::Failed(source),
    }
}

/// Extended result codes, <https://www.sqlite.org/rescode.html>.
fn sqlite(code: i32, message: &str) -> Kind {
    const IOERR_WRITE: i32 = 778;
    const CONSTRAINT_PRIMARYKEY: i32 = 1555;
    const CONSTRAINT_UNIQUE: i32 = 2067;
    match (code & 0xff, code) {
        // BUSY, LOCKED
        (5 | 6, _) => Kind::Busy,
        // FULL; and what a quota (EDQUOT) or a limit on file sizes (EFBIG) refuses, which SQLite tells as a failed write.
        (13, _) | (_, IOERR_WRITE) => Kind::Full,
        // READONLY
        (8, _) => Kind::ReadOnly,
        // CORRUPT
        (11, _) => Kind::Corrupt("a page of the file"),
        // NOTADB
        (26, _) => Kind::Corrupt("the file is not a SQLite database"),
        (19, CONSTRAINT_PRIMARYKEY | CONSTRAINT_UNIQUE) => Kind::Conflict,
        // PERM, IOERR, CANTOPEN, NOLFS, AUTH
        (3 | 10 | 14 | 22 | 23, _) => Kind::Unavailable,
        (1, _) if message.starts_with("no such table") || message.starts_with("no such column") => {
            Kind::Corrupt(MISSING)
        }
        _ => Kind::Failed,
    }
}

/// SQLSTATEs, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(code: &str) -> Kind {
    match code {
        // lock_not_available, deadlock_detected, serialization_failure, query_canceled
        "55P03" | "40P01" | "40001" | "57014" => Kind::Busy,
        // disk_full
        "53100" => Kind::Full,
        // read_only_sql_transaction
        "25006" => Kind::ReadOnly,
        // unique_violation
        "23505" => Kind::Conflict,
        // data_corrupted, index_corrupted
        "XX001" | "XX002" => Kind::Corrupt("a page of the database"),
        // undefined_table, undefined_column
        "42P01" | "42703" => Kind::Corrupt(MISSING),
        // invalid_catalog_name
        "3D000" => Kind::Unavailable,
        _ => match code.get(..2) {
            // connection, insufficient resources, operator intervention, system error, invalid authorisation
            Some("08" | "53" | "57" | "58" | "28") => Kind::Unavailable,
            _ => Kind::Failed,
        },
    }
}

/// Error numbers, <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
fn mysql(number: u16) -> Kind {
    match number {
        // lock wait timeout, deadlock, nowait, statement timeout (two names)
        1205 | 1213 | 3572 | 1969 | 3024 => Kind::Busy,
        // disk full, table full
        1021 | 1114 => Kind::Full,
        // read-only server, read-only transaction, read-only mode
        1290 | 1792 | 1836 => Kind::ReadOnly,
        1062 => Kind::Conflict,
        // crashed or damaged tables and indexes
        126 | 127 | 145 | 1034 | 1035 | 1194 | 1195 | 1712 => Kind::Corrupt("a page of the database"),
        // no such table, no such column
        1146 | 1054 => Kind::Corrupt(MISSING),
        // too many connections, access denied, unknown database, shutdown, aborted connections, client errors, killed
        1040 | 1044 | 1045 | 1049 | 1053 | 1152..=1161 | 1203 | 1927 | 2000..=2999 => Kind::Unavailable,
        // errors of files
        1016 | 1017 | 1023..=1026 | 1030 => Kind::Unavailable,
        _ => Kind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_postgres_answer_has_its_place() {
        assert!(matches!(postgres("55P03"), Kind::Busy));
        assert!(matches!(postgres("53100"), Kind::Full));
        assert!(matches!(postgres("53300"), Kind::Unavailable));
        assert!(matches!(postgres("25006"), Kind::ReadOnly));
        assert!(matches!(postgres("XX001"), Kind::Corrupt(_)));
        assert!(matches!(postgres("08006"), Kind::Unavailable));
        assert!(matches!(postgres("57P01"), Kind::Unavailable));
        assert!(matches!(postgres(""), Kind::Failed));
    }

    #[test]
    fn a_broken_connection_at_commit_leaves_the_outcome_unknown() {
        let broken = || sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert!(matches!(from_sqlx(broken()), StoreError::Unavailable(_)));
        assert!(matches!(from_commit(broken()), StoreError::Unknown(_)));
    }

    #[test]
    fn an_error_about_the_url_does_not_quote_it() {
        let error = from_sqlx(sqlx::Error::Configuration("postgres://u:secret@h/".into()));
        assert!(!format!("{error:?}").contains("secret"));
    }
}
