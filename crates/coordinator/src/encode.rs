//! The rows of an answer on the wire: an Arrow IPC stream, or typed values.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, DurationNanosecondArray, Float64Array,
    Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use kql::Type;
use proto::v1;
use proto::v1::value::Kind;

/// Rows of one message of typed values, and its bytes, about.
const MESSAGE_ROWS: usize = 1_000;

/// The schema of an answer: KQL types in metadata, text as plain `Utf8`, which every client reads.
pub(crate) fn schema(columns: &[(String, Type)]) -> SchemaRef {
    let field = |(name, ty): &(String, Type)| {
        let field = schema::arrow::wire_field(name, *ty);
        let ty = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        field.with_data_type(ty).with_nullable(true)
    };
    Arc::new(Schema::new(
        columns.iter().map(field).collect::<Vec<Field>>(),
    ))
}

/// The same rows under the answer's schema.
pub(crate) fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(array, field)| match field.data_type() {
            ty if ty == array.data_type() => Ok(Arc::clone(array)),
            ty => arrow::compute::cast(array, ty),
        })
        .collect::<Result<Vec<ArrayRef>, _>>()?;
    // Rows without columns have a number too.
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

/// Rows as messages of typed values.
pub(crate) fn rows(batch: &RecordBatch, columns: &[(String, Type)]) -> Vec<v1::Rows> {
    let starts = (0..batch.num_rows()).step_by(MESSAGE_ROWS);
    starts
        .map(|start| {
            let end = (start + MESSAGE_ROWS).min(batch.num_rows());
            let mut rows: Vec<v1::Row> = (start..end)
                .map(|_| v1::Row {
                    values: Vec::with_capacity(columns.len()),
                })
                .collect();
            for (array, (_, ty)) in batch.columns().iter().zip(columns) {
                for (row, at) in rows.iter_mut().zip(start..end) {
                    row.values.push(v1::Value {
                        kind: value(array, *ty, at),
                    });
                }
            }
            v1::Rows { rows }
        })
        .collect()
}

fn value(array: &ArrayRef, ty: Type, at: usize) -> Option<Kind> {
    if array.is_null(at) {
        return None;
    }
    let array = array.as_any();
    let text = || {
        array
            .downcast_ref::<StringArray>()
            .map(|texts| texts.value(at).to_owned())
    };
    match ty {
        Type::Bool => array
            .downcast_ref::<BooleanArray>()
            .map(|a| Kind::Bool(a.value(at))),
        Type::Int => array
            .downcast_ref::<Int32Array>()
            .map(|a| Kind::Long(a.value(at).into())),
        Type::Long => array
            .downcast_ref::<Int64Array>()
            .map(|a| Kind::Long(a.value(at))),
        Type::Real => array
            .downcast_ref::<Float64Array>()
            .map(|a| Kind::Real(a.value(at))),
        Type::Decimal => array
            .downcast_ref::<Decimal128Array>()
            .map(|a| Kind::Decimal(a.value_as_string(at))),
        Type::Datetime => array
            .downcast_ref::<TimestampNanosecondArray>()
            .map(|a| Kind::Datetime(proto::convert::timestamp(a.value(at)))),
        Type::Timespan => array
            .downcast_ref::<DurationNanosecondArray>()
            .map(|a| Kind::Timespan(proto::convert::span(a.value(at)))),
        Type::String => text().map(Kind::String),
        Type::Guid => text().map(Kind::Guid),
        Type::Dynamic => text().map(Kind::Dynamic),
    }
}

/// Bytes that a batch's values take, its slices and not the buffers they lie in.
pub(crate) fn bytes(batch: &RecordBatch) -> u64 {
    batch
        .columns()
        .iter()
        .map(|array| match array.as_string_opt::<i32>() {
            Some(texts) => {
                let offsets = texts.value_offsets();
                let span = offsets.last().copied().unwrap_or(0) - offsets[0];
                u64::from(span.unsigned_abs()) + 4 * texts.len() as u64
            }
            None => array.to_data().get_slice_memory_size().unwrap_or(0) as u64,
        })
        .sum()
}
