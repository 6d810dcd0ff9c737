use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Builder, ListArray, StringViewBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use crate::args::Args;
use crate::dynamic::{self, Kind};

super::internal_udf!(ExpandUdf, "kql_expand");

/// The field that holds an element's index, from 0.
pub const EXPAND_INDEX: &str = "index";

/// Begins a mode in which every row has one more element, of index -1, that stands for the row.
pub const STAND_IN: &str = "+";

/// The field of expanded value `column`.
pub fn expanded_field(column: usize) -> String {
    format!("c{column}")
}

/// Most elements that one batch may expand to, for each value.
const EXPANDED_MAX: usize = 16 << 20;

fn fields(columns: usize) -> Fields {
    std::iter::once(Field::new(EXPAND_INDEX, DataType::Int64, false))
        .chain((0..columns).map(|c| Field::new(expanded_field(c), DataType::Utf8View, true)))
        .collect()
}

fn item_field(columns: usize) -> FieldRef {
    Arc::new(Field::new("item", DataType::Struct(fields(columns)), true))
}

impl ScalarUDFImpl for ExpandUdf {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item_field(types.len().saturating_sub(2))))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let columns = args.arg_fields.len().saturating_sub(2);
        Ok(Arc::new(Field::new(
            NAME,
            DataType::List(item_field(columns)),
            false,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let list = expand(&Args::new(&args.args, rows))?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &list, 0,
            )?));
        }
        Ok(ColumnarValue::Array(list))
    }
}

/// The elements of a value: of an array its elements, of a bag its members, each as a bag or as an
/// array of key and value; of anything else itself.
fn elements<'a>(value: Option<&'a str>, pairs: bool) -> Vec<std::borrow::Cow<'a, str>> {
    let Some(value) = value else {
        return vec!["null".into()];
    };
    match dynamic::kind(value) {
        Kind::Array => dynamic::elements(value).map(Into::into).collect(),
        Kind::Bag => dynamic::members(value)
            .map(|(key, member)| {
                let mut out = String::from(if pairs { "[" } else { "{" });
                dynamic::write_string(&mut out, &key);
                out.push(if pairs { ',' } else { ':' });
                out.push_str(member);
                out.push(if pairs { ']' } else { '}' });
                out.into()
            })
            .collect(),
        _ => vec![value.into()],
    }
}

fn expand(args: &Args<'_>) -> Result<ArrayRef> {
    let mode = args.const_str(0).unwrap_or("");
    let pairs = mode.ends_with("array");
    let stands_in = usize::from(mode.starts_with(STAND_IN));
    let limit = args
        .i64(1)?
        .get(0)
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let columns = args.len() - 2;
    let values = (0..columns)
        .map(|c| args.str(c + 2))
        .collect::<Result<Vec<_>>>()?;
    let mut lengths = Vec::with_capacity(args.rows());
    let mut indices = Int64Builder::new();
    let mut builders: Vec<StringViewBuilder> =
        (0..columns).map(|_| StringViewBuilder::new()).collect();
    let mut total = 0;
    for row in 0..args.rows() {
        let expanded: Vec<_> = values
            .iter()
            .map(|value| elements(value.get(row), pairs))
            .collect();
        let length = expanded.iter().map(Vec::len).max().unwrap_or(0).min(limit);
        total += length + stands_in;
        if total > EXPANDED_MAX {
            return exec_err!("`mv-expand` makes more than {EXPANDED_MAX} rows of one batch");
        }
        lengths.push(length + stands_in);
        for index in 0..length {
            indices.append_value(index as i64);
            for (builder, elements) in builders.iter_mut().zip(&expanded) {
                builder.append_option(elements.get(index).and_then(|e| dynamic::non_null(e)));
            }
        }
        if stands_in == 1 {
            indices.append_value(-1);
            builders.iter_mut().for_each(StringViewBuilder::append_null);
        }
    }
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(indices.finish())];
    arrays.extend(
        builders
            .iter_mut()
            .map(|builder| Arc::new(builder.finish()) as ArrayRef),
    );
    let items = StructArray::new(fields(columns), arrays, None);
    let offsets = OffsetBuffer::from_lengths(lengths);
    debug_assert_eq!(items.len(), offsets.last().copied().unwrap_or(0) as usize);
    Ok(Arc::new(ListArray::new(
        item_field(columns),
        offsets,
        Arc::new(items),
        None,
    )))
}
