//! Lines through a series, whose elements stand at 1, 2, 3, ….

use std::fmt::Write as _;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{Dynamic, Long, Real};

use super::{Cell, Columns, column, mean, read_reals, write_cells};
use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ResultColumn, ScalarFunction};

const LINE: &[ResultColumn] = &[
    column("rsquare", Real),
    column("slope", Real),
    column("variance", Real),
    column("rvariance", Real),
    column("interception", Real),
    column("line_fit", Dynamic),
];

const TWO_LINES: &[ResultColumn] = &[
    column("rsquare", Real),
    column("split_idx", Long),
    column("variance", Real),
    column("rvariance", Real),
    column("line_fit", Dynamic),
    column("right_rsquare", Real),
    column("right_slope", Real),
    column("right_interception", Real),
    column("right_variance", Real),
    column("right_rvariance", Real),
    column("left_rsquare", Real),
    column("left_slope", Real),
    column("left_interception", Real),
    column("left_variance", Real),
    column("left_rvariance", Real),
];

/// What the bag has for each line: the columns of [`TWO_LINES`] from the sixth on.
const SIDE: &[ResultColumn] = &[
    column("rsquare", Real),
    column("slope", Real),
    column("interception", Real),
    column("variance", Real),
    column("rvariance", Real),
];

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "series_fit_line",
        "The line that fits a series best, as columns.",
        &[Overload::columns(&[Is(Dynamic)], LINE, |a| {
            columns(a, LINE, |y, columns| {
                let line = Line::fit(y)?;
                Some(columns.push(&line.cells(&line.values(y.len()))))
            })
        })],
    ),
    ScalarFunction::new(
        "series_fit_line_dynamic",
        "The line that fits a series best, as a bag.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            bags(a, |y, out| {
                let line = Line::fit(y)?;
                write_cells(out, LINE, &line.cells(&line.values(y.len())));
                Some(())
            })
        })],
    ),
    ScalarFunction::new(
        "series_fit_2lines",
        "The two lines, one after the other, that fit a series best, as columns.",
        &[Overload::columns(&[Is(Dynamic)], TWO_LINES, |a| {
            columns(a, TWO_LINES, |y, columns| {
                let lines = TwoLines::fit(y)?;
                let values = lines.values(y.len());
                let mut cells = lines.cells(&values).to_vec();
                cells.extend(lines.right.side());
                cells.extend(lines.left.side());
                Some(columns.push(&cells))
            })
        })],
    ),
    ScalarFunction::new(
        "series_fit_2lines_dynamic",
        "The two lines, one after the other, that fit a series best, as a bag.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            bags(a, |y, out| {
                let lines = TwoLines::fit(y)?;
                write_cells(out, TWO_LINES, &lines.cells(&lines.values(y.len())));
                out.pop();
                for (name, line) in [("right", &lines.right), ("left", &lines.left)] {
                    let _ = write!(out, ",\"{name}\":");
                    write_cells(out, SIDE, &line.side());
                }
                out.push('}');
                Some(())
            })
        })],
    ),
];

/// A line through a series, and how well it fits.
struct Line {
    slope: f64,
    interception: f64,
    rsquare: f64,
    variance: f64,
    rvariance: f64,
}

impl Line {
    /// The line of least squares; `None` for fewer than two elements.
    fn fit(y: &[f64]) -> Option<Self> {
        if y.len() < 2 {
            return None;
        }
        let count = y.len() as f64;
        let (x_mean, y_mean) = ((count + 1.0) / 2.0, mean(y));
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (index, y) in y.iter().enumerate() {
            let (x, y) = (index as f64 + 1.0 - x_mean, y - y_mean);
            xx += x * x;
            xy += x * y;
            yy += y * y;
        }
        let slope = xy / xx;
        let interception = y_mean - slope * x_mean;
        let residuals = y.iter().enumerate().map(|(index, y)| {
            let residual = y - (slope * (index as f64 + 1.0) + interception);
            residual * residual
        });
        let residual: f64 = residuals.sum();
        Some(Self {
            slope,
            interception,
            rsquare: 1.0 - residual / yy,
            variance: yy / (count - 1.0),
            rvariance: residual / (count - 1.0),
        })
    }

    /// The line's value at element `index`, which may lie beyond the series.
    fn at(&self, index: usize) -> f64 {
        self.slope * (index as f64 + 1.0) + self.interception
    }

    fn values(&self, length: usize) -> Vec<f64> {
        (0..length).map(|index| self.at(index)).collect()
    }

    fn cells<'v>(&self, values: &'v [f64]) -> [Cell<'v>; 6] {
        [
            Cell::Real(self.rsquare),
            Cell::Real(self.slope),
            Cell::Real(self.variance),
            Cell::Real(self.rvariance),
            Cell::Real(self.interception),
            Cell::Reals(values),
        ]
    }

    fn side(&self) -> [Cell<'static>; 5] {
        [
            self.rsquare,
            self.slope,
            self.interception,
            self.variance,
            self.rvariance,
        ]
        .map(Cell::Real)
    }
}

/// The values of the line that fits the first elements best, for `length` elements.
pub(super) fn trend(y: &[f64], length: usize) -> Option<Vec<f64>> {
    Some(Line::fit(y)?.values(length))
}

/// Two lines, each counted from its own first element, and how well they fit together.
struct TwoLines {
    split: usize,
    left: Line,
    right: Line,
    rsquare: f64,
    variance: f64,
    rvariance: f64,
}

impl TwoLines {
    /// The split of least squares, of equal ones the first; `None` for fewer than four elements, as a
    /// line takes two.
    fn fit(y: &[f64]) -> Option<Self> {
        let sums = Sums::of(y);
        let split = (2..y.len().checked_sub(1)?)
            .map(|split| {
                (
                    sums.residual(0, split) + sums.residual(split, y.len()),
                    split,
                )
            })
            .min_by(|a, b| a.0.total_cmp(&b.0))?
            .1;
        let (left, right) = (Line::fit(&y[..split])?, Line::fit(&y[split..])?);
        let degrees = (y.len() - 1) as f64;
        let side = |line: &Line, length: usize| line.rvariance * (length - 1) as f64;
        let residual = side(&left, split) + side(&right, y.len() - split);
        let variance = super::stats::variance(y, mean(y));
        Some(Self {
            split,
            left,
            right,
            rsquare: 1.0 - residual / (variance * degrees),
            variance,
            rvariance: residual / degrees,
        })
    }

    fn values(&self, length: usize) -> Vec<f64> {
        let mut values = self.left.values(self.split);
        values.extend(self.right.values(length - self.split));
        values
    }

    /// What is said of both lines together: the first columns of [`TWO_LINES`].
    fn cells<'v>(&self, values: &'v [f64]) -> [Cell<'v>; 5] {
        [
            Cell::Real(self.rsquare),
            Cell::Long(self.split as i64),
            Cell::Real(self.variance),
            Cell::Real(self.rvariance),
            Cell::Reals(values),
        ]
    }
}

/// Running sums over a series, so that how well a line fits a part of it takes no pass.
struct Sums {
    /// Of x, y, x², xy, y², each counted from the middle, up to each element.
    until: Vec<[f64; 5]>,
}

impl Sums {
    fn of(y: &[f64]) -> Self {
        let (x_mean, y_mean) = ((y.len() as f64 - 1.0) / 2.0, mean(y));
        let mut until = Vec::with_capacity(y.len() + 1);
        let mut sums = [0.0; 5];
        until.push(sums);
        for (index, y) in y.iter().enumerate() {
            let (x, y) = (index as f64 - x_mean, y - y_mean);
            for (sum, term) in sums.iter_mut().zip([x, y, x * x, x * y, y * y]) {
                *sum += term;
            }
            until.push(sums);
        }
        Self { until }
    }

    /// The sum of squares that the best line leaves of some elements.
    fn residual(&self, from: usize, to: usize) -> f64 {
        let (low, high) = (&self.until[from], &self.until[to]);
        let [x, y, xx, xy, yy] = std::array::from_fn(|index| high[index] - low[index]);
        let count = (to - from) as f64;
        let (xx, xy, yy) = (xx - x * x / count, xy - x * y / count, yy - y * y / count);
        (yy - xy * xy / xx).max(0.0)
    }
}

/// The columns of each series; nulls where there is nothing to fit.
fn columns(
    a: &Args<'_>,
    fields: &[ResultColumn],
    mut push: impl FnMut(&[f64], &mut Columns) -> Option<Result<()>>,
) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let mut columns = Columns::new(fields, a.rows());
    let mut values = Vec::new();
    for row in 0..a.rows() {
        let is_series = read_reals(series.get(row), &mut values)?;
        match is_series.then(|| push(&values, &mut columns)).flatten() {
            Some(pushed) => pushed?,
            None => columns.push_null()?,
        }
    }
    columns.finish()
}

/// The bag of each series; null where there is nothing to fit.
fn bags(
    a: &Args<'_>,
    mut write: impl FnMut(&[f64], &mut String) -> Option<()>,
) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let mut values = Vec::new();
    args::written_option(a.rows(), |row, out| {
        Ok(read_reals(series.get(row), &mut values)? && write(&values, out).is_some())
    })
}
