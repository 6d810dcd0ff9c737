//! The rows of an answer as text, and when two answers are the same.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    Decimal128Type, DurationNanosecondType, Float64Type, Int32Type, Int64Type,
    TimestampNanosecondType,
};
use kql::Type;
use kql::value::{datetime, timespan};
use serde_json::Value;

/// How far apart two reals may lie that were summed in another order, relative to their size.
const TOLERANCE: f64 = 1e-9;

/// An answer.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Names and types.
    pub columns: Vec<(String, Type)>,
    /// The rows.
    pub batch: RecordBatch,
    /// Whether their order is part of the answer.
    pub ordered: bool,
}

impl Rows {
    /// The header of the columns: `name:type | …`.
    pub fn header(&self) -> String {
        let columns = self.columns.iter().map(|(name, ty)| format!("{name}:{ty}"));
        columns.collect::<Vec<_>>().join(" | ")
    }

    /// Each row's cells as text: strings as JSON, nulls as `null`.
    pub fn cells(&self) -> Vec<Vec<String>> {
        (0..self.batch.num_rows())
            .map(|row| {
                let cells = self.batch.columns().iter().zip(&self.columns);
                cells
                    .map(|(array, (_, ty))| cell(array, *ty, row))
                    .collect()
            })
            .collect()
    }
}

fn cell(array: &ArrayRef, ty: Type, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    match ty {
        Type::Bool => array.as_boolean().value(row).to_string(),
        Type::Int => array.as_primitive::<Int32Type>().value(row).to_string(),
        Type::Long => array.as_primitive::<Int64Type>().value(row).to_string(),
        Type::Real => format!("{:?}", array.as_primitive::<Float64Type>().value(row)),
        Type::Decimal => array.as_primitive::<Decimal128Type>().value_as_string(row),
        Type::Datetime => {
            let ticks = array
                .as_primitive::<TimestampNanosecondType>()
                .value(row)
                .div_euclid(100);
            datetime::format(ticks + datetime::UNIX_EPOCH_TICKS)
        }
        Type::Timespan => {
            let nanos = array.as_primitive::<DurationNanosecondType>().value(row);
            timespan::format(nanos.div_euclid(100))
        }
        Type::String | Type::Guid => Value::from(array.as_string_view().value(row)).to_string(),
        Type::Dynamic => array.as_string_view().value(row).to_owned(),
    }
}

/// Whether two cells are the same value; reals may differ a little.
pub fn same_cell(a: &str, b: &str, ty: Type) -> bool {
    if a == b {
        return true;
    }
    match ty {
        Type::Real => same_real(a, b),
        Type::Dynamic => match (serde_json::from_str(a), serde_json::from_str(b)) {
            (Ok(a), Ok(b)) => same_json(&a, &b),
            _ => false,
        },
        _ => false,
    }
}

fn same_real(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else {
        return false;
    };
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

fn same_json(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => same_real(&a.to_string(), &b.to_string()),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_json(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same_json(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Whether two rows have the same cells.
pub fn same_row(a: &[String], b: &[String], types: &[Type]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .zip(types)
            .all(|((a, b), ty)| same_cell(a, b, *ty))
}

/// Whether two lists hold the same rows, in any order. Reals are matched with their tolerance, so
/// that sorting alone does not decide.
pub fn same_set(a: &[Vec<String>], b: &[Vec<String>], types: &[Type]) -> bool {
    a.len() == b.len() && missing(a, b, types).is_empty()
}

/// The rows of `a` that `b` lacks, counting how often each stands there.
pub fn missing(a: &[Vec<String>], b: &[Vec<String>], types: &[Type]) -> Vec<Vec<String>> {
    use std::collections::HashMap;
    let mut left: HashMap<&Vec<String>, usize> = HashMap::new();
    for row in b {
        *left.entry(row).or_default() += 1;
    }
    let mut inexact = Vec::new();
    for row in a {
        match left.get_mut(row) {
            Some(count) if *count > 0 => *count -= 1,
            _ => inexact.push(row),
        }
    }
    let mut rest: Vec<&Vec<String>> = left
        .into_iter()
        .flat_map(|(row, count)| std::iter::repeat_n(row, count))
        .collect();
    let mut missing = Vec::new();
    for row in inexact {
        match rest.iter().position(|other| same_row(row, other, types)) {
            Some(at) => {
                rest.swap_remove(at);
            }
            None => missing.push(row.clone()),
        }
    }
    missing
}
