//! Values as Azure's JSON writes them.
//!
//! Numbers and booleans are JSON's own; datetimes and timespans are text; reals that JSON lacks are
//! `"NaN"`, `"Infinity"` and `"-Infinity"`; a decimal is text, so that no digit is lost; a dynamic
//! array or object travels as a string that holds JSON, any other dynamic value as itself.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    Decimal128Type, DurationNanosecondType, Float64Type, Int32Type, Int64Type,
    TimestampNanosecondType,
};
use kql::Type;
use kql::value::{datetime, timespan};
use serde_json::Value;

const NANOS_PER_TICK: i64 = 100;

/// Appends rows to a JSON array that is being written, `[…],[…]`.
pub(crate) fn write_rows(out: &mut Vec<u8>, batch: &RecordBatch, types: &[Type], first: &mut bool) {
    for row in 0..batch.num_rows() {
        if !std::mem::replace(first, false) {
            out.push(b',');
        }
        out.push(b'[');
        for (index, (array, ty)) in batch.columns().iter().zip(types).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_cell(out, array, *ty, row);
        }
        out.push(b']');
    }
}

fn write_cell(out: &mut Vec<u8>, array: &ArrayRef, ty: Type, row: usize) {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match ty {
        Type::Bool => plain(out, array.as_boolean().value(row)),
        Type::Int => plain(out, array.as_primitive::<Int32Type>().value(row)),
        Type::Long => plain(out, array.as_primitive::<Int64Type>().value(row)),
        Type::Real => real(out, array.as_primitive::<Float64Type>().value(row)),
        Type::Decimal => {
            text(
                out,
                trim_zeros(&array.as_primitive::<Decimal128Type>().value_as_string(row)),
            );
        }
        Type::Datetime => {
            text(
                out,
                &instant(array.as_primitive::<TimestampNanosecondType>().value(row)),
            );
        }
        Type::Timespan => {
            let nanos = array.as_primitive::<DurationNanosecondType>().value(row);
            text(out, &timespan::format(nanos.div_euclid(NANOS_PER_TICK)));
        }
        Type::String | Type::Guid => text(out, array.as_string::<i32>().value(row)),
        Type::Dynamic => dynamic(out, array.as_string::<i32>().value(row)),
    }
}

fn plain(out: &mut Vec<u8>, value: impl ToString) {
    out.extend_from_slice(value.to_string().as_bytes());
}

fn text(out: &mut Vec<u8>, value: &str) {
    // Writing to memory can't fail, and text is always JSON's.
    let _ = serde_json::to_writer(out, value);
}

fn real(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        let _ = serde_json::to_writer(out, &value);
    } else if value.is_nan() {
        text(out, "NaN");
    } else {
        text(out, if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
}

fn dynamic(out: &mut Vec<u8>, json: &str) {
    match json.as_bytes().first() {
        Some(b'{' | b'[') => text(out, json),
        Some(b'"') => match serde_json::from_str::<Value>(json) {
            Ok(Value::String(inner)) => text(out, &inner),
            _ => text(out, json),
        },
        // Numbers, booleans and null stand as they are, unless JSON does not know them.
        _ if serde_json::from_str::<Value>(json).is_ok() => out.extend_from_slice(json.as_bytes()),
        _ => text(out, json),
    }
}

/// `2026-01-01T00:00:00.5Z`: no zeros at the end of the fraction.
fn instant(nanos: i64) -> String {
    let ticks = nanos.div_euclid(NANOS_PER_TICK) + datetime::UNIX_EPOCH_TICKS;
    let text = datetime::format(ticks);
    let digits = text.trim_end_matches('Z');
    format!("{}Z", trim_zeros(digits))
}

fn trim_zeros(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn instants_bear_no_needless_zeros() {
        assert_eq!(instant(0), "1970-01-01T00:00:00Z");
        assert_eq!(instant(500_000_000), "1970-01-01T00:00:00.5Z");
        assert_eq!(instant(100), "1970-01-01T00:00:00.0000001Z");
        assert_eq!(instant(-100), "1969-12-31T23:59:59.9999999Z");
    }

    #[test]
    fn dynamic_values() {
        assert_eq!(json(|out| dynamic(out, r#"{"a":[1]}"#)), r#""{\"a\":[1]}""#);
        assert_eq!(json(|out| dynamic(out, r#""a\"b""#)), r#""a\"b""#);
        assert_eq!(json(|out| dynamic(out, "1.5")), "1.5");
        assert_eq!(json(|out| dynamic(out, "null")), "null");
    }

    #[test]
    fn reals_that_json_lacks() {
        assert_eq!(json(|out| real(out, 1.0)), "1.0");
        assert_eq!(json(|out| real(out, f64::NAN)), "\"NaN\"");
        assert_eq!(json(|out| real(out, f64::NEG_INFINITY)), "\"-Infinity\"");
    }
}
