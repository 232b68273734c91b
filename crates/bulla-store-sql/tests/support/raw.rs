//! Statements past the store, as an attacker or an administrator runs them.

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

/// Runs one statement on a connection of its own.
pub(crate) async fn execute(url: &str, statement: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("the server");
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await
        .expect(statement);
    connection.close().await.expect("a good-bye");
}
