//! `tostring()` and its kin: conversions between types. They never fail: what does not convert is
//! null, or `""` for a string. The one exception is a datetime or timespan that exists in KQL but
//! that nanoseconds do not reach.

mod decimal;
mod json;
mod read;
mod real_text;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;
use datafusion_common::{Result, exec_err};
use kql::Type::{
    Bool, Datetime, Decimal, Dynamic, Guid, Int, Long, Real, String as Text, Timespan,
};
use kql::value;

use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ScalarFunction};
use crate::{dynamic, time};

use self::read::parse_guid;

pub(super) use json::FUNCTIONS as JSON_FUNCTIONS;

pub(crate) use decimal::{decimal_text, parse_decimal};
pub(crate) use read::{parse_bool, parse_long, parse_real};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "tostring",
        "A value as text; null gives the empty string.",
        &[
            Overload::new(&[Is(Text)], Text, |a| a.array(0)),
            Overload::new(&[Is(Dynamic)], Text, |a| {
                let x = a.str(0)?;
                args::written(a.rows(), |row, out| {
                    out.push_str(&dynamic::to_text(x.text(row)));
                    Ok(())
                })
            }),
            Overload::new(&[Is(Guid)], Text, |a| {
                let x = a.str(0)?;
                args::strs(a.rows(), |row| x.text(row))
            }),
            Overload::new(&[Is(Bool)], Text, |a| {
                let x = a.bool(0)?;
                args::strs(a.rows(), |row| match x.get(row) {
                    Some(true) => "True",
                    Some(false) => "False",
                    None => "",
                })
            }),
            Overload::new(&[Is(Int)], Text, |a| display(a, a.i32(0)?)),
            Overload::new(&[Is(Long)], Text, |a| display(a, a.i64(0)?)),
            Overload::new(&[Is(Real)], Text, |a| {
                let x = a.f64(0)?;
                args::written(a.rows(), |row, out| {
                    if let Some(x) = x.get(row) {
                        real_text::write(out, x);
                    }
                    Ok(())
                })
            }),
            Overload::new(&[Is(Decimal)], Text, |a| {
                let x = a.decimal(0)?;
                text(a, |row| x.get(row).map(decimal_text))
            }),
            Overload::new(&[Is(Datetime)], Text, |a| {
                let x = a.datetime(0)?;
                text(a, |row| x.get(row).map(time::format_nanos))
            }),
            Overload::new(&[Is(Timespan)], Text, |a| {
                let x = a.timespan(0)?;
                text(a, |row| x.get(row).map(time::format_span))
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "tolong",
        "A value as a long.",
        &[
            Overload::new(&[Is(Long)], Long, |a| a.array(0)),
            Overload::new(&[Is(Int)], Long, |a| {
                let x = a.i32(0)?;
                args::longs(a.rows(), |row| x.get(row).map(i64::from))
            }),
            Overload::new(&[Is(Text)], Long, |a| {
                let x = a.str(0)?;
                args::longs(a.rows(), |row| parse_long(x.text(row)))
            }),
            Overload::new(&[Is(Dynamic)], Long, |a| {
                let x = a.str(0)?;
                args::longs(a.rows(), |row| dynamic::to_long(x.get(row)?))
            }),
            Overload::new(&[Is(Real)], Long, |a| {
                let x = a.f64(0)?;
                args::longs(a.rows(), |row| x.get(row).map(|x| x as i64))
            })
            .folded(|a| {
                let x = a.f64(0)?;
                args::longs(a.rows(), |row| x.get(row).map(truncated_long))
            }),
            Overload::new(&[Is(Bool)], Long, |a| {
                let x = a.bool(0)?;
                args::longs(a.rows(), |row| x.get(row).map(i64::from))
            }),
            Overload::new(&[Is(Decimal)], Long, |a| {
                let x = a.decimal(0)?;
                args::longs(a.rows(), |row| {
                    i64::try_from(x.get(row)? / DECIMAL_ONE).ok()
                })
            }),
            Overload::new(&[Is(Datetime)], Long, |a| {
                let x = a.datetime(0)?;
                args::longs(a.rows(), |row| x.get(row).map(time::ticks_from_nanos))
            }),
            Overload::new(&[Is(Timespan)], Long, |a| {
                let x = a.timespan(0)?;
                args::longs(a.rows(), |row| x.get(row).map(time::ticks_from_span))
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "toint",
        "A value as an int.",
        &[
            Overload::new(&[Is(Int)], Int, |a| a.array(0)),
            Overload::new(&[Is(Long)], Int, |a| {
                let x = a.i64(0)?;
                ints(a, |row| x.get(row).map(|x| x as i32))
            }),
            Overload::new(&[Is(Text)], Int, |a| {
                let x = a.str(0)?;
                ints(a, |row| parse_long(x.text(row))?.try_into().ok())
            }),
            Overload::new(&[Is(Dynamic)], Int, |a| {
                let x = a.str(0)?;
                ints(a, |row| dynamic_int(x.get(row)?))
            }),
            Overload::new(&[Is(Real)], Int, |a| {
                let x = a.f64(0)?;
                ints(a, |row| x.get(row).map(|x| x as i32))
            })
            .folded(|a| {
                let x = a.f64(0)?;
                let Some(value) = x.get(0).filter(|x| x.trunc() != f64::from(*x as i32)) else {
                    return ints(a, |row| x.get(row).map(|x| x as i32));
                };
                // Of longs Kusto makes other constants than columns; of ints nothing is known.
                exec_err!(
                    "`toint` of the constant {value}, which is out of range, is not supported"
                )
            }),
            Overload::new(&[Is(Bool)], Int, |a| {
                let x = a.bool(0)?;
                ints(a, |row| x.get(row).map(i32::from))
            }),
            Overload::new(&[Is(Decimal)], Int, |a| {
                let x = a.decimal(0)?;
                ints(a, |row| (x.get(row)? / DECIMAL_ONE).try_into().ok())
            }),
            Overload::new(&[Is(Timespan)], Int, |a| {
                let x = a.timespan(0)?;
                ints(a, |row| x.get(row).map(|x| time::ticks_from_span(x) as i32))
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "toreal",
        "A value as a real.",
        &[
            Overload::new(&[Is(Real)], Real, |a| a.array(0)),
            Overload::new(&[Is(Long)], Real, |a| {
                let x = a.i64(0)?;
                args::reals(a.rows(), |row| x.get(row).map(|x| x as f64))
            }),
            Overload::new(&[Is(Int)], Real, |a| {
                let x = a.i32(0)?;
                args::reals(a.rows(), |row| x.get(row).map(f64::from))
            }),
            Overload::new(&[Is(Text)], Real, |a| {
                let x = a.str(0)?;
                args::reals(a.rows(), |row| parse_real(x.text(row)))
            }),
            Overload::new(&[Is(Dynamic)], Real, |a| {
                let x = a.str(0)?;
                args::reals(a.rows(), |row| dynamic::to_real(x.get(row)?))
            }),
            Overload::new(&[Is(Bool)], Real, |a| {
                let x = a.bool(0)?;
                args::reals(a.rows(), |row| x.get(row).map(|x| f64::from(u8::from(x))))
            }),
            Overload::new(&[Is(Decimal)], Real, |a| {
                let x = a.decimal(0)?;
                args::reals(a.rows(), |row| decimal_text(x.get(row)?).parse().ok())
            }),
            Overload::new(&[Is(Datetime)], Real, |a| {
                let x = a.datetime(0)?;
                args::reals(a.rows(), |row| {
                    x.get(row).map(|x| time::ticks_from_nanos(x) as f64)
                })
            }),
            Overload::new(&[Is(Timespan)], Real, |a| {
                let x = a.timespan(0)?;
                args::reals(a.rows(), |row| {
                    x.get(row).map(|x| time::ticks_from_span(x) as f64)
                })
            }),
        ],
    )
    .aliases(&["todouble"])
    .named_after_argument(),
    ScalarFunction::new(
        "todecimal",
        "A value as a decimal.",
        &[
            Overload::new(&[Is(Decimal)], Decimal, |a| a.array(0)),
            Overload::new(&[Is(Text)], Decimal, |a| {
                let x = a.str(0)?;
                args::decimals(a.rows(), |row| Ok(parse_decimal(x.text(row).trim())))
            }),
            Overload::new(&[Is(Long)], Decimal, |a| {
                let x = a.i64(0)?;
                args::decimals(a.rows(), |row| {
                    Ok(x.get(row).map(|x| i128::from(x) * DECIMAL_ONE))
                })
            }),
            Overload::new(&[Is(Real)], Decimal, |a| {
                let x = a.f64(0)?;
                args::decimals(a.rows(), |row| {
                    Ok(parse_decimal(&x.get(row).unwrap_or(f64::NAN).to_string()))
                })
            }),
            Overload::new(&[Is(Dynamic)], Decimal, |a| {
                let x = a.str(0)?;
                args::decimals(a.rows(), |row| {
                    Ok(parse_decimal(&dynamic::to_text(x.text(row))))
                })
            }),
            Overload::new(&[Is(Bool)], Decimal, |a| {
                let x = a.bool(0)?;
                args::decimals(a.rows(), |row| {
                    Ok(x.get(row).map(|x| i128::from(x) * DECIMAL_ONE))
                })
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "tobool",
        "A value as a bool.",
        &[
            Overload::new(&[Is(Bool)], Bool, |a| a.array(0)),
            Overload::new(&[Is(Text)], Bool, |a| {
                let x = a.str(0)?;
                args::bools(a.rows(), |row| parse_bool(x.text(row)))
            }),
            Overload::new(&[Is(Long)], Bool, |a| {
                let x = a.i64(0)?;
                args::bools(a.rows(), |row| x.get(row).map(|x| x != 0))
            }),
            Overload::new(&[Is(Real)], Bool, |a| {
                let x = a.f64(0)?;
                args::bools(a.rows(), |row| x.get(row).map(|x| x != 0.0))
            }),
            Overload::new(&[Is(Dynamic)], Bool, |a| {
                let x = a.str(0)?;
                args::bools(a.rows(), |row| dynamic::to_bool(x.get(row)?))
            }),
        ],
    )
    .aliases(&["toboolean"])
    .named_after_argument(),
    ScalarFunction::new(
        "todatetime",
        "A value as a datetime.",
        &[
            Overload::new(&[Is(Datetime)], Datetime, |a| a.array(0)),
            Overload::new(&[Is(Text)], Datetime, |a| {
                let x = a.str(0)?;
                args::datetimes(a.rows(), |row| parse_datetime(x.text(row)))
            }),
            Overload::new(&[Is(Dynamic)], Datetime, |a| {
                let x = a.str(0)?;
                args::datetimes(a.rows(), |row| {
                    parse_datetime(&dynamic::to_text(x.text(row)))
                })
            }),
            Overload::new(&[Is(Long)], Datetime, |a| {
                let x = a.i64(0)?;
                args::datetimes(a.rows(), |row| {
                    x.get(row).map_or(Ok(None), datetime_of_ticks)
                })
            }),
            Overload::new(&[Is(Real)], Datetime, |a| {
                let x = a.f64(0)?;
                args::datetimes(a.rows(), |row| {
                    let x = x.get(row).filter(|x| !x.is_nan());
                    x.map_or(Ok(None), |ticks| datetime_of_ticks(ticks as i64))
                })
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "totimespan",
        "A value as a timespan.",
        &[
            Overload::new(&[Is(Timespan)], Timespan, |a| a.array(0)),
            Overload::new(&[Is(Text)], Timespan, |a| {
                let x = a.str(0)?;
                args::timespans(a.rows(), |row| parse_timespan(x.text(row)))
            }),
            Overload::new(&[Is(Dynamic)], Timespan, |a| {
                let x = a.str(0)?;
                args::timespans(a.rows(), |row| {
                    parse_timespan(&dynamic::to_text(x.get(row)?))
                })
            }),
            Overload::new(&[Is(Long)], Timespan, |a| {
                let x = a.i64(0)?;
                args::timespans(a.rows(), |row| {
                    x.get(row)?.checked_mul(time::NANOS_PER_TICK)
                })
            }),
        ],
    )
    .aliases(&["totime"])
    .named_after_argument(),
    ScalarFunction::new(
        "toguid",
        "Text as a guid.",
        &[
            Overload::new(&[Is(Guid)], Guid, |a| a.array(0)),
            Overload::new(&[Is(Text)], Guid, |a| {
                let x = a.str(0)?;
                guids(a, |row| parse_guid(x.text(row)))
            }),
            Overload::new(&[Is(Dynamic)], Guid, |a| {
                let x = a.str(0)?;
                guids(a, |row| parse_guid(&dynamic::to_text(x.text(row))))
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "parse_json",
        "Text read as JSON; what is no JSON becomes a string.",
        &[
            Overload::new(&[Is(Dynamic)], Dynamic, |a| a.array(0)),
            Overload::new(&[Is(Text)], Dynamic, |a| {
                let x = a.str(0)?;
                args::written_option(a.rows(), |row, out| {
                    let text = x.text(row);
                    if !text.is_empty() {
                        dynamic::write_parsed(out, text);
                    }
                    Ok(dynamic::non_null(out).is_some())
                })
            }),
        ],
    )
    .aliases(&["parsejson", "todynamic", "toobject"])
    .named_after_argument(),
];

/// What a decimal is scaled by.
const DECIMAL_ONE: i128 = 1_000_000_000_000_000_000;

/// A constant real as a long. In a column what is out of range becomes the nearest long; of constants
/// Kusto makes the least one.
fn truncated_long(value: f64) -> i64 {
    const RANGE: std::ops::Range<f64> = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
    if RANGE.contains(&value) {
        value as i64
    } else {
        i64::MIN
    }
}

fn display<T: arrow::datatypes::ArrowPrimitiveType>(
    a: &Args<'_>,
    x: args::Prim<'_, T>,
) -> Result<ArrayRef>
where
    T::Native: std::fmt::Display,
{
    use std::fmt::Write as _;
    args::written(a.rows(), |row, out| {
        if let Some(x) = x.get(row) {
            let _ = write!(out, "{x}");
        }
        Ok(())
    })
}

fn text(a: &Args<'_>, value: impl Fn(usize) -> Option<String>) -> Result<ArrayRef> {
    args::written(a.rows(), |row, out| {
        out.push_str(&value(row).unwrap_or_default());
        Ok(())
    })
}

fn ints(a: &Args<'_>, value: impl FnMut(usize) -> Option<i32>) -> Result<ArrayRef> {
    args::primitive::<Int32Type>(a.rows(), value)
}

fn guids(a: &Args<'_>, value: impl Fn(usize) -> Option<String>) -> Result<ArrayRef> {
    args::written_option(a.rows(), |row, out| {
        let guid = value(row);
        out.push_str(guid.as_deref().unwrap_or(""));
        Ok(guid.is_some())
    })
}

/// A datetime of ticks since 0001; null if KQL has none.
fn datetime_of_ticks(ticks: i64) -> Result<Option<i64>> {
    let ticks = (0..=value::datetime::MAX_TICKS)
        .contains(&ticks)
        .then_some(ticks);
    ticks.map(time::nanos_from_ticks).transpose()
}

pub(super) fn parse_datetime(text: &str) -> Result<Option<i64>> {
    value::datetime::parse(text)
        .map(time::nanos_from_ticks)
        .transpose()
}

pub(super) fn parse_timespan(text: &str) -> Option<i64> {
    value::timespan::parse(text)?.checked_mul(time::NANOS_PER_TICK)
}

fn dynamic_int(value: &str) -> Option<i32> {
    match dynamic::kind(value) {
        dynamic::Kind::Real => value.parse::<f64>().ok().map(|x| x as i32),
        dynamic::Kind::String => dynamic::to_long(value)?.try_into().ok(),
        _ => dynamic::to_long(value).map(|x| x as i32),
    }
}
