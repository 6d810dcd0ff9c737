//! Arrays: their parts and their order.

mod make;
mod sort;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Dynamic, Long, Real};

use super::set::canonical;
use crate::args::{self, Args, ELEMENTS_MAX, Str};
use crate::dynamic::{self, Kind};
use crate::registry::{
    Overload,
    Param::{Is, Json},
    ScalarFunction,
};

pub(super) use make::FUNCTIONS as MAKE_FUNCTIONS;
pub(super) use sort::FUNCTIONS as SORT_FUNCTIONS;

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "array_length",
        "How many elements an array has; null if it is none.",
        &[Overload::new(&[Is(Dynamic)], Long, |a| {
            let x = a.str(0)?;
            args::longs(a.rows(), |row| {
                let x = x.get(row)?;
                (dynamic::kind(x) == Kind::Array).then(|| dynamic::elements(x).count() as i64)
            })
        })],
    )
    .aliases(&["arraylength"]),
    ScalarFunction::new(
        "array_slice",
        "The elements of an array from one index to another.",
        &[Overload::new(
            &[Is(Dynamic), Is(Long), Is(Long)],
            Dynamic,
            |a| {
                let (start, end) = (a.i64(1)?, a.i64(2)?);
                with_array(a, |row, array| {
                    let start = place(start.get(row)?, array.len());
                    let end = match end.get(row)? {
                        -1 => array.len(),
                        end => place(end.saturating_add(1), array.len()),
                    };
                    Some(array[start..end.max(start)].to_vec())
                })
            },
        )],
    ),
    ScalarFunction::new(
        "array_split",
        "The parts of an array between indexes.",
        &[
            Overload::new(&[Is(Dynamic), Is(Long)], Dynamic, |a| {
                let index = a.i64(1)?;
                split(a, |row| Some(vec![index.get(row)?]))
            }),
            Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, |a| {
                let indexes = a.str(1)?;
                split(a, |row| {
                    let indexes = indexes.get(row)?;
                    match dynamic::kind(indexes) {
                        Kind::Long => Some(vec![dynamic::to_long(indexes)?]),
                        Kind::Array => dynamic::elements(indexes)
                            .map(|index| match dynamic::kind(index) {
                                Kind::Long => dynamic::to_long(index),
                                _ => None,
                            })
                            .collect(),
                        _ => None,
                    }
                })
            }),
        ],
    ),
    ScalarFunction::new(
        "array_reverse",
        "An array backwards.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            with_array(a, |_, mut array| {
                array.reverse();
                Some(array)
            })
        })],
    ),
    ScalarFunction::new(
        "array_rotate_left",
        "An array whose first elements come last.",
        &[Overload::new(&[Is(Dynamic), Is(Long)], Dynamic, |a| {
            rotate(a, false)
        })],
    ),
    ScalarFunction::new(
        "array_rotate_right",
        "An array whose last elements come first.",
        &[Overload::new(&[Is(Dynamic), Is(Long)], Dynamic, |a| {
            rotate(a, true)
        })],
    ),
    ScalarFunction::new(
        "array_shift_left",
        "An array without its first elements, filled up at its end.",
        &[Overload::new(&[Is(Dynamic), Is(Long), Json], Dynamic, |a| shift(a, false)).required(2)],
    ),
    ScalarFunction::new(
        "array_shift_right",
        "An array without its last elements, filled up at its start.",
        &[Overload::new(&[Is(Dynamic), Is(Long), Json], Dynamic, |a| shift(a, true)).required(2)],
    ),
    ScalarFunction::new(
        "array_index_of",
        "Where a value first stands in an array, or -1.",
        &[Overload::new(
            &[Is(Dynamic), Json, Is(Long), Is(Long), Is(Long)],
            Long,
            index_of,
        )
        .required(2)],
    ),
    ScalarFunction::new(
        "array_sum",
        "The sum of an array's numbers.",
        &[Overload::new(&[Is(Dynamic)], Real, |a| {
            let x = a.str(0)?;
            args::reals(a.rows(), |row| {
                let x = x.get(row)?;
                if dynamic::kind(x) != Kind::Array {
                    return None;
                }
                let mut sum = 0.0;
                for element in dynamic::elements(x).filter(|e| dynamic::kind(e) != Kind::Null) {
                    sum += match dynamic::kind(element) {
                        Kind::Long | Kind::Real => dynamic::to_real(element)?,
                        _ => return None,
                    };
                }
                Some(sum)
            })
        })],
    ),
];

/// Appends an array of JSON values.
pub(crate) fn write_array<'a>(out: &mut String, values: impl IntoIterator<Item = &'a str>) {
    out.push('[');
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(value);
    }
    out.push(']');
}

/// What `change` makes of each row's array, which is the first argument.
fn with_array(
    a: &Args<'_>,
    change: impl for<'x> Fn(usize, Vec<&'x str>) -> Option<Vec<&'x str>>,
) -> Result<ArrayRef> {
    let x = a.str(0)?;
    args::written_option(a.rows(), |row, out| {
        let value = x.text(row);
        if dynamic::kind(value) != Kind::Array {
            return Ok(false);
        }
        match change(row, dynamic::elements(value).collect()) {
            Some(array) => {
                write_array(out, array);
                Ok(true)
            }
            None => Ok(false),
        }
    })
}

/// An index as a place between 0 and `length`; a negative one counts from the end.
fn place(index: i64, length: usize) -> usize {
    let length = length as i64;
    let index = if index < 0 { index + length } else { index };
    index.clamp(0, length) as usize
}

fn split(a: &Args<'_>, indexes: impl Fn(usize) -> Option<Vec<i64>>) -> Result<ArrayRef> {
    let x = a.str(0)?;
    args::written_option(a.rows(), |row, out| {
        let value = x.text(row);
        let Some(indexes) = indexes(row).filter(|_| dynamic::kind(value) == Kind::Array) else {
            return Ok(false);
        };
        if indexes.len() > ELEMENTS_MAX {
            return exec_err!("`array_split` takes up to {ELEMENTS_MAX} indexes");
        }
        let array: Vec<&str> = dynamic::elements(value).collect();
        out.push('[');
        let mut start = 0;
        for index in indexes {
            let end = place(index, array.len());
            write_array(out, array[start..end.max(start)].iter().copied());
            out.push(',');
            args::check_string_bytes(out.len())?;
            start = end;
        }
        write_array(out, array[start..].iter().copied());
        out.push(']');
        Ok(true)
    })
}

fn rotate(a: &Args<'_>, right: bool) -> Result<ArrayRef> {
    let count = a.i64(1)?;
    with_array(a, |row, mut array| {
        let count = count.get(row)?;
        if !array.is_empty() {
            let left = count.rem_euclid(array.len() as i64) as usize;
            if right {
                array.rotate_right(left);
            } else {
                array.rotate_left(left);
            }
        }
        Some(array)
    })
}

/// Without a value of its own, what is filled up is null, or `""` in an array of strings.
///
/// <https://learn.microsoft.com/kusto/query/array-shift-left-function>
fn shift(a: &Args<'_>, right: bool) -> Result<ArrayRef> {
    let count = a.i64(1)?;
    let fill = if a.len() > 2 {
        a.str(2)?
    } else {
        Str::Const(None)
    };
    let given = a.len() > 2;
    let x = a.str(0)?;
    args::written_option(a.rows(), |row, out| {
        let (value, Some(count)) = (x.text(row), count.get(row)) else {
            return Ok(false);
        };
        if dynamic::kind(value) != Kind::Array {
            return Ok(false);
        }
        let array: Vec<&str> = dynamic::elements(value).collect();
        let of_strings = array.iter().all(|e| dynamic::kind(e) == Kind::String);
        let fill = match fill.get(row) {
            Some(fill) => fill,
            None if !given && of_strings => "\"\"",
            None => "null",
        };
        let length = array.len() as i64;
        let left = if right { count.saturating_neg() } else { count };
        let element = |index: i64| {
            let from = usize::try_from(index.saturating_add(left)).ok();
            from.and_then(|from| array.get(from))
                .copied()
                .unwrap_or(fill)
        };
        write_array(out, (0..length).map(element));
        args::check_string_bytes(out.len())?;
        Ok(true)
    })
}

fn index_of(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, value) = (a.str(0)?, a.str(1)?);
    let (start, length, occurrence) = (a.i64_or(2, 0)?, a.i64_or(3, -1)?, a.i64_or(4, 1)?);
    args::longs(a.rows(), |row| {
        let (x, value) = (x.get(row)?, canonical(value.get(row).unwrap_or("null")));
        if dynamic::kind(x) != Kind::Array {
            return None;
        }
        let count = dynamic::elements(x).count();
        let start = place(start.get(row)?, count);
        let length = match length.get(row)? {
            -1 => count,
            length => usize::try_from(length).ok()?,
        };
        let found = dynamic::elements(x)
            .enumerate()
            .skip(start)
            .take(length)
            .filter(|(_, element)| canonical(element) == value)
            .nth(usize::try_from(occurrence.get(row)? - 1).ok()?);
        Some(found.map_or(-1, |(index, _)| index as i64))
    })
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn rotating_goes_round() {
        check(&[
            ("array_rotate_left(dynamic([1,2,3,4,5]), 2)", "[3,4,5,1,2]"),
            ("array_rotate_left(dynamic([1,2,3,4,5]), -2)", "[4,5,1,2,3]"),
            ("array_rotate_right(dynamic([1,2,3,4,5]), 7)", "[4,5,1,2,3]"),
            ("array_rotate_right(dynamic([]), 3)", "[]"),
            ("array_rotate_left(dynamic({}), 3)", "null"),
            ("array_rotate_left(dynamic([1]), long(null))", "null"),
        ]);
    }

    #[test]
    fn shifting_fills_up() {
        check(&[
            (
                "array_shift_left(dynamic([1,2,3,4,5]), 2)",
                "[3,4,5,null,null]",
            ),
            (
                "array_shift_left(dynamic([1,2,3,4,5]), 2, -1)",
                "[3,4,5,-1,-1]",
            ),
            (
                "array_shift_left(dynamic([1,2,3,4,5]), -2, -1)",
                "[-1,-1,1,2,3]",
            ),
            ("array_shift_right(dynamic([1,2,3]), 1)", "[null,1,2]"),
            ("array_shift_right(dynamic([1,2,3]), 9)", "[null,null,null]"),
            ("array_shift_left(dynamic(['a','b']), 1)", r#"["b",""]"#),
            (
                "array_shift_left(dynamic(['a','b']), 1, long(null))",
                r#"["b",null]"#,
            ),
            (
                "array_shift_right(dynamic([1]), -9223372036854775807)",
                "[null]",
            ),
        ]);
    }

    #[test]
    fn splitting_cuts_at_indexes() {
        check(&[
            ("array_split(dynamic([1,2,3,4,5]), 2)", "[[1,2],[3,4,5]]"),
            (
                "array_split(dynamic([1,2,3,4,5]), dynamic([1,3]))",
                "[[1],[2,3],[4,5]]",
            ),
            ("array_split(dynamic([1,2,3]), -1)", "[[1,2],[3]]"),
            ("array_split(dynamic([1,2,3]), 9)", "[[1,2,3],[]]"),
            ("array_split(dynamic([1,2,3]), dynamic(['x']))", "null"),
            ("array_split(dynamic(1), 1)", "null"),
        ]);
    }

    #[test]
    fn slices_take_both_ends() {
        check(&[
            ("array_slice(dynamic([1,2,3]), 1, 2)", "[2,3]"),
            ("array_slice(dynamic([1,2,3,4,5]), 2, -1)", "[3,4,5]"),
            ("array_slice(dynamic([1,2,3,4,5]), -3, -2)", "[3,4]"),
            ("array_slice(dynamic([1,2,3]), 5, 9)", "[]"),
            ("array_slice(dynamic([1,2,3]), 2, 1)", "[]"),
            ("array_slice(dynamic([1,2,3]), -9, 9)", "[1,2,3]"),
            ("array_slice(dynamic([1,2,3]), 0, -9)", "[]"),
        ]);
    }

    #[test]
    fn values_are_found_in_arrays() {
        let this = "dynamic(['this', 'is', 'an', 'example', 'an', 'example'])";
        for (rest, expected) in [
            ("'an'", "2"),
            ("'example', 1, 3", "3"),
            ("'example', 1, 2", "-1"),
            ("'is', 2, 4", "-1"),
            ("'example', 2, -1", "3"),
            ("'an', 1, -1, 2", "4"),
            ("'an', 1, -1, 3", "-1"),
            ("'an', -3", "4"),
            ("'is', -4", "-1"),
            ("'is', 0, -2", "null"),
            ("'is', 0, -1, -1", "null"),
        ] {
            check(&[(&format!("array_index_of({this}, {rest})"), expected)]);
        }
        check(&[
            (
                "array_index_of(dynamic([9007199254740993]), 9007199254740992)",
                "-1",
            ),
            ("array_index_of(dynamic([1.0]), 1)", "0"),
        ]);
    }
}
