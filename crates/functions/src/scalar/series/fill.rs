//! Filling the gaps of a series.
//!
//! Elements that need no filling stay as they are written, so that each keeps its type.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type};
use datafusion_common::Result;
use kql::Type::{Bool, Dynamic, Long, Real};

use super::{Number, number};
use crate::args::{self, Args, Prim};
use crate::dynamic::{self, Kind};
use crate::registry::{Overload, Param::Is, ScalarFunction};
use crate::scalar::write_array;

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "series_fill_const",
        "A series with its gaps filled by a number.",
        &[
            Overload::new(&[Is(Dynamic), Is(Long), Is(Real)], Dynamic, fill_const).required(2),
            Overload::new(&[Is(Dynamic), Is(Real), Is(Real)], Dynamic, fill_const).required(2),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "series_fill_forward",
        "A series with its gaps filled by the element before.",
        &[Overload::new(&[Is(Dynamic), Is(Real)], Dynamic, |a| {
            fill_from_neighbour(a, false)
        })
        .required(1)],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "series_fill_backward",
        "A series with its gaps filled by the element after.",
        &[Overload::new(&[Is(Dynamic), Is(Real)], Dynamic, |a| {
            fill_from_neighbour(a, true)
        })
        .required(1)],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "series_fill_linear",
        "A series with its gaps filled by a line between the elements around.",
        &[
            Overload::new(
                &[Is(Dynamic), Is(Real), Is(Bool), Is(Long)],
                Dynamic,
                fill_linear,
            )
            .required(1),
            Overload::new(
                &[Is(Dynamic), Is(Real), Is(Bool), Is(Real)],
                Dynamic,
                fill_linear,
            )
            .required(1),
        ],
    )
    .named_after_argument(),
];

/// What marks a gap: null, or a number.
#[derive(Clone, Copy)]
struct Placeholder<'a>(Option<Prim<'a, Float64Type>>);

impl<'a> Placeholder<'a> {
    fn new(a: &Args<'a>, index: usize) -> Result<Self> {
        Ok(Self(match index < a.len() {
            true => Some(a.f64(index)?),
            false => None,
        }))
    }

    fn is_gap(self, row: usize, element: &str) -> Result<bool> {
        match self.0.and_then(|placeholder| placeholder.get(row)) {
            None => Ok(dynamic::kind(element) == Kind::Null),
            Some(mark) => Ok(number(element)?.is_some_and(|number| number.real() == mark)),
        }
    }
}

/// A number argument as it was written, long or real.
fn constant(a: &Args<'_>, index: usize, row: usize) -> Result<Option<Number>> {
    Ok(match a.value(index)?.data_type() {
        DataType::Int64 => a.i64(index)?.get(row).map(Number::Long),
        _ => a.f64(index)?.get(row).map(Number::Real),
    })
}

fn text(number: Option<Number>) -> String {
    let mut out = String::new();
    match number {
        Some(number) => number.write(&mut out),
        None => out.push_str("null"),
    }
    out
}

fn fill_const(a: &Args<'_>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let placeholder = Placeholder::new(a, 2)?;
    let mut elements = Vec::new();
    args::written_option(a.rows(), |row, out| {
        let filling = text(constant(a, 1, row)?);
        elements.clear();
        let Some(series) = series.get(row).filter(|s| dynamic::kind(s) == Kind::Array) else {
            return Ok(false);
        };
        for element in dynamic::elements(series) {
            let is_gap = placeholder.is_gap(row, element)?;
            elements.push(if is_gap { None } else { Some(element) });
        }
        write_array(out, elements.iter().map(|e| e.unwrap_or(&filling)));
        Ok(true)
    })
}

fn fill_from_neighbour(a: &Args<'_>, backward: bool) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let placeholder = Placeholder::new(a, 1)?;
    let mut elements: Vec<&str> = Vec::new();
    args::written_option(a.rows(), |row, out| {
        let Some(series) = series.get(row).filter(|s| dynamic::kind(s) == Kind::Array) else {
            return Ok(false);
        };
        elements.clear();
        elements.extend(dynamic::elements(series));
        if backward {
            elements.reverse();
        }
        let mut last = None;
        for element in &mut elements {
            if placeholder.is_gap(row, element)? {
                *element = last.unwrap_or(*element);
            } else {
                last = Some(*element);
            }
        }
        if backward {
            elements.reverse();
        }
        write_array(out, elements.iter().copied());
        Ok(true)
    })
}

fn fill_linear(a: &Args<'_>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let placeholder = Placeholder::new(a, 1)?;
    let edges = if a.len() > 2 { Some(a.bool(2)?) } else { None };
    let (mut elements, mut known) = (Vec::new(), Vec::new());
    args::written_option(a.rows(), |row, out| {
        let Some(series) = series.get(row).filter(|s| dynamic::kind(s) == Kind::Array) else {
            return Ok(false);
        };
        elements.clear();
        elements.extend(dynamic::elements(series));
        known.clear();
        for (index, element) in elements.iter().enumerate() {
            if !placeholder.is_gap(row, element)? {
                let Some(number) = number(element)? else {
                    return Ok(false);
                };
                known.push((index, number));
            }
        }
        let filling = match a.len() > 3 {
            true => constant(a, 3, row)?,
            false => Some(Number::Real(0.0)),
        };
        let edges = edges.is_none_or(|edges| edges.get(row) != Some(false));
        write_linear(out, &elements, &known, edges, &text(filling));
        Ok(true)
    })
}

/// Appends the elements with the gaps between `known` ones filled. A series of longs stays one: what
/// lies between is cut off after the point, as the printed examples are.
///
/// <https://learn.microsoft.com/kusto/query/series-fill-linear-function>
fn write_linear(
    out: &mut String,
    elements: &[&str],
    known: &[(usize, Number)],
    edges: bool,
    filling: &str,
) {
    let whole = known.iter().all(|(_, n)| matches!(n, Number::Long(_)));
    let mut next = 0;
    out.push('[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        while known.get(next).is_some_and(|(at, _)| *at < index) {
            next += 1;
        }
        let before = next.checked_sub(1).map(|at| known[at]);
        match (before, known.get(next).copied()) {
            (_, Some((at, _))) if at == index => out.push_str(element),
            (None, None) => out.push_str(filling),
            (None, Some((_, edge))) | (Some((_, edge)), None) if edges => edge.write(out),
            (Some((from, low)), Some((to, high))) => {
                between(low, high, index - from, to - from, whole).write(out);
            }
            _ => out.push_str(element),
        }
    }
    out.push(']');
}

/// The value `at` steps of `steps` from one number to another.
fn between(low: Number, high: Number, at: usize, steps: usize, whole: bool) -> Number {
    match (low, high) {
        (Number::Long(low), Number::Long(high)) if whole => {
            let (low, high) = (i128::from(low), i128::from(high));
            let (at, steps) = (at as i128, steps as i128);
            Number::Long(((low * steps + (high - low) * at) / steps) as i64)
        }
        (low, high) => {
            let rise = (high.real() - low.real()) * at as f64 / steps as f64;
            Number::Real(low.real() + rise)
        }
    }
}
