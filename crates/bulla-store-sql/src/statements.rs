use std::collections::HashMap;
use std::sync::Arc;

use bulla_store::Table;
use sea_query::{Alias, Cond, Expr, ExprTrait, Func, JoinType, LockType, OnConflict, Order, Query, SelectStatement};

use crate::dialect::Dialect;

/// Rows in one `INSERT`: few sizes, so that each statement stays prepared.
pub(crate) const CHUNKS: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// Events that one statement of SQLite writes with all the rest of a group commit; of more, the first go in chunks before it.
pub(crate) const GROUP: usize = 64;

/// Every statement of the store, built once when it is opened. Placeholders are bound in the order of their names here.
#[derive(Debug)]
pub(crate) struct Statements {
    tables: HashMap<Table, TableStatements>,
    /// Nothing.
    pub(crate) head: Arc<str>,
    /// Nothing; locks the head row on databases that lock rows.
    pub(crate) lock_head: Arc<str>,
    /// Nothing; locks the schema's row, for as long as there is no head row.
    pub(crate) lock_schema: Arc<str>,
    /// `size, metadata_revision, state, checkpoint`.
    pub(crate) put_head: Arc<str>,
    /// `revision, limit`.
    pub(crate) changes: Arc<str>,
    /// Nothing.
    pub(crate) count_revisions: Arc<str>,
    /// `sequence, limit`.
    pub(crate) events: Arc<str>,
    /// `size, limit`.
    pub(crate) checkpoints: Arc<str>,
    /// `size, note`.
    pub(crate) put_checkpoint: Arc<str>,
    /// `revision, ordinal, count, table_name, row_id, kind, mac` for each row; one for each of [`CHUNKS`].
    pub(crate) insert_changes: [Arc<str>; CHUNKS.len()],
    /// `sequence, event` for each row; one for each of [`CHUNKS`].
    pub(crate) insert_events: [Arc<str>; CHUNKS.len()],
    /// On SQLite, a whole group commit of 1 to [`GROUP`] events: `sequence, event` for each, `size, note`, then what `put_head` takes.
    pub(crate) commit_group: Vec<Arc<str>>,
    /// On SQLite, begins a transaction that will write and answers the head.
    pub(crate) begin_and_read: Arc<str>,
    /// Nothing; a write that no reader sees.
    pub(crate) probe: Arc<str>,
}

/// The statements on one table of rows.
#[derive(Debug)]
pub(crate) struct TableStatements {
    /// `id` four times.
    pub(crate) lookup: Arc<str>,
    /// `after, limit`.
    pub(crate) list_all: Arc<str>,
    /// `owner, after, limit`.
    pub(crate) list_owned: Arc<str>,
    /// `id, owner, revision, body, mac`.
    pub(crate) put: Arc<str>,
    /// `id`.
    pub(crate) delete: Arc<str>,
}

/// Columns of a row, then of its newest change, in the answers of `lookup` and `list`.
const ROW: [&str; 5] = ["id", "owner", "revision", "body", "mac"];
const CHANGE: [&str; 5] = ["revision", "ordinal", "count", "kind", "mac"];

impl Statements {
    pub(crate) fn build(dialect: Dialect) -> Self {
        let sql = |statement: &SelectStatement| Arc::<str>::from(dialect.query(statement));
        let head = || {
            let columns = ["size", "metadata_revision", "state", "checkpoint"];
            Query::select()
                .columns(columns)
                .from("audit_head")
                .and_where(Expr::col("id").eq(Expr::cust("1")))
                .take()
        };
        let one_of = |version: &'static str| {
            Query::select()
                .column(version)
                .from("schema_version")
                .and_where(Expr::col("id").eq(Expr::cust("1")))
                .take()
        };
        let put_head = dialect.query(
            Query::insert()
                .into_table("audit_head")
                .columns(["id", "size", "metadata_revision", "state", "checkpoint"])
                .values_panic([
                    Expr::cust("1"),
                    Expr::val(0),
                    Expr::val(0),
                    Expr::val(""),
                    Expr::val(""),
                ])
                .on_conflict(
                    OnConflict::column("id")
                        .update_columns(["size", "metadata_revision", "state", "checkpoint"])
                        .to_owned(),
                ),
        );
        let put_checkpoint = insert(dialect, "audit_checkpoints", &["size", "note"], 1);
        let commit_group = |events: usize| {
            let events = insert(dialect, "audit_events", &["sequence", "event"], events);
            Arc::from(format!("{events}; {put_checkpoint}; {put_head}; COMMIT"))
        };
        let change_columns = ["revision", "ordinal", "count", "table_name", "row_id", "kind", "mac"];
        Self {
            tables: Table::ALL
                .into_iter()
                .map(|table| (table, TableStatements::build(dialect, table)))
                .collect(),
            head: sql(&head()),
            lock_head: sql(head().lock(LockType::Update)),
            lock_schema: sql(one_of("version").lock(LockType::Update)),
            put_head: Arc::from(put_head.as_str()),
            changes: sql(Query::select()
                .columns(change_columns)
                .from("changes")
                .and_where(Expr::col("revision").gt(0))
                .order_by("revision", Order::Asc)
                .order_by("ordinal", Order::Asc)
                .limit(1)),
            count_revisions: sql(Query::select()
                .expr(Func::count_distinct(Expr::col("revision")))
                .from("changes")),
            events: sql(Query::select()
                .columns(["sequence", "event"])
                .from("audit_events")
                .and_where(Expr::col("sequence").gte(0))
                .order_by("sequence", Order::Asc)
                .limit(1)),
            checkpoints: sql(Query::select()
                .columns(["size", "note"])
                .from("audit_checkpoints")
                .and_where(Expr::col("size").gt(0))
                .order_by("size", Order::Asc)
                .limit(1)),
            commit_group: (1..=GROUP).map(commit_group).collect(),
            put_checkpoint,
            begin_and_read: Arc::from(format!("{}; {}", dialect.begin(), dialect.query(&head()))),
            insert_changes: CHUNKS.map(|rows| insert(dialect, "changes", &change_columns, rows)),
            insert_events: CHUNKS.map(|rows| insert(dialect, "audit_events", &["sequence", "event"], rows)),
            probe: Arc::from(
                dialect.query(
                    Query::update()
                        .table("schema_version")
                        .value("probes", Expr::cust("probes + 1"))
                        .and_where(Expr::col("id").eq(Expr::cust("1"))),
                ),
            ),
        }
    }

    pub(crate) fn table(&self, table: Table) -> &TableStatements {
        self.tables.get(&table).expect("built for every table")
    }
}

impl TableStatements {
    fn build(dialect: Dialect, table: Table) -> Self {
        let name = table.name();
        let sql = |statement: &SelectStatement| Arc::<str>::from(dialect.query(statement));

        let mut lookup = Query::select();
        answer(&mut lookup);
        // One row to hang both on: either may be missing.
        lookup
            .from_subquery(Query::select().expr_as(Expr::cust("1"), Alias::new("one")).take(), "o")
            .join_as(JoinType::LeftJoin, name, "r", Expr::col(("r", "id")).eq(""))
            .join_as(
                JoinType::LeftJoin,
                "changes",
                "c",
                newest_change(name, &|| Expr::val("")),
            );

        let list = |owned: bool| {
            let mut list = Query::select();
            answer(&mut list);
            list.from_as(name, "r").join_as(
                JoinType::LeftJoin,
                "changes",
                "c",
                newest_change(name, &|| Expr::col(("r", "id"))),
            );
            if owned {
                list.and_where(Expr::col(("r", "owner")).eq(""));
            }
            list.and_where(Expr::col(("r", "id")).gt(""))
                .order_by(("r", "id"), Order::Asc)
                .limit(1);
            list
        };

        Self {
            lookup: sql(&lookup),
            list_all: sql(&list(false)),
            list_owned: sql(&list(true)),
            put: Arc::from(
                dialect.query(
                    Query::insert()
                        .into_table(name)
                        .columns(ROW)
                        .values_panic(ROW.map(|_| Expr::val(0)))
                        .on_conflict(
                            OnConflict::column("id")
                                .update_columns(["owner", "revision", "body", "mac"])
                                .to_owned(),
                        ),
                ),
            ),
            delete: Arc::from(dialect.query(Query::delete().from_table(name).and_where(Expr::col("id").eq("")))),
        }
    }
}

fn answer(select: &mut SelectStatement) {
    for column in ROW {
        select.column(("r", column));
    }
    for column in CHANGE {
        select.column(("c", column));
    }
}

/// Joins the one change of a row with the highest revision, and of that the highest ordinal.
fn newest_change(table: &'static str, id: &dyn Fn() -> Expr) -> Cond {
    let of_row = |alias: &'static str| {
        Cond::all()
            .add(Expr::col((alias, "table_name")).eq(Expr::Constant(table.into())))
            .add(Expr::col((alias, "row_id")).eq(id()))
    };
    let newest_revision = Query::select()
        .expr(Func::max(Expr::col(("d", "revision"))))
        .from_as("changes", "d")
        .cond_where(of_row("d"))
        .take();
    let newest_ordinal = Query::select()
        .expr(Func::max(Expr::col(("e", "ordinal"))))
        .from_as("changes", "e")
        .cond_where(of_row("e").add(Expr::col(("e", "revision")).equals(("c", "revision"))))
        .take();
    of_row("c")
        .add(Expr::col(("c", "revision")).eq(newest_revision))
        .add(Expr::col(("c", "ordinal")).eq(newest_ordinal))
}

fn insert(dialect: Dialect, table: &'static str, columns: &[&'static str], rows: usize) -> Arc<str> {
    let mut insert = Query::insert();
    insert.into_table(table).columns(columns.iter().copied());
    for _ in 0..rows {
        insert.values_panic(columns.iter().map(|_| Expr::val(0)));
    }
    Arc::from(dialect.query(&insert))
}
