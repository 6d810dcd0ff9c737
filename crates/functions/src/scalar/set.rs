//! Arrays as sets: elements that are equal count once, in the order in which they first stand.
//!
//! Numbers are equal by value and bags whatever the order of their keys. An argument that is no
//! array is an empty set.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{Bool, Datetime, Dynamic, Guid, Long, Real, String as Text, Timespan};

use super::conversion::{parse_datetime, parse_timespan};
use super::write_array;
use crate::args::{self, Args};
use crate::dynamic::{self, Kind};
use crate::registry::{
    Overload,
    Param::{Is, Json},
    ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "set_has_element",
        "Whether an array has a value.",
        &[Overload::new(&[Is(Dynamic), Json], Bool, |a| {
            let (x, value) = (a.str(0)?, a.str(1)?);
            args::bools(a.rows(), |row| {
                let (x, value) = (x.get(row)?, canonical(value.get(row).unwrap_or("null")));
                if dynamic::kind(x) != Kind::Array {
                    return None;
                }
                Some(dynamic::elements(x).any(|element| canonical(element) == value))
            })
        })],
    ),
    ScalarFunction::new(
        "__in",
        "",
        &[
            Overload::new(&[Is(Text), Is(Dynamic)], Bool, |a| {
                let x = a.str(0)?;
                has_any(a, |row, element| {
                    dynamic::kind(element) == Kind::String
                        && dynamic::string_value(element) == x.text(row)
                })
            }),
            Overload::new(&[Is(Long), Is(Dynamic)], Bool, |a| {
                let x = a.i64(0)?;
                has_any(a, |row, element| {
                    is_number(element)
                        && x.get(row).is_some_and(|x| {
                            dynamic::compare_to_long(element, x).is_some_and(Ordering::is_eq)
                        })
                })
            }),
            Overload::new(&[Is(Real), Is(Dynamic)], Bool, |a| {
                let x = a.f64(0)?;
                has_any(a, |row, element| {
                    is_number(element)
                        && x.get(row)
                            .is_some_and(|x| dynamic::to_real(element) == Some(x))
                })
            }),
            Overload::new(&[Is(Bool), Is(Dynamic)], Bool, |a| {
                let x = a.bool(0)?;
                has_any(a, |row, element| {
                    dynamic::kind(element) == Kind::Bool && x.get(row) == Some(element == "true")
                })
            }),
            Overload::new(&[Is(Guid), Is(Dynamic)], Bool, |a| {
                let x = a.str(0)?;
                has_any(a, |row, element| {
                    x.get(row)
                        .is_some_and(|x| dynamic::to_text(element).eq_ignore_ascii_case(x))
                })
            }),
            Overload::new(&[Is(Datetime), Is(Dynamic)], Bool, |a| {
                let x = a.datetime(0)?;
                has_any(a, |row, element| {
                    let element = parse_datetime(&dynamic::to_text(element));
                    x.get(row).is_some() && element.is_ok_and(|element| element == x.get(row))
                })
            }),
            Overload::new(&[Is(Timespan), Is(Dynamic)], Bool, |a| {
                let x = a.timespan(0)?;
                has_any(a, |row, element| {
                    x.get(row).is_some() && parse_timespan(&dynamic::to_text(element)) == x.get(row)
                })
            }),
            Overload::new(&[Is(Dynamic), Is(Dynamic)], Bool, |a| {
                let x = a.str(0)?;
                has_any(a, |row, element| {
                    x.get(row).is_some_and(|x| dynamic::equal(x, element))
                })
            }),
        ],
    ),
    ScalarFunction::new(
        "set_union",
        "The distinct elements of all arrays.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, |a| {
            let arrays = a.strs(0)?;
            args::written_option(a.rows(), |row, out| {
                let mut known = HashSet::new();
                let elements = arrays.iter().flat_map(|x| dynamic::elements(x.text(row)));
                write_array(out, elements.filter(|e| known.insert(canonical(e))));
                Ok(true)
            })
        })
        .variadic()],
    ),
    ScalarFunction::new(
        "set_intersect",
        "The distinct elements that all arrays have.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, |a| {
            with_others(a, |value, others, known| {
                others.iter().all(|set| set.contains(value)) && known.insert(value.clone())
            })
        })
        .variadic()],
    ),
    ScalarFunction::new(
        "set_difference",
        "The distinct elements of the first array that no other has.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, |a| {
            with_others(a, |value, others, known| {
                !others.iter().any(|set| set.contains(value)) && known.insert(value.clone())
            })
        })
        .variadic()],
    ),
    ScalarFunction::new(
        "set_equals",
        "Whether two arrays have the same distinct elements.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Bool, |a| {
            let (x, y) = (a.str(0)?, a.str(1)?);
            args::bools(a.rows(), |row| {
                Some(set_of(x.get(row)?) == set_of(y.get(row)?))
            })
        })],
    ),
    ScalarFunction::new(
        "jaccard_index",
        "The share of common elements among all elements of two arrays.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Real, |a| {
            let (x, y) = (a.str(0)?, a.str(1)?);
            args::reals(a.rows(), |row| {
                let (x, y) = (set_of(x.get(row)?), set_of(y.get(row)?));
                let common = x.intersection(&y).count();
                Some(common as f64 / (x.len() + y.len() - common) as f64)
            })
        })],
    ),
];

type Set<'a> = HashSet<Cow<'a, str>>;

fn set_of(array: &str) -> Set<'_> {
    dynamic::elements(array).map(canonical).collect()
}

/// Whether a test holds for an element of an array, or for what is no array; never for null.
fn has_any(a: &Args<'_>, mut test: impl FnMut(usize, &str) -> bool) -> Result<ArrayRef> {
    let x = a.str(1)?;
    args::truths(a.rows(), |row| match x.get(row) {
        None => false,
        Some(x) if dynamic::kind(x) == Kind::Array => dynamic::elements(x)
            .filter_map(dynamic::non_null)
            .any(|element| test(row, element)),
        Some(x) => dynamic::non_null(x).is_some_and(|x| test(row, x)),
    })
}

fn is_number(value: &str) -> bool {
    matches!(dynamic::kind(value), Kind::Long | Kind::Real)
}

/// The elements of the first array that `keep` wants, given those of the other arrays and those
/// that were kept before.
fn with_others(
    a: &Args<'_>,
    keep: impl for<'x> Fn(&Cow<'x, str>, &[Set<'x>], &mut Set<'x>) -> bool,
) -> Result<ArrayRef> {
    let (first, others) = (a.str(0)?, a.strs(1)?);
    args::written_option(a.rows(), |row, out| {
        let others: Vec<Set<'_>> = others.iter().map(|x| set_of(x.text(row))).collect();
        let mut known = Set::new();
        let elements = dynamic::elements(first.text(row));
        write_array(
            out,
            elements.filter(|element| keep(&canonical(element), &others, &mut known)),
        );
        Ok(true)
    })
}

/// A text that two values share if and only if they are equal.
pub(super) fn canonical(value: &str) -> Cow<'_, str> {
    match dynamic::kind(value) {
        Kind::Null | Kind::Bool => Cow::Borrowed(value),
        Kind::Long if value == "-0" => Cow::Borrowed("0"),
        Kind::Long if value.parse::<i64>().is_ok() => Cow::Borrowed(value),
        Kind::Long | Kind::Real => {
            let real: f64 = value.parse().unwrap_or(f64::NAN);
            let whole = real as i64;
            // Beyond 2^53 a real may stand for several whole numbers.
            if whole as f64 == real && whole.unsigned_abs() <= 1 << 53 {
                Cow::Owned(whole.to_string())
            } else {
                Cow::Owned(format!("{real:?}"))
            }
        }
        Kind::String if !value.contains('\\') => Cow::Borrowed(value),
        Kind::String | Kind::Array | Kind::Bag => {
            let mut out = String::with_capacity(value.len());
            write_canonical(&mut out, value);
            Cow::Owned(out)
        }
    }
}

fn write_canonical(out: &mut String, value: &str) {
    match dynamic::kind(value) {
        Kind::String => dynamic::write_string(out, &dynamic::string_value(value)),
        Kind::Array => {
            out.push('[');
            for (index, element) in dynamic::elements(value).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(out, element);
            }
            out.push(']');
        }
        Kind::Bag => {
            let members: std::collections::BTreeMap<_, _> = dynamic::members(value).collect();
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                dynamic::write_string(out, key);
                out.push(':');
                write_canonical(out, value);
            }
            out.push('}');
        }
        _ => out.push_str(&canonical(value)),
    }
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn sets_have_no_element_twice() {
        check(&[
            (
                "set_union(dynamic([1,2,1,4]), dynamic([1,2]), dynamic([8]))",
                "[1,2,4,8]",
            ),
            (
                "set_union(dynamic(['A4','A2','A7','A2']), dynamic(['A4']))",
                r#"["A4","A2","A7"]"#,
            ),
            (
                "set_difference(dynamic([4,2,4,8]), dynamic([2]), dynamic([8]))",
                "[4]",
            ),
            ("set_difference(dynamic([1,2,3]), dynamic([1,2,3]))", "[]"),
            (
                "set_intersect(dynamic([3,1,3,2]), dynamic([1,2,3]), dynamic([3,1]))",
                "[3,1]",
            ),
            ("set_intersect(dynamic([1,2,3]), dynamic([4,5]))", "[]"),
            ("set_equals(dynamic([1,2,2]), dynamic([2,1]))", "True"),
            ("set_equals(dynamic([1]), dynamic([2,1]))", "False"),
            ("set_has_element(dynamic(['this','is']), 'is')", "True"),
            ("set_has_element(dynamic([1,2]), '2')", "False"),
        ]);
    }

    #[test]
    fn equal_values_count_once_however_written() {
        check(&[
            (
                "set_union(dynamic([1, 1.0, 10]), parse_json('[1e1, -0.0, 0]'))",
                "[1,10,-0.0]",
            ),
            (
                "set_union(parse_json('[\"\\\\u0041\"]'), dynamic(['A']))",
                r#"["A"]"#,
            ),
            (
                "set_union(dynamic([{'a': 1, 'b': [2]}]), dynamic([{'b': [2.0], 'a': 1}]))",
                r#"[{"a":1,"b":[2]}]"#,
            ),
            (
                "array_length(set_union(dynamic([9007199254740993]), dynamic([9007199254740992])))",
                "2",
            ),
            (
                "set_union(dynamic([null]), dynamic([null, 'null']))",
                r#"[null,"null"]"#,
            ),
        ]);
    }

    #[test]
    fn what_is_no_array_is_an_empty_set() {
        check(&[
            ("set_union(dynamic(null), dynamic([1]))", "[1]"),
            ("set_difference(dynamic([1]), dynamic({}))", "[1]"),
            ("set_intersect(dynamic([1]), dynamic(1))", "[]"),
        ]);
    }

    #[test]
    fn jaccard_index_is_a_share() {
        check(&[
            (
                "jaccard_index(dynamic([1,2,3]), dynamic([1,2,3,4]))",
                "0.75",
            ),
            ("jaccard_index(dynamic([1,1]), dynamic([2]))", "0.0"),
            ("jaccard_index(dynamic(null), dynamic([2]))", "null"),
        ]);
    }
}
