//! How KQL types lie in Arrow.
//!
//! Strings are never null: an absent string is `""`. Instants are nanoseconds, so that segments are
//! plain Parquet that other tools read; KQL's ticks are 100 of them, and years outside 1678–2261 do
//! not fit. `dynamic` is JSON text.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use kql::Type;

use crate::table::{Column, Table};

/// The key under which a field's metadata names its KQL type, where Arrow leaves this system.
///
/// Plans lose metadata on the way, so only storage and the wire read it.
pub const TYPE_KEY: &str = "kql.type";

/// The Arrow type of a KQL type.
pub fn data_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int32,
        Type::Long => DataType::Int64,
        Type::Real => DataType::Float64,
        Type::Decimal => DataType::Decimal128(DECIMAL_PRECISION, DECIMAL_SCALE),
        Type::Datetime => DataType::Timestamp(TimeUnit::Nanosecond, Some(Arc::from("UTC"))),
        Type::Timespan => DataType::Duration(TimeUnit::Nanosecond),
        Type::String | Type::Dynamic | Type::Guid => DataType::Utf8View,
    }
}

/// Digits of a decimal.
pub const DECIMAL_PRECISION: u8 = 38;
/// Digits of a decimal after its point.
pub const DECIMAL_SCALE: i8 = 18;

/// Whether a column of that type may hold nulls.
pub fn is_nullable(ty: Type) -> bool {
    ty != Type::String
}

/// The field of a column.
pub fn field(name: &str, ty: Type) -> Field {
    Field::new(name, data_type(ty), is_nullable(ty))
}

/// The field of a column, with its KQL type written into the metadata.
pub fn wire_field(name: &str, ty: Type) -> Field {
    field(name, ty).with_metadata([(TYPE_KEY.to_owned(), ty.name().to_owned())].into())
}

/// The KQL type of a field that came over the wire.
pub fn wire_type(field: &Field) -> Type {
    let named = field
        .metadata()
        .get(TYPE_KEY)
        .and_then(|name| Type::from_name(name));
    named.unwrap_or_else(|| natural_type(field.data_type()))
}

/// The KQL type that an Arrow type stands for when nothing else is known.
pub fn natural_type(data_type: &DataType) -> Type {
    match data_type {
        DataType::Boolean => Type::Bool,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            Type::Int
        }
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Type::Long,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Type::Real,
        DataType::Decimal128(..) => Type::Decimal,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Type::Datetime,
        DataType::Duration(_) => Type::Timespan,
        _ => Type::String,
    }
}

/// The schema of the columns that lie in storage.
pub fn stored_schema(table: &Table) -> SchemaRef {
    let fields = table
        .stored()
        .map(|column| wire_field(&column.name, column.ty));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The schema of all columns, hidden ones included.
pub fn full_schema(table: &Table) -> SchemaRef {
    schema(table.columns.iter())
}

fn schema<'a>(columns: impl Iterator<Item = &'a Column>) -> SchemaRef {
    Arc::new(Schema::new(
        columns
            .map(|column| wire_field(&column.name, column.ty))
            .collect::<Vec<_>>(),
    ))
}
