//! The largest and the smallest of several values.

use datafusion_common::Result;
use kql::Type::{Datetime, Decimal, Long, Real, String as Text, Timespan};

use crate::args;
use crate::registry::{Overload, Param::Is, ScalarFunction};

macro_rules! extreme {
    ($name:literal, $doc:literal, $pick:ident) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[
                Overload::new(&[Is(Long)], Long, |a| {
                    let columns = (0..a.len()).map(|i| a.i64(i)).collect::<Result<Vec<_>>>()?;
                    args::longs(a.rows(), |row| {
                        columns.iter().filter_map(|c| c.get(row)).$pick()
                    })
                })
                .variadic(),
                Overload::new(&[Is(Real)], Real, |a| {
                    let columns = (0..a.len()).map(|i| a.f64(i)).collect::<Result<Vec<_>>>()?;
                    args::reals(a.rows(), |row| {
                        let values = columns.iter().filter_map(|c| c.get(row));
                        values.reduce(|a, b| {
                            if a.is_nan() || b.is_nan() {
                                f64::NAN
                            } else {
                                f64::$pick(a, b)
                            }
                        })
                    })
                })
                .variadic(),
                Overload::new(&[Is(Decimal)], Decimal, |a| {
                    let columns = (0..a.len())
                        .map(|i| a.decimal(i))
                        .collect::<Result<Vec<_>>>()?;
                    args::decimals(a.rows(), |row| {
                        Ok(columns.iter().filter_map(|c| c.get(row)).$pick())
                    })
                })
                .variadic(),
                Overload::new(&[Is(Datetime)], Datetime, |a| {
                    let columns = (0..a.len())
                        .map(|i| a.datetime(i))
                        .collect::<Result<Vec<_>>>()?;
                    args::datetimes(a.rows(), |row| {
                        Ok(columns.iter().filter_map(|c| c.get(row)).$pick())
                    })
                })
                .variadic(),
                Overload::new(&[Is(Timespan)], Timespan, |a| {
                    let columns = (0..a.len())
                        .map(|i| a.timespan(i))
                        .collect::<Result<Vec<_>>>()?;
                    args::timespans(a.rows(), |row| {
                        columns.iter().filter_map(|c| c.get(row)).$pick()
                    })
                })
                .variadic(),
                Overload::new(&[Is(Text)], Text, |a| {
                    let columns = (0..a.len()).map(|i| a.str(i)).collect::<Result<Vec<_>>>()?;
                    args::strs(a.rows(), |row| {
                        columns.iter().map(|c| c.text(row)).$pick().unwrap_or("")
                    })
                })
                .variadic(),
            ],
        )
    };
}

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    extreme!("max_of", "The largest of its arguments, nulls aside.", max),
    extreme!("min_of", "The smallest of its arguments, nulls aside.", min),
];
