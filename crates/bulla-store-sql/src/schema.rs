use std::time::Duration;

use bulla_store::{StoreError, Table};
use sea_query::{ColumnDef, Index, Table as SqlTable};
use sqlx::AnyConnection;

use crate::dialect::Dialect;
use crate::error;
use crate::query::{column, control, execute_raw, scalar};

/// The newest version of the schema that this program knows.
pub(crate) const KNOWN: u32 = 7;

/// The word by which Bulla knows its own schema.
const APPLICATION: &str = "bulla";

/// The statements that lead to each version from the one before; only ever appended to.
type Migration = fn(Dialect) -> Vec<String>;
const MIGRATIONS: [Migration; KNOWN as usize] = [
    version_1, version_2, version_3, version_4, version_5, version_6, version_7,
];

/// Brings the schema to the newest version, in one transaction where the database can (MySQL commits each `CREATE TABLE`, so there
/// each statement can be repeated, and the version is written last). Two processes at once: the second waits, then finds it done.
pub(crate) async fn migrate(
    connection: &mut AnyConnection,
    dialect: Dialect,
    lock_timeout: Duration,
) -> Result<(), StoreError> {
    if find_version(connection, dialect).await? == Some(KNOWN) {
        return Ok(());
    }
    control(connection, dialect.begin()).await.map_err(error::from_sqlx)?;
    if let Some(lock) = dialect.lock_migrations(lock_timeout)
        && scalar(connection, &lock).await?.as_deref() == Some("0")
    {
        return Err(StoreError::Busy("another process migrates the schema".into()));
    }
    let found = find_version(connection, dialect).await?.unwrap_or(0);
    for (version, migration) in (1..).zip(MIGRATIONS).skip(found as usize) {
        for statement in migration(dialect) {
            execute_raw(connection, &statement).await?;
        }
        let record = match version {
            1 => format!(
                "INSERT INTO schema_version (id, application, version, probes) VALUES (1, '{APPLICATION}', 1, 0)"
            ),
            later => format!("UPDATE schema_version SET version = {later} WHERE id = 1"),
        };
        execute_raw(connection, &record).await?;
    }
    control(connection, "COMMIT").await.map_err(error::from_commit)?;
    if dialect == Dialect::Mysql {
        scalar(connection, "SELECT CAST(RELEASE_LOCK('bulla-migrations') AS CHAR)").await?;
    }
    Ok(())
}

/// Refuses a schema that this program can't read, without changing it.
pub(crate) async fn check(connection: &mut AnyConnection, dialect: Dialect) -> Result<(), StoreError> {
    match find_version(connection, dialect).await? {
        Some(KNOWN) => Ok(()),
        Some(older) => Err(StoreError::Schema {
            found: format!("version {older}, not migrated"),
            known: KNOWN,
        }),
        None => Err(StoreError::Schema {
            found: String::from("empty"),
            known: KNOWN,
        }),
    }
}

/// Reads the version; `None` where the database is empty. Whatever else is there is refused.
async fn find_version(connection: &mut AnyConnection, dialect: Dialect) -> Result<Option<u32>, StoreError> {
    let foreign = |what: &str| StoreError::Schema {
        found: format!("not Bulla's: {what}"),
        known: KNOWN,
    };
    let tables = column(connection, dialect.list_tables()).await?;
    if tables.is_empty() {
        return Ok(None);
    }
    if !tables.iter().any(|table| table == "schema_version") {
        // MySQL may have been stopped between two tables of ours, before the first version was written.
        let ours = |table: &String| OWN_TABLES.contains(&table.as_str()) || Table::from_name(table).is_some();
        if dialect == Dialect::Mysql && tables.iter().all(ours) {
            return Ok(None);
        }
        return Err(foreign("it has other tables"));
    }
    let application = match scalar(connection, "SELECT application FROM schema_version WHERE id = 1").await {
        Ok(application) => application,
        Err(StoreError::Corrupt { what, .. }) if what == error::MISSING => {
            return Err(foreign("another schema_version"));
        }
        Err(other) => return Err(other),
    };
    match application.as_deref() {
        Some(APPLICATION) => {}
        None if dialect == Dialect::Mysql => return Ok(None),
        _ => return Err(foreign("another schema_version")),
    }
    let version = scalar(connection, "SELECT version FROM schema_version WHERE id = 1")
        .await?
        .unwrap_or_default();
    match version.parse::<u32>() {
        Ok(version) if (1..=KNOWN).contains(&version) => Ok(Some(version)),
        Ok(version) if version > KNOWN => Err(StoreError::Schema {
            found: format!("version {version}"),
            known: KNOWN,
        }),
        _ => Err(foreign("an impossible version")),
    }
}

const OWN_TABLES: [&str; 4] = ["changes", "audit_events", "audit_checkpoints", "audit_head"];

/// The tables that the first version had.
const FIRST_TABLES: [Table; 8] = [
    Table::Settings,
    Table::StoreKeys,
    Table::AuditKeys,
    Table::Principals,
    Table::AccessKeys,
    Table::Keys,
    Table::KeyVersions,
    Table::Aliases,
];

fn version_1(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    for table in FIRST_TABLES {
        create_table_of_rows(dialect, &mut statements, table);
    }
    let mut changes = SqlTable::create();
    changes
        .table("changes")
        .if_not_exists()
        .col(number("revision"))
        .col(number("ordinal"))
        .col(number("count"))
        .col(dialect.text("table_name", 32))
        .col(dialect.text("row_id", 512))
        .col(number("kind"))
        .col(dialect.bytes("mac"))
        .primary_key(Index::create().col("revision").col("ordinal"));
    let mut index = Index::create();
    index
        .name("changes_by_row")
        .table("changes")
        .col("table_name")
        .col("row_id")
        .col("revision")
        .col("ordinal");
    create_indexed(dialect, &mut statements, changes, index);

    let plain = [
        SqlTable::create()
            .table("audit_events")
            .col(number("sequence").primary_key())
            .col(dialect.bytes("event"))
            .take(),
        SqlTable::create()
            .table("audit_checkpoints")
            .col(number("size").primary_key())
            .col(dialect.text("note", 16_384))
            .take(),
        SqlTable::create()
            .table("audit_head")
            .col(number("id").primary_key())
            .col(number("size"))
            .col(number("metadata_revision"))
            .col(dialect.bytes("state"))
            .col(dialect.text("checkpoint", 16_384))
            .take(),
        SqlTable::create()
            .table("schema_version")
            .col(number("id").primary_key())
            .col(dialect.text("application", 32))
            .col(number("version"))
            .col(number("probes"))
            .take(),
    ];
    statements.extend(
        plain
            .into_iter()
            .map(|mut create| dialect.create_table(create.if_not_exists())),
    );
    statements
}

fn version_2(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    create_table_of_rows(dialect, &mut statements, Table::Grants);
    statements
}

fn version_3(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    create_table_of_rows(dialect, &mut statements, Table::KeyUsage);
    statements
}

fn version_4(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    create_table_of_rows(dialect, &mut statements, Table::ApiTokens);
    statements
}

fn version_5(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    create_table_of_rows(dialect, &mut statements, Table::AuditBatches);
    statements
}

fn version_6(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    create_table_of_rows(dialect, &mut statements, Table::Roles);
    create_table_of_rows(dialect, &mut statements, Table::Groups);
    statements
}

fn version_7(dialect: Dialect) -> Vec<String> {
    let mut statements = Vec::new();
    create_table_of_rows(dialect, &mut statements, Table::TokenMarks);
    statements
}

/// Creates a table of rows; all have the same columns.
fn create_table_of_rows(dialect: Dialect, statements: &mut Vec<String>, table: Table) {
    let mut create = SqlTable::create();
    create
        .table(table.name())
        .if_not_exists()
        .col(dialect.text("id", 512).primary_key())
        .col(dialect.text("owner", 512))
        .col(number("revision"))
        .col(dialect.bytes("body"))
        .col(dialect.bytes("mac"));
    let mut index = Index::create();
    index
        .name(format!("{}_by_owner", table.name()))
        .table(table.name())
        .col("owner")
        .col("id");
    create_indexed(dialect, statements, create, index);
}

/// Creates an index with its table where the dialect can, so that on MySQL no statement has to know whether the index is there.
fn create_indexed(
    dialect: Dialect,
    statements: &mut Vec<String>,
    mut table: sea_query::TableCreateStatement,
    mut index: sea_query::IndexCreateStatement,
) {
    if dialect == Dialect::Mysql {
        statements.push(dialect.create_table(table.index(&mut index)));
    } else {
        statements.push(dialect.create_table(&mut table));
        statements.push(dialect.create_index(&index));
    }
}

fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECIFICATION: &str = include_str!("../../../spec/store-sql.md");

    #[test]
    fn the_specification_names_every_table_and_every_version() {
        let line = SPECIFICATION
            .lines()
            .find(|line| line.starts_with("Tables of rows"))
            .expect("a line");
        let (_, names) = line.split_once(": ").expect("a list");
        let (names, _) = names.split_once('.').expect("an end");
        let named: Vec<&str> = names.split(", ").map(|name| name.trim_matches('`')).collect();
        assert_eq!(named, Table::ALL.map(Table::name));
        for table in OWN_TABLES.iter().chain(["schema_version"].iter()) {
            assert!(SPECIFICATION.contains(&format!("`{table}`")), "{table}");
        }
        let versions = SPECIFICATION
            .split("| version | brought |")
            .nth(1)
            .expect("a table of versions");
        let rows = versions.lines().skip(2).take_while(|line| line.starts_with("| "));
        let numbers: Vec<u32> = rows.filter_map(|row| row.split(' ').nth(1)?.parse().ok()).collect();
        assert_eq!(numbers, (1..=KNOWN).collect::<Vec<_>>());
        for size in crate::statements::CHUNKS {
            assert!(SPECIFICATION.contains(&format!(" {size}")), "{size}");
        }
    }
}
