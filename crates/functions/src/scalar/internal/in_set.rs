use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex, Weak};

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

use crate::args;

super::internal_udf!(InSetUdf, "kql_in_set");

impl ScalarUDFImpl for InSetUdf {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(NAME, DataType::Boolean, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let ColumnarValue::Scalar(ScalarValue::List(list)) = &args.args[1] else {
            return exec_err!("the set must be a constant list");
        };
        let set = set_of(list)?;
        let constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let values = args.args[0].to_array(if constant { 1 } else { args.number_rows })?;
        let rows = rows_of(&values)?;
        let found = args::truths(values.len(), |row| {
            values.is_valid(row) && set.contains(rows.row(row).data())
        })?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &found, 0,
            )?));
        }
        Ok(ColumnarValue::Array(found))
    }
}

type Set = HashSet<Box<[u8]>>;

/// The set made last, so that each batch of a query need not make it again.
type Made = Mutex<Option<(Weak<ListArray>, Arc<Set>)>>;
static MADE: LazyLock<Made> = LazyLock::new(Mutex::default);

/// Values as rows of bytes; both zeros are the same.
fn rows_of(values: &ArrayRef) -> Result<Rows> {
    let values: ArrayRef = match values.as_primitive_opt::<Float64Type>() {
        Some(reals) => Arc::new(reals.unary::<_, Float64Type>(|real| real + 0.0)),
        None => Arc::clone(values),
    };
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    Ok(converter.convert_columns(&[values])?)
}

/// Whether a value is equal to itself: null is not, and neither is what is not a number.
fn equals_itself(values: &ArrayRef, index: usize) -> bool {
    let reals = values.as_primitive_opt::<Float64Type>();
    values.is_valid(index) && !reals.is_some_and(|reals| reals.value(index).is_nan())
}

fn set_of(list: &Arc<ListArray>) -> Result<Arc<Set>> {
    let mut made = MADE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((known, set)) = made.as_ref()
        && known
            .upgrade()
            .is_some_and(|known| Arc::ptr_eq(&known, list))
    {
        return Ok(Arc::clone(set));
    }
    let values: ArrayRef = Arc::clone(list.values());
    let rows = rows_of(&values)?;
    let set: Set = (0..values.len())
        .filter(|index| equals_itself(&values, *index))
        .map(|index| rows.row(index).data().into())
        .collect();
    let set = Arc::new(set);
    *made = Some((Arc::downgrade(list), Arc::clone(&set)));
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;

    #[test]
    fn finds_members_and_no_nulls() {
        let values = vec![ScalarValue::from("a"), ScalarValue::from("b")]
            .into_iter()
            .map(|v| ScalarValue::Utf8View(v.try_as_str().flatten().map(str::to_owned)))
            .collect::<Vec<_>>();
        let list = ScalarValue::new_list(&values, &DataType::Utf8View, true);
        let array: ArrayRef = Arc::new(StringViewArray::from(vec![
            Some("b"),
            None,
            Some("c"),
            Some("a"),
        ]));
        let result = udf()
            .invoke_with_args(ScalarFunctionArgs {
                args: vec![
                    ColumnarValue::Array(array),
                    ColumnarValue::Scalar(ScalarValue::List(list)),
                ],
                arg_fields: vec![],
                number_rows: 4,
                return_field: Arc::new(Field::new("", DataType::Boolean, false)),
                config_options: Arc::default(),
            })
            .expect("a result")
            .to_array(4)
            .expect("an array");
        let found: Vec<_> = result.as_boolean().iter().collect();
        assert_eq!(found, [Some(true), Some(false), Some(false), Some(true)]);
    }
}
