//! Values as text and as JSON.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Decimal128Type, DurationNanosecondType, Float64Type, Int32Type, Int64Type,
    TimestampNanosecondType,
};
use kql::Type;
use kql::value::{datetime, timespan};
use serde_json::{Value, json};

const NANOS_PER_TICK: i64 = 100;

/// A value as Kusto prints it; null is empty.
pub(crate) fn text(array: &ArrayRef, ty: Type, row: usize) -> String {
    match json(array, ty, row) {
        Value::Null => String::new(),
        Value::String(text) => text,
        value => value.to_string(),
    }
}

/// A value as JSON; dynamic values keep their shape.
pub(crate) fn json(array: &ArrayRef, ty: Type, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match ty {
        Type::Bool => json!(array.as_boolean().value(row)),
        Type::Int => json!(array.as_primitive::<Int32Type>().value(row)),
        Type::Long => json!(array.as_primitive::<Int64Type>().value(row)),
        Type::Real => match array.as_primitive::<Float64Type>().value(row) {
            real if real.is_finite() => json!(real),
            real if real.is_nan() => json!("NaN"),
            real => json!(if real > 0.0 { "Infinity" } else { "-Infinity" }),
        },
        Type::Decimal => {
            let digits = array.as_primitive::<Decimal128Type>().value_as_string(row);
            json!(trim_zeros(&digits))
        }
        Type::Datetime => {
            let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
            let ticks = nanos.div_euclid(NANOS_PER_TICK) + datetime::UNIX_EPOCH_TICKS;
            json!(format!(
                "{}Z",
                trim_zeros(datetime::format(ticks).trim_end_matches('Z'))
            ))
        }
        Type::Timespan => {
            let nanos = array.as_primitive::<DurationNanosecondType>().value(row);
            json!(timespan::format(nanos.div_euclid(NANOS_PER_TICK)))
        }
        Type::String | Type::Guid => json!(array.as_string::<i32>().value(row)),
        Type::Dynamic => {
            let text = array.as_string::<i32>().value(row);
            serde_json::from_str(text).unwrap_or_else(|_| json!(text))
        }
    }
}

fn trim_zeros(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}
