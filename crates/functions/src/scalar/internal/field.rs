use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};

super::internal_udf!(FieldUdf, "kql_field");

impl ScalarUDFImpl for FieldUdf {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type depends on the name")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let name = args
            .scalar_arguments
            .get(1)
            .copied()
            .flatten()
            .and_then(|name| name.try_as_str().flatten());
        let (Some(name), DataType::Struct(fields)) = (name, args.arg_fields[0].data_type()) else {
            return internal_err!("a field of a struct has a constant name");
        };
        match fields.find(name) {
            Some((_, field)) => Ok(Arc::clone(field)),
            None => internal_err!("no field {name}"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let name = match &args.args[1] {
            ColumnarValue::Scalar(name) => name.try_as_str().flatten().unwrap_or("").to_owned(),
            ColumnarValue::Array(_) => return exec_err!("a field's name must be a constant"),
        };
        let constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let array = args.args[0].to_array(if constant { 1 } else { args.number_rows })?;
        let Some(column) = array
            .as_struct_opt()
            .and_then(|array| array.column_by_name(&name))
        else {
            return internal_err!("no field {name}");
        };
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                column, 0,
            )?));
        }
        Ok(ColumnarValue::Array(Arc::clone(column)))
    }
}
