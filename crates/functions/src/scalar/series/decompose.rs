//! A series taken apart into what repeats, what grows, and the rest.
//!
//! What repeats is, for each place in the period, the median of the elements there; what grows is the
//! average of the rest or a line through it. How Kusto finds a period by itself is not published, so
//! that it must be said.
//!
//! <https://learn.microsoft.com/kusto/query/series-decompose-function>

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use datafusion_common::{Result, exec_err};
use kql::Type::{Dynamic, Long, Real, String as Text};

use super::outliers::{Fences, scores};
use super::{Cell, Columns, column, fit, mean, read_reals, write_reals};
use crate::args::{self, Args, Prim};
use crate::registry::{
    Overload,
    Param::{Const, Is},
    ResultColumn, ScalarFunction,
};

/// Shortest period that Kusto finds by itself, in a series that holds it twice.
///
/// <https://learn.microsoft.com/kusto/query/series-periods-detect-function>
const PERIOD_MIN: usize = 4;

const COMPONENTS: &[ResultColumn] = &[
    column("baseline", Dynamic),
    column("seasonal", Dynamic),
    column("trend", Dynamic),
    column("residual", Dynamic),
];

const ANOMALIES: &[ResultColumn] = &[
    column("ad_flag", Dynamic),
    column("ad_score", Dynamic),
    column("baseline", Dynamic),
];

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "series_seasonal",
        "What repeats in a series with a period.",
        &[Overload::new(&[Is(Dynamic), Is(Long), Is(Long)], Dynamic, seasonal_series).required(1)],
    ),
    ScalarFunction::new(
        "series_decompose",
        "A series' baseline, what repeats, what grows, and the rest, as columns.",
        &[Overload::columns(
            &[Is(Dynamic), Is(Long), Const(Text), Is(Long), Is(Real)],
            COMPONENTS,
            |a| {
                components(
                    a,
                    Options {
                        period: 1,
                        trend: 2,
                        test_points: Some(3),
                    },
                )
            },
        )
        .required(1)],
    ),
    ScalarFunction::new(
        "series_decompose_forecast",
        "What a series would go on like, with what repeats, what grows, and the rest, as columns.",
        &[Overload::columns(
            &[Is(Dynamic), Is(Long), Is(Long), Const(Text), Is(Real)],
            COMPONENTS,
            |a| {
                components(
                    a,
                    Options {
                        period: 2,
                        trend: 3,
                        test_points: Some(1),
                    },
                )
            },
        )
        .required(2)],
    ),
    ScalarFunction::new(
        "series_decompose_anomalies",
        "Which elements of a series its baseline does not explain, as columns.",
        &[Overload::columns(
            &[
                Is(Dynamic),
                Is(Real),
                Is(Long),
                Const(Text),
                Is(Long),
                Const(Text),
                Is(Real),
            ],
            ANOMALIES,
            anomalies,
        )
        .required(1)],
    ),
];

/// At which arguments the options of a decomposition stand.
#[derive(Clone, Copy)]
struct Options {
    period: usize,
    trend: usize,
    test_points: Option<usize>,
}

#[derive(Clone, Copy)]
enum Trend {
    None,
    Average,
    Line,
}

/// The options of a decomposition, read.
struct Decomposer<'a> {
    period: Option<Prim<'a, Int64Type>>,
    trend: Trend,
    test_points: Option<Prim<'a, Int64Type>>,
}

struct Components {
    baseline: Vec<f64>,
    seasonal: Vec<f64>,
    trend: Vec<f64>,
    residual: Vec<f64>,
}

impl<'a> Decomposer<'a> {
    fn new(a: &Args<'a>, options: Options) -> Result<Self> {
        let long = |index: usize| (index < a.len()).then(|| a.i64(index)).transpose();
        Ok(Self {
            period: long(options.period)?,
            trend: match a.const_str(options.trend).unwrap_or("avg") {
                "avg" => Trend::Average,
                "linefit" => Trend::Line,
                "none" => Trend::None,
                other => {
                    return exec_err!("a trend is `avg`, `linefit` or `none`, not `{other}`");
                }
            },
            test_points: options.test_points.map(long).transpose()?.flatten(),
        })
    }

    /// The parts of a series; `None` if too few elements are left to learn from.
    fn decompose(&self, row: usize, series: &[f64]) -> Result<Option<Components>> {
        let learned = learned(series, self.test_points.and_then(|points| points.get(row)));
        let period = period(self.period.and_then(|period| period.get(row)), learned)?;
        let Some(seasonal) = seasonal(series.len(), learned, period) else {
            return Ok(None);
        };
        let rest: Vec<f64> = learned.iter().zip(&seasonal).map(|(x, s)| x - s).collect();
        let trend = match self.trend {
            Trend::None => Some(vec![0.0; series.len()]),
            Trend::Average => (!rest.is_empty()).then(|| vec![mean(&rest); series.len()]),
            Trend::Line => fit::trend(&rest, series.len()),
        };
        let Some(trend) = trend else {
            return Ok(None);
        };
        let baseline: Vec<f64> = seasonal.iter().zip(&trend).map(|(s, t)| s + t).collect();
        let residual = series.iter().zip(&baseline).map(|(x, b)| x - b).collect();
        Ok(Some(Components {
            baseline,
            seasonal,
            trend,
            residual,
        }))
    }
}

/// The elements before the points that are set apart.
fn learned(series: &[f64], test_points: Option<i64>) -> &[f64] {
    let points = usize::try_from(test_points.unwrap_or(0)).unwrap_or(0);
    &series[..series.len().saturating_sub(points)]
}

/// The number of elements after which a series repeats, 0 if it does not.
fn period(period: Option<i64>, learned: &[f64]) -> Result<usize> {
    match period.unwrap_or(-1) {
        -1 if learned.len() < 2 * PERIOD_MIN => Ok(0),
        -1 => exec_err!(
            "finding the period of a series is not supported; \
             say how many elements it has, or 0 if there is none"
        ),
        period => Ok(usize::try_from(period).unwrap_or(0)),
    }
}

/// What repeats, for `length` elements; `None` if a place in the period has no element to learn from.
fn seasonal(length: usize, learned: &[f64], period: usize) -> Option<Vec<f64>> {
    if period == 0 {
        return Some(vec![0.0; length]);
    }
    let mut places = Vec::new();
    let medians = (0..period.min(length))
        .map(|place| {
            places.clear();
            places.extend(learned.iter().skip(place).step_by(period).copied());
            median(&mut places)
        })
        .collect::<Option<Vec<f64>>>()?;
    Some((0..length).map(|index| medians[index % period]).collect())
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(match values.len().is_multiple_of(2) {
        true => f64::midpoint(values[middle - 1], upper),
        false => upper,
    })
}

fn seasonal_series(a: &Args<'_>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let long = |index: usize| (index < a.len()).then(|| a.i64(index)).transpose();
    let (periods, test_points) = (long(1)?, long(2)?);
    let mut values = Vec::new();
    args::written_option(a.rows(), |row, out| {
        if !read_reals(series.get(row), &mut values)? {
            return Ok(false);
        }
        let learned = learned(&values, test_points.and_then(|points| points.get(row)));
        let period = period(periods.and_then(|period| period.get(row)), learned)?;
        match seasonal(values.len(), learned, period) {
            Some(seasonal) => write_reals(out, &seasonal),
            None => return Ok(false),
        }
        Ok(true)
    })
}

fn components(a: &Args<'_>, options: Options) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let decomposer = Decomposer::new(a, options)?;
    let mut columns = Columns::new(COMPONENTS, a.rows());
    let mut values = Vec::new();
    for row in 0..a.rows() {
        let is_series = read_reals(series.get(row), &mut values)?;
        let parts = match is_series {
            true => decomposer.decompose(row, &values)?,
            false => None,
        };
        match &parts {
            Some(parts) => columns.push(&[
                Cell::Reals(&parts.baseline),
                Cell::Reals(&parts.seasonal),
                Cell::Reals(&parts.trend),
                Cell::Reals(&parts.residual),
            ])?,
            None => columns.push_null()?,
        }
    }
    columns.finish()
}

fn anomalies(a: &Args<'_>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let thresholds = if a.len() > 1 { Some(a.f64(1)?) } else { None };
    let decomposer = Decomposer::new(
        a,
        Options {
            period: 2,
            trend: 3,
            test_points: None,
        },
    )?;
    let test_points = if a.len() > 4 { Some(a.i64(4)?) } else { None };
    let fences = Fences::from_name(a.const_str(5).unwrap_or("ctukey"))?;
    let mut columns = Columns::new(ANOMALIES, a.rows());
    let mut values = Vec::new();
    for row in 0..a.rows() {
        if test_points.and_then(|points| points.get(row)).unwrap_or(0) != 0 {
            return exec_err!("`series_decompose_anomalies` sets no test points apart");
        }
        let is_series = read_reals(series.get(row), &mut values)?;
        let Some(parts) = (match is_series {
            true => decomposer.decompose(row, &values)?,
            false => None,
        }) else {
            columns.push_null()?;
            continue;
        };
        let residual: Vec<_> = parts.residual.iter().copied().map(Some).collect();
        let scores = scores(&residual, fences)?;
        let threshold = thresholds.and_then(|t| t.get(row)).unwrap_or(1.5);
        let flag =
            |score: &f64| f64::from(i8::from(*score > threshold) - i8::from(*score < -threshold));
        let flags: Vec<f64> = scores.iter().map(flag).collect();
        columns.push(&[
            Cell::Reals(&flags),
            Cell::Reals(&scores),
            Cell::Reals(&parts.baseline),
        ])?;
    }
    columns.finish()
}
