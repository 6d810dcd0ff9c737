//! Arrays made of values and of other arrays.

use std::fmt::Write as _;

use arrow::array::ArrayRef;
use arrow::datatypes::{ArrowPrimitiveType, DurationNanosecondType};
use datafusion_common::{Result, exec_err};
use kql::Type::{Datetime, Dynamic, Long, Real, Timespan};

use super::write_array;
use crate::args::{self, Args, ELEMENTS_MAX, Prim};
use crate::dynamic::{self, Kind};
use crate::registry::{
    Overload,
    Param::{Is, Json},
    ResultName, ScalarFunction,
};
use crate::time;

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "pack_array",
        "An array of its arguments.",
        &[Overload::new(&[Json], Dynamic, |a| {
            let items = a.strs(0)?;
            args::written_option(a.rows(), |row, out| {
                write_array(
                    out,
                    items.iter().map(|item| item.get(row).unwrap_or("null")),
                );
                Ok(true)
            })
        })
        .required(0)
        .variadic()],
    ),
    ScalarFunction::new(
        "array_concat",
        "Several arrays as one.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            let arrays = a.strs(0)?;
            args::written_option(a.rows(), |row, out| {
                write_array(
                    out,
                    arrays
                        .iter()
                        .flat_map(|array| dynamic::elements(array.text(row))),
                );
                Ok(true)
            })
        })
        .variadic()],
    ),
    ScalarFunction::new(
        "array_iff",
        "Values of one array or another, as an array of conditions says.",
        &[Overload::new(
            &[Is(Dynamic), Json, Json],
            Dynamic,
            array_iff,
        )],
    )
    .aliases(&["array_iif"]),
    ScalarFunction::new(
        "zip",
        "An array of arrays, each of the elements at one index.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, zip).variadic()],
    ),
    ScalarFunction::new(
        "repeat",
        "An array of a value a number of times.",
        &[Overload::new(&[Json, Is(Long)], Dynamic, |a| {
            let (x, count) = (a.str(0)?, a.i64(1)?);
            args::written_option(a.rows(), |row, out| {
                let Some(Ok(count)) = count.get(row).map(usize::try_from) else {
                    return Ok(false);
                };
                let value = x.get(row).unwrap_or("null");
                check_elements("repeat", count)?;
                args::check_string_bytes((value.len() + 1) * count)?;
                write_array(out, std::iter::repeat_n(value, count));
                Ok(true)
            })
        })],
    )
    .result_name(ResultName::Prefix("repeat")),
    ScalarFunction::new(
        "range",
        "An array of equally spaced values.",
        &[
            Overload::new(&[Is(Long), Is(Long), Is(Long)], Dynamic, |a| {
                range(a, [a.i64(0)?, a.i64(1)?], a.i64_or(2, 1)?, |out, value| {
                    let _ = write!(out, "{value}");
                })
            })
            .required(2),
            Overload::new(&[Is(Real), Is(Real), Is(Real)], Dynamic, range_of_reals).required(2),
            Overload::new(&[Is(Datetime), Is(Datetime), Is(Timespan)], Dynamic, |a| {
                range(
                    a,
                    [a.datetime(0)?, a.datetime(1)?],
                    hour_or(a)?,
                    |out, value| {
                        dynamic::write_string(out, &time::format_nanos(value));
                    },
                )
            })
            .required(2),
            Overload::new(&[Is(Timespan), Is(Timespan), Is(Timespan)], Dynamic, |a| {
                range(
                    a,
                    [a.timespan(0)?, a.timespan(1)?],
                    hour_or(a)?,
                    |out, value| {
                        dynamic::write_string(out, &time::format_span(value));
                    },
                )
            })
            .required(2),
        ],
    ),
];

/// Refuses an array that is too long to make.
fn check_elements(function: &str, count: usize) -> Result<()> {
    if count > ELEMENTS_MAX {
        return exec_err!("`{function}` would make {count} elements; the limit is {ELEMENTS_MAX}");
    }
    Ok(())
}

/// Conditions that are neither bools nor numbers give null.
fn array_iff(a: &Args<'_>) -> Result<ArrayRef> {
    let (conditions, yes, no) = (a.str(0)?, a.str(1)?, a.str(2)?);
    args::written_option(a.rows(), |row, out| {
        let conditions = conditions.text(row);
        if dynamic::kind(conditions) != Kind::Array {
            return Ok(false);
        }
        let (mut yes, mut no) = (Choice::new(yes.get(row)), Choice::new(no.get(row)));
        out.push('[');
        for (index, condition) in dynamic::elements(conditions).enumerate() {
            if index > 0 {
                out.push(',');
            }
            let (yes, no) = (yes.next(), no.next());
            out.push_str(match dynamic::kind(condition) {
                Kind::Bool | Kind::Long | Kind::Real => match dynamic::to_bool(condition) {
                    Some(true) => yes,
                    Some(false) => no,
                    None => "null",
                },
                _ => "null",
            });
            args::check_string_bytes(out.len())?;
        }
        out.push(']');
        Ok(true)
    })
}

/// What `array_iff()` chooses from: an array, element by element, or one value over and over.
struct Choice<'a, I> {
    value: &'a str,
    elements: Option<I>,
}

impl<'a> Choice<'a, ()> {
    fn new(value: Option<&'a str>) -> Choice<'a, impl Iterator<Item = &'a str>> {
        let value = value.unwrap_or("null");
        let is_array = dynamic::kind(value) == Kind::Array;
        Choice {
            value,
            elements: is_array.then(|| dynamic::elements(value)),
        }
    }
}

impl<'a, I: Iterator<Item = &'a str>> Choice<'a, I> {
    fn next(&mut self) -> &'a str {
        match &mut self.elements {
            Some(elements) => elements.next().unwrap_or("null"),
            None => self.value,
        }
    }
}

/// Arrays that are shorter than the longest are filled up with null.
fn zip(a: &Args<'_>) -> Result<ArrayRef> {
    let arrays = a.strs(0)?;
    args::written_option(a.rows(), |row, out| {
        let mut columns = Vec::with_capacity(arrays.len());
        for array in &arrays {
            let value = array.text(row);
            if dynamic::kind(value) != Kind::Array {
                return Ok(false);
            }
            columns.push(dynamic::elements(value).collect::<Vec<_>>());
        }
        let length = columns.iter().map(Vec::len).max().unwrap_or(0);
        out.push('[');
        for index in 0..length {
            if index > 0 {
                out.push(',');
            }
            let elements = columns.iter().map(|column| column.get(index).copied());
            write_array(out, elements.map(|element| element.unwrap_or("null")));
            args::check_string_bytes(out.len())?;
        }
        out.push(']');
        Ok(true)
    })
}

/// The step of a range of instants or lengths of time.
fn hour_or<'a>(a: &Args<'a>) -> Result<Prim<'a, DurationNanosecondType>> {
    if a.len() > 2 {
        a.timespan(2)
    } else {
        Ok(Prim::Const(Some(3_600 * time::NANOS_PER_SECOND)))
    }
}

/// Values up to the bound, the first [`ELEMENTS_MAX`] of them; null if the step is 0.
///
/// <https://learn.microsoft.com/kusto/query/range-function>
fn range<T, S>(
    a: &Args<'_>,
    [from, to]: [Prim<'_, T>; 2],
    step: Prim<'_, S>,
    write: impl Fn(&mut String, i64),
) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType<Native = i64>,
    S: ArrowPrimitiveType<Native = i64>,
{
    args::written_option(a.rows(), |row, out| {
        let (Some(from), Some(to), Some(step)) = (from.get(row), to.get(row), step.get(row)) else {
            return Ok(false);
        };
        if step == 0 {
            return Ok(false);
        }
        let distance = i128::from(to) - i128::from(from);
        let count = if distance != 0 && (distance < 0) != (step < 0) {
            0
        } else {
            (distance / i128::from(step) + 1).min(ELEMENTS_MAX as i128)
        };
        out.push('[');
        for index in 0..count as i64 {
            if index > 0 {
                out.push(',');
            }
            // The sum stays between the bounds; the product may not.
            let value = i128::from(from) + i128::from(index) * i128::from(step);
            write(out, value as i64);
            args::check_string_bytes(out.len())?;
        }
        out.push(']');
        Ok(true)
    })
}

fn range_of_reals(a: &Args<'_>) -> Result<ArrayRef> {
    let (from, to) = (a.f64(0)?, a.f64(1)?);
    let step = if a.len() > 2 {
        a.f64(2)?
    } else {
        Prim::Const(Some(1.0))
    };
    args::written_option(a.rows(), |row, out| {
        let (Some(from), Some(to), Some(step)) = (from.get(row), to.get(row), step.get(row)) else {
            return Ok(false);
        };
        if step == 0.0 || !(from.is_finite() && to.is_finite() && step.is_finite()) {
            return Ok(false);
        }
        out.push('[');
        for index in 0..ELEMENTS_MAX {
            let value = from + index as f64 * step;
            if if step > 0.0 { value > to } else { value < to } {
                break;
            }
            if index > 0 {
                out.push(',');
            }
            dynamic::write_real(out, value);
            args::check_string_bytes(out.len())?;
        }
        out.push(']');
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn conditions_choose_elements() {
        check(&[
            (
                "array_iff(dynamic([true,false,true]), dynamic([1,2,3]), dynamic([4,5,6]))",
                "[1,5,3]",
            ),
            (
                "array_iff(dynamic([1,0,50]), 'yes', 'no')",
                r#"["yes","no","yes"]"#,
            ),
            (
                "array_iff(dynamic(['text', null, [1]]), 1, 0)",
                "[null,null,null]",
            ),
            (
                "array_iff(dynamic([true,true,true]), dynamic([1,2]), dynamic([3,4]))",
                "[1,2,null]",
            ),
            ("array_iif(dynamic([false, 0.0]), 1, 2.5)", "[2.5,2.5]"),
            ("array_iff(dynamic(1), 1, 2)", "null"),
        ]);
    }

    #[test]
    fn zipping_fills_up_with_null() {
        check(&[
            (
                "zip(dynamic([1,3,5]), dynamic([2,4,6]))",
                "[[1,2],[3,4],[5,6]]",
            ),
            (
                "zip(dynamic(['A', 1, 1.5]), dynamic([{}, 'B']))",
                r#"[["A",{}],[1,"B"],[1.5,null]]"#,
            ),
            ("zip(dynamic([]), dynamic([]))", "[]"),
            ("zip(dynamic([1]), dynamic(null))", "null"),
        ]);
    }

    #[test]
    fn repeating_is_bounded() {
        check(&[
            ("repeat(1, 3)", "[1,1,1]"),
            ("repeat('a', 2)", r#"["a","a"]"#),
            ("repeat(1, 0)", "[]"),
            ("repeat(1, -1)", "null"),
        ]);
        check_refused(&[
            ("repeat(1, 9223372036854775807)", "elements"),
            ("repeat('twenty characters long', 1048576)", "bytes"),
        ]);
    }

    #[test]
    fn ranges_end_at_their_bound() {
        check(&[
            ("range(1, 8, 3)", "[1,4,7]"),
            ("range(1, 3)", "[1,2,3]"),
            ("range(3, 1, -1)", "[3,2,1]"),
            ("range(3, 1)", "[]"),
            ("range(1, 2, -3)", "[]"),
            ("range(1, 2, 0)", "null"),
            ("range(0, 1, 0.5)", "[0.0,0.5,1.0]"),
            ("range(1h, 3h)", r#"["01:00:00","02:00:00","03:00:00"]"#),
            (
                "range(datetime(2007-01-01), datetime(2007-01-02), 1d)",
                r#"["2007-01-01T00:00:00.0000000Z","2007-01-02T00:00:00.0000000Z"]"#,
            ),
            ("array_length(range(1, 1000000000))", "1048576"),
            (
                "range(9223372036854775806, 9223372036854775807)",
                "[9223372036854775806,9223372036854775807]",
            ),
            (
                "range(-9223372036854775807, 9223372036854775807, 9223372036854775807)",
                "[-9223372036854775807,0,9223372036854775807]",
            ),
            ("range(1.0, real(nan))", "null"),
        ]);
    }
}
