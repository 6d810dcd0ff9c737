//! Arrays and property bags.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic, Long, Real, String as Text};

use crate::args::{self, Args};
use crate::dynamic::{self, Kind};
use crate::registry::{
    Overload,
    Param::{Is, Json},
    ResultName, ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    // The binder turns `d.a`, `d["a"]` and `d[0]` into these; steps of a path follow each other.
    ScalarFunction::new(
        "__path",
        "",
        &[Overload::new(&[Is(Dynamic), Json], Dynamic, |a| {
            let x = a.str(0)?;
            let steps = (1..a.len())
                .map(|i| Step::new(a, i))
                .collect::<Result<Vec<_>>>()?;
            let mut out = args::Strings::new(a.rows());
            for row in 0..a.rows() {
                let found = x
                    .get(row)
                    .and_then(|x| steps.iter().try_fold(x, |x, step| step.follow(row, x)));
                out.push_option(found.and_then(dynamic::non_null))?;
            }
            Ok(out.finish())
        })
        .variadic()],
    ),
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
        "gettype",
        "The name of a dynamic value's type.",
        &[Overload::new(&[Is(Dynamic)], Text, |a| {
            let x = a.str(0)?;
            args::strs(a.rows(), |row| match dynamic::kind(x.text(row)) {
                Kind::Null => "null",
                Kind::Bool => "bool",
                Kind::Long => "long",
                Kind::Real => "double",
                Kind::String => "string",
                Kind::Array => "array",
                Kind::Bag => "dictionary",
            })
        })],
    )
    .result_name(ResultName::Prefix("type")),
    ScalarFunction::new(
        "pack_array",
        "An array of its arguments.",
        &[Overload::new(&[Json], Dynamic, |a| {
            let items = (0..a.len()).map(|i| a.str(i)).collect::<Result<Vec<_>>>()?;
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
        "bag_pack",
        "A property bag of keys and values, in turn.",
        &[Overload::new(&[Json], Dynamic, bag_pack).variadic()],
    )
    .aliases(&["pack", "pack_dictionary"]),
    ScalarFunction::new(
        "__pack_present",
        "",
        &[Overload::new(&[Json], Dynamic, |a| pack(a, true)).variadic()],
    ),
    ScalarFunction::new(
        "bag_keys",
        "The keys of a property bag.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            let x = a.str(0)?;
            args::written_option(a.rows(), |row, out| {
                let bag = x.text(row);
                if dynamic::kind(bag) != Kind::Bag {
                    return Ok(false);
                }
                out.push('[');
                for (index, (key, _)) in dynamic::members(bag).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    dynamic::write_string(out, &key);
                }
                out.push(']');
                Ok(true)
            })
        })],
    ),
    ScalarFunction::new(
        "bag_has_key",
        "Whether a property bag has a key.",
        &[Overload::new(&[Is(Dynamic), Is(Text)], Bool, |a| {
            let (x, key) = (a.str(0)?, a.str(1)?);
            args::bools(a.rows(), |row| {
                let bag = x.get(row)?;
                (dynamic::kind(bag) == Kind::Bag)
                    .then(|| dynamic::member(bag, key.text(row)).is_some())
            })
        })],
    ),
    ScalarFunction::new(
        "bag_merge",
        "The members of several property bags; of equal keys the first.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, bag_merge).variadic()],
    ),
    ScalarFunction::new(
        "bag_remove_keys",
        "A property bag without some keys.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, |a| {
            let (x, keys) = (a.str(0)?, a.str(1)?);
            args::written_option(a.rows(), |row, out| {
                let bag = x.text(row);
                if dynamic::kind(bag) != Kind::Bag {
                    return Ok(false);
                }
                let keys: Vec<String> = dynamic::elements(keys.text(row))
                    .map(|k| dynamic::to_text(k).into_owned())
                    .collect();
                remove_keys(out, bag, &keys);
                Ok(true)
            })
        })],
    ),
    ScalarFunction::new(
        "bag_set_key",
        "A property bag with a key set to a value.",
        &[Overload::new(
            &[Is(Dynamic), Is(Text), Json],
            Dynamic,
            |a| {
                let (x, key, value) = (a.str(0)?, a.str(1)?, a.str(2)?);
                args::written_option(a.rows(), |row, out| {
                    let (bag, key) = (x.text(row), key.text(row));
                    if dynamic::kind(bag) != Kind::Bag {
                        return Ok(false);
                    }
                    let members = dynamic::members(bag).filter(|(name, _)| name != key);
                    let value = value.get(row).unwrap_or("null");
                    write_bag(out, members.chain([(key.into(), value)]));
                    Ok(true)
                })
            },
        )],
    ),
    ScalarFunction::new(
        "array_concat",
        "Several arrays as one.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            let arrays = (0..a.len()).map(|i| a.str(i)).collect::<Result<Vec<_>>>()?;
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
        "array_slice",
        "The elements of an array from one index to another.",
        &[Overload::new(
            &[Is(Dynamic), Is(Long), Is(Long)],
            Dynamic,
            |a| {
                let (x, start, end) = (a.str(0)?, a.i64(1)?, a.i64(2)?);
                with_array(a, x, |row, array| {
                    let length = array.len() as i64;
                    let place = |index: i64| if index < 0 { length + index } else { index };
                    let (start, end) = (
                        place(start.get(row)?).max(0),
                        place(end.get(row)?).min(length - 1),
                    );
                    let range = start as usize..(end + 1).max(start) as usize;
                    Some(array.get(range).unwrap_or(&[]).to_vec())
                })
            },
        )],
    ),
    ScalarFunction::new(
        "array_reverse",
        "An array backwards.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            with_array(a, a.str(0)?, |_, mut array| {
                array.reverse();
                Some(array)
            })
        })],
    ),
    ScalarFunction::new(
        "array_index_of",
        "Where a value first stands in an array, or -1.",
        &[Overload::new(
            &[Is(Dynamic), Json, Is(Long), Is(Long), Is(Long)],
            Long,
            array_index_of,
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
    ScalarFunction::new(
        "set_has_element",
        "Whether an array has a value.",
        &[Overload::new(&[Is(Dynamic), Json], Bool, |a| {
            let (x, value) = (a.str(0)?, a.str(1)?);
            args::bools(a.rows(), |row| {
                let (x, value) = (x.get(row)?, value.get(row).unwrap_or("null"));
                if dynamic::kind(x) != Kind::Array {
                    return None;
                }
                Some(dynamic::elements(x).any(|element| dynamic::equal(element, value)))
            })
        })],
    ),
    ScalarFunction::new(
        "range",
        "An array of equally spaced values.",
        &[Overload::new(&[Is(Long), Is(Long), Is(Long)], Dynamic, range).required(2)],
    ),
    ScalarFunction::new(
        "dynamic_to_json",
        "A dynamic value as JSON with its keys in order.",
        &[Overload::new(&[Is(Dynamic)], Text, |a| {
            let x = a.str(0)?;
            args::written(a.rows(), |row, out| {
                write_sorted(out, x.get(row).unwrap_or("null"));
                Ok(())
            })
        })],
    ),
];

/// Most elements of an array that a function makes.
const ELEMENTS_MAX: usize = 1_048_576;

/// One step of a path: a key or an index, constant or not.
enum Step<'a> {
    Key(String),
    Index(i64),
    Column(args::Str<'a>),
}

impl<'a> Step<'a> {
    fn new(a: &Args<'a>, index: usize) -> Result<Self> {
        Ok(match a.const_str(index) {
            Some(step) if dynamic::kind(step) == Kind::String => {
                Self::Key(dynamic::string_value(step).into_owned())
            }
            Some(step) => dynamic::to_long(step).map_or(Self::Key(step.to_owned()), Self::Index),
            None => Self::Column(a.str(index)?),
        })
    }

    fn follow<'x>(&self, row: usize, value: &'x str) -> Option<&'x str> {
        match self {
            Self::Key(key) => dynamic::member(value, key),
            Self::Index(index) => dynamic::element(value, *index),
            Self::Column(column) => {
                let step = column.get(row)?;
                match dynamic::kind(step) {
                    Kind::String => dynamic::member(value, &dynamic::string_value(step)),
                    _ => dynamic::element(value, dynamic::to_long(step)?),
                }
            }
        }
    }
}

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

/// Appends a property bag.
pub(crate) fn write_bag<'a>(
    out: &mut String,
    members: impl IntoIterator<Item = (std::borrow::Cow<'a, str>, &'a str)>,
) {
    out.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        dynamic::write_string(out, &key);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
}

fn with_array(
    a: &Args<'_>,
    x: args::Str<'_>,
    change: impl for<'x> Fn(usize, Vec<&'x str>) -> Option<Vec<&'x str>>,
) -> Result<ArrayRef> {
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

fn bag_pack(a: &Args<'_>) -> Result<ArrayRef> {
    pack(a, false)
}

/// Packs keys and values; nulls and empty strings are left out if only what is present is wanted.
fn pack(a: &Args<'_>, only_present: bool) -> Result<ArrayRef> {
    if !a.len().is_multiple_of(2) {
        return exec_err!("`bag_pack` takes keys and values in turn; one is missing");
    }
    let items = (0..a.len()).map(|i| a.str(i)).collect::<Result<Vec<_>>>()?;
    args::written_option(a.rows(), |row, out| {
        let mut members: Vec<(String, &str)> = Vec::with_capacity(items.len() / 2);
        for pair in items.chunks_exact(2) {
            let key = dynamic::to_text(pair[0].text(row)).into_owned();
            let value = pair[1].get(row).unwrap_or("null");
            if only_present && matches!(value, "null" | "\"\"") {
                continue;
            }
            match members.iter_mut().find(|(known, _)| *known == key) {
                Some(member) => member.1 = value,
                None => members.push((key, value)),
            }
        }
        write_bag(
            out,
            members.into_iter().map(|(key, value)| (key.into(), value)),
        );
        Ok(true)
    })
}

fn bag_merge(a: &Args<'_>) -> Result<ArrayRef> {
    let bags = (0..a.len()).map(|i| a.str(i)).collect::<Result<Vec<_>>>()?;
    args::written_option(a.rows(), |row, out| {
        let mut members: Vec<(std::borrow::Cow<'_, str>, &str)> = Vec::new();
        for bag in &bags {
            for (key, value) in dynamic::members(bag.text(row)) {
                if !members.iter().any(|(known, _)| *known == key) {
                    members.push((key, value));
                }
            }
        }
        write_bag(out, members);
        Ok(true)
    })
}

/// Removes keys; a key that begins with `$.` names a nested member.
fn remove_keys(out: &mut String, bag: &str, keys: &[String]) {
    let nested = |name: &str| -> Vec<String> {
        let below = keys.iter().filter_map(|key| {
            key.strip_prefix("$.")?
                .strip_prefix(name)?
                .strip_prefix('.')
        });
        below.map(|rest| format!("$.{rest}")).collect()
    };
    out.push('{');
    let mut first = true;
    for (key, value) in dynamic::members(bag) {
        if keys
            .iter()
            .any(|k| *k == key || k.strip_prefix("$.") == Some(&*key))
        {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        dynamic::write_string(out, &key);
        out.push(':');
        let below = nested(&key);
        if below.is_empty() || dynamic::kind(value) != Kind::Bag {
            out.push_str(value);
        } else {
            remove_keys(out, value, &below);
        }
    }
    out.push('}');
}

fn array_index_of(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, value) = (a.str(0)?, a.str(1)?);
    let option = |index, default| {
        if a.len() > index {
            a.i64(index)
        } else {
            Ok(args::Prim::Const(Some(default)))
        }
    };
    let (start, length, occurrence) = (option(2, 0)?, option(3, -1)?, option(4, 1)?);
    args::longs(a.rows(), |row| {
        let (x, value) = (x.get(row)?, value.get(row).unwrap_or("null"));
        if dynamic::kind(x) != Kind::Array {
            return None;
        }
        let count = dynamic::elements(x).count() as i64;
        let start = start.get(row)?;
        let start = if start < 0 {
            (count + start).max(0)
        } else {
            start
        };
        let length = length.get(row)?;
        let length = if length < 0 { count } else { length };
        let found = dynamic::elements(x)
            .enumerate()
            .skip(start as usize)
            .take(length as usize)
            .filter(|(_, element)| dynamic::equal(element, value))
            .nth(usize::try_from(occurrence.get(row)? - 1).ok()?);
        Some(found.map_or(-1, |(index, _)| index as i64))
    })
}

fn range(a: &Args<'_>) -> Result<ArrayRef> {
    let (from, to) = (a.i64(0)?, a.i64(1)?);
    let step = if a.len() > 2 {
        a.i64(2)?
    } else {
        args::Prim::Const(Some(1))
    };
    args::written_option(a.rows(), |row, out| {
        let (Some(from), Some(to), Some(step)) = (from.get(row), to.get(row), step.get(row)) else {
            return Ok(false);
        };
        if step == 0 {
            return Ok(false);
        }
        let count = (i128::from(to) - i128::from(from)) / i128::from(step) + 1;
        if count > ELEMENTS_MAX as i128 {
            return exec_err!("`range` would make {count} elements; the limit is {ELEMENTS_MAX}");
        }
        let values: Vec<String> = (0..count.max(0))
            .map(|i| (i128::from(from) + i * i128::from(step)).to_string())
            .collect();
        write_array(out, values.iter().map(String::as_str));
        Ok(true)
    })
}

fn write_sorted(out: &mut String, value: &str) {
    match dynamic::kind(value) {
        Kind::Bag => {
            let mut members: Vec<_> = dynamic::members(value).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                dynamic::write_string(out, key);
                out.push(':');
                write_sorted(out, value);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for (index, value) in dynamic::elements(value).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_sorted(out, value);
            }
            out.push(']');
        }
        _ => out.push_str(value),
    }
}
