//! The statistics of a series.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{Bool, Dynamic, Long, Real};

use super::{Cell, Columns, Number, column, mean, read, write_cells};
use crate::args::{self, Args};
use crate::registry::{
    Overload,
    Param::{Const, Is},
    ResultColumn, ScalarFunction,
};

/// `series_stats` gives the first seven of these as columns, `series_stats_dynamic` all in a bag.
const STATISTICS: &[ResultColumn] = &[
    column("min", Real),
    column("min_idx", Long),
    column("max", Real),
    column("max_idx", Long),
    column("avg", Real),
    column("stdev", Real),
    column("variance", Real),
    column("sum", Real),
    column("len", Long),
];

const COLUMNS: &[ResultColumn] = STATISTICS.split_at(7).0;

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "series_stats",
        "The extremes, the average and the spread of a series, as columns.",
        &[
            Overload::columns(&[Is(Dynamic), Const(Bool)], COLUMNS, |a| {
                let mut columns = Columns::new(COLUMNS, a.rows());
                for_each(a, |stats| match stats {
                    Some(stats) => columns.push(&stats.cells()),
                    None => columns.push_null(),
                })?;
                columns.finish()
            })
            .required(1),
        ],
    ),
    ScalarFunction::new(
        "series_stats_dynamic",
        "The extremes, the average, the spread, the sum and the length of a series, as a bag.",
        &[Overload::new(&[Is(Dynamic), Const(Bool)], Dynamic, stats_dynamic).required(1)],
    ),
];

struct Stats {
    min: (usize, f64),
    max: (usize, f64),
    mean: f64,
    variance: f64,
    sum: f64,
    length: usize,
}

impl Stats {
    /// The statistics of the finite elements, unless there are others that must not be ignored.
    fn of(
        series: &[Option<Number>],
        ignore_nonfinite: bool,
        finite: &mut Vec<f64>,
    ) -> Option<Self> {
        finite.clear();
        let (mut min, mut max) = ((0, f64::INFINITY), (0, f64::NEG_INFINITY));
        for (index, number) in series.iter().enumerate() {
            match number.map(Number::real).filter(|value| value.is_finite()) {
                Some(value) => {
                    if value < min.1 {
                        min = (index, value);
                    }
                    if value > max.1 {
                        max = (index, value);
                    }
                    finite.push(value);
                }
                None if ignore_nonfinite => {}
                None => return None,
            }
        }
        if finite.is_empty() {
            return None;
        }
        let mean = mean(finite);
        Some(Self {
            min,
            max,
            mean,
            variance: variance(finite, mean),
            sum: finite.iter().sum(),
            length: series.len(),
        })
    }

    fn cells(&self) -> [Cell<'static>; 9] {
        [
            Cell::Real(self.min.1),
            Cell::Long(self.min.0 as i64),
            Cell::Real(self.max.1),
            Cell::Long(self.max.0 as i64),
            Cell::Real(self.mean),
            Cell::Real(self.variance.sqrt()),
            Cell::Real(self.variance),
            Cell::Real(self.sum),
            Cell::Long(self.length as i64),
        ]
    }
}

/// The sample variance; of one value it is 0, as the aggregate's is.
pub(super) fn variance(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    match values.len() {
        0 | 1 => 0.0,
        count => squares / (count - 1) as f64,
    }
}

fn for_each(a: &Args<'_>, mut each: impl FnMut(Option<Stats>) -> Result<()>) -> Result<()> {
    let series = a.str(0)?;
    let ignore = if a.len() > 1 { Some(a.bool(1)?) } else { None };
    let (mut numbers, mut finite) = (Vec::new(), Vec::new());
    for row in 0..a.rows() {
        let ignore = ignore.is_some_and(|ignore| ignore.get(row) == Some(true));
        let is_series = read(series.get(row), &mut numbers)?;
        let stats = is_series.then(|| Stats::of(&numbers, ignore, &mut finite));
        each(stats.flatten())?;
    }
    Ok(())
}

fn stats_dynamic(a: &Args<'_>) -> Result<ArrayRef> {
    let mut out = args::Strings::new(a.rows());
    let mut buffer = String::new();
    for_each(a, |stats| {
        buffer.clear();
        if let Some(stats) = &stats {
            write_cells(&mut buffer, STATISTICS, &stats.cells());
        }
        out.push_option(stats.is_some().then_some(buffer.as_str()))
    })?;
    Ok(out.finish())
}
