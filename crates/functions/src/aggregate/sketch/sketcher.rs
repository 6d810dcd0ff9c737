//! The aggregate that fills sketches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryBuilder, PrimitiveArray};
use arrow::datatypes::{DurationNanosecondType, Float64Type, Int64Type, TimestampNanosecondType};
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::function::AccumulatorArgs;

use super::{Kind, Sketch, Values, from_real};
use crate::aggregate::groups::{Accumulate, Rows};

/// Adds values to the sketches of groups.
#[derive(Clone, Copy, Debug)]
pub(in crate::aggregate) struct Sketcher {
    pub(in crate::aggregate) kind: Kind,
    pub(in crate::aggregate) is_weighted: bool,
}

impl Sketcher {
    pub(in crate::aggregate) fn new(args: &AccumulatorArgs<'_>) -> Result<Self> {
        let data_type = args.expr_fields.first().map(|field| field.data_type());
        match data_type.and_then(Kind::of) {
            Some(kind) => Ok(Self {
                kind,
                is_weighted: args.exprs.len() > 1,
            }),
            None => exec_err!("no sketch of {data_type:?}"),
        }
    }

    fn add(self, groups: &mut [Values], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let mut found = match self.kind {
            Kind::Long => whole::<Int64Type>(&values[0], rows)?,
            Kind::Datetime => whole::<TimestampNanosecondType>(&values[0], rows)?,
            Kind::Timespan => whole::<DurationNanosecondType>(&values[0], rows)?,
            Kind::Real => {
                let array = primitive::<Float64Type>(&values[0])?;
                let values = rows.iter().filter(|(row, _)| array.is_valid(*row));
                values
                    .filter(|(row, _)| !array.value(*row).is_nan())
                    .map(|(row, group)| (group, from_real(array.value(row)), row))
                    .collect()
            }
        };
        found.sort_unstable();
        let weights = match self.is_weighted {
            true => Some(primitive::<Int64Type>(&values[1])?),
            false => None,
        };
        let weight = |row: usize| match weights {
            None => 1,
            Some(weights) if weights.is_valid(row) => {
                u64::try_from(weights.value(row)).unwrap_or(0)
            }
            Some(_) => 0,
        };
        let mut sorted = Vec::new();
        for values in found.chunk_by(|a, b| a.0 == b.0) {
            sorted.clear();
            let weighted = values.iter().map(|(_, value, row)| (*value, weight(*row)));
            sorted.extend(weighted.filter(|(_, weight)| *weight > 0));
            groups[values[0].0].add(self.kind, &sorted);
        }
        Ok(())
    }
}

/// Values with their groups and rows.
fn whole<T: ArrowPrimitiveType<Native = i64>>(
    array: &ArrayRef,
    rows: &Rows<'_>,
) -> Result<Vec<(usize, i64, usize)>> {
    let array = primitive::<T>(array)?;
    let rows = rows.iter().filter(|(row, _)| array.is_valid(*row));
    Ok(rows
        .map(|(row, group)| (group, array.value(row), row))
        .collect())
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    match array.as_primitive_opt() {
        Some(array) => Ok(array),
        None => internal_err!("no sketch of {}", array.data_type()),
    }
}

impl Accumulate for Sketcher {
    type Group = Values;

    fn update(&self, groups: &mut [Values], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        self.add(groups, values, rows)
    }

    fn write_state(&self, group: &Values, out: &mut Vec<u8>) {
        if !group.is_empty() {
            group.write(self.kind, out);
        }
    }

    fn merge(&self, group: &mut Values, state: &[u8]) -> Result<()> {
        let other = Sketch::read(state)?;
        group.merge(self.kind, other.values);
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Values>) -> Result<ArrayRef> {
        let mut builder = BinaryBuilder::new();
        let mut buffer = Vec::new();
        for group in &groups {
            buffer.clear();
            self.write_state(group, &mut buffer);
            builder.append_value(&buffer);
        }
        Ok(Arc::new(builder.finish()))
    }

    fn group_bytes(group: &Values) -> usize {
        group.bytes()
    }
}
