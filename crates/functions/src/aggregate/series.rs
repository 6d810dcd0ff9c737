//! `make-series`: an array of a group's values by their bins.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::{Result, ScalarValue, exec_err};
use datafusion_expr::AggregateUDF;

use super::groups::{self, Accumulate, Rows, StateReader};
use crate::args::STRING_BYTES_MAX;
use crate::scalar::internal::SERIES_MAX;

/// `kql_series(bin, json, first, last, default)`.
pub(super) fn udaf() -> AggregateUDF {
    groups::udaf(
        "kql_series",
        |_| Ok(DataType::Utf8View),
        |args| {
            let bound = |index: usize| match groups::constant(args, index)? {
                ScalarValue::Int64(bound) => Ok(bound),
                other => exec_err!("a bound of a series must be a number, not {other}"),
            };
            let default = match groups::constant(args, 4)? {
                ScalarValue::Utf8View(Some(default)) => default,
                other => exec_err!("the default of a series must be JSON, not {other}")?,
            };
            Ok(Series {
                first: bound(2)?,
                last: bound(3)?,
                default,
            })
        },
    )
}

#[derive(Debug)]
struct Series {
    /// The first and the last bin; where they are not said, those of the group's own values.
    first: Option<i64>,
    last: Option<i64>,
    /// The value of a bin without rows.
    default: String,
}

/// The values so far, each with its bin.
#[derive(Debug, Default)]
pub(super) struct Bins {
    text: String,
    items: Vec<(i64, std::ops::Range<usize>)>,
}

impl Bins {
    fn push(&mut self, bin: i64, value: &str) {
        let start = self.text.len();
        self.text.push_str(value);
        self.items.push((bin, start..self.text.len()));
    }
}

impl Accumulate for Series {
    type Group = Bins;

    fn update(&self, groups: &mut [Bins], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let bins: &Int64Array = values[0].as_primitive();
        let json = values[1].as_string_view();
        for (row, group) in rows.iter() {
            if bins.is_valid(row) {
                let value = if json.is_valid(row) {
                    json.value(row)
                } else {
                    "null"
                };
                groups[group].push(bins.value(row), value);
            }
        }
        Ok(())
    }

    fn write_state(&self, group: &Bins, out: &mut Vec<u8>) {
        for (bin, place) in &group.items {
            groups::write_i64(out, *bin);
            groups::write_bytes(out, group.text[place.clone()].as_bytes());
        }
    }

    fn merge(&self, group: &mut Bins, state: &[u8]) -> Result<()> {
        let mut reader = StateReader(state);
        while !reader.is_empty() {
            let bin = reader.i64()?;
            group.push(bin, reader.str()?);
        }
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Bins>) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::new();
        let mut buffer = String::new();
        for mut group in groups {
            buffer.clear();
            group.items.sort_unstable_by_key(|(bin, _)| *bin);
            self.write(&group, &mut buffer)?;
            builder.append_value(&buffer);
        }
        Ok(Arc::new(builder.finish()))
    }

    fn group_bytes(group: &Bins) -> usize {
        group.text.capacity() + group.items.capacity() * size_of::<(i64, std::ops::Range<usize>)>()
    }
}

impl Series {
    /// Writes the array of a group whose items are in order of bins.
    fn write(&self, group: &Bins, out: &mut String) -> Result<()> {
        out.push('[');
        let bin_of = |item: Option<&(i64, std::ops::Range<usize>)>| item.map(|(bin, _)| *bin);
        let first = self.first.or(bin_of(group.items.first()));
        let last = self.last.or(bin_of(group.items.last()));
        if let (Some(first), Some(last)) = (first, last)
            && first <= last
        {
            let length = last.abs_diff(first).saturating_add(1);
            if length > SERIES_MAX as u64 {
                return exec_err!("a series of {length} bins; the limit is {SERIES_MAX}");
            }
            let mut items = group.items.iter().peekable();
            while items.next_if(|(bin, _)| *bin < first).is_some() {}
            for bin in first..=last {
                if bin > first {
                    out.push(',');
                }
                match items.next_if(|(other, _)| *other == bin) {
                    Some((_, place)) => out.push_str(&group.text[place.clone()]),
                    None => out.push_str(&self.default),
                }
            }
        }
        out.push(']');
        if out.len() > STRING_BYTES_MAX {
            return exec_err!(
                "a series of {} bytes is too long for one value; the limit is {STRING_BYTES_MAX}",
                out.len()
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(first: Option<i64>, last: Option<i64>, values: &[(i64, &str)]) -> String {
        let series = Series {
            first,
            last,
            default: "0".to_owned(),
        };
        let mut bins = Bins::default();
        for (bin, value) in values {
            bins.push(*bin, value);
        }
        let array = series.evaluate(vec![bins]).expect("an array");
        array.as_string_view().value(0).to_owned()
    }

    #[test]
    fn empty_bins_hold_the_default() {
        let values = [(5, "50"), (2, "20"), (3, "null")];
        assert_eq!(written(None, None, &values), "[20,null,0,50]");
        assert_eq!(written(Some(0), Some(6), &values), "[0,0,20,null,0,50,0]");
        assert_eq!(written(Some(3), None, &values), "[null,0,50]");
        assert_eq!(written(Some(3), Some(2), &values), "[]");
        assert_eq!(written(None, None, &[]), "[]");
    }

    #[test]
    fn endless_series_are_refused() {
        let series = Series {
            first: Some(i64::MIN),
            last: Some(i64::MAX),
            default: "0".to_owned(),
        };
        assert!(series.evaluate(vec![Bins::default()]).is_err());
    }
}
