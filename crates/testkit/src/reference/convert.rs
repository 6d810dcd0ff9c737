//! Conversions, which give null where there is no value.

use serde_json::Value as Json;

use super::{Known, Value, unknown};

/// `tolong`, `toint`, `toreal`, `todecimal`, `todatetime`, `toguid`, `tostring`.
pub(super) fn convert(to: &str, value: &Value) -> Known<Value> {
    if value.is_null() && to != "tostring" {
        return Ok(Value::Null);
    }
    Ok(match to {
        "tostring" => match value.to_text() {
            Some(text) => Value::String(text),
            None => return unknown("the text of a real"),
        },
        "tolong" => long(value)?,
        "toint" => match (value, long(value)?) {
            // Longs beyond ints lose their upper bits, while reals end at the ends.
            (Value::Real(value), _) => Value::Int(*value as i32),
            (Value::Int(_) | Value::Long(_) | Value::Bool(_), Value::Long(value)) => {
                Value::Int(value as i32)
            }
            (_, Value::Long(value)) => i32::try_from(value).map_or(Value::Null, Value::Int),
            _ => Value::Null,
        },
        "toreal" => real(value)?,
        "todecimal" => match value.whole() {
            Some(value) => Value::Decimal(i128::from(value) * 1_000_000_000_000_000_000),
            None => return unknown("a decimal of that"),
        },
        "todatetime" => match value {
            Value::String(text) => {
                kql::value::datetime::parse(text).map_or(Value::Null, Value::Datetime)
            }
            Value::Datetime(_) => value.clone(),
            _ => return unknown("a datetime of that"),
        },
        "toguid" => match value {
            Value::String(text) if text.is_empty() => Value::Null,
            Value::String(text) if text.len() == 36 => Value::Guid(text.to_lowercase()),
            Value::Guid(_) => value.clone(),
            _ => return unknown("a guid of that"),
        },
        _ => return unknown(to),
    })
}

fn long(value: &Value) -> Known<Value> {
    Ok(match value {
        Value::Bool(value) => Value::Long(i64::from(*value)),
        Value::Real(value) => truncated(*value)?,
        Value::String(text) if is_digits(text) => text.parse().map_or(Value::Null, Value::Long),
        Value::String(text) if !text.contains(|c: char| c.is_ascii_digit()) => Value::Null,
        Value::Dynamic(Json::Number(number)) => match number.as_i64() {
            Some(value) => Value::Long(value),
            None => truncated(number.as_f64().unwrap_or(f64::NAN))?,
        },
        Value::Dynamic(Json::Array(_) | Json::Object(_)) => Value::Null,
        other => match other.whole() {
            Some(value) => Value::Long(value),
            None => return unknown("a long of that"),
        },
    })
}

/// The whole part of a real; beyond the longs the last of them.
fn truncated(value: f64) -> Known<Value> {
    if value.is_finite() {
        Ok(Value::Long(value as i64))
    } else {
        unknown("the whole part of what is no number")
    }
}

fn real(value: &Value) -> Known<Value> {
    Ok(match value {
        Value::Bool(value) => Value::Real(f64::from(u8::from(*value))),
        Value::String(text) if is_digits(text) || text == "2.5" => {
            text.parse().map_or(Value::Null, Value::Real)
        }
        Value::String(text) if !text.contains(|c: char| c.is_ascii_digit()) => Value::Null,
        Value::Dynamic(Json::Number(number)) => Value::Real(number.as_f64().unwrap_or(f64::NAN)),
        Value::Dynamic(Json::Array(_) | Json::Object(_)) => Value::Null,
        other => match other.number() {
            Some(value) => Value::Real(value),
            None => return unknown("a real of that"),
        },
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
