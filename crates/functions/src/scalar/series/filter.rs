//! Filters over a series: finite and infinite impulse response.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic};

use super::{WORK_MAX, read_reals, write_reals};
use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "series_fir",
        "A series through a filter with finite impulse response.",
        &[Overload::new(
            &[Is(Dynamic), Is(Dynamic), Is(Bool), Is(Bool)],
            Dynamic,
            finite,
        )
        .required(2)],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "series_iir",
        "A series through a filter with infinite impulse response.",
        &[Overload::new(
            &[Is(Dynamic), Is(Dynamic), Is(Dynamic)],
            Dynamic,
            infinite,
        )],
    )
    .named_after_argument(),
];

fn check_work(elements: usize, coefficients: usize) -> Result<()> {
    if elements.saturating_mul(coefficients) > WORK_MAX {
        return exec_err!(
            "a filter of {coefficients} coefficients over {elements} elements is too long; \
             their product may be {WORK_MAX}"
        );
    }
    Ok(())
}

/// Beyond its ends a series counts as 0, also where the filter is normalized.
///
/// <https://learn.microsoft.com/kusto/query/series-fir-function>
fn finite(a: &Args<'_>) -> Result<ArrayRef> {
    let (series, filters) = (a.str(0)?, a.str(1)?);
    let flags = (2..a.len())
        .map(|index| a.bool(index))
        .collect::<Result<Vec<_>>>()?;
    let flag = |index: usize, row| flags.get(index).and_then(|flag| flag.get(row));
    let (mut values, mut filter, mut filtered) = (Vec::new(), Vec::new(), Vec::new());
    args::written_option(a.rows(), |row, out| {
        let are_series =
            read_reals(series.get(row), &mut values)? && read_reals(filters.get(row), &mut filter)?;
        if !are_series || filter.is_empty() {
            return Ok(false);
        }
        let has_negatives = filter.iter().any(|c| *c < 0.0);
        if flag(0, row).unwrap_or(!has_negatives) {
            let sum: f64 = filter.iter().sum();
            if has_negatives || sum == 0.0 {
                return Ok(false);
            }
            filter.iter_mut().for_each(|c| *c /= sum);
        }
        let is_centered = flag(1, row) == Some(true);
        if is_centered && filter.len().is_multiple_of(2) {
            return exec_err!("`series_fir` does not center a filter of an even length");
        }
        check_work(values.len(), filter.len())?;
        let shift = if is_centered { filter.len() / 2 } else { 0 };
        filtered.clear();
        filtered.extend((0..values.len()).map(|at| convolved(&values, &filter, at + shift)));
        write_reals(out, &filtered);
        Ok(true)
    })
}

/// The filter laid backwards from place `at`.
fn convolved(values: &[f64], filter: &[f64], at: usize) -> f64 {
    let terms = filter.iter().enumerate().filter_map(|(back, c)| {
        let value = values.get(at.checked_sub(back)?)?;
        Some(c * value)
    });
    terms.sum()
}

fn infinite(a: &Args<'_>) -> Result<ArrayRef> {
    let (series, numerators, denominators) = (a.str(0)?, a.str(1)?, a.str(2)?);
    let (mut x, mut b, mut d) = (Vec::new(), Vec::new(), Vec::new());
    let mut y: Vec<f64> = Vec::new();
    args::written_option(a.rows(), |row, out| {
        let are_series = read_reals(series.get(row), &mut x)?
            && read_reals(numerators.get(row), &mut b)?
            && read_reals(denominators.get(row), &mut d)?;
        if !are_series || d.first().is_none_or(|first| *first == 0.0) {
            return Ok(false);
        }
        check_work(x.len(), b.len() + d.len())?;
        y.clear();
        for at in 0..x.len() {
            let inputs = convolved(&x, &b, at);
            let outputs = if at == 0 {
                0.0
            } else {
                convolved(&y, &d[1..], at - 1)
            };
            y.push((inputs - outputs) / d[0]);
        }
        write_reals(out, &y);
        Ok(true)
    })
}
