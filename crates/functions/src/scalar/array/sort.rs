//! `array_sort_asc()` and `array_sort_desc()`.
//!
//! Numbers come before strings and strings before all else, in either direction; what has no order
//! keeps its place among its like.
//!
//! <https://learn.microsoft.com/kusto/query/array-sort-asc-function>

use std::borrow::Cow;
use std::cmp::Ordering;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic};
use kql::value::timespan;

use super::write_array;
use crate::args::{self, Args};
use crate::dynamic::{self, Kind};
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "array_sort_asc",
        "An array in ascending order, with nulls last unless said otherwise.",
        &[
            Overload::new(&[Is(Dynamic), Is(Bool)], Dynamic, |a| sort(a, false)).required(1),
            Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, several).variadic(),
        ],
    ),
    ScalarFunction::new(
        "array_sort_desc",
        "An array in descending order, with nulls last unless said otherwise.",
        &[
            Overload::new(&[Is(Dynamic), Is(Bool)], Dynamic, |a| sort(a, true)).required(1),
            Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, several).variadic(),
        ],
    ),
    // What the binder may turn a call on several arrays into: the place of nulls, then the arrays.
    // The result is an array of them all, the first sorted and the others moved alike.
    ScalarFunction::new(
        "__array_sort_asc",
        "",
        &[Overload::new(&[Is(Bool), Is(Dynamic)], Dynamic, |a| sort_all(a, false)).variadic()],
    ),
    ScalarFunction::new(
        "__array_sort_desc",
        "",
        &[Overload::new(&[Is(Bool), Is(Dynamic)], Dynamic, |a| sort_all(a, true)).variadic()],
    ),
];

/// Several arrays give several columns, or an array of them where an index follows; neither is known
/// to a kernel.
fn several(_: &Args<'_>) -> Result<ArrayRef> {
    exec_err!("sorting several arrays at once is not supported; sort one")
}

fn sort(a: &Args<'_>, descending: bool) -> Result<ArrayRef> {
    let x = a.str(0)?;
    let nulls_last = if a.len() > 1 {
        a.bool(1)?
    } else {
        args::Bool::Const(Some(true))
    };
    args::written_option(a.rows(), |row, out| {
        let value = x.text(row);
        if dynamic::kind(value) != Kind::Array {
            return Ok(false);
        }
        let array: Vec<&str> = dynamic::elements(value).collect();
        let order = order(&array, descending, nulls_last.get(row).unwrap_or(true))?;
        write_array(out, order.into_iter().map(|index| array[index]));
        Ok(true)
    })
}

fn sort_all(a: &Args<'_>, descending: bool) -> Result<ArrayRef> {
    let (nulls_last, arrays) = (a.bool(0)?, a.strs(1)?);
    args::written_option(a.rows(), |row, out| {
        let first = arrays[0].text(row);
        let length = dynamic::elements(first).count();
        let keys: Vec<&str> = dynamic::elements(first).collect();
        let order = order(&keys, descending, nulls_last.get(row).unwrap_or(true))?;
        out.push('[');
        for (index, array) in arrays.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            let value = array.text(row);
            let elements: Vec<&str> = dynamic::elements(value).collect();
            if dynamic::kind(value) == Kind::Array && elements.len() == length {
                write_array(out, order.iter().map(|index| elements[*index]));
            } else {
                out.push_str("null");
            }
        }
        out.push(']');
        args::check_string_bytes(out.len())?;
        Ok(true)
    })
}

/// What an element sorts by.
enum Key<'a> {
    Number(f64, Option<i64>),
    Text(Cow<'a, str>),
    Other,
    Null,
}

impl<'a> Key<'a> {
    fn new(element: &'a str) -> Self {
        match dynamic::kind(element) {
            Kind::Null => Self::Null,
            Kind::Long | Kind::Real => Self::Number(
                dynamic::to_real(element).map_or(f64::NAN, |real| real + 0.0),
                element.parse().ok(),
            ),
            Kind::String => Self::Text(dynamic::string_value(element)),
            Kind::Bool | Kind::Array | Kind::Bag => Self::Other,
        }
    }

    fn class(&self, nulls_last: bool) -> u8 {
        match self {
            Self::Null if nulls_last => 4,
            Self::Null => 0,
            Self::Number(..) => 1,
            Self::Text(_) => 2,
            Self::Other => 3,
        }
    }

    /// The order within a class.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Longs that are the same as reals still differ among each other.
            (Self::Number(a, a_long), Self::Number(b, b_long)) => {
                a.total_cmp(b).then_with(|| a_long.cmp(b_long))
            }
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

/// The indexes of elements in their order.
fn order(array: &[&str], descending: bool, nulls_last: bool) -> Result<Vec<usize>> {
    let keys: Vec<Key<'_>> = array.iter().map(|element| Key::new(element)).collect();
    let mut order: Vec<usize> = (0..array.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&keys[*a], &keys[*b]);
        let classes = a.class(nulls_last).cmp(&b.class(nulls_last));
        classes.then_with(|| {
            if descending {
                b.compare(a)
            } else {
                a.compare(b)
            }
        })
    });
    check_timespans(&order, &keys, descending)?;
    Ok(order)
}

/// Refuses an array of timespans whose order as text, in which they are kept, is not that of time.
fn check_timespans(order: &[usize], keys: &[Key<'_>], descending: bool) -> Result<()> {
    let mut previous = None;
    for index in order {
        let Key::Text(text) = &keys[*index] else {
            continue;
        };
        let Some(ticks) = timespan_ticks(text) else {
            return Ok(());
        };
        if previous.is_some_and(|previous| (previous > ticks) != descending && previous != ticks) {
            return exec_err!(
                "sorting an array of timespans is not supported where their texts sort otherwise; sort numbers, as `tolong(…)` gives them"
            );
        }
        previous = Some(ticks);
    }
    Ok(())
}

/// A timespan as a dynamic value holds it.
fn timespan_ticks(text: &str) -> Option<i64> {
    let ticks = timespan::parse(text).filter(|_| text.contains(':'))?;
    (timespan::format(ticks) == text).then_some(ticks)
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn elements_sort_by_kind_then_value() {
        check(&[
            ("array_sort_asc(dynamic([1,3,4,5,2]))", "[1,2,3,4,5]"),
            (
                "array_sort_desc(dynamic([1,3,2,'a','c','b']))",
                r#"[3,2,1,"c","b","a"]"#,
            ),
            (
                "array_sort_asc(dynamic([10, 9.5, -1, 'B', 'a', {}, true]))",
                r#"[-1,9.5,10,"B","a",{},true]"#,
            ),
            (
                "array_sort_asc(dynamic([9007199254740993, 9007199254740992]))",
                "[9007199254740992,9007199254740993]",
            ),
            ("array_sort_asc(dynamic([]))", "[]"),
            ("array_sort_asc(dynamic({}))", "null"),
        ]);
    }

    #[test]
    fn nulls_come_last_unless_said_otherwise() {
        check(&[
            (
                "array_sort_asc(dynamic([null,'blue','yellow','green',null]))",
                r#"["blue","green","yellow",null,null]"#,
            ),
            (
                "array_sort_asc(dynamic([null,'blue','green']), false)",
                r#"[null,"blue","green"]"#,
            ),
            (
                "array_sort_desc(dynamic([null,'blue','yellow']))",
                r#"["yellow","blue",null]"#,
            ),
            ("array_sort_desc(dynamic([null,1,2]), false)", "[null,2,1]"),
        ]);
    }

    #[test]
    fn other_arrays_follow_the_first() {
        check(&[
            (
                "__array_sort_asc(true, dynamic([1,3,2]), dynamic(['a','b','c']), dynamic([1]))",
                r#"[[1,2,3],["a","c","b"],null]"#,
            ),
            (
                "__array_sort_desc(true, dynamic([1,3,2]), dynamic(['a','b','c']))",
                r#"[[3,2,1],["b","c","a"]]"#,
            ),
        ]);
    }

    #[test]
    fn timespans_that_text_would_misplace_are_refused() {
        check(&[(
            "array_sort_asc(pack_array(2h, 1h))",
            r#"["01:00:00","02:00:00"]"#,
        )]);
        check_refused(&[("array_sort_asc(pack_array(1d, 10h, 2h))", "timespans")]);
    }

    #[test]
    fn several_arrays_are_refused() {
        check_refused(&[(
            "array_sort_asc(dynamic([2, 1]), dynamic(['a', 'b']))",
            "several arrays",
        )]);
    }
}
