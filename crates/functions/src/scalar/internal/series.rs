//! The bins of `make-series`, by number.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature};

use crate::args::{Args, STRING_BYTES_MAX};
use crate::dynamic;
use crate::time::{EPOCH_DAYS, NANOS_PER_DAY, format_nanos, format_span};

/// Most bins of a series.
///
/// <https://learn.microsoft.com/kusto/query/make-series-operator>
pub const SERIES_MAX: usize = 1 << 20;

/// Where bins are counted from, and how wide they are.
enum Axis {
    Whole {
        origin: i128,
        step: i128,
        show: fn(i64) -> String,
    },
    Real {
        origin: f64,
        step: f64,
    },
}

impl Axis {
    /// Reads the axis from its origin, which may be null, and its step.
    fn read(origin: &ColumnarValue, step: &ColumnarValue) -> Result<Self> {
        let (ColumnarValue::Scalar(origin), ColumnarValue::Scalar(step)) = (origin, step) else {
            return internal_err!("an axis is constant");
        };
        let whole = |origin: Option<i128>, step: i64, show| {
            let origin = origin.unwrap_or(0);
            let step = i128::from(step);
            Axis::Whole { origin, step, show }
        };
        let axis = match (origin, step) {
            (ScalarValue::Int64(origin), ScalarValue::Int64(Some(step))) => {
                whole(origin.map(i128::from), *step, |value| value.to_string())
            }
            (
                ScalarValue::DurationNanosecond(origin),
                ScalarValue::DurationNanosecond(Some(step)),
            ) => whole(origin.map(i128::from), *step, |value| {
                format!("\"{}\"", format_span(value))
            }),
            (
                ScalarValue::TimestampNanosecond(origin, _),
                ScalarValue::DurationNanosecond(Some(step)),
            ) => {
                // As `bin()` does, bins begin in the year 1.
                let year_one = -i128::from(EPOCH_DAYS) * i128::from(NANOS_PER_DAY);
                whole(Some(origin.map_or(year_one, i128::from)), *step, |value| {
                    format!("\"{}\"", format_nanos(value))
                })
            }
            (ScalarValue::Float64(origin), ScalarValue::Float64(Some(step))) => Axis::Real {
                origin: origin.unwrap_or(0.0),
                step: *step,
            },
            _ => return internal_err!("no axis from {origin} by {step}"),
        };
        match axis {
            Axis::Whole { step, .. } if step <= 0 => exec_err!("a step must be positive"),
            Axis::Real { step, .. } if step.is_nan() || step <= 0.0 => {
                exec_err!("a step must be positive")
            }
            axis => Ok(axis),
        }
    }

    fn whole_bin(&self, value: i64) -> Option<i64> {
        match self {
            Axis::Whole { origin, step, .. } => {
                i64::try_from((i128::from(value) - origin).div_euclid(*step)).ok()
            }
            Axis::Real { .. } => None,
        }
    }

    fn real_bin(&self, value: f64) -> Option<i64> {
        match self {
            Axis::Real { origin, step } => {
                let bin = ((value - origin) / step).floor();
                (bin.abs() < 9.0e15).then_some(bin as i64)
            }
            Axis::Whole { .. } => None,
        }
    }

    /// Writes where a bin begins.
    fn write(&self, bin: i64, out: &mut String) -> Result<()> {
        match self {
            Axis::Whole { origin, step, show } => {
                match i64::try_from(origin + i128::from(bin) * step) {
                    Ok(value) => out.push_str(&show(value)),
                    Err(_) => return exec_err!("the axis of a series is out of range"),
                }
            }
            Axis::Real { origin, step } => dynamic::write_real(out, origin + bin as f64 * step),
        }
        Ok(())
    }
}

pub(super) mod bin {
    use super::*;

    crate::scalar::internal::internal_udf!(Bin, "kql_series_bin");

    impl ScalarUDFImpl for Bin {
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
            crate::udf::call(&args, eval)
        }
    }

    fn eval(args: &Args<'_>) -> Result<ArrayRef> {
        let axis = Axis::read(args.value(1)?, args.value(2)?)?;
        let rows = args.rows();
        let bins: arrow::array::Int64Array = match &axis {
            Axis::Real { .. } => {
                let values = args.f64(0)?;
                (0..rows)
                    .map(|row| values.get(row).and_then(|value| axis.real_bin(value)))
                    .collect()
            }
            Axis::Whole { .. } => {
                let array = args.array(0)?;
                let values = arrow::compute::cast(&array, &DataType::Int64)?;
                let values: &arrow::array::Int64Array =
                    arrow::array::AsArray::as_primitive(&values);
                values
                    .iter()
                    .map(|value| value.and_then(|value| axis.whole_bin(value)))
                    .collect()
            }
        };
        Ok(Arc::new(bins))
    }
}

pub(super) mod axis {
    use super::*;

    crate::scalar::internal::internal_udf!(AxisUdf, "kql_series_axis");

    impl ScalarUDFImpl for AxisUdf {
        fn name(&self) -> &'static str {
            NAME
        }

        fn signature(&self) -> &Signature {
            &self.0
        }

        fn return_type(&self, _: &[DataType]) -> Result<DataType> {
            Ok(DataType::Utf8View)
        }

        fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
            crate::udf::call(&args, eval)
        }
    }

    fn eval(args: &Args<'_>) -> Result<ArrayRef> {
        let (first, last) = (args.i64(0)?, args.i64(1)?);
        let axis = Axis::read(args.value(2)?, args.value(3)?)?;
        let mut builder = StringViewBuilder::new();
        let mut buffer = String::new();
        for row in 0..args.rows() {
            buffer.clear();
            buffer.push('[');
            if let (Some(first), Some(last)) = (first.get(row), last.get(row))
                && first <= last
            {
                let length = last.abs_diff(first).saturating_add(1);
                if length > SERIES_MAX as u64 {
                    return exec_err!("a series of {length} bins; the limit is {SERIES_MAX}");
                }
                for bin in first..=last {
                    if bin > first {
                        buffer.push(',');
                    }
                    axis.write(bin, &mut buffer)?;
                }
            }
            buffer.push(']');
            if buffer.len() > STRING_BYTES_MAX {
                return exec_err!("the axis of a series is too long for one value");
            }
            builder.append_value(&buffer);
        }
        Ok(Arc::new(builder.finish()))
    }
}
