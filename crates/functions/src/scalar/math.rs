//! Numbers: rounding, bins, powers, and telling what is no number.

mod extremes;
mod special;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{Bool, Datetime, Decimal, Long, Real, Timespan};

use crate::args::{self, Args};
use crate::registry::{
    Overload,
    Param::{Const, Is},
    ScalarFunction,
};
use crate::time::{EPOCH_DAYS, NANOS_PER_DAY};

macro_rules! real_function {
    ($name:literal, $doc:literal, $op:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[Overload::new(&[Is(Real)], Real, |a| {
                let x = a.f64(0)?;
                let op: fn(f64) -> f64 = $op;
                args::reals(a.rows(), |row| x.get(row).map(op))
            })],
        )
    };
}

use real_function;

macro_rules! bits {
    ($name:literal, $doc:literal, $op:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                let (x, y) = (a.i64(0)?, a.i64(1)?);
                let op: fn(i64, i64) -> i64 = $op;
                args::longs(a.rows(), |row| Some(op(x.get(row)?, y.get(row)?)))
            })],
        )
        .named_after_argument()
    };
}

macro_rules! shift {
    ($name:literal, $doc:literal, $op:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                let (x, places) = (a.i64(0)?, a.i64(1)?);
                let op: fn(i64, u32) -> i64 = $op;
                args::longs(a.rows(), |row| {
                    let places = places.get(row).filter(|places| *places >= 0)?;
                    Some(op(x.get(row)?, (places % 64) as u32))
                })
            })],
        )
        .named_after_argument()
    };
}

pub(super) use extremes::FUNCTIONS as EXTREME_FUNCTIONS;
pub(super) use special::FUNCTIONS as SPECIAL_FUNCTIONS;

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "bin",
        "A value rounded down to a multiple of a bin.",
        &[
            Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                let (x, bin) = (a.i64(0)?, a.i64(1)?);
                args::longs(a.rows(), |row| floor_to(x.get(row)?, bin.get(row)?))
            }),
            Overload::new(&[Is(Real), Is(Real)], Real, |a| {
                let (x, bin) = (a.f64(0)?, a.f64(1)?);
                args::reals(a.rows(), |row| {
                    let bin = bin.get(row)?;
                    let x = x.get(row)?;
                    (bin > 0.0).then(|| (x / bin).floor() * bin)
                })
            }),
            Overload::new(&[Is(Decimal), Is(Decimal)], Decimal, |a| {
                let (x, bin) = (a.decimal(0)?, a.decimal(1)?);
                args::decimals(a.rows(), |row| {
                    Ok(match (x.get(row), bin.get(row)) {
                        (Some(x), Some(bin)) if bin > 0 => Some(x.div_euclid(bin) * bin),
                        _ => None,
                    })
                })
            }),
            Overload::new(&[Is(Datetime), Is(Timespan)], Datetime, |a| {
                let (x, bin) = (a.datetime(0)?, a.timespan(1)?);
                args::datetimes(a.rows(), |row| {
                    Ok((|| bin_datetime(x.get(row)?, bin.get(row)?))())
                })
            }),
            Overload::new(&[Is(Timespan), Is(Timespan)], Timespan, |a| {
                let (x, bin) = (a.timespan(0)?, a.timespan(1)?);
                args::timespans(a.rows(), |row| floor_to(x.get(row)?, bin.get(row)?))
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "floor",
        "A value rounded down to a multiple of a bin, or to a whole number.",
        &[
            Overload::new(&[Is(Long), Is(Long)], Long, |a| {
                let (x, bin) = (a.i64(0)?, a.i64(1)?);
                args::longs(a.rows(), |row| floor_to(x.get(row)?, bin.get(row)?))
            }),
            Overload::new(&[Is(Real), Is(Real)], Real, |a| {
                let x = a.f64(0)?;
                let bin = if a.len() > 1 {
                    a.f64(1)?
                } else {
                    args::Prim::Const(Some(1.0))
                };
                args::reals(a.rows(), |row| {
                    let (x, bin) = (x.get(row)?, bin.get(row)?);
                    (bin > 0.0).then(|| (x / bin).floor() * bin)
                })
            })
            .required(1),
            Overload::new(&[Is(Datetime), Is(Timespan)], Datetime, |a| {
                let (x, bin) = (a.datetime(0)?, a.timespan(1)?);
                args::datetimes(a.rows(), |row| {
                    Ok((|| bin_datetime(x.get(row)?, bin.get(row)?))())
                })
            }),
            Overload::new(&[Is(Timespan), Is(Timespan)], Timespan, |a| {
                let (x, bin) = (a.timespan(0)?, a.timespan(1)?);
                args::timespans(a.rows(), |row| floor_to(x.get(row)?, bin.get(row)?))
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "bin_at",
        "A value rounded down to a bin that begins at a fixed point.",
        &[
            Overload::new(&[Is(Long), Is(Long), Is(Long)], Long, |a| {
                let (x, bin, at) = (a.i64(0)?, a.i64(1)?, a.i64(2)?);
                args::longs(a.rows(), |row| {
                    floor_from(x.get(row)?, bin.get(row)?, at.get(row)?)
                })
            }),
            Overload::new(&[Is(Real), Is(Real), Is(Real)], Real, |a| {
                let (x, bin, at) = (a.f64(0)?, a.f64(1)?, a.f64(2)?);
                args::reals(a.rows(), |row| {
                    let (x, bin, at) = (x.get(row)?, bin.get(row)?, at.get(row)?);
                    (bin > 0.0).then(|| ((x - at) / bin).floor() * bin + at)
                })
            }),
            Overload::new(&[Is(Datetime), Is(Timespan), Is(Datetime)], Datetime, |a| {
                let (x, bin, at) = (a.datetime(0)?, a.timespan(1)?, a.datetime(2)?);
                args::datetimes(a.rows(), |row| {
                    Ok((|| floor_from(x.get(row)?, bin.get(row)?, at.get(row)?))())
                })
            }),
            Overload::new(&[Is(Timespan), Is(Timespan), Is(Timespan)], Timespan, |a| {
                let (x, bin, at) = (a.timespan(0)?, a.timespan(1)?, a.timespan(2)?);
                args::timespans(a.rows(), |row| {
                    floor_from(x.get(row)?, bin.get(row)?, at.get(row)?)
                })
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "round",
        "A number rounded, half away from zero, to a number of digits.",
        &[
            Overload::new(&[Is(Long), Const(Long)], Long, |a| {
                let x = a.i64(0)?;
                let digits = if a.len() > 1 {
                    a.i64(1)?
                } else {
                    args::Prim::Const(Some(0))
                };
                args::longs(a.rows(), |row| round_long(x.get(row)?, digits.get(row)?))
            })
            .required(1),
            Overload::new(&[Is(Real), Const(Long)], Real, |a| {
                let x = a.f64(0)?;
                let digits = if a.len() > 1 {
                    a.i64(1)?
                } else {
                    args::Prim::Const(Some(0))
                };
                args::reals(a.rows(), |row| {
                    Some(round_real(x.get(row)?, digits.get(row)?))
                })
            })
            .required(1),
            Overload::new(&[Is(Decimal)], Decimal, |a| {
                const ONE: i128 = 1_000_000_000_000_000_000;
                let x = a.decimal(0)?;
                args::decimals(a.rows(), |row| {
                    Ok(x.get(row).map(|x| (x + x.signum() * (ONE / 2)) / ONE * ONE))
                })
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "ceiling",
        "A number rounded up.",
        &[
            Overload::new(&[Is(Long)], Long, |a| a.array(0)),
            Overload::new(&[Is(Real)], Real, |a| {
                let x = a.f64(0)?;
                args::reals(a.rows(), |row| x.get(row).map(f64::ceil))
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "abs",
        "A value without its sign.",
        &[
            Overload::new(&[Is(Long)], Long, |a| {
                let x = a.i64(0)?;
                args::longs(a.rows(), |row| x.get(row).map(i64::wrapping_abs))
            }),
            Overload::new(&[Is(Real)], Real, |a| {
                let x = a.f64(0)?;
                args::reals(a.rows(), |row| x.get(row).map(f64::abs))
            }),
            Overload::new(&[Is(Decimal)], Decimal, |a| {
                let x = a.decimal(0)?;
                args::decimals(a.rows(), |row| Ok(x.get(row).map(i128::abs)))
            }),
            Overload::new(&[Is(Timespan)], Timespan, |a| {
                let x = a.timespan(0)?;
                args::timespans(a.rows(), |row| x.get(row).map(i64::wrapping_abs))
            }),
        ],
    )
    .named_after_argument(),
    real_function!("sqrt", "Square root.", f64::sqrt).named_after_argument(),
    real_function!("exp", "e to a power.", f64::exp).named_after_argument(),
    real_function!("exp2", "2 to a power.", f64::exp2).named_after_argument(),
    real_function!("exp10", "10 to a power.", |x| 10f64.powf(x)).named_after_argument(),
    ScalarFunction::new(
        "log",
        "Natural logarithm; null for negative numbers.",
        &[Overload::new(&[Is(Real)], Real, |a| logarithm(a, f64::ln))],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "log2",
        "Logarithm to base 2; null for negative numbers.",
        &[Overload::new(&[Is(Real)], Real, |a| {
            logarithm(a, f64::log2)
        })],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "log10",
        "Logarithm to base 10; null for negative numbers.",
        &[Overload::new(&[Is(Real)], Real, |a| {
            logarithm(a, f64::log10)
        })],
    )
    .named_after_argument(),
    real_function!("sin", "Sine.", f64::sin).named_after_argument(),
    real_function!("cos", "Cosine.", f64::cos).named_after_argument(),
    real_function!("tan", "Tangent.", f64::tan).named_after_argument(),
    real_function!("cot", "Cotangent.", |x| 1.0 / x.tan()),
    real_function!("asin", "Inverse sine.", f64::asin).named_after_argument(),
    real_function!("acos", "Inverse cosine.", f64::acos).named_after_argument(),
    real_function!("atan", "Inverse tangent.", f64::atan).named_after_argument(),
    real_function!("radians", "Degrees as radians.", f64::to_radians),
    real_function!("degrees", "Radians as degrees.", f64::to_degrees),
    real_function!("sign", "-1, 0 or 1.", |x| if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }),
    ScalarFunction::new(
        "pi",
        "The number pi.",
        &[Overload::new(&[], Real, |a| {
            args::reals(a.rows(), |_| Some(std::f64::consts::PI))
        })],
    ),
    ScalarFunction::new(
        "atan2",
        "The angle of a point.",
        &[Overload::new(&[Is(Real), Is(Real)], Real, |a| {
            let (y, x) = (a.f64(0)?, a.f64(1)?);
            args::reals(a.rows(), |row| Some(y.get(row)?.atan2(x.get(row)?)))
        })],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "pow",
        "A number to a power.",
        &[Overload::new(&[Is(Real), Is(Real)], Real, |a| {
            let (x, y) = (a.f64(0)?, a.f64(1)?);
            args::reals(a.rows(), |row| Some(x.get(row)?.powf(y.get(row)?)))
        })],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "isnan",
        "Whether a real is not a number.",
        &[Overload::new(&[Is(Real)], Bool, |a| {
            let x = a.f64(0)?;
            args::bools(a.rows(), |row| x.get(row).map(f64::is_nan))
        })],
    ),
    ScalarFunction::new(
        "isinf",
        "Whether a real is infinite.",
        &[Overload::new(&[Is(Real)], Bool, |a| {
            let x = a.f64(0)?;
            args::bools(a.rows(), |row| x.get(row).map(f64::is_infinite))
        })],
    ),
    ScalarFunction::new(
        "isfinite",
        "Whether a real is a finite number.",
        &[Overload::new(&[Is(Real)], Bool, |a| {
            let x = a.f64(0)?;
            args::bools(a.rows(), |row| x.get(row).map(f64::is_finite))
        })],
    ),
    bits!("binary_and", "Bits that both numbers have.", |x, y| x & y),
    bits!("binary_or", "Bits that either number has.", |x, y| x | y),
    bits!("binary_xor", "Bits that one of the numbers has.", |x, y| x
        ^ y),
    shift!(
        "binary_shift_left",
        "Bits moved to the left; null for less than no places.",
        i64::wrapping_shl
    ),
    shift!(
        "binary_shift_right",
        "Bits moved to the right; null for less than no places.",
        i64::wrapping_shr
    ),
    ScalarFunction::new(
        "binary_not",
        "Bits that the number has not.",
        &[Overload::new(&[Is(Long)], Long, |a| {
            let x = a.i64(0)?;
            args::longs(a.rows(), |row| x.get(row).map(|x| !x))
        })],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "bitset_count_ones",
        "How many bits a number has.",
        &[Overload::new(&[Is(Long)], Long, |a| {
            let x = a.i64(0)?;
            args::longs(a.rows(), |row| {
                x.get(row).map(|x| i64::from(x.count_ones()))
            })
        })],
    )
    .named_after_argument(),
    // Sorting puts what is not a number beside null, below all numbers; Arrow puts it above them
    // unless its sign is set.
    ScalarFunction::new(
        "__sort_key",
        "A real that sorts as KQL does, NaN below all numbers",
        &[Overload::new(&[Is(Real)], Real, |a| sort_key(a, -1.0))],
    ),
    ScalarFunction::new(
        "__sort_key_nan_above",
        "A real that sorts as KQL does, NaN above all numbers",
        &[Overload::new(&[Is(Real)], Real, |a| sort_key(a, 1.0))],
    ),
];

/// Reals with one zero and one NaN, whose sign says where it sorts.
fn sort_key(a: &Args<'_>, sign: f64) -> Result<ArrayRef> {
    let x = a.f64(0)?;
    args::reals(a.rows(), |row| {
        let key = |x: f64| {
            if x.is_nan() {
                f64::NAN.copysign(sign)
            } else {
                x + 0.0
            }
        };
        x.get(row).map(key)
    })
}

fn logarithm(a: &Args<'_>, op: fn(f64) -> f64) -> Result<ArrayRef> {
    let x = a.f64(0)?;
    args::reals(a.rows(), |row| {
        x.get(row).filter(|x| *x >= 0.0 || x.is_nan()).map(op)
    })
}

fn floor_to(x: i64, bin: i64) -> Option<i64> {
    if bin <= 0 {
        None
    } else {
        x.checked_sub(x.rem_euclid(bin))
    }
}

fn floor_from(x: i64, bin: i64, at: i64) -> Option<i64> {
    if bin <= 0 {
        return None;
    }
    let (x, bin, at) = (i128::from(x), i128::from(bin), i128::from(at));
    i64::try_from((x - at).div_euclid(bin) * bin + at).ok()
}

/// Bins of datetimes begin at 0001-01-01, not at 1970.
pub(crate) fn bin_datetime(nanos: i64, bin: i64) -> Option<i64> {
    if bin <= 0 {
        return None;
    }
    let origin = i128::from(EPOCH_DAYS) * i128::from(NANOS_PER_DAY);
    let since = i128::from(nanos) + origin;
    i64::try_from(since - since.rem_euclid(i128::from(bin)) - origin).ok()
}

fn round_long(x: i64, digits: i64) -> Option<i64> {
    if digits >= 0 {
        return Some(x);
    }
    let unit = 10i64.checked_pow(digits.unsigned_abs().try_into().ok()?)?;
    let half = unit / 2;
    Some((x + x.signum() * half) / unit * unit)
}

/// Rounds half away from zero. Products that a binary fraction leaves just under a half are helped
/// up, so that `round(2.15, 1)` is 2.2, as in Kusto.
pub(super) fn round_real(x: f64, digits: i64) -> f64 {
    if digits == 0 || !x.is_finite() {
        return x.round();
    }
    let digits = digits.clamp(-308, 308) as i32;
    let unit = 10f64.powi(digits);
    let scaled = x * unit;
    if !scaled.is_finite() || scaled.abs() >= 9_007_199_254_740_992.0 {
        return x;
    }
    let rounded = scaled.round();
    if digits > 0 {
        rounded / unit
    } else {
        rounded * 10f64.powi(-digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_matches_the_reference() {
        assert_eq!(round_real(2.98765, 3), 2.988);
        assert_eq!(round_real(2.15, 1), 2.2);
        assert_eq!(round_real(-50.55, -2), -100.0);
        assert_eq!(round_real(21.5, -1), 20.0);
        assert_eq!(round_long(-155, -1), Some(-160));
    }

    #[test]
    fn bins_of_weeks_begin_in_the_year_one() {
        let nanos = |text: &str| {
            crate::time::nanos_from_ticks(kql::value::datetime::parse(text).expect("a datetime"))
                .expect("in range")
        };
        // 0001-01-01 was a Monday.
        assert_eq!(
            bin_datetime(nanos("2020-01-01"), 7 * NANOS_PER_DAY),
            Some(nanos("2019-12-30"))
        );
        assert_eq!(
            bin_datetime(nanos("1960-01-01T10:30"), 3_600_000_000_000),
            Some(nanos("1960-01-01T10:00"))
        );
        assert_eq!(bin_datetime(0, 0), None);
    }
}
