//! Tables that a test makes up.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use kql::Type;
use schema::{Column, Origin, Table};

/// A table and its rows.
#[derive(Clone, Debug)]
pub struct TestTable {
    /// Name and columns.
    pub table: Arc<Table>,
    /// The rows.
    pub rows: RecordBatch,
}

impl TestTable {
    /// A table of the columns of some rows, under their KQL types.
    pub fn new(name: &str, columns: &[(String, Type)], rows: &RecordBatch) -> Self {
        let columns = columns.iter().map(|(name, ty)| Column {
            name: name.clone(),
            ty: *ty,
            origin: Origin::Stored,
            hidden: false,
        });
        let table = Arc::new(Table {
            name: name.to_owned(),
            columns: columns.collect(),
        });
        let schema = schema::arrow::full_schema(&table);
        let rows = RecordBatch::try_new(schema, rows.columns().to_vec());
        Self {
            table,
            rows: rows.expect("the columns fit their types"),
        }
    }

    /// The rows under the columns that lie in storage.
    pub fn stored(&self) -> RecordBatch {
        let schema = schema::arrow::stored_schema(&self.table);
        let full = self.rows.schema();
        let columns = schema.fields().iter().map(|field| {
            let index = full
                .index_of(field.name())
                .expect("a stored column is a column");
            Arc::clone(self.rows.column(index))
        });
        let columns = columns.collect();
        RecordBatch::try_new(schema, columns).expect("the types are the same")
    }
}

/// Rows whose strings lie in buffers of their own, as rows lie on a shard.
pub(crate) fn compact(rows: &RecordBatch) -> RecordBatch {
    let columns = rows.columns().iter().map(|column| -> ArrayRef {
        match column.as_string_view_opt() {
            Some(strings) => Arc::new(strings.gc()),
            None => Arc::clone(column),
        }
    });
    RecordBatch::try_new(rows.schema(), columns.collect()).expect("the types are the same")
}
