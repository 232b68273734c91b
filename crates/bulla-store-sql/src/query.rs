use std::sync::Arc;

use bulla_store::StoreError;
use sqlx::any::{AnyArguments, AnyRow, AnyTypeInfoKind};
use sqlx::{AnyConnection, Arguments, AssertSqlSafe, Row, ValueRef};

use crate::error;

/// One bound value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bind<'a> {
    Integer(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// Runs a statement that is kept prepared and that answers no rows.
pub(crate) async fn execute(
    connection: &mut AnyConnection,
    sql: &Arc<str>,
    arguments: AnyArguments,
) -> Result<(), StoreError> {
    sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments)
        .execute(connection)
        .await
        .map(drop)
        .map_err(error::from_sqlx)
}

/// The same, with sqlx's own error.
pub(crate) async fn execute_as_is(
    connection: &mut AnyConnection,
    sql: &Arc<str>,
    arguments: AnyArguments,
) -> Result<(), sqlx::Error> {
    let query = sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments);
    query.execute(connection).await.map(drop)
}

/// Runs a statement that is kept prepared and that answers rows.
pub(crate) async fn fetch(
    connection: &mut AnyConnection,
    sql: &Arc<str>,
    arguments: AnyArguments,
) -> Result<Vec<AnyRow>, StoreError> {
    sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments)
        .fetch_all(connection)
        .await
        .map_err(error::from_sqlx)
}

/// Runs a statement once, without values and without preparing it.
pub(crate) async fn execute_raw(connection: &mut AnyConnection, sql: &str) -> Result<(), StoreError> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
        .map_err(error::from_sqlx)
}

/// Begins or ends a transaction.
pub(crate) async fn control(connection: &mut AnyConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

/// Asks for one value, as text.
pub(crate) async fn scalar(connection: &mut AnyConnection, sql: &str) -> Result<Option<String>, StoreError> {
    Ok(column(connection, sql).await?.into_iter().next())
}

/// Asks for one column, as text.
pub(crate) async fn column(connection: &mut AnyConnection, sql: &str) -> Result<Vec<String>, StoreError> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
    let rows = query.fetch_all(connection).await.map_err(error::from_sqlx)?;
    rows.iter()
        .map(|row| {
            let kind = row.try_get_raw(0).map_err(error::from_sqlx)?.type_info().kind();
            match kind {
                AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => row
                    .try_get::<i64, _>(0)
                    .map(|number| number.to_string())
                    .map_err(error::from_sqlx),
                AnyTypeInfoKind::Null => Ok(String::new()),
                _ => text(row, 0, "an answer"),
            }
        })
        .collect()
}

/// Binds values in their order.
pub(crate) fn arguments(values: &[Bind<'_>]) -> Result<AnyArguments, StoreError> {
    let mut arguments = AnyArguments::default();
    arguments.reserve(values.len(), 0);
    for value in values {
        bind(&mut arguments, *value)?;
    }
    Ok(arguments)
}

/// Binds one more value.
pub(crate) fn bind(arguments: &mut AnyArguments, value: Bind<'_>) -> Result<(), StoreError> {
    match value {
        Bind::Integer(number) => arguments.add(number),
        Bind::Text(text) => arguments.add(text),
        Bind::Bytes(bytes) => arguments.add(bytes),
    }
    .map_err(StoreError::Failed)
}

/// Reads a text; MySQL has it as bytes, see [`Dialect::text`](crate::dialect::Dialect::text).
pub(crate) fn text(row: &AnyRow, index: usize, what: &str) -> Result<String, StoreError> {
    if let Ok(text) = row.try_get::<String, _>(index) {
        return Ok(text);
    }
    String::from_utf8(bytes(row, index, what)?).map_err(|_| corrupt(what))
}

/// Reads bytes.
pub(crate) fn bytes(row: &AnyRow, index: usize, what: &str) -> Result<Vec<u8>, StoreError> {
    row.try_get(index).map_err(|_| corrupt(what))
}

/// Reads the 32 bytes of a MAC.
pub(crate) fn mac(row: &AnyRow, index: usize, what: &str) -> Result<[u8; 32], StoreError> {
    let mac: &[u8] = row.try_get(index).map_err(|_| corrupt(what))?;
    mac.try_into().map_err(|_| corrupt(what))
}

/// Reads a number that is never negative.
pub(crate) fn number(row: &AnyRow, index: usize, what: &str) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(index).map_err(|_| corrupt(what))?;
    u64::try_from(number).map_err(|_| corrupt(what))
}

/// Whether a column is NULL.
pub(crate) fn is_null(row: &AnyRow, index: usize) -> Result<bool, StoreError> {
    Ok(row.try_get_raw(index).map_err(error::from_sqlx)?.is_null())
}

pub(crate) fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt {
        what: format!("{what} has an impossible value"),
        source: None,
    }
}

/// Turns a number of ours into the database's, which has a sign.
pub(crate) fn signed(number: u64, what: &'static str) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Limit { what })
}
