//! Property bags.

use std::borrow::Cow;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic, String as Text};

use super::dynamic::path;
use crate::args::{self, Args, Str};
use crate::dynamic::{self, Kind};
use crate::registry::{
    Overload,
    Param::{Is, Json},
    ResultName, ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "bag_pack",
        "A property bag of keys and values, in turn.",
        &[Overload::new(&[Json], Dynamic, |a| pack(a, false)).variadic()],
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
        "Whether a property bag has a key, or a path.",
        &[Overload::new(&[Is(Dynamic), Is(Text)], Bool, |a| {
            let (x, key) = (a.str(0)?, Key::new(a.str(1)?)?);
            args::try_bools(a.rows(), |row| {
                let Some(bag) = x.get(row).filter(|x| dynamic::kind(x) == Kind::Bag) else {
                    return Ok(None);
                };
                let keys = key.get(row)?;
                let found = keys
                    .iter()
                    .try_fold(bag, |bag, key| dynamic::member(bag, key));
                Ok(Some(found.is_some()))
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
                let keys = dynamic::elements(keys.text(row))
                    .map(|key| path::keys(&dynamic::to_text(key)))
                    .collect::<Result<Vec<_>>>()?;
                let keys: Vec<&[String]> = keys.iter().map(Vec::as_slice).collect();
                write_without(out, bag, &keys);
                Ok(true)
            })
        })],
    ),
    ScalarFunction::new(
        "bag_set_key",
        "A property bag with a key, or a path, set to a value.",
        &[Overload::new(
            &[Is(Dynamic), Is(Text), Json],
            Dynamic,
            |a| {
                let (x, key, value) = (a.str(0)?, Key::new(a.str(1)?)?, a.str(2)?);
                args::written_option(a.rows(), |row, out| {
                    let bag = x.text(row);
                    if dynamic::kind(bag) != Kind::Bag {
                        return Ok(false);
                    }
                    let value = value.get(row).unwrap_or("null");
                    write_with(out, bag, &key.get(row)?, value)?;
                    Ok(true)
                })
            },
        )],
    ),
    ScalarFunction::new(
        "bag_zip",
        "A property bag of an array of keys and an array of values.",
        &[Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, bag_zip)],
    ),
    ScalarFunction::new(
        "treepath",
        "The paths of a property bag's values.",
        &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
            let x = a.str(0)?;
            args::written_option(a.rows(), |row, out| {
                let bag = x.text(row);
                if dynamic::kind(bag) != Kind::Bag {
                    return Ok(false);
                }
                let mut paths = Vec::new();
                collect_paths(&mut paths, "", bag)?;
                write_texts(out, &paths);
                Ok(true)
            })
        })],
    )
    .result_name(ResultName::Prefix("tree")),
];

/// A key argument: read once if it is constant.
enum Key<'a> {
    Const(Vec<String>),
    Column(Str<'a>),
}

impl<'a> Key<'a> {
    fn new(key: Str<'a>) -> Result<Self> {
        Ok(match key {
            Str::Const(key) => Self::Const(path::keys(key.unwrap_or(""))?),
            Str::Array(_) => Self::Column(key),
        })
    }

    fn get(&self, row: usize) -> Result<Cow<'_, [String]>> {
        match self {
            Self::Const(keys) => Ok(Cow::Borrowed(keys)),
            Self::Column(column) => path::keys(column.text(row)).map(Cow::Owned),
        }
    }
}

/// Appends a property bag.
pub(crate) fn write_bag<'a>(
    out: &mut String,
    members: impl IntoIterator<Item = (Cow<'a, str>, &'a str)>,
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

fn write_texts(out: &mut String, texts: &[String]) {
    out.push('[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        dynamic::write_string(out, text);
    }
    out.push(']');
}

/// Packs keys and values; nulls and empty strings are left out if only what is present is wanted.
fn pack(a: &Args<'_>, only_present: bool) -> Result<ArrayRef> {
    if !a.len().is_multiple_of(2) {
        return exec_err!("`bag_pack` takes keys and values in turn; one is missing");
    }
    let items = a.strs(0)?;
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
    let bags = a.strs(0)?;
    args::written_option(a.rows(), |row, out| {
        let mut known = std::collections::HashSet::new();
        let mut members: Vec<(Cow<'_, str>, &str)> = Vec::new();
        for bag in &bags {
            for (key, value) in dynamic::members(bag.text(row)) {
                if known.insert(key.clone()) {
                    members.push((key, value));
                }
            }
        }
        write_bag(out, members);
        Ok(true)
    })
}

/// Appends a bag without the members that `keys` lead to.
fn write_without(out: &mut String, bag: &str, keys: &[&[String]]) {
    out.push('{');
    let mut first = true;
    for (key, value) in dynamic::members(bag) {
        let below: Vec<&[String]> = keys
            .iter()
            .filter(|keys| keys.first().is_some_and(|first| *first == key))
            .map(|keys| &keys[1..])
            .collect();
        if below.iter().any(|keys| keys.is_empty()) {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        dynamic::write_string(out, &key);
        out.push(':');
        if below.is_empty() || dynamic::kind(value) != Kind::Bag {
            out.push_str(value);
        } else {
            write_without(out, value, &below);
        }
    }
    out.push('}');
}

/// Appends a bag with the member that `keys` lead to set; bags missing on the way are made.
fn write_with(out: &mut String, bag: &str, keys: &[String], value: &str) -> Result<()> {
    let (wanted, below) = keys.split_first().expect("a key has a name");
    out.push('{');
    let mut found = false;
    for (index, (key, member)) in dynamic::members(bag).enumerate() {
        if index > 0 {
            out.push(',');
        }
        dynamic::write_string(out, &key);
        out.push(':');
        if key != wanted.as_str() {
            out.push_str(member);
            continue;
        }
        found = true;
        if below.is_empty() {
            out.push_str(value);
        } else if dynamic::kind(member) == Kind::Bag {
            write_with(out, member, below, value)?;
        } else {
            return exec_err!(
                "`bag_set_key` can't set a key below `{key}`, which is no property bag"
            );
        }
    }
    if !found {
        if !out.ends_with('{') {
            out.push(',');
        }
        dynamic::write_string(out, wanted);
        out.push(':');
        if below.is_empty() {
            out.push_str(value);
        } else {
            write_with(out, "{}", below, value)?;
        }
    }
    out.push('}');
    Ok(())
}

/// Keys that are no strings are left out, and missing values are null.
fn bag_zip(a: &Args<'_>) -> Result<ArrayRef> {
    let (keys, values) = (a.str(0)?, a.str(1)?);
    args::written_option(a.rows(), |row, out| {
        let keys = keys.text(row);
        if dynamic::kind(keys) != Kind::Array {
            return Ok(false);
        }
        let values = dynamic::elements(values.text(row)).chain(std::iter::repeat("null"));
        let mut places = std::collections::HashMap::new();
        let mut members: Vec<(Cow<'_, str>, &str)> = Vec::new();
        for (key, value) in dynamic::elements(keys).zip(values) {
            if dynamic::kind(key) != Kind::String {
                continue;
            }
            let key = dynamic::string_value(key);
            match places.entry(key.clone()) {
                std::collections::hash_map::Entry::Occupied(place) => {
                    let place: usize = *place.get();
                    members[place].1 = value;
                }
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(members.len());
                    members.push((key, value));
                }
            }
        }
        write_bag(out, members);
        Ok(true)
    })
}

/// Collects the paths of a bag's members. Elements of an array share one path, `[0]`.
///
/// The reference shows what becomes of values and of arrays, but not of bags right inside bags.
fn collect_paths(paths: &mut Vec<String>, prefix: &str, bag: &str) -> Result<()> {
    for (key, value) in dynamic::members(bag) {
        let path = format!("{prefix}['{key}']");
        match dynamic::kind(value) {
            Kind::Bag => {
                return exec_err!(
                    "`treepath` of property bags inside property bags is not supported"
                );
            }
            Kind::Array => {
                add_path(paths, &path)?;
                collect_elements(paths, &path, value)?;
            }
            _ => add_path(paths, &path)?,
        }
    }
    Ok(())
}

fn collect_elements(paths: &mut Vec<String>, prefix: &str, array: &str) -> Result<()> {
    let path = format!("{prefix}[0]");
    for (index, element) in dynamic::elements(array).enumerate() {
        if index == 0 {
            add_path(paths, &path)?;
        }
        match dynamic::kind(element) {
            Kind::Bag => collect_paths(paths, &path, element)?,
            Kind::Array => collect_elements(paths, &path, element)?,
            _ => {}
        }
    }
    Ok(())
}

/// Most paths that `treepath()` gives.
const PATHS_MAX: usize = 1 << 10;

fn add_path(paths: &mut Vec<String>, path: &str) -> Result<()> {
    if paths.iter().any(|known| known == path) {
        return Ok(());
    }
    if paths.len() >= PATHS_MAX {
        return exec_err!("`treepath` would give more than {PATHS_MAX} paths");
    }
    paths.push(path.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn keys_of_bags_may_be_paths() {
        check(&[
            ("bag_has_key(dynamic({'a': 1}), 'a')", "True"),
            ("bag_has_key(dynamic({'a': {'b': null}}), '$.a.b')", "True"),
            (
                "bag_has_key(dynamic({'a': {'b c': 1}}), \"$.a['b c']\")",
                "True",
            ),
            ("bag_has_key(dynamic({'a': {'b': 1}}), '$.a.c')", "False"),
            ("bag_has_key(dynamic({'$type': 1}), '$type')", "True"),
            ("bag_has_key(dynamic([1]), 'a')", "null"),
            ("bag_has_key(dynamic(null), 'a')", "null"),
            (
                "bag_remove_keys(dynamic({'k1': 1, 'k2': {'p1': 'abc', 'p2': 'xyz'}, 'k3': [1]}), dynamic(['$.k2.p1', 'k3']))",
                r#"{"k1":1,"k2":{"p2":"xyz"}}"#,
            ),
            (
                "bag_remove_keys(dynamic({'a': 1}), dynamic([]))",
                r#"{"a":1}"#,
            ),
        ]);
        check_refused(&[
            (
                "bag_has_key(dynamic({'a': [1]}), '$.a[0]')",
                "through an array",
            ),
            ("bag_set_key(dynamic({}), '$', 1)", "names no key"),
        ]);
    }

    #[test]
    fn setting_a_path_makes_what_is_missing() {
        check(&[
            (
                "bag_set_key(dynamic({'a': 1, 'b': 2}), 'a', 3)",
                r#"{"a":3,"b":2}"#,
            ),
            ("bag_set_key(dynamic({}), 'a', 'x')", r#"{"a":"x"}"#),
            (
                "bag_set_key(dynamic({'a': {'b': 1}}), '$.a.c', 2)",
                r#"{"a":{"b":1,"c":2}}"#,
            ),
            (
                "bag_set_key(dynamic({'k': 1}), '$.a.b', long(null))",
                r#"{"k":1,"a":{"b":null}}"#,
            ),
            ("bag_set_key(dynamic([1]), 'a', 1)", "null"),
        ]);
        check_refused(&[(
            "bag_set_key(dynamic({'a': 1}), '$.a.b', 2)",
            "no property bag",
        )]);
    }

    #[test]
    fn zipping_keys_leaves_out_what_is_no_string() {
        check(&[
            (
                "bag_zip(dynamic(['a', 8, 'b']), dynamic([1, '2', 2.5]))",
                r#"{"a":1,"b":2.5}"#,
            ),
            (
                "bag_zip(dynamic(['a', 'b']), dynamic([1]))",
                r#"{"a":1,"b":null}"#,
            ),
            ("bag_zip(dynamic(['a']), dynamic([1, 2]))", r#"{"a":1}"#),
            ("bag_zip(dynamic(['a']), dynamic(1))", r#"{"a":null}"#),
            ("bag_zip(dynamic('a'), dynamic([1]))", "null"),
        ]);
    }

    #[test]
    fn paths_of_array_elements_are_one() {
        check(&[
            (
                "treepath(dynamic({'p': [100, 200, 'x', {'y': 1}], 'q': 'v'}))",
                r#"["['p']","['p'][0]","['p'][0]['y']","['q']"]"#,
            ),
            ("treepath(dynamic({}))", "[]"),
            ("treepath(dynamic([1]))", "null"),
        ]);
        check_refused(&[("treepath(dynamic({'a': {'b': 1}}))", "inside property bags")]);
    }

    #[test]
    fn merging_keeps_the_first_of_equal_keys() {
        check(&[
            (
                "bag_merge(dynamic({'A': 12, 'B': 2}), dynamic({'C': 81, 'A': 1}))",
                r#"{"A":12,"B":2,"C":81}"#,
            ),
            ("bag_keys(dynamic({'a': 1, 'b': {'c': 2}}))", r#"["a","b"]"#),
        ]);
    }
}
