//! The columns of a stored table, and bringing rows to them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use schema::Type;
use schema::arrow::{data_type, wire_field, wire_type};
use schema::table::TIME_GENERATED;

use crate::error::{Error, Result};
use crate::id::TableName;

/// The columns of a table, in the order in which they were first seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Columns {
    schema: SchemaRef,
}

impl Columns {
    pub(crate) fn new(columns: impl IntoIterator<Item = (String, Type)>) -> Self {
        let fields = columns.into_iter().map(|(name, ty)| wire_field(&name, ty));
        Self {
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        }
    }

    /// The Arrow schema, with each KQL type in its field's metadata and nothing else there.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, Type)> {
        let fields = self.schema.fields().iter();
        fields.map(|field| (field.name().as_str(), wire_type(field)))
    }

    /// These columns and those of `other` that are not among them; `None` if that changes nothing.
    ///
    /// Fails if a column of the same name has another type.
    pub(crate) fn extended(&self, table: &TableName, other: &Schema) -> Result<Option<Self>> {
        let mut added = Vec::new();
        for field in other.fields() {
            match self.schema.field_with_name(field.name()) {
                Ok(known) => check_type(table, known, wire_type(field))?,
                Err(_) => added.push((field.name().clone(), wire_type(field))),
            }
        }
        if added.is_empty() {
            return Ok(None);
        }
        let known = self.iter().map(|(name, ty)| (name.to_owned(), ty));
        Ok(Some(Self::new(known.chain(added))))
    }

    /// Fails if a wanted column is stored under another type.
    pub(crate) fn check(&self, table: &TableName, wanted: &Schema) -> Result<()> {
        for field in wanted.fields() {
            if let Ok(known) = self.schema.field_with_name(field.name()) {
                check_type(table, known, wire_type(field))?;
            }
        }
        Ok(())
    }
}

fn check_type(table: &TableName, known: &Field, given: Type) -> Result<()> {
    let stored = wire_type(known);
    if stored == given {
        return Ok(());
    }
    Err(Error::ColumnType {
        table: table.clone(),
        column: known.name().clone(),
        stored: stored.name().to_owned(),
        given: given.name().to_owned(),
    })
}

/// Schema fields as storage writes them, or an error if a field is not of the types that
/// `schema::arrow` gives to KQL types.
pub(crate) fn canonical_schema(table: &TableName, schema: &Schema) -> Result<SchemaRef> {
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let ty = wire_type(field);
        if *field.data_type() != data_type(ty) {
            return Err(Error::ColumnType {
                table: table.clone(),
                column: field.name().clone(),
                stored: data_type(ty).to_string(),
                given: field.data_type().to_string(),
            });
        }
        if fields.iter().any(|earlier| earlier.name() == field.name()) {
            return Err(Error::InvalidRows {
                table: table.clone(),
                reason: format!("column `{}` comes twice", field.name()),
            });
        }
        fields.push(wire_field(field.name(), ty));
    }
    // Without a column, neither Parquet nor a plan could tell how many rows there are.
    if fields.is_empty() {
        return Err(Error::InvalidRows {
            table: table.clone(),
            reason: "there are no columns".to_owned(),
        });
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Rows as storage keeps them: canonical field metadata, and text that holds on to no more memory
/// than it shows.
///
/// Fails if a column's Arrow type is not that of its KQL type, or if a string is null.
pub(crate) fn canonical(table: &TableName, rows: &RecordBatch) -> Result<RecordBatch> {
    let schema = canonical_schema(table, rows.schema_ref())?;
    let columns = rows.columns().iter().map(compacted).collect();
    restamped(&schema, columns, rows.num_rows()).map_err(|error| Error::InvalidRows {
        table: table.clone(),
        reason: error.to_string(),
    })
}

/// A view array may show three strings of a buffer of megabytes, and the log would write them all.
fn compacted(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        _ => Arc::clone(column),
    }
}

/// Rows with the given columns, under a schema that differs at most in metadata and nullability.
pub(crate) fn restamped(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Rows with the columns of `schema`: by name, with null or `""` where they have no such column.
pub(crate) fn adapted(
    rows: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    if rows.schema_ref() == schema {
        return Ok(rows.clone());
    }
    let column = |field: &Arc<Field>| match rows.column_by_name(field.name()) {
        Some(column) => Arc::clone(column),
        None => absent(field, rows.num_rows()),
    };
    let columns = schema.fields().iter().map(column).collect();
    restamped(schema, columns, rows.num_rows())
}

fn absent(field: &Field, rows: usize) -> ArrayRef {
    if field.is_nullable() {
        return new_null_array(field.data_type(), rows);
    }
    let empty = StringViewArray::new_null(rows).into_parts().0;
    Arc::new(StringViewArray::new(empty, [], None))
}

/// Whether a field is the instant of its record. A table of another making may have other values
/// under that name.
pub(crate) fn is_time(field: &Field) -> bool {
    field.name() == TIME_GENERATED && *field.data_type() == data_type(Type::Datetime)
}

/// The bytes that rows take in memory, each buffer counted by what is used of it.
pub(crate) fn memory_bytes(rows: &RecordBatch) -> u64 {
    let bytes = rows.columns().iter().map(|column| {
        let nulls = column.nulls().map_or(0, |nulls| nulls.len().div_ceil(8));
        let values = match column.data_type() {
            DataType::Utf8View => {
                let text = column.as_string_view();
                size_of::<u128>() * text.len() + text.total_buffer_bytes_used()
            }
            DataType::Boolean => column.len().div_ceil(8),
            other => other.primitive_width().unwrap_or(0) * column.len(),
        };
        nulls + values
    });
    bytes.sum::<usize>() as u64
}
