//! The columns of one batch while it grows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Decimal128Builder, DurationNanosecondBuilder, Float64Builder,
    Int32Builder, Int64Builder, RecordBatch, StringViewArray, StringViewBuilder,
    TimestampNanosecondArray, TimestampNanosecondBuilder, make_view, new_null_array,
};
use arrow::buffer::Buffer;
use kql::Type;
use schema::ResourceId;

use crate::cell::Cell;
use crate::mapping::TableRules;
use crate::parse::Place;

/// The rows of one resource and one table.
pub(crate) struct Rows<'m> {
    rules: &'m TableRules,
    pub(crate) resource_id: Option<ResourceId>,
    columns: Vec<Column>,
    places: Vec<Place>,
}

/// A column that is as long as its last value: rows without one are made up for when the next comes.
struct Column {
    ty: Type,
    len: usize,
    builder: Option<Builder>,
}

enum Builder {
    Text(StringViewBuilder),
    Bool(BooleanBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
    Real(Float64Builder),
    Decimal(Decimal128Builder),
    Instant(TimestampNanosecondBuilder),
    Length(DurationNanosecondBuilder),
}

impl<'m> Rows<'m> {
    pub(crate) fn new(rules: &'m TableRules, resource_id: Option<ResourceId>) -> Self {
        let column = |(_, ty): &(&str, Type)| Column {
            ty: *ty,
            len: 0,
            builder: None,
        };
        Self {
            columns: rules.columns.iter().map(column).collect(),
            rules,
            resource_id,
            places: Vec::new(),
        }
    }

    /// Adds a row; `cells` go by the stored columns.
    pub(crate) fn push(&mut self, cells: Vec<Option<Cell<'_>>>, place: Place) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            if let Some(cell) = cell {
                column.push(self.places.len(), cell);
            }
        }
        self.places.push(place);
    }

    pub(crate) fn finish(self, received: i64) -> (Option<ResourceId>, Vec<Place>, RecordBatch) {
        let rows = self.places.len();
        let id = self.resource_id.as_ref().map_or("", ResourceId::as_str);
        let arrays = self.columns.into_iter().enumerate().map(|(index, column)| {
            if index == self.rules.resource_id {
                repeated_text(id, rows)
            } else if index == self.rules.time_received {
                let array = TimestampNanosecondArray::from_value(received, rows);
                Arc::new(array.with_timezone("UTC"))
            } else {
                column.finish(rows)
            }
        });
        let batch = RecordBatch::try_new(Arc::clone(&self.rules.schema), arrays.collect());
        let batch = batch.expect("the builders follow the schema's types and are equally long");
        (self.resource_id, self.places, batch)
    }
}

impl Column {
    fn push(&mut self, row: usize, cell: Cell<'_>) {
        let ty = self.ty;
        let builder = self.builder.get_or_insert_with(|| Builder::new(ty));
        builder.append_absent(ty, row - self.len);
        builder.append(cell);
        self.len = row + 1;
    }

    fn finish(self, rows: usize) -> ArrayRef {
        match self.builder {
            Some(mut builder) => {
                builder.append_absent(self.ty, rows - self.len);
                builder.finish()
            }
            None if self.ty == Type::String => repeated_text("", rows),
            None => new_null_array(&schema::arrow::data_type(self.ty), rows),
        }
    }
}

impl Builder {
    fn new(ty: Type) -> Self {
        match ty {
            Type::Bool => Self::Bool(BooleanBuilder::new()),
            Type::Int => Self::Int(Int32Builder::new()),
            Type::Long => Self::Long(Int64Builder::new()),
            Type::Real => Self::Real(Float64Builder::new()),
            Type::Decimal => {
                let builder = Decimal128Builder::new();
                Self::Decimal(builder.with_data_type(schema::arrow::data_type(ty)))
            }
            Type::Datetime => Self::Instant(TimestampNanosecondBuilder::new().with_timezone("UTC")),
            Type::Timespan => Self::Length(DurationNanosecondBuilder::new()),
            Type::String | Type::Dynamic | Type::Guid => Self::Text(StringViewBuilder::new()),
        }
    }

    fn append_absent(&mut self, ty: Type, rows: usize) {
        match self {
            Self::Text(builder) if ty == Type::String => {
                for _ in 0..rows {
                    builder.append_value("");
                }
            }
            Self::Text(builder) => {
                for _ in 0..rows {
                    builder.append_null();
                }
            }
            Self::Bool(builder) => builder.append_nulls(rows),
            Self::Int(builder) => builder.append_nulls(rows),
            Self::Long(builder) => builder.append_nulls(rows),
            Self::Real(builder) => builder.append_nulls(rows),
            Self::Decimal(builder) => builder.append_nulls(rows),
            Self::Instant(builder) => builder.append_nulls(rows),
            Self::Length(builder) => builder.append_nulls(rows),
        }
    }

    fn append(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Self::Bool(builder), Cell::Bool(value)) => builder.append_value(value),
            (Self::Int(builder), Cell::Int(value)) => builder.append_value(value),
            (Self::Long(builder), Cell::Long(value)) => builder.append_value(value),
            (Self::Real(builder), Cell::Real(value)) => builder.append_value(value),
            (Self::Decimal(builder), Cell::Decimal(value)) => builder.append_value(value),
            (Self::Instant(builder), Cell::Nanos(value)) => builder.append_value(value),
            (Self::Length(builder), Cell::Nanos(value)) => builder.append_value(value),
            (_, cell) => unreachable!("{cell:?} was converted for a column of another type"),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Bool(mut builder) => Arc::new(builder.finish()),
            Self::Int(mut builder) => Arc::new(builder.finish()),
            Self::Long(mut builder) => Arc::new(builder.finish()),
            Self::Real(mut builder) => Arc::new(builder.finish()),
            Self::Decimal(mut builder) => Arc::new(builder.finish()),
            Self::Instant(mut builder) => Arc::new(builder.finish()),
            Self::Length(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// The same text in every row, held once.
fn repeated_text(text: &str, rows: usize) -> ArrayRef {
    let view = make_view(text.as_bytes(), 0, 0);
    let buffer = Buffer::from(text.as_bytes());
    let array = StringViewArray::try_new(vec![view; rows].into(), vec![buffer], None);
    Arc::new(array.expect("every view lies in the one buffer"))
}
