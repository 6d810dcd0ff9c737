//! Any scalar as a dynamic value, and elements of dynamic values as what `mv-expand` wants them to be.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{
    Bool, Datetime, Decimal, Dynamic, Guid, Int, Long, Real, String as Text, Timespan,
};

use super::{decimal_text, dynamic_int, ints};
use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ScalarFunction};
use crate::{dynamic, time};

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    // What `mv-expand … to typeof(…)` makes of an element: nothing is read from text.
    ScalarFunction::new(
        "__element_long",
        "",
        &[Overload::new(&[Is(Dynamic)], Long, |a| {
            let x = a.str(0)?;
            args::longs(a.rows(), |row| dynamic::to_long(not_text(x.get(row)?)?))
        })],
    ),
    ScalarFunction::new(
        "__element_int",
        "",
        &[Overload::new(&[Is(Dynamic)], Int, |a| {
            let x = a.str(0)?;
            ints(a, |row| dynamic_int(not_text(x.get(row)?)?))
        })],
    ),
    ScalarFunction::new(
        "__element_real",
        "",
        &[Overload::new(&[Is(Dynamic)], Real, |a| {
            let x = a.str(0)?;
            args::reals(a.rows(), |row| dynamic::to_real(not_text(x.get(row)?)?))
        })],
    ),
    ScalarFunction::new(
        "__element_bool",
        "",
        &[Overload::new(&[Is(Dynamic)], Bool, |a| {
            let x = a.str(0)?;
            args::bools(a.rows(), |row| dynamic::to_bool(not_text(x.get(row)?)?))
        })],
    ),
    ScalarFunction::new(
        "__json",
        "Any scalar as a dynamic value",
        &[
            Overload::new(&[Is(Dynamic)], Dynamic, |a| a.array(0)),
            Overload::new(&[Is(Text)], Dynamic, |a| {
                let x = a.str(0)?;
                json(a, |row, out| {
                    x.get(row).map(|x| dynamic::write_string(out, x))
                })
            }),
            Overload::new(&[Is(Guid)], Dynamic, |a| {
                let x = a.str(0)?;
                json(a, |row, out| {
                    x.get(row).map(|x| dynamic::write_string(out, x))
                })
            }),
            Overload::new(&[Is(Bool)], Dynamic, |a| {
                let x = a.bool(0)?;
                json(a, |row, out| {
                    x.get(row)
                        .map(|x| out.push_str(if x { "true" } else { "false" }))
                })
            }),
            Overload::new(&[Is(Int)], Dynamic, |a| {
                let x = a.i32(0)?;
                json(a, |row, out| {
                    x.get(row).map(|x| out.push_str(&x.to_string()))
                })
            }),
            Overload::new(&[Is(Long)], Dynamic, |a| {
                let x = a.i64(0)?;
                json(a, |row, out| {
                    x.get(row).map(|x| out.push_str(&x.to_string()))
                })
            }),
            Overload::new(&[Is(Real)], Dynamic, |a| {
                let x = a.f64(0)?;
                json(a, |row, out| {
                    x.get(row).map(|x| dynamic::write_real(out, x))
                })
            }),
            Overload::new(&[Is(Decimal)], Dynamic, |a| {
                let x = a.decimal(0)?;
                json(a, |row, out| {
                    x.get(row)
                        .map(|x| dynamic::write_string(out, &decimal_text(x)))
                })
            }),
            Overload::new(&[Is(Datetime)], Dynamic, |a| {
                let x = a.datetime(0)?;
                json(a, |row, out| {
                    x.get(row)
                        .map(|x| dynamic::write_string(out, &time::format_nanos(x)))
                })
            }),
            Overload::new(&[Is(Timespan)], Dynamic, |a| {
                let x = a.timespan(0)?;
                json(a, |row, out| {
                    x.get(row)
                        .map(|x| dynamic::write_string(out, &time::format_span(x)))
                })
            }),
        ],
    ),
];

fn json(a: &Args<'_>, write: impl Fn(usize, &mut String) -> Option<()>) -> Result<ArrayRef> {
    args::written_option(a.rows(), |row, out| Ok(write(row, out).is_some()))
}

/// A value unless it is a string.
fn not_text(value: &str) -> Option<&str> {
    (dynamic::kind(value) != dynamic::Kind::String).then_some(value)
}
