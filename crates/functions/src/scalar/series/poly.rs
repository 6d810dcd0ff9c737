//! `series_fit_poly`: the polynomial that fits a series best.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Dynamic, Long, Real};

use super::{Cell, Columns, WORK_MAX, column, mean, read_reals};
use crate::args::Args;
use crate::registry::{Overload, Param::Is, ResultColumn, ScalarFunction};

/// Highest degree of a polynomial; beyond it doubles have no digits left.
const DEGREE_MAX: i64 = 30;

const COLUMNS: &[ResultColumn] = &[
    column("rsquare", Real),
    column("coefficients", Dynamic),
    column("variance", Real),
    column("rvariance", Real),
    column("poly_fit", Dynamic),
];

pub(super) const FUNCTIONS: &[ScalarFunction] = &[ScalarFunction::new(
    "series_fit_poly",
    "The polynomial that fits a series best, as columns.",
    &[Overload::columns(&[Is(Dynamic), Is(Dynamic), Is(Long)], COLUMNS, fit_poly).required(1)],
)];

fn fit_poly(a: &Args<'_>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let places = if a.len() > 1 { Some(a.str(1)?) } else { None };
    let degrees = if a.len() > 2 { Some(a.i64(2)?) } else { None };
    let mut columns = Columns::new(COLUMNS, a.rows());
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for row in 0..a.rows() {
        let degree = match degrees {
            Some(degree) => degree.get(row).unwrap_or(1),
            None => 1,
        };
        if !(0..=DEGREE_MAX).contains(&degree) {
            return exec_err!(
                "a polynomial's degree is a number from 0 to {DEGREE_MAX}, not {degree}"
            );
        }
        let mut is_series = read_reals(series.get(row), &mut y)?;
        let powers = degree as usize + 1;
        if y.len().saturating_mul(powers * powers) > WORK_MAX {
            return exec_err!(
                "a series of {} elements is too long for a polynomial of degree {degree}",
                y.len()
            );
        }
        match places {
            Some(places) => is_series &= read_reals(places.get(row), &mut x)?,
            None => {
                x.clear();
                x.extend((1..=y.len()).map(|place| place as f64));
            }
        }
        let fit = (is_series && x.len() == y.len()).then(|| Fit::new(&x, &y, degree as usize));
        match fit.flatten() {
            Some(fit) => columns.push(&[
                Cell::Real(1.0 - fit.residual / fit.total),
                Cell::Reals(&fit.coefficients),
                Cell::Real(fit.total / (y.len() - 1) as f64),
                Cell::Real(fit.residual / (y.len() - 1) as f64),
                Cell::Reals(&fit.values),
            ])?,
            None => columns.push_null()?,
        }
    }
    columns.finish()
}

struct Fit {
    /// Of the highest power first.
    coefficients: Vec<f64>,
    values: Vec<f64>,
    /// The sums of squares around the mean, and around the polynomial.
    total: f64,
    residual: f64,
}

impl Fit {
    /// The polynomial of least squares; `None` if more than one fits.
    fn new(x: &[f64], y: &[f64], degree: usize) -> Option<Self> {
        let is_finite = x.iter().all(|x| x.is_finite());
        if y.len() <= degree.max(1) || !is_finite {
            return None;
        }
        // Powers of x spread over [-1, 1] differ less than those of x itself.
        let (low, high) = x
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(*x), high.max(*x))
            });
        let (center, half) = ((low + high) / 2.0, (high - low) / 2.0);
        if !center.is_finite() || (half == 0.0 && degree > 0) {
            return None;
        }
        let half = if half == 0.0 { 1.0 } else { half };
        let scaled: Vec<f64> = x.iter().map(|x| (x - center) / half).collect();
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(degree + 1);
        columns.push(vec![1.0; x.len()]);
        for power in 0..degree {
            let next = columns[power].iter().zip(&scaled).map(|(p, x)| p * x);
            columns.push(next.collect());
        }
        let solution = least_squares(&mut columns, y)?;
        let values: Vec<f64> = scaled
            .iter()
            .map(|x| solution.iter().rev().fold(0.0, |sum, c| sum * x + c))
            .collect();
        let y_mean = mean(y);
        let squares = |a: f64, b: f64| (a - b) * (a - b);
        Some(Self {
            coefficients: unscaled(&solution, center, half),
            total: y.iter().map(|y| squares(*y, y_mean)).sum(),
            residual: y.iter().zip(&values).map(|(y, v)| squares(*y, *v)).sum(),
            values,
        })
    }
}

/// What to multiply columns with so that their sum comes nearest to `y`, by Householder reflections;
/// `None` if the columns depend on each other.
fn least_squares(columns: &mut [Vec<f64>], y: &[f64]) -> Option<Vec<f64>> {
    let mut y = y.to_vec();
    let mut diagonal = Vec::with_capacity(columns.len());
    for index in 0..columns.len() {
        let (head, rest) = columns[index..].split_first_mut()?;
        let column = &mut head[index..];
        let norm = column.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm <= 1e-13 * (column.len() as f64).sqrt() {
            return None;
        }
        let alpha = if column[0] > 0.0 { -norm } else { norm };
        column[0] -= alpha;
        diagonal.push(alpha);
        let length: f64 = column.iter().map(|x| x * x).sum();
        for other in rest.iter_mut().chain(std::iter::once(&mut y)) {
            let other = &mut other[index..];
            let dot: f64 = column.iter().zip(other.iter()).map(|(a, b)| a * b).sum();
            let factor = 2.0 * dot / length;
            other
                .iter_mut()
                .zip(column.iter())
                .for_each(|(b, a)| *b -= factor * a);
        }
    }
    let mut solution = vec![0.0; columns.len()];
    for index in (0..columns.len()).rev() {
        let known: f64 = (index + 1..columns.len())
            .map(|later| columns[later][index] * solution[later])
            .sum();
        solution[index] = (y[index] - known) / diagonal[index];
    }
    Some(solution)
}

/// The coefficients over x, highest power first, from those over `(x - center) / half`.
fn unscaled(coefficients: &[f64], center: f64, half: f64) -> Vec<f64> {
    let mut out: Vec<f64> = Vec::with_capacity(coefficients.len());
    for coefficient in coefficients.iter().rev() {
        // Multiplies what there is by (x - center) / half, then adds the coefficient.
        out.push(0.0);
        for index in (0..out.len()).rev() {
            let above = if index == 0 { 0.0 } else { out[index - 1] };
            out[index] = (out[index] - center * above) / half;
        }
        if let Some(last) = out.last_mut() {
            *last += coefficient;
        }
    }
    out
}
