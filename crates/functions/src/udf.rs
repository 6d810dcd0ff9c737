//! A form of a function as a DataFusion function.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::args::Args;
use crate::registry::{Overload, ScalarFunction};

/// The DataFusion function of form `index`, named after the function and, where there are several
/// forms, its number.
pub(crate) fn scalar_udf(function: &'static ScalarFunction, index: usize) -> ScalarUDF {
    let overload = &function.overloads[index];
    let name = match function.overloads.len() {
        1 => format!("kql_{}", function.name),
        _ => format!("kql_{}_{index}", function.name),
    };
    ScalarUDF::new_from_impl(KernelUdf {
        name,
        overload,
        signature: Signature::variadic_any(Volatility::Immutable),
    })
}

#[derive(Debug)]
struct KernelUdf {
    name: String,
    overload: &'static Overload,
    signature: Signature,
}

impl std::fmt::Debug for Overload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overload")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

// Names are unique, so they decide.
impl PartialEq for KernelUdf {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for KernelUdf {}

impl Hash for KernelUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for KernelUdf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(schema::arrow::data_type(self.overload.return_type()))
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(schema::arrow::field(
            &self.name,
            self.overload.return_type(),
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        call(&args, self.overload.eval)
    }
}

/// Runs a kernel; if all arguments are constants it runs on one row and gives a constant.
pub(crate) fn call(
    args: &ScalarFunctionArgs,
    eval: impl Fn(&Args<'_>) -> Result<arrow::array::ArrayRef>,
) -> Result<ColumnarValue> {
    let constant = args
        .args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    let array = eval(&Args::new(&args.args, rows))?;
    if array.len() != rows {
        return internal_err!("a kernel gave {} rows for {rows}", array.len());
    }
    if constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
            &array, 0,
        )?));
    }
    Ok(ColumnarValue::Array(array))
}

/// The value of a function of constants.
///
/// # Errors
/// What the function's kernel says.
pub fn fold(udf: &ScalarUDF, args: &[ScalarValue]) -> Result<ScalarValue> {
    let arg_fields: Vec<FieldRef> = args
        .iter()
        .map(|arg| Arc::new(Field::new("", arg.data_type(), arg.is_null())))
        .collect();
    let scalars: Vec<Option<&ScalarValue>> = args.iter().map(Some).collect();
    let return_field = udf.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &scalars,
    })?;
    let result = udf.invoke_with_args(ScalarFunctionArgs {
        args: args.iter().cloned().map(ColumnarValue::Scalar).collect(),
        arg_fields,
        number_rows: 1,
        return_field,
        config_options: Arc::new(ConfigOptions::default()),
    })?;
    match result {
        ColumnarValue::Scalar(value) => Ok(value),
        ColumnarValue::Array(array) if array.len() == 1 => ScalarValue::try_from_array(&array, 0),
        ColumnarValue::Array(array) => internal_err!("{} rows for one", array.len()),
    }
}
