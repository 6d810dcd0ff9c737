//! `dcount`, `hll`, `hll_merge`: sets of a group's values, as far as it takes to count them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Int64Array, StringViewBuilder};
use arrow::datatypes::{
    DataType, Decimal128Type, DurationNanosecondType, Float64Type, Int32Type, Int64Type,
    TimestampNanosecondType, ToByteSlice,
};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::AggregateUDF;
use datafusion_expr::function::AccumulatorArgs;
use twox_hash::XxHash64;

use super::groups::{self, Accumulate, Rows};
use super::hll::{Hll, Precision};
use super::text;

/// `kql_dcount(value, accuracy)`.
pub(super) fn count_udaf() -> AggregateUDF {
    groups::udaf(
        "kql_dcount",
        |_| Ok(DataType::Int64),
        |args| Distinct::new(args, Form::Count),
    )
}

/// `kql_hll(value, accuracy)`.
pub(super) fn set_udaf() -> AggregateUDF {
    groups::udaf(
        "kql_hll",
        |_| Ok(DataType::Utf8View),
        |args| Distinct::new(args, Form::Set),
    )
}

/// `kql_hll_merge(json)`.
pub(super) fn merge_udaf() -> AggregateUDF {
    groups::udaf("kql_hll_merge", |_| Ok(DataType::Utf8View), |_| Ok(Merged))
}

/// What a set is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Count,
    Set,
}

/// Gathers the distinct values of groups.
#[derive(Debug)]
pub(super) struct Distinct {
    pub(super) precision: Precision,
    pub(super) form: Form,
}

impl Distinct {
    fn new(args: &AccumulatorArgs<'_>, form: Form) -> Result<Self> {
        let precision = match groups::constant(args, 1)? {
            ScalarValue::Int64(Some(accuracy)) => Precision::of_accuracy(accuracy)?,
            other => return exec_err!("the accuracy is a number from 0 to 4, not {other}"),
        };
        Ok(Self { precision, form })
    }
}

impl Accumulate for Distinct {
    type Group = Hll;

    fn update(&self, groups: &mut [Hll], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let mut hashed = hashes(&values[0], rows)?;
        hashed.retain(|(group, hash)| !groups[*group].raise(self.precision, *hash));
        hashed.sort_unstable();
        hashed.dedup();
        let mut sorted = Vec::new();
        for of_group in hashed.chunk_by(|a, b| a.0 == b.0) {
            sorted.clear();
            sorted.extend(of_group.iter().map(|(_, hash)| *hash));
            groups[of_group[0].0].insert(self.precision, &sorted);
        }
        Ok(())
    }

    fn write_state(&self, group: &Hll, out: &mut Vec<u8>) {
        if !group.is_empty() {
            group.write(out);
        }
    }

    fn merge(&self, group: &mut Hll, state: &[u8]) -> Result<()> {
        group.merge(self.precision, &Hll::read(self.precision, state)?);
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Hll>) -> Result<ArrayRef> {
        match self.form {
            Form::Count => {
                let counts = groups.iter().map(|group| group.count(self.precision));
                Ok(Arc::new(counts.collect::<Int64Array>()))
            }
            Form::Set => written(groups.iter().map(|group| Some((self.precision, group)))),
        }
    }

    fn group_bytes(group: &Hll) -> usize {
        group.bytes()
    }
}

fn written<'a>(sets: impl Iterator<Item = Option<(Precision, &'a Hll)>>) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::new();
    let mut buffer = String::new();
    for set in sets {
        buffer.clear();
        if let Some((precision, set)) = set {
            text::write_hll(&mut buffer, precision, set);
        }
        builder.append_option(set.is_some().then_some(&buffer));
    }
    Ok(Arc::new(builder.finish()))
}

/// The hashes of values that are not null, with their groups. Equal values of a type have equal hashes.
fn hashes(array: &ArrayRef, rows: &Rows<'_>) -> Result<Vec<(usize, u64)>> {
    Ok(match array.data_type() {
        DataType::Int32 => primitive::<Int32Type, _>(array, rows, i64::from),
        DataType::Int64 => primitive::<Int64Type, _>(array, rows, |value| value),
        DataType::Timestamp(..) => {
            primitive::<TimestampNanosecondType, _>(array, rows, |value| value)
        }
        DataType::Duration(_) => primitive::<DurationNanosecondType, _>(array, rows, |value| value),
        DataType::Decimal128(..) => primitive::<Decimal128Type, _>(array, rows, |value| value),
        // Both zeros are one value, and so is all that is not a number.
        DataType::Float64 => primitive::<Float64Type, _>(array, rows, |value| {
            if value.is_nan() {
                f64::NAN
            } else {
                value + 0.0
            }
        }),
        DataType::Boolean => {
            let array = array.as_boolean();
            let present = rows.iter().filter(|(row, _)| array.is_valid(*row));
            present
                .map(|(row, group)| (group, hash(&[u8::from(array.value(row))])))
                .collect()
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            let present = rows.iter().filter(|(row, _)| array.is_valid(*row));
            present
                .map(|(row, group)| (group, hash(array.value(row).as_bytes())))
                .collect()
        }
        other => return internal_err!("no set of {other}"),
    })
}

fn primitive<T: ArrowPrimitiveType, V: ToByteSlice>(
    array: &ArrayRef,
    rows: &Rows<'_>,
    value: impl Fn(T::Native) -> V,
) -> Vec<(usize, u64)> {
    let array = array.as_primitive::<T>();
    let present = rows.iter().filter(|(row, _)| array.is_valid(*row));
    present
        .map(|(row, group)| (group, hash(value(array.value(row)).to_byte_slice())))
        .collect()
}

fn hash(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// Merges the sets of groups.
#[derive(Debug)]
pub(super) struct Merged;

/// The sets of a group in one; `None` if there were none.
type MergedSet = Option<(Precision, Hll)>;

fn add(group: &mut MergedSet, precision: Precision, set: Hll) -> Result<()> {
    match group {
        None => *group = Some((precision, set)),
        Some((known, merged)) if *known == precision => merged.merge(precision, &set),
        Some(_) => {
            return exec_err!("results of `hll()` with different accuracies can't be merged");
        }
    }
    Ok(())
}

impl Accumulate for Merged {
    type Group = MergedSet;

    fn update(&self, groups: &mut [MergedSet], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let json = values[0].as_string_view();
        for (row, group) in rows.iter().filter(|(row, _)| json.is_valid(*row)) {
            let (precision, set) = text::read_hll(json.value(row))?;
            add(&mut groups[group], precision, set)?;
        }
        Ok(())
    }

    fn write_state(&self, group: &MergedSet, out: &mut Vec<u8>) {
        if let Some((precision, set)) = group {
            out.push(precision.bits());
            set.write(out);
        }
    }

    fn merge(&self, group: &mut MergedSet, state: &[u8]) -> Result<()> {
        let (precision, set) = read_state(state)?;
        add(group, precision, set)
    }

    fn evaluate(&self, groups: Vec<MergedSet>) -> Result<ArrayRef> {
        written(
            groups
                .iter()
                .map(|group| group.as_ref().map(|(p, set)| (*p, set))),
        )
    }

    fn group_bytes(group: &MergedSet) -> usize {
        group.as_ref().map_or(0, |(_, set)| set.bytes())
    }
}

fn read_state(state: &[u8]) -> Result<(Precision, Hll)> {
    let precision = state
        .first()
        .and_then(|bits| Precision::of_bits(i64::from(*bits)));
    match precision {
        Some(precision) => Ok((precision, Hll::read(precision, &state[1..])?)),
        None => internal_err!("a set of no known accuracy"),
    }
}
