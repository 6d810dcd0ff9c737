//! Reals as longs of the same order, for aggregates that look for an extreme.
//!
//! DataFusion's own start from the greatest finite number, and have an opinion of NaN that differs
//! from KQL's, where it beats every number.

use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, Int64Array};
use arrow::compute::unary;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature};

/// A long that lies where `value` lies among reals. NaN lies at the end that is asked for.
fn key(value: f64, nan_first: bool) -> i64 {
    if value.is_nan() {
        return if nan_first { i64::MIN } else { i64::MAX };
    }
    // Of negative numbers, the one with more bits set is the smaller. Both zeros are one.
    let bits = (value + 0.0).to_bits() as i64;
    if bits < 0 { i64::MIN - bits - 1 } else { bits }
}

fn value(key: i64) -> f64 {
    match key {
        i64::MIN | i64::MAX => f64::NAN,
        key if key < 0 => f64::from_bits((i64::MIN - key - 1) as u64),
        key => f64::from_bits(key as u64),
    }
}

pub(super) mod key {
    use super::{
        Arc, AsArray, ColumnarValue, DataType, Float64Type, Int64Array, Result, ScalarFunctionArgs,
        ScalarUDFImpl, ScalarValue, Signature, internal_err, unary,
    };

    crate::scalar::internal::internal_udf!(OrderKey, "kql_order_key");

    impl ScalarUDFImpl for OrderKey {
        fn name(&self) -> &'static str {
            NAME
        }

        fn signature(&self) -> &Signature {
            &self.0
        }

        fn return_type(&self, _: &[DataType]) -> Result<DataType> {
            Ok(DataType::Int64)
        }

        fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
            let ColumnarValue::Scalar(ScalarValue::Boolean(Some(nan_first))) = args.args[1] else {
                return internal_err!("{NAME} takes a constant");
            };
            let reals = args.args[0].to_array(args.number_rows)?;
            let reals = reals.as_primitive::<Float64Type>();
            let keys: Int64Array = unary(reals, |real| super::key(real, nan_first));
            Ok(ColumnarValue::Array(Arc::new(keys)))
        }
    }
}

pub(super) mod from_key {
    use super::{
        Arc, AsArray, ColumnarValue, DataType, Float64Array, Int64Type, Result, ScalarFunctionArgs,
        ScalarUDFImpl, Signature, unary,
    };

    crate::scalar::internal::internal_udf!(FromOrderKey, "kql_from_order_key");

    impl ScalarUDFImpl for FromOrderKey {
        fn name(&self) -> &'static str {
            NAME
        }

        fn signature(&self) -> &Signature {
            &self.0
        }

        fn return_type(&self, _: &[DataType]) -> Result<DataType> {
            Ok(DataType::Float64)
        }

        fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
            let keys = args.args[0].to_array(args.number_rows)?;
            let reals: Float64Array = unary(keys.as_primitive::<Int64Type>(), super::value);
            Ok(ColumnarValue::Array(Arc::new(reals)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_as_their_reals_do() {
        let reals = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -1e-300,
            0.0,
            1e-300,
            1.5,
            f64::MAX,
            f64::INFINITY,
        ];
        let keys: Vec<i64> = reals.iter().map(|real| key(*real, true)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
        let back: Vec<f64> = keys.into_iter().map(value).collect();
        assert_eq!(back, reals);
        assert_eq!(key(-0.0, true), key(0.0, true));
    }

    #[test]
    fn nan_lies_at_the_end_asked_for() {
        assert!(key(f64::NAN, true) < key(f64::NEG_INFINITY, true));
        assert!(key(-f64::NAN, false) > key(f64::INFINITY, false));
        assert!(value(i64::MIN).is_nan() && value(i64::MAX).is_nan());
    }
}
