use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature,
};
use kql::Type;

use crate::aggregate::sketch::{Quantile, Sketch};
use crate::args::{self, Args};

super::internal_udf!(PercentileUdf, "kql_percentile");

fn type_of(name: Option<&str>) -> Result<Type> {
    match name.and_then(Type::from_name) {
        Some(ty) => Ok(ty),
        None => internal_err!("a percentile's type is constant"),
    }
}

impl ScalarUDFImpl for PercentileUdf {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type depends on the arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let name = args
            .scalar_arguments
            .get(2)
            .copied()
            .flatten()
            .and_then(|n| n.try_as_str().flatten());
        Ok(Arc::new(schema::arrow::field(NAME, type_of(name)?)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let sketches = args.args[0].to_array(if constant { 1 } else { args.number_rows })?;
        let sketches = sketches.as_binary::<i32>();
        let view = Args::new(&args.args, sketches.len());
        let (percentile, ty) = (view.f64(1)?, type_of(view.const_str(2))?);
        let mut found = Vec::with_capacity(sketches.len());
        for row in 0..sketches.len() {
            let percentile = percentile.get(row).unwrap_or(0.0);
            found.push(match sketches.is_valid(row) {
                true => Sketch::read(sketches.value(row))?.percentile(percentile),
                false => None,
            });
        }
        let whole = |row: usize| match found[row]? {
            Quantile::Whole(value) => Some(value),
            Quantile::Real(value) => Some(value.round() as i64),
        };
        let array = match ty {
            Type::Datetime => args::datetimes(found.len(), |row| Ok(whole(row)))?,
            Type::Timespan => args::timespans(found.len(), whole)?,
            Type::Long => args::longs(found.len(), whole)?,
            _ => args::reals(found.len(), |row| match found[row]? {
                Quantile::Real(value) => Some(value),
                Quantile::Whole(value) => Some(value as f64),
            })?,
        };
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &array, 0,
            )?));
        }
        Ok(ColumnarValue::Array(array))
    }
}
