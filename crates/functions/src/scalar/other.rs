//! Functions that fit in no family.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Datetime, Guid, Int, Long, Real, String as Text, Timespan};
use uuid::Uuid;

use crate::args::{self, Args};
use crate::registry::{
    Overload,
    Param::{Const, Is},
    ResultName, ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "assert",
        "True, unless a constant condition is not met, which ends the query with a message.",
        &[Overload::new(&[Const(Bool), Const(Text)], Bool, |a| {
            let (condition, message) = (a.bool(0)?, a.str(1)?);
            if condition.get(0) == Some(true) {
                return args::truths(a.rows(), |_| true);
            }
            exec_err!("assert() has failed with message: '{}'", message.text(0))
        })],
    ),
    ScalarFunction::new(
        "new_guid",
        "A random guid.",
        &[Overload::new(&[], Guid, |a| {
            args::written_option(a.rows(), |_, out| {
                out.push_str(Uuid::new_v4().hyphenated().encode_lower(&mut [0; 36]));
                Ok(true)
            })
        })],
    )
    .volatile(),
    ScalarFunction::new(
        "estimate_data_size",
        "About how many bytes a value takes.",
        &[
            Overload::new(&[Is(Text)], Long, |a| {
                let x = a.str(0)?;
                args::longs(a.rows(), |row| Some(x.text(row).len() as i64))
            }),
            Overload::new(&[Is(Bool)], Long, |a| bytes(a, 1)),
            Overload::new(&[Is(Int)], Long, |a| bytes(a, 4)),
            Overload::new(&[Is(Long)], Long, |a| bytes(a, 8)),
            Overload::new(&[Is(Real)], Long, |a| bytes(a, 8)),
            Overload::new(&[Is(Datetime)], Long, |a| bytes(a, 8)),
            Overload::new(&[Is(Timespan)], Long, |a| bytes(a, 8)),
            Overload::new(&[Is(Guid)], Long, |a| bytes(a, 16)),
            Overload::new(&[Is(kql::Type::Dynamic)], Long, |_| {
                exec_err!("`estimate_data_size` of dynamic values is not supported")
            }),
        ],
    ),
    ScalarFunction::new(
        "format_bytes",
        "A number of bytes as text with a unit.",
        &[Overload::new(&[Is(Real), Const(Long), Const(Text)], Text, format_bytes).required(1)],
    )
    .result_name(ResultName::FirstArgument),
    ScalarFunction::new(
        "around",
        "Whether a value is no farther from a center than a distance.",
        &[
            Overload::new(&[Is(Long), Is(Long), Is(Long)], Bool, |a| {
                let (x, center, delta) = (a.i64(0)?, a.i64(1)?, a.i64(2)?);
                args::bools(a.rows(), |row| {
                    Some(is_around(x.get(row)?, center.get(row)?, delta.get(row)?))
                })
            }),
            Overload::new(&[Is(Real), Is(Real), Is(Real)], Bool, |a| {
                let (x, center, delta) = (a.f64(0)?, a.f64(1)?, a.f64(2)?);
                args::bools(a.rows(), |row| {
                    let (x, center, delta) = (x.get(row)?, center.get(row)?, delta.get(row)?);
                    Some(x >= center - delta && x <= center + delta)
                })
            }),
            Overload::new(&[Is(Datetime), Is(Datetime), Is(Timespan)], Bool, |a| {
                let (x, center, delta) = (a.datetime(0)?, a.datetime(1)?, a.timespan(2)?);
                args::bools(a.rows(), |row| {
                    Some(is_around(x.get(row)?, center.get(row)?, delta.get(row)?))
                })
            }),
            Overload::new(&[Is(Timespan), Is(Timespan), Is(Timespan)], Bool, |a| {
                let (x, center, delta) = (a.timespan(0)?, a.timespan(1)?, a.timespan(2)?);
                args::bools(a.rows(), |row| {
                    Some(is_around(x.get(row)?, center.get(row)?, delta.get(row)?))
                })
            }),
        ],
    ),
];

fn bytes(a: &Args<'_>, count: i64) -> Result<ArrayRef> {
    args::longs(a.rows(), |_| Some(count))
}

fn is_around(x: i64, center: i64, delta: i64) -> bool {
    let (x, center, delta) = (i128::from(x), i128::from(center), i128::from(delta));
    (center - delta..=center + delta).contains(&x)
}

/// The units of `format_bytes()`, each 1024 times the one before.
const UNITS: [&str; 7] = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"];

/// The number is rounded, half away from zero, without zeros at its end.
///
/// <https://learn.microsoft.com/kusto/query/format-bytes-function>
fn format_bytes(a: &Args<'_>) -> Result<ArrayRef> {
    let x = a.f64(0)?;
    let precision = a.i64_or(1, 0)?.get(0).unwrap_or(0);
    let unit = a.const_str(2).unwrap_or("");
    let wanted = UNITS.iter().position(|known| *known == unit);
    if wanted.is_none() && !unit.is_empty() {
        return exec_err!(
            "`{unit}` is no unit of bytes; units are {}",
            UNITS.join(", ")
        );
    }
    args::written(a.rows(), |row, out| {
        let Some(size) = x.get(row).filter(|x| x.is_finite()) else {
            return Ok(());
        };
        let unit = wanted.unwrap_or_else(|| {
            let fitting = (1..UNITS.len()).take_while(|unit| size.abs() >= power(*unit));
            fitting.count()
        });
        let number = super::math::round_real(size / power(unit), precision);
        out.push_str(&format!("{} {}", number + 0.0, UNITS[unit]));
        Ok(())
    })
}

fn power(unit: usize) -> f64 {
    (1u64 << (10 * unit)) as f64
}

#[cfg(test)]
mod tests {
    use crate::registry;
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn assertions_hold_or_end_the_query() {
        check(&[("assert(true, 'no')", "True")]);
        check_refused(&[
            (
                "assert(false, 'Length must be greater than zero')",
                "assert() has failed with message: 'Length must be greater than zero'",
            ),
            ("assert(bool(null), 'unknown')", "'unknown'"),
        ]);
    }

    #[test]
    fn each_row_gets_a_guid_of_its_own() {
        let function = registry::scalar("new_guid").expect("a function");
        let args = crate::args::Args::new(&[], 1000);
        let guids = (function.overloads[0].eval)(&args).expect("guids");
        let guids = arrow::array::AsArray::as_string_view(&guids);
        let distinct: std::collections::HashSet<_> = guids.iter().flatten().collect();
        assert_eq!(distinct.len(), 1000);
        check_refused(&[("new_guid()", "no constant")]);
    }

    #[test]
    fn sizes_have_units() {
        check(&[
            ("format_bytes(564)", "564 Bytes"),
            ("format_bytes(0)", "0 Bytes"),
            ("format_bytes(10332, 1)", "10.1 KB"),
            ("format_bytes(20010332)", "19 MB"),
            ("format_bytes(20010332, 2)", "19.08 MB"),
            ("format_bytes(20010332, 0, 'KB')", "19541 KB"),
            ("format_bytes(1761782453926, 2, 'GB')", "1640.79 GB"),
            ("format_bytes(1024, 2)", "1 KB"),
            ("format_bytes(9223372036854775807)", "8 EB"),
            ("format_bytes(real(null))", ""),
            ("estimate_data_size('1234567890')", "10"),
            ("estimate_data_size(7)", "8"),
        ]);
        check_refused(&[("format_bytes(1, 0, 'kB')", "no unit")]);
    }

    #[test]
    fn values_lie_around_a_center() {
        check(&[
            (
                "around(datetime(2021-01-01 01:29), datetime(2021-01-01 01:30), 1m)",
                "True",
            ),
            (
                "around(datetime(2021-01-01 01:28), datetime(2021-01-01 01:30), 1m)",
                "False",
            ),
            ("around(3, 1, 2)", "True"),
            ("around(3.5, 1, 2)", "False"),
            ("around(long(null), 1, 2)", "null"),
            (
                "around(1, 9223372036854775807, 9223372036854775807)",
                "True",
            ),
        ]);
    }
}
