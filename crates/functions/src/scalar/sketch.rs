//! Reading the sketches that `hll()` and `tdigest()` give.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::{Result, exec_err};
use kql::Type::{Datetime, Dynamic, Long, Real, Timespan};

use crate::aggregate::hll::{self, Hll, Precision};
use crate::aggregate::sketch::{Kind, Quantile, Sketch, from_real};
use crate::aggregate::text;
use crate::args::{self, Args};
use crate::dynamic;
use crate::registry::{Overload, Param::Is, ResultName, ScalarFunction};
use crate::scalar::write_array;
use crate::time;

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "dcount_hll",
        "About how many different values a result of `hll()` has.",
        &[Overload::new(&[Is(Dynamic)], Long, dcount_hll)],
    )
    .result_name(ResultName::Prefix("dcount_hll")),
    ScalarFunction::new(
        "hll_merge",
        "Several results of `hll()` as one.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, hll_merge).variadic()],
    )
    .result_name(ResultName::Fixed("hll_merged_result")),
    ScalarFunction::new(
        "__dcount_intersect",
        "About how many different values the first results of `hll()` have in common: one, two, and so on.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, dcount_intersect).variadic()],
    ),
    ScalarFunction::new(
        "tdigest_merge",
        "Several results of `tdigest()` as one.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, tdigest_merge).variadic()],
    )
    .aliases(&["merge_tdigest"])
    .result_name(ResultName::Fixed("tdigests_merge_result")),
    ScalarFunction::new(
        "percentile_tdigest",
        "A percentile of the values that a result of `tdigest()` has.",
        &[Overload::new(
            &[Is(Dynamic), Is(Real)],
            Dynamic,
            percentile_tdigest,
        )],
    )
    .result_name(ResultName::Prefix("percentile_tdigest")),
    ScalarFunction::new(
        "percentiles_array_tdigest",
        "Percentiles of the values that a result of `tdigest()` has.",
        &[
            Overload::new(&[Is(Dynamic), Is(Real)], Dynamic, percentiles).variadic(),
            Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, percentiles_of_array),
        ],
    )
    .result_name(ResultName::Prefix("percentile_tdigest")),
    ScalarFunction::new(
        "rank_tdigest",
        "About how many of the values that a result of `tdigest()` has are at most another.",
        &[
            Overload::new(&[Is(Dynamic), Is(Real)], Real, |a| rank(a, false)),
            Overload::new(&[Is(Dynamic), Is(Long)], Real, |a| rank(a, false)),
            Overload::new(&[Is(Dynamic), Is(Datetime)], Real, |a| rank(a, false)),
            Overload::new(&[Is(Dynamic), Is(Timespan)], Real, |a| rank(a, false)),
        ],
    ),
    ScalarFunction::new(
        "percentrank_tdigest",
        "About how many percent of the values that a result of `tdigest()` has are at most another.",
        &[
            Overload::new(&[Is(Dynamic), Is(Real)], Real, |a| rank(a, true)),
            Overload::new(&[Is(Dynamic), Is(Long)], Real, |a| rank(a, true)),
            Overload::new(&[Is(Dynamic), Is(Datetime)], Real, |a| rank(a, true)),
            Overload::new(&[Is(Dynamic), Is(Timespan)], Real, |a| rank(a, true)),
        ],
    ),
];

fn dcount_hll(a: &Args<'_>) -> Result<ArrayRef> {
    let sets = a.str(0)?;
    args::try_primitive::<Int64Type>(a.rows(), |row| {
        let set = sets.get(row).map(text::read_hll).transpose()?;
        Ok(set.map(|(precision, set)| set.count(precision)))
    })
}

/// Nulls are left out; the result is null if there is nothing else.
fn hll_merge(a: &Args<'_>) -> Result<ArrayRef> {
    let sets = a.strs(0)?;
    args::written_option(a.rows(), |row, out| {
        let mut merged: Option<(Precision, Hll)> = None;
        for set in sets.iter().filter_map(|set| set.get(row)) {
            let (precision, set) = text::read_hll(set)?;
            match &mut merged {
                None => merged = Some((precision, set)),
                Some((known, merged)) if *known == precision => merged.merge(precision, &set),
                Some(_) => {
                    return exec_err!(
                        "results of `hll()` with different accuracies can't be merged"
                    );
                }
            }
        }
        if let Some((precision, set)) = &merged {
            text::write_hll(out, *precision, set);
        }
        Ok(merged.is_some())
    })
}

/// <https://learn.microsoft.com/kusto/query/dcount-intersect-plugin>
fn dcount_intersect(a: &Args<'_>) -> Result<ArrayRef> {
    let columns = a.strs(0)?;
    args::written_option(a.rows(), |row, out| {
        let mut sets = Vec::with_capacity(columns.len());
        let mut known: Option<Precision> = None;
        for column in &columns {
            let Some(set) = column.get(row) else {
                return Ok(false);
            };
            let (precision, set) = text::read_hll(set)?;
            if *known.get_or_insert(precision) != precision {
                return exec_err!(
                    "results of `hll()` with different accuracies have nothing in common"
                );
            }
            sets.push(set);
        }
        let Some(precision) = known else {
            return Ok(false);
        };
        let counts = hll::intersections(precision, &sets)?;
        let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
        write_array(out, counts.iter().map(String::as_str));
        Ok(true)
    })
}

/// As [`hll_merge`].
fn tdigest_merge(a: &Args<'_>) -> Result<ArrayRef> {
    let sketches = a.strs(0)?;
    args::written_option(a.rows(), |row, out| {
        let mut merged: Option<Sketch> = None;
        for sketch in sketches.iter().filter_map(|sketch| sketch.get(row)) {
            let sketch = text::read_digest(sketch)?;
            match &mut merged {
                None => merged = Some(sketch),
                Some(merged) => merged.merge(sketch)?,
            }
        }
        if let Some(sketch) = &merged {
            text::write_digest(out, sketch);
        }
        Ok(merged.is_some())
    })
}

/// Appends a percentile in the type of the sketch's values; null if there are none.
fn write_percentile(out: &mut String, sketch: &Sketch, percentile: Option<f64>) -> Result<()> {
    let Some(percentile) = percentile else {
        out.push_str("null");
        return Ok(());
    };
    if !(0.0..=100.0).contains(&percentile) {
        return exec_err!("a percentile is a number from 0 to 100, not {percentile}");
    }
    match (sketch.percentile(percentile), sketch.kind) {
        (None, _) => out.push_str("null"),
        (Some(Quantile::Real(value)), _) => dynamic::write_real(out, value),
        (Some(Quantile::Whole(nanos)), Kind::Datetime) => {
            dynamic::write_string(out, &time::format_nanos(nanos));
        }
        (Some(Quantile::Whole(nanos)), Kind::Timespan) => {
            dynamic::write_string(out, &time::format_span(nanos));
        }
        (Some(Quantile::Whole(value)), _) => out.push_str(&value.to_string()),
    }
    Ok(())
}

fn percentile_tdigest(a: &Args<'_>) -> Result<ArrayRef> {
    let (sketches, percentiles) = (a.str(0)?, a.f64(1)?);
    args::written_option(a.rows(), |row, out| {
        let Some(sketch) = sketches.get(row) else {
            return Ok(false);
        };
        write_percentile(out, &text::read_digest(sketch)?, percentiles.get(row))?;
        Ok(out != "null")
    })
}

fn percentiles(a: &Args<'_>) -> Result<ArrayRef> {
    let columns = (1..a.len()).map(|index| a.f64(index));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    write_percentiles(a, |row, list| {
        list.extend(columns.iter().map(|column| column.get(row)));
        Ok(true)
    })
}

fn percentiles_of_array(a: &Args<'_>) -> Result<ArrayRef> {
    let arrays = a.str(1)?;
    write_percentiles(a, |row, list| {
        let array = arrays.get(row).unwrap_or("");
        for element in dynamic::elements(array) {
            match (dynamic::kind(element), dynamic::to_real(element)) {
                (dynamic::Kind::Long | dynamic::Kind::Real, Some(value)) => list.push(Some(value)),
                _ => return exec_err!("a percentile is a number from 0 to 100, not {element}"),
            }
        }
        Ok(dynamic::kind(array) == dynamic::Kind::Array)
    })
}

/// Appends an array of the percentiles that `list` asks for; `false` makes a null.
fn write_percentiles(
    a: &Args<'_>,
    list: impl Fn(usize, &mut Vec<Option<f64>>) -> Result<bool>,
) -> Result<ArrayRef> {
    let sketches = a.str(0)?;
    let mut percentiles = Vec::new();
    args::written_option(a.rows(), |row, out| {
        percentiles.clear();
        let is_list = list(row, &mut percentiles)?;
        let Some(sketch) = sketches.get(row).filter(|_| is_list) else {
            return Ok(false);
        };
        let sketch = text::read_digest(sketch)?;
        out.push('[');
        for (index, percentile) in percentiles.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_percentile(out, &sketch, *percentile)?;
        }
        out.push(']');
        Ok(true)
    })
}

/// A value that is ranked among others.
#[derive(Clone, Copy)]
enum Ranked {
    Real(f64),
    Long(i64),
    Datetime(i64),
    Timespan(i64),
}

impl Ranked {
    fn read(a: &Args<'_>, row: usize) -> Result<Option<Self>> {
        Ok(match a.value(1)?.data_type() {
            DataType::Float64 => a.f64(1)?.get(row).map(Self::Real),
            DataType::Int64 => a.i64(1)?.get(row).map(Self::Long),
            DataType::Duration(_) => a.timespan(1)?.get(row).map(Self::Timespan),
            _ => a.datetime(1)?.get(row).map(Self::Datetime),
        })
    }

    /// The value as a sketch of a type has it; `None` if it is not a number.
    fn among(self, kind: Kind) -> Result<Option<i64>> {
        Ok(match (self, kind) {
            (Self::Real(value), _) if value.is_nan() => None,
            (Self::Real(value), Kind::Real) => Some(from_real(value)),
            (Self::Long(value), Kind::Real) => Some(from_real(value as f64)),
            // Whole numbers that are at most 1.5 are at most 1.
            (Self::Real(value), Kind::Long) => Some(value.floor() as i64),
            (Self::Long(value), Kind::Long)
            | (Self::Datetime(value), Kind::Datetime)
            | (Self::Timespan(value), Kind::Timespan) => Some(value),
            _ => {
                return exec_err!("the value is not of the type of the values in the `tdigest()`");
            }
        })
    }
}

fn rank(a: &Args<'_>, as_percentage: bool) -> Result<ArrayRef> {
    let sketches = a.str(0)?;
    args::try_primitive::<Float64Type>(a.rows(), |row| {
        let (Some(sketch), Some(value)) = (sketches.get(row), Ranked::read(a, row)?) else {
            return Ok(None);
        };
        let sketch = text::read_digest(sketch)?;
        let total = sketch.total() as f64;
        if total == 0.0 {
            return Ok((!as_percentage).then_some(0.0));
        }
        let rank = value.among(sketch.kind)?.map(|value| sketch.rank(value));
        Ok(match as_percentage {
            true => rank.map(|rank| rank / total * 100.0),
            false => rank,
        })
    })
}
