//! One number of a series, or of two.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{Dynamic, Long, Real};

use super::elementwise::{Lengths, Pair, Pairs};
use super::{mean, read, read_reals};
use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "series_sum",
        "The sum of a series' elements.",
        &[Overload::new(&[Is(Dynamic)], Real, |a| {
            of_all(a, |values| values.iter().sum())
        })],
    ),
    ScalarFunction::new(
        "series_product",
        "The product of a series' elements.",
        &[Overload::new(&[Is(Dynamic)], Real, |a| {
            of_all(a, |values| values.iter().product())
        })],
    ),
    ScalarFunction::new(
        "series_magnitude",
        "The length of a series as a vector.",
        &[Overload::new(&[Is(Dynamic)], Real, magnitude)],
    ),
    ScalarFunction::new(
        "series_dot_product",
        "The sum of the products of two series' elements.",
        &[
            Overload::new(&[Is(Dynamic), Is(Dynamic)], Real, dot_product),
            Overload::new(&[Is(Dynamic), Is(Long)], Real, dot_product),
            Overload::new(&[Is(Dynamic), Is(Real)], Real, dot_product),
            Overload::new(&[Is(Long), Is(Dynamic)], Real, dot_product),
            Overload::new(&[Is(Real), Is(Dynamic)], Real, dot_product),
        ],
    ),
    ScalarFunction::new(
        "series_cosine_similarity",
        "The cosine of the angle between two series as vectors.",
        &[Overload::new(
            &[Is(Dynamic), Is(Dynamic), Is(Real), Is(Real)],
            Real,
            cosine_similarity,
        )
        .required(2)],
    ),
    ScalarFunction::new(
        "series_pearson_correlation",
        "How far two series are linearly related, from -1 to 1.",
        &[Overload::new(
            &[Is(Dynamic), Is(Dynamic)],
            Real,
            pearson_correlation,
        )],
    ),
];

fn of_all(a: &Args<'_>, op: fn(&[f64]) -> f64) -> Result<ArrayRef> {
    let series = a.str(0)?;
    of_rows(a, |row, values: &mut Vec<f64>| {
        Ok(read_reals(series.get(row), values)?.then(|| op(values)))
    })
}

/// A real result whose kernel may fail, with a buffer that rows share.
fn of_rows<B: Default>(
    a: &Args<'_>,
    mut value: impl FnMut(usize, &mut B) -> Result<Option<f64>>,
) -> Result<ArrayRef> {
    let mut buffer = B::default();
    let values = (0..a.rows())
        .map(|row| value(row, &mut buffer))
        .collect::<Result<Vec<_>>>()?;
    args::reals(a.rows(), |row| values[row])
}

/// Elements that are no numbers are left out, and of no elements there is no product.
///
/// <https://learn.microsoft.com/kusto/query/series-dot-product-function>
fn magnitude(a: &Args<'_>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    of_rows(a, |row, numbers: &mut Vec<_>| {
        if !read(series.get(row), numbers)? || numbers.is_empty() {
            return Ok(None);
        }
        let squares = numbers.iter().flatten().map(|x| x.real() * x.real());
        Ok(Some(squares.sum::<f64>().sqrt()))
    })
}

/// What stands in both series, if neither is empty.
fn common(pairs: &[Pair], lengths: Lengths) -> Option<impl Iterator<Item = (f64, f64)> + Clone> {
    let length = lengths.0.min(lengths.1);
    let numbers = pairs[..length].iter().flatten();
    (length > 0).then(|| numbers.map(|(x, y)| (x.real(), y.real())))
}

fn dot_product(a: &Args<'_>) -> Result<ArrayRef> {
    let mut operands = Pairs::new(a)?;
    of_rows(a, |row, pairs: &mut Vec<_>| {
        let Some(lengths) = operands.row(row, pairs)? else {
            return Ok(None);
        };
        Ok(common(pairs, lengths).map(|pairs| pairs.map(|(x, y)| x * y).sum()))
    })
}

fn cosine_similarity(a: &Args<'_>) -> Result<ArrayRef> {
    let mut operands = Pairs::new(a)?;
    let magnitudes = (2..a.len()).map(|i| a.f64(i)).collect::<Result<Vec<_>>>()?;
    let given = |index: usize, row| magnitudes.get(index).and_then(|m| m.get(row));
    of_rows(a, |row, pairs: &mut Vec<_>| {
        let Some(lengths) = operands.row(row, pairs)? else {
            return Ok(None);
        };
        let Some(pairs) = common(pairs, lengths) else {
            return Ok(None);
        };
        let product: f64 = pairs.clone().map(|(x, y)| x * y).sum();
        let left: f64 = pairs.clone().map(|(x, _)| x * x).sum();
        let right: f64 = pairs.map(|(_, y)| y * y).sum();
        let left = given(0, row).unwrap_or(left.sqrt());
        let right = given(1, row).unwrap_or(right.sqrt());
        Ok(Some(product / (left * right)))
    })
}

fn pearson_correlation(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, y) = (a.str(0)?, a.str(1)?);
    of_rows(a, |row, (left, right): &mut (Vec<f64>, Vec<f64>)| {
        let are_series = read_reals(x.get(row), left)? && read_reals(y.get(row), right)?;
        Ok(
            (are_series && left.len() == right.len() && !left.is_empty())
                .then(|| correlation(left, right)),
        )
    })
}

fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let (left_mean, right_mean) = (mean(left), mean(right));
    let (mut products, mut lefts, mut rights) = (0.0, 0.0, 0.0);
    for (x, y) in left.iter().zip(right) {
        let (x, y) = (x - left_mean, y - right_mean);
        products += x * y;
        lefts += x * x;
        rights += y * y;
    }
    products / (lefts.sqrt() * rights.sqrt())
}
