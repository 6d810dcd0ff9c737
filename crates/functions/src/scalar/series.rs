//! Series: arrays of numbers, such as `make-series` gives, and what is computed of them.
//!
//! An element is a number if JSON has it as one, or if it is the text that stands for what JSON has no
//! number for: `NaN`, `Infinity` and `-Infinity`. All else, bools too, is missing, as null is.
//! Functions that fit or filter give null for a series with missing elements; `series_fill_…` fills
//! them first.
//!
//! A dynamic array holds datetimes as text. Kusto computes with their ticks, which can't be told from
//! text here, so that they are refused.

mod decompose;
mod elementwise;
mod fill;
mod filter;
mod fit;
mod fourier;
mod outliers;
mod poly;
mod reduce;
mod stats;

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, StructArray};
use arrow::datatypes::{Field, Fields};
use datafusion_common::{Result, exec_err};
use kql::Type;

use crate::args::{ELEMENTS_MAX, Strings};
use crate::dynamic::{self, Kind};
use crate::registry::{ResultColumn, ScalarFunction};

/// Most multiplications that one call does on one series.
const WORK_MAX: usize = 1 << 28;

pub(super) fn all() -> impl Iterator<Item = &'static ScalarFunction> {
    [
        decompose::FUNCTIONS,
        elementwise::FUNCTIONS,
        fill::FUNCTIONS,
        filter::FUNCTIONS,
        fit::FUNCTIONS,
        fourier::FUNCTIONS,
        outliers::FUNCTIONS,
        poly::FUNCTIONS,
        reduce::FUNCTIONS,
        stats::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// An element of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Long(i64),
    Real(f64),
}

impl Number {
    fn real(self) -> f64 {
        match self {
            Self::Long(value) => value as f64,
            Self::Real(value) => value,
        }
    }

    fn write(self, out: &mut String) {
        match self {
            Self::Long(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Real(value) => dynamic::write_real(out, value),
        }
    }
}

/// An element as a number; `None` if it is missing.
fn number(element: &str) -> Result<Option<Number>> {
    Ok(match dynamic::kind(element) {
        Kind::Long => match element.parse() {
            Ok(value) => Some(Number::Long(value)),
            Err(_) => dynamic::to_real(element).map(Number::Real),
        },
        Kind::Real => dynamic::to_real(element).map(Number::Real),
        Kind::String => match element {
            "\"NaN\"" => Some(Number::Real(f64::NAN)),
            "\"Infinity\"" => Some(Number::Real(f64::INFINITY)),
            "\"-Infinity\"" => Some(Number::Real(f64::NEG_INFINITY)),
            text if is_datetime(text) => {
                return exec_err!(
                    "a series of datetimes is not supported here; convert them with `tolong(…)` first"
                );
            }
            _ => None,
        },
        Kind::Null | Kind::Bool | Kind::Array | Kind::Bag => None,
    })
}

/// Whether a JSON string is the text of a datetime.
fn is_datetime(text: &str) -> bool {
    const FORM: &[u8] = b"\"0000-00-00T00:00:00.0000000Z\"";
    text.len() == FORM.len()
        && text.bytes().zip(FORM).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == *form,
        })
}

fn check_length(elements: usize) -> Result<()> {
    if elements >= ELEMENTS_MAX {
        return exec_err!("a series of more than {ELEMENTS_MAX} elements is too long");
    }
    Ok(())
}

/// Reads a series; `false` if the value is no array.
fn read(series: Option<&str>, out: &mut Vec<Option<Number>>) -> Result<bool> {
    out.clear();
    let Some(series) = series.filter(|series| dynamic::kind(series) == Kind::Array) else {
        return Ok(false);
    };
    for element in dynamic::elements(series) {
        check_length(out.len())?;
        out.push(number(element)?);
    }
    Ok(true)
}

/// Reads a series of reals; `false` if the value is no array or has missing elements.
fn read_reals(series: Option<&str>, out: &mut Vec<f64>) -> Result<bool> {
    out.clear();
    let Some(series) = series.filter(|series| dynamic::kind(series) == Kind::Array) else {
        return Ok(false);
    };
    for element in dynamic::elements(series) {
        check_length(out.len())?;
        match number(element)? {
            Some(number) => out.push(number.real()),
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Appends an array; `None` is null.
fn write_numbers(out: &mut String, numbers: impl Iterator<Item = Option<Number>>) {
    out.push('[');
    for (index, number) in numbers.enumerate() {
        if index > 0 {
            out.push(',');
        }
        match number {
            Some(number) => number.write(out),
            None => out.push_str("null"),
        }
    }
    out.push(']');
}

/// Appends an array of reals.
fn write_reals(out: &mut String, values: &[f64]) {
    write_numbers(out, values.iter().map(|value| Some(Number::Real(*value))));
}

/// The mean; not a number if there are no values.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Builds the struct of a function that gives several columns.
struct Columns {
    fields: Fields,
    builders: Vec<Builder>,
    rows: usize,
    buffer: String,
}

enum Builder {
    Real(Float64Builder),
    Long(Int64Builder),
    Dynamic(Strings),
}

impl Columns {
    /// For `rows` rows of columns of reals, longs and dynamic values.
    fn new(columns: &[ResultColumn], rows: usize) -> Self {
        let fields = columns
            .iter()
            .map(|column| Field::new(column.name, schema::arrow::data_type(column.ty), true));
        let builders = columns.iter().map(|column| match column.ty {
            Type::Real => Builder::Real(Float64Builder::with_capacity(rows)),
            Type::Long => Builder::Long(Int64Builder::with_capacity(rows)),
            _ => Builder::Dynamic(Strings::new(rows)),
        });
        Self {
            fields: fields.collect(),
            builders: builders.collect(),
            rows,
            buffer: String::new(),
        }
    }

    /// Appends a row; each column takes its value in turn.
    fn push(&mut self, row: &[Cell<'_>]) -> Result<()> {
        for (builder, cell) in self.builders.iter_mut().zip(row) {
            match (builder, cell) {
                (Builder::Real(builder), Cell::Real(value)) => builder.append_value(*value),
                (Builder::Long(builder), Cell::Long(value)) => builder.append_value(*value),
                (Builder::Dynamic(builder), Cell::Reals(values)) => {
                    self.buffer.clear();
                    write_reals(&mut self.buffer, values);
                    builder.push(&self.buffer)?;
                }
                (Builder::Real(builder), _) => builder.append_null(),
                (Builder::Long(builder), _) => builder.append_null(),
                (Builder::Dynamic(builder), _) => builder.push_option(None)?,
            }
        }
        Ok(())
    }

    /// Appends a row of nulls.
    fn push_null(&mut self) -> Result<()> {
        for builder in &mut self.builders {
            match builder {
                Builder::Real(builder) => builder.append_null(),
                Builder::Long(builder) => builder.append_null(),
                Builder::Dynamic(builder) => builder.push_option(None)?,
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<ArrayRef> {
        let arrays = self.builders.into_iter().map(|builder| match builder {
            Builder::Real(mut builder) => Arc::new(builder.finish()) as ArrayRef,
            Builder::Long(mut builder) => Arc::new(builder.finish()),
            Builder::Dynamic(builder) => builder.finish(),
        });
        let array =
            StructArray::try_new_with_length(self.fields, arrays.collect(), None, self.rows)?;
        Ok(Arc::new(array))
    }
}

/// A value of one of several columns.
#[derive(Clone, Copy)]
enum Cell<'a> {
    Real(f64),
    Long(i64),
    Reals(&'a [f64]),
}

/// Appends the columns of a row as a property bag.
fn write_cells(out: &mut String, columns: &[ResultColumn], row: &[Cell<'_>]) {
    out.push('{');
    for (index, (column, cell)) in columns.iter().zip(row).enumerate() {
        if index > 0 {
            out.push(',');
        }
        dynamic::write_string(out, column.name);
        out.push(':');
        match cell {
            Cell::Real(value) => dynamic::write_real(out, *value),
            Cell::Long(value) => Number::Long(*value).write(out),
            Cell::Reals(values) => write_reals(out, values),
        }
    }
    out.push('}');
}

/// A column of a result.
const fn column(name: &'static str, ty: Type) -> ResultColumn {
    ResultColumn { name, ty }
}

#[cfg(test)]
mod tests;
