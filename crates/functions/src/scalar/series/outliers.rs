//! `series_outliers`: how far elements lie outside of what is usual, by Tukey's fences.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Dynamic, Real, String as Text};

use super::{Number, read, write_reals};
use crate::args::{self, Args};
use crate::registry::{
    Overload,
    Param::{Const, Is},
    ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[ScalarFunction::new(
    "series_outliers",
    "How far each element lies outside of the usual range; beyond 1.5 it is an outlier.",
    &[Overload::new(
        &[Is(Dynamic), Const(Text), Is(Real), Is(Real), Is(Real)],
        Dynamic,
        outliers,
    )
    .required(1)],
)
.named_after_argument()];

/// Between which percentiles an element is usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fences {
    /// The quartiles.
    Tukey,
    /// The 10th and the 90th percentile.
    Custom,
}

impl Fences {
    pub(super) fn from_name(name: &str) -> Result<Self> {
        match name {
            "tukey" => Ok(Self::Tukey),
            "ctukey" => Ok(Self::Custom),
            _ => exec_err!("outliers are found by `tukey` or `ctukey`, not by `{name}`"),
        }
    }

    fn percentiles(self) -> (f64, f64) {
        match self {
            Self::Tukey => (25.0, 75.0),
            Self::Custom => (10.0, 90.0),
        }
    }

    /// What a distance in ranges is multiplied with. With it, 1.5 is as rare in normally distributed
    /// numbers whichever the percentiles; the quartiles of those stand at 0.675, and the outer
    /// percentiles at what Kusto takes for 1.2816.
    ///
    /// <https://github.com/microsoft/Kusto-Query-Language/issues/136>
    fn scale(self) -> f64 {
        const QUARTILE: f64 = 0.675;
        const OUTER: f64 = 1.296_820_82;
        match self {
            Self::Tukey => 1.0,
            Self::Custom => 1.5 * 2.0 * OUTER / (4.0 * QUARTILE - OUTER),
        }
    }
}

fn outliers(a: &Args<'_>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let fences = Fences::from_name(a.const_str(1).unwrap_or("ctukey"))?;
    let ignored = if a.len() > 2 { Some(a.f64(2)?) } else { None };
    let (mut numbers, mut values) = (Vec::new(), Vec::new());
    args::written_option(a.rows(), |row, out| {
        check_percentiles(a, row, fences)?;
        if !read(series.get(row), &mut numbers)? {
            return Ok(false);
        }
        let ignored = ignored.and_then(|ignored| ignored.get(row));
        values.clear();
        values.extend(numbers.iter().map(|number| {
            let value = number.map(Number::real);
            value.filter(|value| value.is_finite() && Some(*value) != ignored)
        }));
        write_reals(out, &scores(&values, fences)?);
        Ok(true)
    })
}

/// How Kusto scales scores for other percentiles than the usual is not published.
fn check_percentiles(a: &Args<'_>, row: usize, fences: Fences) -> Result<()> {
    let usual = fences.percentiles();
    for (index, usual) in [(3, usual.0), (4, usual.1)] {
        let given = if a.len() > index {
            a.f64(index)?.get(row)
        } else {
            None
        };
        if given.is_some_and(|given| given != usual) && fences == Fences::Custom {
            return exec_err!("`series_outliers` takes no other percentiles than 10 and 90");
        }
    }
    Ok(())
}

/// The scores of a series; what is missing is usual.
pub(super) fn scores(values: &[Option<f64>], fences: Fences) -> Result<Vec<f64>> {
    let mut sorted: Vec<f64> = values.iter().copied().flatten().collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = fences.percentiles();
    let (Some(low), Some(high)) = (percentile(&sorted, low), percentile(&sorted, high)) else {
        return Ok(vec![0.0; values.len()]);
    };
    let score = |value: &Option<f64>| {
        let beyond = match value {
            Some(value) if *value > high => value - high,
            Some(value) if *value < low => value - low,
            _ => return Ok(0.0),
        };
        if high == low {
            return exec_err!(
                "outliers of a series can't be scored when most of its elements are the same"
            );
        }
        Ok(beyond / (high - low) * fences.scale())
    };
    values.iter().map(score).collect()
}

/// A percentile of sorted values, between two of them if need be.
fn percentile(sorted: &[f64], percentile: f64) -> Option<f64> {
    let place = percentile / 100.0 * sorted.len().checked_sub(1)? as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}
