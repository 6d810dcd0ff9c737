//! What binding asks of the system around it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion_expr::TableSource;
use schema::Table;

/// The tables that a query may see.
pub trait Host: Send + Sync {
    /// The table of that name, in the query's own scope or in the workspace that it names.
    ///
    /// # Errors
    /// If there is no such table, or no such workspace.
    fn table(&self, workspace: Option<&str>, name: &str) -> Result<HostTable, NoTable>;

    /// The names of all tables in scope, for patterns and for "did you mean".
    fn table_names(&self) -> Vec<String>;

    /// A source of rows that the query itself holds.
    fn values(&self, rows: RecordBatch) -> Arc<dyn TableSource>;
}

/// A table that a query may read.
pub struct HostTable {
    /// Its columns.
    pub table: Arc<Table>,
    /// Its rows; the schema is that of all columns, hidden ones included.
    pub source: Arc<dyn TableSource>,
}

/// Why there is no table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTable {
    /// There is no table of that name.
    Table,
    /// There is no workspace of that name; perhaps the one given is meant.
    Workspace(Option<String>),
}
