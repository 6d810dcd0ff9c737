use datafusion_common::ScalarValue;
use kql::{Span, Type};

use crate::binder::Binder;
use crate::error::Result;
use crate::relation::Relation;

/// `T | getschema`: the columns as rows.
pub(crate) fn bind(binder: &mut Binder<'_>, input: &Relation, span: Span) -> Result<Relation> {
    let text = |text: &str| ScalarValue::Utf8View(Some(text.to_owned()));
    let columns: Vec<_> = input.visible().collect();
    let names = columns.iter().map(|column| text(&column.name)).collect();
    let ordinals = (0..columns.len())
        .map(|index| ScalarValue::Int64(Some(index as i64)))
        .collect();
    let data_types = columns
        .iter()
        .map(|column| text(column.ty.dotnet_name()))
        .collect();
    let types = columns
        .iter()
        .map(|column| text(column.ty.name()))
        .collect();
    binder.values(
        vec![
            ("ColumnName".into(), Type::String, names),
            ("ColumnOrdinal".into(), Type::Long, ordinals),
            ("DataType".into(), Type::String, data_types),
            ("ColumnType".into(), Type::String, types),
        ],
        span,
    )
}
