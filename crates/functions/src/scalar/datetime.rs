//! Dates and times: parts of them, their arithmetic by calendar, and their formats.
//!
//! Weeks begin on Sunday; the end of a day, week, month or year is its last tick.

mod format;
mod parts;

use arrow::array::ArrayRef;
use arrow::datatypes::Int32Type;
use datafusion_common::{Result, exec_err};
use kql::Type::{Datetime, Dynamic, Int, Long, Real, String as Text, Timespan};
use kql::value::datetime::{MAX_TICKS, UNIX_EPOCH_TICKS};

use self::parts::Part;
use crate::args::{self, Args};
use crate::registry::{
    Overload,
    Param::{Const, Is},
    ResultName, ScalarFunction,
};
use crate::time::{self, Civil, NANOS_PER_DAY, NANOS_PER_SECOND, NANOS_PER_TICK, nanos_from_ticks};

macro_rules! start_or_end {
    ($name:literal, $doc:literal, $part:expr, $end:literal) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[Overload::new(&[Is(Datetime), Is(Long)], Datetime, |a| {
                boundary(a, $part, $end)
            })
            .required(1)],
        )
    };
}

macro_rules! int_part {
    ($name:literal, $aliases:expr, $doc:literal, $part:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[Overload::new(&[Is(Datetime)], Int, |a| {
                let x = a.datetime(0)?;
                args::primitive::<Int32Type>(a.rows(), |row| Some($part.of(x.get(row)?) as i32))
            })],
        )
        .aliases($aliases)
    };
}

macro_rules! from_unix {
    ($name:literal, $doc:literal, $nanos:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[
                Overload::new(&[Is(Long)], Datetime, |a| {
                    let x = a.i64(0)?;
                    args::datetimes(a.rows(), |row| {
                        x.get(row)
                            .map_or(Ok(None), |x| unix(i128::from(x) * $nanos))
                    })
                }),
                Overload::new(&[Is(Real)], Datetime, |a| {
                    let x = a.f64(0)?;
                    args::datetimes(a.rows(), |row| {
                        let x = x.get(row).filter(|x| !x.is_nan());
                        x.map_or(Ok(None), |x| unix((x * $nanos as f64) as i128))
                    })
                }),
            ],
        )
    };
}

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    start_or_end!("startofday", "The start of the day.", Part::Day, false).named_after_argument(),
    start_or_end!(
        "startofweek",
        "The Sunday on or before the day.",
        Part::Week,
        false
    ),
    start_or_end!(
        "startofmonth",
        "The first of the month.",
        Part::Month,
        false
    ),
    start_or_end!("startofyear", "The first of January.", Part::Year, false),
    start_or_end!("endofday", "The last tick of the day.", Part::Day, true),
    start_or_end!(
        "endofweek",
        "The last tick of the Saturday.",
        Part::Week,
        true
    ),
    start_or_end!(
        "endofmonth",
        "The last tick of the month.",
        Part::Month,
        true
    ),
    start_or_end!("endofyear", "The last tick of the year.", Part::Year, true),
    int_part!("dayofmonth", &[], "The day of the month.", Part::Day),
    int_part!("dayofyear", &[], "The day of the year.", Part::DayOfYear),
    int_part!("hourofday", &[], "The hour of the day.", Part::Hour),
    int_part!("monthofyear", &["getmonth"], "The month.", Part::Month),
    int_part!("getyear", &[], "The year.", Part::Year),
    int_part!(
        "week_of_year",
        &[],
        "The ISO 8601 week of the year.",
        Part::WeekOfYear
    ),
    int_part!(
        "weekofyear",
        &[],
        "The week of the year, whose first holds a Wednesday.",
        Part::OldWeekOfYear
    ),
    ScalarFunction::new(
        "dayofweek",
        "Days since Sunday, as a timespan.",
        &[Overload::new(&[Is(Datetime)], Timespan, |a| {
            let x = a.datetime(0)?;
            args::timespans(a.rows(), |row| {
                Some(time::weekday(time::days(x.get(row)?)) * NANOS_PER_DAY)
            })
        })],
    ),
    ScalarFunction::new(
        "datetime_part",
        "A part of a datetime, by name.",
        &[Overload::new(&[Const(Text), Is(Datetime)], Int, |a| {
            let (part, x) = (const_part(a, Part::extractable)?, a.datetime(1)?);
            args::primitive::<Int32Type>(a.rows(), |row| Some(part.of(x.get(row)?) as i32))
        })],
    )
    .aliases(&["datepart"]),
    ScalarFunction::new(
        "datetime_add",
        "A datetime moved by a number of parts.",
        &[Overload::new(
            &[Const(Text), Is(Long), Is(Datetime)],
            Datetime,
            |a| {
                let (part, by, x) = (const_part(a, Part::countable)?, a.i64(1)?, a.datetime(2)?);
                args::datetimes(a.rows(), |row| match (by.get(row), x.get(row)) {
                    (Some(by), Some(x)) => in_range(part.add(x, by)).map(Some),
                    _ => Ok(None),
                })
            },
        )],
    ),
    ScalarFunction::new(
        "datetime_diff",
        "How many borders of a part lie between two datetimes.",
        &[Overload::new(
            &[Const(Text), Is(Datetime), Is(Datetime)],
            Long,
            |a| {
                let (part, x, y) = (
                    const_part(a, Part::countable)?,
                    a.datetime(1)?,
                    a.datetime(2)?,
                );
                args::longs(a.rows(), |row| {
                    Some(part.difference(x.get(row)?, y.get(row)?))
                })
            },
        )],
    ),
    ScalarFunction::new(
        "make_datetime",
        "A datetime of its parts; null if there is none.",
        &[
            Overload::new(
                &[Is(Long), Is(Long), Is(Long), Is(Long), Is(Long), Is(Real)],
                Datetime,
                make_datetime,
            )
            .required(3),
            Overload::new(&[Is(Text)], Datetime, |a| {
                let x = a.str(0)?;
                args::datetimes(a.rows(), |row| {
                    kql::value::datetime::parse(x.text(row))
                        .map(nanos_from_ticks)
                        .transpose()
                })
            }),
        ],
    )
    .result_name(ResultName::OnlyArgument),
    ScalarFunction::new(
        "make_timespan",
        "A timespan of its parts; null if there is none.",
        &[
            Overload::new(&[Is(Long), Is(Long), Is(Real)], Timespan, |a| {
                make_timespan(a, 0)
            })
            .required(2),
            Overload::new(&[Is(Long), Is(Long), Is(Long), Is(Real)], Timespan, |a| {
                make_timespan(a, 1)
            }),
        ],
    )
    .result_name(ResultName::OnlyArgument),
    ScalarFunction::new(
        "format_datetime",
        "A datetime as text of a given form.",
        &[Overload::new(&[Is(Datetime), Const(Text)], Text, |a| {
            let (x, pattern) = (
                a.datetime(0)?,
                format::compile(const_text(a, 1)?, format::DATETIME)?,
            );
            args::written(a.rows(), |row, out| {
                if let Some(x) = x.get(row) {
                    format::write_datetime(out, &pattern, x);
                }
                Ok(())
            })
        })],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "format_timespan",
        "A timespan as text of a given form.",
        &[Overload::new(&[Is(Timespan), Const(Text)], Text, |a| {
            let (x, pattern) = (
                a.timespan(0)?,
                format::compile(const_text(a, 1)?, format::TIMESPAN)?,
            );
            args::written(a.rows(), |row, out| {
                if let Some(x) = x.get(row) {
                    format::write_timespan(out, &pattern, x);
                }
                Ok(())
            })
        })],
    )
    .named_after_argument(),
    from_unix!(
        "unixtime_seconds_todatetime",
        "Seconds since 1970 as a datetime.",
        1_000_000_000
    ),
    from_unix!(
        "unixtime_milliseconds_todatetime",
        "Milliseconds since 1970 as a datetime.",
        1_000_000
    ),
    from_unix!(
        "unixtime_microseconds_todatetime",
        "Microseconds since 1970 as a datetime.",
        1_000
    ),
    from_unix!(
        "unixtime_nanoseconds_todatetime",
        "Nanoseconds since 1970 as a datetime.",
        1
    ),
    ScalarFunction::new(
        "datetime_local_to_utc",
        "A local datetime of a time zone, in UTC.",
        &[Overload::new(&[Is(Datetime), Is(Text)], Datetime, |a| {
            convert_zone(a, true)
        })],
    ),
    ScalarFunction::new(
        "datetime_utc_to_local",
        "A datetime in UTC, as local to a time zone.",
        &[Overload::new(&[Is(Datetime), Is(Text)], Datetime, |a| {
            convert_zone(a, false)
        })],
    ),
    ScalarFunction::new(
        "datetime_list_timezones",
        "The names of all time zones.",
        &[Overload::new(&[], Dynamic, |a| {
            args::written_option(a.rows(), |_, out| {
                let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
                let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
                super::write_array(out, names.iter().map(String::as_str));
                Ok(true)
            })
        })],
    ),
];

fn const_text<'a>(a: &Args<'a>, index: usize) -> Result<&'a str> {
    match a.const_str(index) {
        Some(text) => Ok(text),
        None => exec_err!("argument {} must be a constant", index + 1),
    }
}

/// The part named by the first argument, if it is among those that `allowed` takes.
fn const_part(a: &Args<'_>, allowed: fn(Part) -> bool) -> Result<Part> {
    let name = const_text(a, 0)?;
    match Part::from_name(name).filter(|part| allowed(*part)) {
        Some(part) => Ok(part),
        None => exec_err!(
            "`{name}` is no part of a datetime; parts are year, quarter, month, week, day, hour, minute, second, millisecond, microsecond, nanosecond"
        ),
    }
}

fn in_range(nanos: Option<i64>) -> Result<i64> {
    match nanos {
        Some(nanos) => Ok(nanos),
        None => exec_err!("a datetime is out of range: Loggia keeps the years 1677 to 2262"),
    }
}

/// Nanoseconds since 1970 as a datetime, without what is below a tick; null if KQL has none.
fn unix(nanos: i128) -> Result<Option<i64>> {
    let ticks = i64::try_from(nanos.div_euclid(i128::from(NANOS_PER_TICK))).ok();
    let ticks = ticks.and_then(|ticks| ticks.checked_add(UNIX_EPOCH_TICKS));
    let ticks = ticks.filter(|ticks| (0..=MAX_TICKS).contains(ticks));
    ticks.map(nanos_from_ticks).transpose()
}

fn boundary(a: &Args<'_>, part: Part, end: bool) -> Result<ArrayRef> {
    let x = a.datetime(0)?;
    let offset = if a.len() > 1 {
        a.i64(1)?
    } else {
        args::Prim::Const(Some(0))
    };
    args::datetimes(a.rows(), |row| {
        let (Some(x), Some(offset)) = (x.get(row), offset.get(row)) else {
            return Ok(None);
        };
        let start = part.start(x);
        let offset = if end {
            offset.saturating_add(1)
        } else {
            offset
        };
        let moved = start.and_then(|start| part.add(start, offset));
        in_range(moved.map(|moved| if end { moved - NANOS_PER_TICK } else { moved })).map(Some)
    })
}

fn make_datetime(a: &Args<'_>) -> Result<ArrayRef> {
    let (year, month, day) = (a.i64(0)?, a.i64(1)?, a.i64(2)?);
    let zero = args::Prim::Const(Some(0));
    let hour = if a.len() > 3 { a.i64(3)? } else { zero };
    let minute = if a.len() > 4 { a.i64(4)? } else { zero };
    let second = if a.len() > 5 {
        a.f64(5)?
    } else {
        args::Prim::Const(Some(0.0))
    };
    args::datetimes(a.rows(), |row| {
        let ticks = (|| {
            let (hour, minute, second) = (hour.get(row)?, minute.get(row)?, second.get(row)?);
            let valid = (0..24).contains(&hour)
                && (0..60).contains(&minute)
                && (0.0..60.0).contains(&second);
            if !valid {
                return None;
            }
            let in_day = (hour * 60 + minute) * 60 * 10_000_000 + (second * 1e7).round() as i64;
            let (month, day) = (
                month.get(row)?.try_into().ok()?,
                day.get(row)?.try_into().ok()?,
            );
            kql::value::datetime::from_parts(year.get(row)?, month, day, in_day)
        })();
        ticks.map(nanos_from_ticks).transpose()
    })
}

/// `make_timespan(hours, minutes[, seconds])`, or with days first if `days` is 1.
fn make_timespan(a: &Args<'_>, days: usize) -> Result<ArrayRef> {
    let day = if days == 1 {
        a.i64(0)?
    } else {
        args::Prim::Const(Some(0))
    };
    let (hour, minute) = (a.i64(days)?, a.i64(days + 1)?);
    let second = if a.len() > days + 2 {
        a.f64(days + 2)?
    } else {
        args::Prim::Const(Some(0.0))
    };
    args::timespans(a.rows(), |row| {
        let (hour, minute, second) = (hour.get(row)?, minute.get(row)?, second.get(row)?);
        let valid =
            (0..24).contains(&hour) && (0..60).contains(&minute) && (0.0..60.0).contains(&second);
        if !valid {
            return None;
        }
        let ticks = (second * 1e7).round() as i64;
        let in_day = (hour * 60 + minute) * 60 * NANOS_PER_SECOND + ticks * NANOS_PER_TICK;
        let days = day.get(row)?.checked_mul(NANOS_PER_DAY)?;
        days.checked_add(in_day)
    })
}

fn convert_zone(a: &Args<'_>, from_local: bool) -> Result<ArrayRef> {
    use chrono::{DateTime, Offset, TimeZone};
    let (x, zone) = (a.datetime(0)?, a.str(1)?);
    args::datetimes(a.rows(), |row| {
        let Some(nanos) = x.get(row) else {
            return Ok(None);
        };
        let name = zone.text(row);
        let Ok(zone) = name.parse::<chrono_tz::Tz>() else {
            return exec_err!("`{name}` is no time zone; zones are named as `Europe/Berlin`");
        };
        let naive = DateTime::from_timestamp_nanos(nanos).naive_utc();
        let offset = if from_local {
            // A local time that a change of clocks skips is read with the offset before the change.
            match zone.offset_from_local_datetime(&naive).earliest() {
                Some(offset) => offset,
                None => zone.offset_from_utc_datetime(&(naive - chrono::TimeDelta::hours(1))),
            }
        } else {
            zone.offset_from_utc_datetime(&naive)
        };
        let seconds = i64::from(offset.fix().local_minus_utc()) * NANOS_PER_SECOND;
        in_range(if from_local {
            nanos.checked_sub(seconds)
        } else {
            nanos.checked_add(seconds)
        })
        .map(Some)
    })
}

/// Civil parts with the day cut to the month's length.
pub(super) fn with_months(civil: Civil, months: i64) -> Option<Civil> {
    let total = civil
        .year
        .checked_mul(12)?
        .checked_add(i64::from(civil.month) - 1)?
        .checked_add(months)?;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    (1..=9999).contains(&year).then_some(Civil {
        year,
        month,
        ..civil
    })
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn what_is_out_of_range_is_null() {
        check(&[
            ("unixtime_seconds_todatetime(1e300)", "null"),
            ("unixtime_seconds_todatetime(real(nan))", "null"),
            (
                "unixtime_milliseconds_todatetime(1546300800000)",
                "2019-01-01T00:00:00.0000000Z",
            ),
            ("todatetime(-1)", "null"),
            ("todatetime(9223372036854775807)", "null"),
            ("make_datetime(2020, 1, 1, 9223372036854775807, 0)", "null"),
            ("make_timespan(9223372036854775807, 0)", "null"),
            ("make_timespan(1, 2, 3.5)", "01:02:03.5000000"),
        ]);
    }

    #[test]
    fn zones_that_are_listed_are_known() {
        check(&[
            (
                "set_has_element(datetime_list_timezones(), 'Europe/Berlin')",
                "True",
            ),
            (
                "datetime_utc_to_local(datetime(2024-07-01), 'Europe/Berlin')",
                "2024-07-01T02:00:00.0000000Z",
            ),
        ]);
    }
}
