//! What has no common form in the three dialects; everything else is sea-query's.

use std::time::Duration;

use bulla_store::StoreError;
use sea_query::{
    ColumnDef, IndexCreateStatement, MysqlQueryBuilder, PostgresQueryBuilder, QueryStatementWriter, SqliteQueryBuilder,
    TableCreateStatement,
};
use sqlx::AnyConnection;

use crate::query::{execute_raw, scalar};

/// Which SQL the database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
    Mysql,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
}

/// How a connection is set up.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) role: Role,
    pub(crate) lock_timeout: Duration,
    pub(crate) check_durable: bool,
    pub(crate) sqlite_max_pages: Option<u32>,
}

impl Dialect {
    /// Takes the dialect from the scheme of a URL.
    pub(crate) fn from_url(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            "mysql" | "mariadb" => Some(Self::Mysql),
            _ => None,
        }
    }

    pub(crate) fn query(self, statement: &impl QueryStatementWriter) -> String {
        match self {
            Self::Sqlite => statement.build(SqliteQueryBuilder).0,
            Self::Postgres => statement.build(PostgresQueryBuilder).0,
            Self::Mysql => statement.build(MysqlQueryBuilder).0,
        }
    }

    pub(crate) fn create_table(self, statement: &mut TableCreateStatement) -> String {
        match self {
            Self::Sqlite => statement.build(SqliteQueryBuilder),
            Self::Postgres => statement.build(PostgresQueryBuilder),
            Self::Mysql => statement.engine("InnoDB").build(MysqlQueryBuilder),
        }
    }

    pub(crate) fn create_index(self, statement: &IndexCreateStatement) -> String {
        match self {
            Self::Sqlite => statement.build(SqliteQueryBuilder),
            Self::Postgres => statement.build(PostgresQueryBuilder),
            Self::Mysql => statement.build(MysqlQueryBuilder),
        }
    }

    /// A text of at most `bytes` bytes that compares and sorts by its bytes.
    ///
    /// MySQL's `utf8mb4_bin` ignores trailing spaces, so `VARBINARY` there.
    pub(crate) fn text(self, name: &'static str, bytes: u32) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self {
            Self::Sqlite => column.text(),
            Self::Postgres => column.text().extra("COLLATE \"C\""),
            Self::Mysql => column.var_binary(bytes),
        };
        column.not_null().take()
    }

    /// Bytes of any length.
    pub(crate) fn bytes(self, name: &'static str) -> ColumnDef {
        let mut column = ColumnDef::new(name);
        match self {
            Self::Sqlite | Self::Postgres => column.blob(),
            Self::Mysql => column.custom("LONGBLOB"),
        };
        column.not_null().take()
    }

    /// Begins a transaction that will write. SQLite takes the lock here, the others with the head row.
    pub(crate) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres | Self::Mysql => "BEGIN",
        }
    }

    /// Whether several statements, separated by semicolons, are prepared and executed as one, without a round trip for each.
    pub(crate) fn joins_statements(self) -> bool {
        self == Self::Sqlite
    }

    /// Whether a transaction that has begun holds the one lock already.
    pub(crate) fn begin_locks(self) -> bool {
        self == Self::Sqlite
    }

    /// Sets up a new connection.
    ///
    /// A write-ahead log of SQLite is checkpointed every 4,096 pages (32 MiB) and cut to 64 MiB: the commit that does it takes many times
    /// as long as another, so it should be one of hundreds, and a start reads at most that much again.
    pub(crate) async fn set_up(self, connection: &mut AnyConnection, settings: &Settings) -> Result<(), StoreError> {
        let lock_timeout = settings.lock_timeout;
        let milliseconds = lock_timeout.as_millis().clamp(1, i32::MAX as u128);
        let seconds = lock_timeout.as_secs().max(1);
        let mut statements = match self {
            Self::Sqlite => vec![
                format!("PRAGMA busy_timeout = {milliseconds}"),
                // Of a new file only. A group commit of 64 events costs fewer system calls than with pages of 4 KiB.
                String::from("PRAGMA page_size = 8192"),
                // Whoever can write to the file can write its schema.
                String::from("PRAGMA trusted_schema = OFF"),
                String::from("PRAGMA cell_size_check = ON"),
                String::from("PRAGMA synchronous = FULL"),
                String::from("PRAGMA fullfsync = ON"),
                String::from("PRAGMA checkpoint_fullfsync = ON"),
                String::from("PRAGMA wal_autocheckpoint = 4096"),
                String::from("PRAGMA journal_size_limit = 67108864"),
            ],
            Self::Postgres => vec![
                format!("SET lock_timeout = {milliseconds}"),
                String::from("SET default_transaction_isolation = 'read committed'"),
            ],
            Self::Mysql => vec![
                format!("SET SESSION innodb_lock_wait_timeout = {seconds}"),
                format!("SET SESSION lock_wait_timeout = {seconds}"),
                String::from("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"),
            ],
        };
        if let (Self::Sqlite, Some(pages)) = (self, settings.sqlite_max_pages) {
            statements.push(format!("PRAGMA max_page_count = {pages}"));
        }
        if settings.role == Role::Reader {
            statements.push(match self {
                Self::Sqlite => String::from("PRAGMA query_only = ON"),
                Self::Postgres => String::from("SET default_transaction_read_only = on"),
                Self::Mysql => String::from("SET SESSION TRANSACTION READ ONLY"),
            });
        }
        for statement in statements {
            execute_raw(connection, &statement).await?;
        }
        if settings.check_durable {
            self.check_durable(connection).await
        } else {
            Ok(())
        }
    }

    /// Refuses a database that may lose what it acknowledged.
    async fn check_durable(self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => {
                // The mode is kept in the file; asking for it again changes nothing.
                demand(connection, "journal_mode", "PRAGMA journal_mode = WAL", &["wal"]).await?;
                demand(connection, "synchronous", "PRAGMA synchronous", &["2", "3"]).await?;
                demand(connection, "locking_mode", "PRAGMA locking_mode", &["normal"]).await
            }
            Self::Postgres => {
                demand(
                    connection,
                    "synchronous_commit",
                    "SHOW synchronous_commit",
                    &["on", "remote_apply"],
                )
                .await?;
                // Of the session from here on: what the server, the database or the role is told later does not reach it.
                let keep = "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false)";
                scalar(connection, keep).await?;
                demand(connection, "fsync", "SHOW fsync", &["on"]).await?;
                demand(connection, "full_page_writes", "SHOW full_page_writes", &["on"]).await
            }
            Self::Mysql => {
                let variable = |name: &str| format!("SELECT CAST(@@{name} AS CHAR)");
                let name = "innodb_flush_log_at_trx_commit";
                demand(connection, name, &variable(name), &["1"]).await?;
                if scalar(connection, &variable("log_bin")).await?.as_deref() == Some("1") {
                    demand(connection, "sync_binlog", &variable("sync_binlog"), &["1"]).await?;
                }
                Ok(())
            }
        }
    }

    /// Lists the tables of the database, or of the schema that the connection is in.
    pub(crate) fn list_tables(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
            }
            Self::Postgres => {
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()"
            }
            Self::Mysql => {
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = DATABASE()"
            }
        }
    }

    /// Keeps other processes from migrating until the end of the transaction, or of the connection.
    pub(crate) fn lock_migrations(self, lock_timeout: Duration) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some(format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})::text")),
            Self::Mysql => Some(format!(
                "SELECT CAST(GET_LOCK('bulla-migrations', {}) AS CHAR)",
                lock_timeout.as_secs().max(1)
            )),
        }
    }
}

/// The key of PostgreSQL's advisory lock: `bulla` in ASCII.
const MIGRATION_LOCK: i64 = 0x62_75_6c_6c_61;

async fn demand(
    connection: &mut AnyConnection,
    name: &str,
    question: &str,
    accepted: &[&str],
) -> Result<(), StoreError> {
    let value = scalar(connection, question).await?.unwrap_or_default();
    if accepted.contains(&value.as_str()) {
        return Ok(());
    }
    Err(StoreError::NotDurable {
        setting: format!("{name} is {value}, it must be {}", accepted.join(" or ")),
    })
}
