//! A form of a function as a DataFusion function.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};

use crate::args::Args;
use crate::registry::{Overload, ScalarFunction};

/// The DataFusion function of form `index`, named after the function and, where there are several
/// forms, its number.
pub(crate) fn scalar_udf(function: &'static ScalarFunction, index: usize) -> ScalarUDF {
    kernel_udf(function, index, "", false)
}

/// The DataFusion function of a form that gives several columns, as a struct of them all.
pub(crate) fn columns_udf(function: &'static ScalarFunction, index: usize) -> ScalarUDF {
    kernel_udf(function, index, "_columns", true)
}

fn kernel_udf(
    function: &'static ScalarFunction,
    index: usize,
    suffix: &str,
    all_columns: bool,
) -> ScalarUDF {
    let name = match function.overloads.len() {
        1 => format!("kql_{}{suffix}", function.name),
        _ => format!("kql_{}_{index}{suffix}", function.name),
    };
    let volatility = if function.volatile {
        Volatility::Volatile
    } else {
        Volatility::Immutable
    };
    let given = match function.overloads[index].params {
        [] => TypeSignature::Nullary,
        _ => TypeSignature::VariadicAny,
    };
    ScalarUDF::new_from_impl(KernelUdf {
        name,
        overload: &function.overloads[index],
        all_columns,
        signature: Signature::new(given, volatility),
    })
}

#[derive(Debug)]
struct KernelUdf {
    name: String,
    overload: &'static Overload,
    /// Whether a struct of all columns is given, if there are several; else the first.
    all_columns: bool,
    signature: Signature,
}

impl KernelUdf {
    fn field(&self) -> Field {
        match self.overload.result_columns() {
            Some(columns) if self.all_columns => {
                let fields = columns.iter().map(|column| {
                    Field::new(column.name, schema::arrow::data_type(column.ty), true)
                });
                Field::new(&self.name, DataType::Struct(fields.collect()), false)
            }
            _ => schema::arrow::field(&self.name, self.overload.return_type()),
        }
    }
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
        Ok(self.field().data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.field()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if self.signature.volatility == Volatility::Volatile {
            let array = (self.overload.eval)(&Args::new(&args.args, args.number_rows))?;
            return Ok(ColumnarValue::Array(array));
        }
        if self.all_columns || self.overload.result_columns().is_none() {
            return call(&args, self.overload.eval);
        }
        call(&args, |args| {
            let columns = (self.overload.eval)(args)?;
            Ok(Arc::clone(columns.as_struct().column(0)))
        })
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
/// What the function's kernel says, and if the function gives a new value each time.
pub fn fold(udf: &ScalarUDF, args: &[ScalarValue]) -> Result<ScalarValue> {
    if udf.signature().volatility == Volatility::Volatile {
        let name = udf.name().trim_start_matches("kql_");
        return plan_err!("`{name}()` gives a new value for each row, so it is no constant");
    }
    let kernel: &dyn Any = udf.inner().as_ref();
    let folded = kernel
        .downcast_ref::<KernelUdf>()
        .and_then(|kernel| kernel.overload.folded);
    if let Some(eval) = folded {
        let args: Vec<ColumnarValue> = args.iter().cloned().map(ColumnarValue::Scalar).collect();
        return ScalarValue::try_from_array(&eval(&Args::new(&args, 1))?, 0);
    }
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
