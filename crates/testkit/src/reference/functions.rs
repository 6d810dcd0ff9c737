//! What functions mean.

use kql::ast::{Call, ExprKind};
use serde_json::{Map, Value as Json};

use super::expr::{Row, of_truth, truth_of};
use super::{Known, Scope, Value, calendar, convert, unknown};

impl<'q> Scope<'q> {
    /// The value of a call for a row.
    pub(super) fn call(&self, call: &'q Call, row: Row<'_>) -> Known<Value> {
        let name = call.name.text.as_str();
        let args: Vec<_> = call.exprs().collect();
        match name {
            "toscalar" => {
                let first = self.first_column(args[0])?;
                return Ok(first.into_iter().next().unwrap_or(Value::Null));
            }
            "iff" => {
                let chosen = if self.truth(args[0], row)? == Some(true) {
                    1
                } else {
                    2
                };
                return self.value(args[chosen], row);
            }
            "case" => {
                for pair in args.chunks(2) {
                    match pair {
                        [condition, value] if self.truth(condition, row)? == Some(true) => {
                            return self.value(value, row);
                        }
                        [otherwise] => return self.value(otherwise, row),
                        _ => {}
                    }
                }
                return unknown("case without an else");
            }
            _ => {}
        }
        if args.iter().any(|arg| matches!(arg.kind, ExprKind::Star)) {
            return unknown("`*`");
        }
        let values = args
            .iter()
            .map(|arg| self.value(arg, row))
            .collect::<Known<Vec<_>>>()?;
        apply(name, &values)
    }
}

fn apply(name: &str, args: &[Value]) -> Known<Value> {
    if let Some(known) = test(name, args).or_else(|| of_text(name, args)) {
        return known;
    }
    match (name, args) {
        ("coalesce", args) => {
            let empty = |v: &Value| v.is_null() || matches!(v, Value::String(t) if t.is_empty());
            let found = args.iter().find(|value| !empty(value));
            let otherwise = args.iter().find(|value| !value.is_null());
            Ok(found.or(otherwise).cloned().unwrap_or(Value::Null))
        }
        (
            "tostring" | "tolong" | "toint" | "toreal" | "todecimal" | "todatetime" | "toguid",
            [v],
        ) => convert::convert(name, v),
        ("pack_array", args) => {
            let values = args.iter().map(Value::to_json).collect::<Option<Vec<_>>>();
            values.map_or_else(
                || unknown("JSON of a real"),
                |v| Ok(Value::Dynamic(Json::Array(v))),
            )
        }
        ("bag_pack", args) => {
            let mut bag = Map::new();
            for pair in args.chunks(2) {
                let ([Value::String(key), value], Some(json)) = (pair, pair[1].to_json()) else {
                    return unknown("a bag of that");
                };
                let _ = value;
                bag.insert(key.clone(), json);
            }
            Ok(Value::Dynamic(Json::Object(bag)))
        }
        (_, [Value::Null, ..]) => Ok(Value::Null),
        ("datetime_part", [Value::String(part), Value::Datetime(ticks)]) => {
            calendar::part(part, *ticks).map_or_else(|| unknown(name), |v| Ok(Value::Long(v)))
        }
        ("datetime_part", [Value::String(_), Value::Null]) => Ok(Value::Null),
        (_, [Value::Datetime(ticks)]) => {
            let found = match (name.strip_prefix("startof"), name.strip_prefix("endof")) {
                (Some(unit), _) => calendar::start(unit, *ticks),
                (_, Some(unit)) => calendar::end(unit, *ticks),
                _ => None,
            };
            found.map_or_else(|| unknown(name), |ticks| Ok(Value::Datetime(ticks)))
        }
        ("array_length", [Value::Dynamic(Json::Array(values))]) => {
            Ok(Value::Long(values.len() as i64))
        }
        ("array_length", [Value::Dynamic(_)]) => Ok(Value::Null),
        ("bin", [value, width]) => bin(value, width),
        ("abs", [Value::Real(value)]) => Ok(Value::Real(value.abs())),
        ("abs", [value]) => match value.whole() {
            Some(value) => Ok(Value::Long(value.wrapping_abs())),
            None => unknown("abs"),
        },
        ("sqrt", [Value::Real(value)]) => Ok(Value::Real(value.sqrt())),
        ("round", [Value::Real(value), _]) if !value.is_finite() => Ok(Value::Real(*value)),
        ("round", [Value::Real(value), Value::Long(1)]) if value.abs() < 1e6 => {
            Ok(Value::Real((value * 10.0).round() / 10.0))
        }
        _ => unknown(format!("the function {name}")),
    }
}

/// Functions that give a bool.
fn test(name: &str, args: &[Value]) -> Option<Known<Value>> {
    let bool = |value| Some(Ok(Value::Bool(value)));
    match (name, args) {
        ("isnull", [value]) => bool(value.is_null()),
        ("isnotnull", [value]) => bool(!value.is_null()),
        ("isempty", [Value::String(text)]) => bool(text.is_empty()),
        ("isnotempty", [Value::String(text)]) => bool(!text.is_empty()),
        ("not", [value]) => Some(truth_of(value).map(|t| of_truth(t.map(|t| !t)))),
        ("isnan", [Value::Real(value)]) => bool(value.is_nan()),
        ("isinf", [Value::Real(value)]) => bool(value.is_infinite()),
        ("isfinite", [Value::Real(value)]) => bool(value.is_finite()),
        ("isnan" | "isinf" | "isfinite", _) => Some(unknown("a test of null for a number")),
        _ => None,
    }
}

/// Functions of strings, which count in code points.
fn of_text(name: &str, args: &[Value]) -> Option<Known<Value>> {
    let text = |text: String| Some(Ok(Value::String(text)));
    let long = |count: usize| Some(Ok(Value::Long(count as i64)));
    match (name, args) {
        ("strlen", [Value::String(value)]) => long(value.chars().count()),
        ("string_size", [Value::String(value)]) => long(value.len()),
        ("tolower", [Value::String(value)]) => text(value.to_lowercase()),
        ("toupper", [Value::String(value)]) => text(value.to_uppercase()),
        ("reverse", [Value::String(value)]) => text(value.chars().rev().collect()),
        ("strcat", args) => {
            let parts = args
                .iter()
                .map(Value::to_text)
                .collect::<Option<Vec<_>>>()?;
            text(parts.concat())
        }
        (
            "substring",
            [
                Value::String(value),
                Value::Long(start),
                Value::Long(length),
            ],
        ) => {
            let (start, length) = (
                usize::try_from(*start).ok()?,
                usize::try_from(*length).ok()?,
            );
            text(value.chars().skip(start).take(length).collect())
        }
        ("replace_string", [Value::String(value), Value::String(from), Value::String(to)]) => {
            text(value.replace(from.as_str(), to))
        }
        ("indexof", [Value::String(value), Value::String(sought)]) => {
            let found = value
                .find(sought.as_str())
                .map(|at| value[..at].chars().count() as i64);
            Some(Ok(Value::Long(found.unwrap_or(-1))))
        }
        ("split", [Value::String(value), Value::String(by)]) => {
            let parts = value.split(by.as_str()).map(Json::from).collect();
            Some(Ok(Value::Dynamic(Json::Array(parts))))
        }
        _ => None,
    }
}

/// Down to a multiple, counted from zero; instants from 0001-01-01.
fn bin(value: &Value, width: &Value) -> Known<Value> {
    let floor = |value: i64, width: i64| value - value.rem_euclid(width);
    match (value, width) {
        (_, Value::Null) => Ok(Value::Null),
        (Value::Datetime(ticks), Value::Timespan(width)) if *width > 0 => {
            Ok(Value::Datetime(floor(*ticks, *width)))
        }
        (Value::Timespan(ticks), Value::Timespan(width)) if *width > 0 => {
            Ok(Value::Timespan(floor(*ticks, *width)))
        }
        (Value::Real(value), Value::Real(width)) => {
            Ok(Value::Real((value / width).floor() * width))
        }
        (value, width) => match (value.whole(), width.whole()) {
            (Some(value), Some(width)) if width > 0 && value > i64::MIN + width => {
                Ok(Value::Long(floor(value, width)))
            }
            _ => unknown("a bin"),
        },
    }
}
