//! `+`, `-`, `*`, `/`, `%`, and the sign.
//!
//! Whole numbers wrap, divide towards zero and give null for a zero divisor; a remainder is never
//! negative. Datetimes and timespans stay in range or end the query.
//!
//! <https://learn.microsoft.com/kusto/query/numerical-operators>,
//! <https://learn.microsoft.com/kusto/query/datetime-timespan-arithmetic>

use std::cmp::Ordering::Equal;

use arrow::array::ArrayRef;
use arrow::datatypes::i256;
use datafusion_common::{DataFusionError, Result, exec_datafusion_err, exec_err};
use kql::Type::{Bool, Datetime, Decimal, Dynamic, Long, Real, Timespan};

use crate::args::{self, Args};
use crate::dynamic;
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "__equal_real",
        "",
        &[Overload::new(&[Is(Real), Is(Real)], Bool, |a| {
            let (x, y) = (a.f64(0)?, a.f64(1)?);
            // Null equals nothing; only two nulls beside each other make one.
            args::bools(a.rows(), |row| match (x.get(row), y.get(row)) {
                (None, None) => None,
                (x, y) => Some(x.is_some() && x == y),
            })
        })],
    ),
    ScalarFunction::new(
        "__less_real",
        "",
        &[Overload::new(&[Is(Real), Is(Real)], Bool, |a| {
            compare_reals(a, |x, y| x < y)
        })],
    ),
    ScalarFunction::new(
        "__less_or_equal_real",
        "",
        &[Overload::new(&[Is(Real), Is(Real)], Bool, |a| {
            compare_reals(a, |x, y| x <= y)
        })],
    ),
    // Zero has two forms, and what is not a number has many.
    ScalarFunction::new(
        "__one_form",
        "",
        &[Overload::new(&[Is(Real)], Real, |a| {
            let x = a.f64(0)?;
            args::reals(a.rows(), |row| {
                x.get(row)
                    .map(|x| if x.is_nan() { f64::NAN } else { x + 0.0 })
            })
        })],
    ),
    ScalarFunction::new(
        "__equal_number",
        "",
        &[Overload::new(&[Is(Dynamic), Is(Long)], Bool, |a| {
            let (x, y) = (a.str(0)?, a.i64(1)?);
            args::bools(a.rows(), |row| {
                let number = x.get(row).filter(|x| dynamic::to_real(x).is_some());
                match (number, y.get(row)) {
                    (None, None) => None,
                    (Some(x), Some(y)) => Some(dynamic::compare_to_long(x, y) == Some(Equal)),
                    _ => Some(false),
                }
            })
        })],
    ),
    ScalarFunction::new(
        "__order_number",
        "",
        &[Overload::new(&[Is(Dynamic), Is(Long)], Long, |a| {
            let (x, y) = (a.str(0)?, a.i64(1)?);
            args::longs(a.rows(), |row| {
                Some(dynamic::compare_to_long(x.get(row)?, y.get(row)?)? as i64)
            })
        })],
    ),
    ScalarFunction::new(
        "__exact_long",
        "",
        &[Overload::new(&[Is(Dynamic)], Long, |a| {
            let x = a.str(0)?;
            args::longs(a.rows(), |row| {
                let (x, long) = (x.get(row)?, dynamic::to_long(x.get(row)?)?);
                (dynamic::compare_to_long(x, long) == Some(Equal)).then_some(long)
            })
        })],
    ),
    ScalarFunction::new(
        "__add",
        "`a + b`",
        &[
            Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                longs(a, |x, y| Some(x.wrapping_add(y)))
            }),
            Overload::new(&[Is(Real), Is(Real)], Real, |a| reals(a, |x, y| x + y)),
            Overload::new(&[Is(Decimal), Is(Decimal)], Decimal, |a| {
                decimals(a, |x, y| {
                    x.checked_add(y).ok_or_else(decimal_overflow).map(Some)
                })
            }),
            Overload::new(&[Is(Timespan), Is(Timespan)], Timespan, |a| {
                spans(a, i64::checked_add)
            }),
            Overload::new(&[Is(Datetime), Is(Timespan)], Datetime, |a| {
                shift(a, 0, 1, i64::checked_add)
            }),
            Overload::new(&[Is(Timespan), Is(Datetime)], Datetime, |a| {
                shift(a, 1, 0, i64::checked_add)
            }),
        ],
    ),
    ScalarFunction::new(
        "__subtract",
        "`a - b`",
        &[
            Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                longs(a, |x, y| Some(x.wrapping_sub(y)))
            }),
            Overload::new(&[Is(Real), Is(Real)], Real, |a| reals(a, |x, y| x - y)),
            Overload::new(&[Is(Decimal), Is(Decimal)], Decimal, |a| {
                decimals(a, |x, y| {
                    x.checked_sub(y).ok_or_else(decimal_overflow).map(Some)
                })
            }),
            Overload::new(&[Is(Timespan), Is(Timespan)], Timespan, |a| {
                spans(a, i64::checked_sub)
            }),
            Overload::new(&[Is(Datetime), Is(Timespan)], Datetime, |a| {
                shift(a, 0, 1, i64::checked_sub)
            }),
            Overload::new(&[Is(Datetime), Is(Datetime)], Timespan, difference),
        ],
    ),
    ScalarFunction::new(
        "__multiply",
        "`a * b`",
        &[
            Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                longs(a, |x, y| Some(x.wrapping_mul(y)))
            }),
            Overload::new(&[Is(Real), Is(Real)], Real, |a| reals(a, |x, y| x * y)),
            Overload::new(&[Is(Decimal), Is(Decimal)], Decimal, |a| {
                decimals(a, |x, y| {
                    scaled(i256::from_i128(x) * i256::from_i128(y), SCALE).map(Some)
                })
            }),
            Overload::new(&[Is(Timespan), Is(Long)], Timespan, |a| {
                scale_by_long(a, 0, 1)
            }),
            Overload::new(&[Is(Long), Is(Timespan)], Timespan, |a| {
                scale_by_long(a, 1, 0)
            }),
            Overload::new(&[Is(Timespan), Is(Real)], Timespan, |a| {
                scale(a, 0, 1, |span, by| span * by)
            }),
            Overload::new(&[Is(Real), Is(Timespan)], Timespan, |a| {
                scale(a, 1, 0, |span, by| span * by)
            }),
        ],
    ),
    ScalarFunction::new(
        "__divide",
        "`a / b`",
        &[
            Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                longs(a, |x, y| (y != 0).then(|| x.wrapping_div(y)))
            }),
            Overload::new(&[Is(Real), Is(Real)], Real, |a| reals(a, |x, y| x / y)),
            Overload::new(&[Is(Decimal), Is(Decimal)], Decimal, |a| {
                decimals(a, |x, y| {
                    if y == 0 {
                        return Ok(None);
                    }
                    scaled(i256::from_i128(x) * i256::from_i128(SCALE), y).map(Some)
                })
            }),
            Overload::new(&[Is(Timespan), Is(Timespan)], Real, ratio),
            Overload::new(&[Is(Timespan), Is(Real)], Timespan, |a| {
                scale(a, 0, 1, |span, by| span / by)
            }),
        ],
    ),
    ScalarFunction::new(
        "__modulo",
        "`a % b`",
        &[
            Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                longs(a, |x, y| (y != 0).then(|| x.wrapping_rem_euclid(y)))
            }),
            Overload::new(&[Is(Real), Is(Real)], Real, |a| reals(a, f64::rem_euclid)),
            Overload::new(&[Is(Decimal), Is(Decimal)], Decimal, |a| {
                decimals(a, |x, y| Ok(x.checked_rem_euclid(y)))
            }),
            Overload::new(&[Is(Timespan), Is(Timespan)], Timespan, |a| {
                let (x, y) = (a.timespan(0)?, a.timespan(1)?);
                args::timespans(a.rows(), |row| x.get(row)?.checked_rem_euclid(y.get(row)?))
            }),
        ],
    ),
    ScalarFunction::new(
        "__negate",
        "`-a`",
        &[
            Overload::new(&[Is(Long)], Long, |a| {
                let x = a.i64(0)?;
                args::longs(a.rows(), |row| Some(x.get(row)?.wrapping_neg()))
            }),
            Overload::new(&[Is(Real)], Real, |a| {
                let x = a.f64(0)?;
                args::reals(a.rows(), |row| Some(-x.get(row)?))
            }),
            Overload::new(&[Is(Decimal)], Decimal, |a| {
                let x = a.decimal(0)?;
                args::decimals(a.rows(), |row| Ok(x.get(row).map(|x| -x)))
            }),
            Overload::new(&[Is(Timespan)], Timespan, |a| {
                let x = a.timespan(0)?;
                args::timespans(a.rows(), |row| Some(x.get(row)?.wrapping_neg()))
            }),
        ],
    ),
];

/// Whether two reals stand in a relation, by IEEE 754.
fn compare_reals(args: &Args<'_>, op: impl Fn(f64, f64) -> bool) -> Result<ArrayRef> {
    let (x, y) = (args.f64(0)?, args.f64(1)?);
    args::bools(args.rows(), |row| Some(op(x.get(row)?, y.get(row)?)))
}

/// What a decimal is scaled by.
const SCALE: i128 = 1_000_000_000_000_000_000;

fn longs(args: &Args<'_>, op: impl Fn(i64, i64) -> Option<i64>) -> Result<ArrayRef> {
    let (x, y) = (args.i64(0)?, args.i64(1)?);
    args::longs(args.rows(), |row| op(x.get(row)?, y.get(row)?))
}

fn reals(args: &Args<'_>, op: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (x, y) = (args.f64(0)?, args.f64(1)?);
    args::reals(args.rows(), |row| Some(op(x.get(row)?, y.get(row)?)))
}

fn decimals(args: &Args<'_>, op: impl Fn(i128, i128) -> Result<Option<i128>>) -> Result<ArrayRef> {
    let (x, y) = (args.decimal(0)?, args.decimal(1)?);
    args::decimals(args.rows(), |row| match (x.get(row), y.get(row)) {
        (Some(x), Some(y)) => op(x, y),
        _ => Ok(None),
    })
}

fn decimal_overflow() -> DataFusionError {
    exec_datafusion_err!("a decimal is out of range: Loggia keeps 20 digits before the point")
}

/// A wide product, divided; `divisor` is not zero.
fn scaled(product: i256, divisor: i128) -> Result<i128> {
    let quotient = product.wrapping_div(i256::from_i128(divisor));
    quotient.to_i128().ok_or_else(decimal_overflow)
}

fn span_overflow<T>() -> Result<T> {
    exec_err!("a timespan is out of range: Loggia keeps up to 292 years")
}

fn spans(args: &Args<'_>, op: impl Fn(i64, i64) -> Option<i64>) -> Result<ArrayRef> {
    let (x, y) = (args.timespan(0)?, args.timespan(1)?);
    let mut overflow = false;
    let array = args::timespans(args.rows(), |row| {
        let result = op(x.get(row)?, y.get(row)?);
        overflow |= result.is_none();
        result
    })?;
    if overflow { span_overflow() } else { Ok(array) }
}

fn shift(
    args: &Args<'_>,
    instant: usize,
    by: usize,
    op: impl Fn(i64, i64) -> Option<i64>,
) -> Result<ArrayRef> {
    let (instant, by) = (args.datetime(instant)?, args.timespan(by)?);
    args::datetimes(args.rows(), |row| match (instant.get(row), by.get(row)) {
        (Some(instant), Some(by)) => match op(instant, by) {
            Some(result) => Ok(Some(result)),
            None => exec_err!("a datetime is out of range: Loggia keeps the years 1677 to 2262"),
        },
        _ => Ok(None),
    })
}

fn difference(args: &Args<'_>) -> Result<ArrayRef> {
    let (x, y) = (args.datetime(0)?, args.datetime(1)?);
    let mut overflow = false;
    let array = args::timespans(args.rows(), |row| {
        let result = x.get(row)?.checked_sub(y.get(row)?);
        overflow |= result.is_none();
        result
    })?;
    if overflow { span_overflow() } else { Ok(array) }
}

fn scale_by_long(args: &Args<'_>, span: usize, by: usize) -> Result<ArrayRef> {
    let (span, by) = (args.timespan(span)?, args.i64(by)?);
    let mut overflow = false;
    let array = args::timespans(args.rows(), |row| {
        let result = span.get(row)?.checked_mul(by.get(row)?);
        overflow |= result.is_none();
        result
    })?;
    if overflow { span_overflow() } else { Ok(array) }
}

/// Scales a timespan by a real, rounded to a tick; null if the result is no number.
fn scale(
    args: &Args<'_>,
    span: usize,
    by: usize,
    op: impl Fn(f64, f64) -> f64,
) -> Result<ArrayRef> {
    let (span, by) = (args.timespan(span)?, args.f64(by)?);
    let mut overflow = false;
    let array = args::timespans(args.rows(), |row| {
        let ticks = op(span.get(row)? as f64 / 100.0, by.get(row)?);
        if !ticks.is_finite() {
            return None;
        }
        let nanos = ticks.round() * 100.0;
        overflow |= nanos.abs() >= i64::MAX as f64;
        Some(nanos as i64)
    })?;
    if overflow { span_overflow() } else { Ok(array) }
}

fn ratio(args: &Args<'_>) -> Result<ArrayRef> {
    let (x, y) = (args.timespan(0)?, args.timespan(1)?);
    args::reals(args.rows(), |row| {
        Some(x.get(row)? as f64 / y.get(row)? as f64)
    })
}
