//! `make_list`, `make_set`: arrays of a group's values.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::AggregateUDF;
use datafusion_expr::function::AccumulatorArgs;

use super::groups::{self, Accumulate, Rows, StateReader};
use crate::args::STRING_BYTES_MAX;
use crate::dynamic::{self, Kind};
use crate::scalar::write_array;

/// `kql_make_list(json, place, size_max, keep_nulls)`.
pub(super) fn list_udaf() -> AggregateUDF {
    groups::udaf(
        "kql_make_list",
        |_| Ok(DataType::Utf8View),
        |args| {
            let keep_nulls = groups::constant(args, 3)? == ScalarValue::Boolean(Some(true));
            Ok(MakeList {
                size_max: size_max(args, 2)?,
                keep_nulls,
            })
        },
    )
}

/// `kql_make_set(json, place, size_max)`.
pub(super) fn set_udaf() -> AggregateUDF {
    groups::udaf(
        "kql_make_set",
        |_| Ok(DataType::Utf8View),
        |args| {
            Ok(MakeSet {
                size_max: size_max(args, 2)?,
            })
        },
    )
}

/// The constant argument that bounds a list.
pub(super) fn size_max(args: &AccumulatorArgs<'_>, index: usize) -> Result<usize> {
    match groups::constant(args, index)? {
        ScalarValue::Int64(Some(size)) => Ok(usize::try_from(size).unwrap_or(0)),
        other => exec_err!("a list's size must be a number, not {other}"),
    }
}

#[derive(Debug)]
struct MakeList {
    size_max: usize,
    keep_nulls: bool,
}

/// The values so far with their places, in order of arrival.
#[derive(Debug, Default)]
pub(super) struct List {
    text: String,
    items: Vec<(i64, usize)>,
}

impl List {
    fn push(&mut self, place: i64, value: &str) {
        self.text.push_str(value);
        self.items.push((place, self.text.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (i64, &str)> {
        let mut start = 0;
        self.items.iter().map(move |(place, end)| {
            let value = &self.text[start..*end];
            start = *end;
            (*place, value)
        })
    }
}

impl Accumulate for MakeList {
    type Group = List;

    fn update(&self, groups: &mut [List], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let (json, places) = (values[0].as_string_view(), values[1].as_primitive());
        let places: &Int64Array = places;
        for (row, group) in rows.iter() {
            if json.is_valid(row) {
                groups[group].push(places.value(row), json.value(row));
            } else if self.keep_nulls {
                groups[group].push(places.value(row), "null");
            }
        }
        Ok(())
    }

    fn write_state(&self, group: &List, out: &mut Vec<u8>) {
        for (place, value) in group.iter() {
            groups::write_i64(out, place);
            groups::write_bytes(out, value.as_bytes());
        }
    }

    fn merge(&self, group: &mut List, state: &[u8]) -> Result<()> {
        let mut reader = StateReader(state);
        while !reader.is_empty() {
            let place = reader.i64()?;
            group.push(place, reader.str()?);
        }
        Ok(())
    }

    fn evaluate(&self, groups: Vec<List>) -> Result<ArrayRef> {
        arrays(groups.iter().map(|group| {
            let mut items: Vec<_> = group.iter().collect();
            // Stable, so that values of one place keep the order in which they came.
            items.sort_by_key(|(place, _)| *place);
            items.truncate(self.size_max);
            items.into_iter().map(|(_, value)| value).collect()
        }))
    }

    fn group_bytes(group: &List) -> usize {
        group.text.capacity() + group.items.capacity() * size_of::<(i64, usize)>()
    }
}

#[derive(Debug)]
struct MakeSet {
    size_max: usize,
}

/// The distinct values so far with their first place and their rank of arrival.
#[derive(Debug, Default)]
pub(super) struct Set {
    values: HashMap<Box<str>, (i64, usize)>,
    bytes: usize,
}

impl Set {
    fn insert(&mut self, place: i64, value: &str) {
        let rank = self.values.len();
        match self.values.get_mut(value) {
            Some(known) => known.0 = known.0.min(place),
            None => {
                self.bytes += value.len() + size_of::<(Box<str>, (i64, usize))>();
                self.values.insert(value.into(), (place, rank));
            }
        }
    }

    fn sorted(&self) -> Vec<(&str, i64)> {
        let mut values: Vec<_> = self.values.iter().collect();
        values.sort_by_key(|(_, order)| **order);
        values
            .into_iter()
            .map(|(value, (place, _))| (&**value, *place))
            .collect()
    }
}

impl Accumulate for MakeSet {
    type Group = Set;

    /// Of an array its elements are members of the set.
    ///
    /// <https://learn.microsoft.com/kusto/query/make-set-aggregation-function>
    fn update(&self, groups: &mut [Set], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let json = values[0].as_string_view();
        let places: &Int64Array = values[1].as_primitive();
        for (row, group) in rows.iter().filter(|(row, _)| json.is_valid(*row)) {
            let (value, place) = (json.value(row), places.value(row));
            if dynamic::kind(value) != Kind::Array {
                groups[group].insert(place, value);
                continue;
            }
            for element in dynamic::elements(value).filter_map(dynamic::non_null) {
                groups[group].insert(place, element);
            }
        }
        Ok(())
    }

    fn write_state(&self, group: &Set, out: &mut Vec<u8>) {
        for (value, place) in group.sorted() {
            groups::write_i64(out, place);
            groups::write_bytes(out, value.as_bytes());
        }
    }

    fn merge(&self, group: &mut Set, state: &[u8]) -> Result<()> {
        let mut reader = StateReader(state);
        while !reader.is_empty() {
            let place = reader.i64()?;
            group.insert(place, reader.str()?);
        }
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Set>) -> Result<ArrayRef> {
        arrays(groups.iter().map(|group| {
            group
                .sorted()
                .into_iter()
                .take(self.size_max)
                .map(|(value, _)| value)
                .collect()
        }))
    }

    fn group_bytes(group: &Set) -> usize {
        group.bytes
    }
}

/// Arrays of JSON values as dynamic values.
fn arrays<'a>(lists: impl Iterator<Item = Vec<&'a str>>) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::new();
    let mut buffer = String::new();
    for list in lists {
        buffer.clear();
        write_array(&mut buffer, list);
        if buffer.len() > STRING_BYTES_MAX {
            return exec_err!(
                "a list of {} bytes is too long for one value; the limit is {STRING_BYTES_MAX}",
                buffer.len()
            );
        }
        builder.append_value(&buffer);
    }
    Ok(Arc::new(builder.finish()))
}
