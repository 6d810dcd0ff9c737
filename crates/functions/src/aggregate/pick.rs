//! `arg_max`, `arg_min`, `take_any`: values of one row of each group.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StructArray, UInt32Array};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field, Fields, Float64Type};
use arrow::row::{RowConverter, SortField};
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::groups::{self, Accumulate, Rows, StateReader};
use super::picked_field;

/// Which row is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The one with the largest key.
    Largest,
    /// The one with the smallest key.
    Smallest,
    /// The one that comes first.
    First,
}

impl Choice {
    /// How many arguments come before the values.
    fn leading(self) -> usize {
        if self == Self::First { 1 } else { 2 }
    }
}

/// The largest, the smallest, or any row, by name.
pub(super) fn udaf(name: &'static str, choice: Choice) -> AggregateUDF {
    match choice {
        Choice::Largest => groups::udaf(
            name,
            |types| Ok(struct_type(types, 2)),
            |args| {
                Pick::new(
                    Choice::Largest,
                    args.expr_fields.iter().map(|f| f.data_type()).collect(),
                )
            },
        ),
        Choice::Smallest => groups::udaf(
            name,
            |types| Ok(struct_type(types, 2)),
            |args| {
                Pick::new(
                    Choice::Smallest,
                    args.expr_fields.iter().map(|f| f.data_type()).collect(),
                )
            },
        ),
        Choice::First => groups::udaf(
            name,
            |types| Ok(struct_type(types, 1)),
            |args| {
                Pick::new(
                    Choice::First,
                    args.expr_fields.iter().map(|f| f.data_type()).collect(),
                )
            },
        ),
    }
}

fn fields(types: &[DataType], leading: usize) -> Fields {
    let values = types.iter().skip(leading).enumerate();
    values
        .map(|(index, ty)| Field::new(picked_field(index), ty.clone(), true))
        .collect()
}

fn struct_type(types: &[DataType], leading: usize) -> DataType {
    DataType::Struct(fields(types, leading))
}

#[derive(Debug)]
struct Pick {
    choice: Choice,
    fields: Fields,
    keys: Option<RowConverter>,
    values: RowConverter,
}

/// The row picked so far: its key in a form whose bytes compare, its place, its values.
#[derive(Debug, Default)]
pub(super) struct Picked(Option<Winner>);

/// A key, a place, and values.
type Winner = (Box<[u8]>, i64, Box<[u8]>);

impl Pick {
    fn new(choice: Choice, types: Vec<&DataType>) -> Result<Self> {
        let types: Vec<DataType> = types.into_iter().cloned().collect();
        let fields = fields(&types, choice.leading());
        let keys = match choice {
            Choice::First => None,
            // Null is never the better key.
            Choice::Largest | Choice::Smallest => {
                let nulls_first = choice == Choice::Largest;
                let options = SortOptions {
                    descending: false,
                    nulls_first,
                };
                Some(RowConverter::new(vec![SortField::new_with_options(
                    types[0].clone(),
                    options,
                )])?)
            }
        };
        let values = fields
            .iter()
            .map(|field| SortField::new(field.data_type().clone()));
        let values = RowConverter::new(values.collect())?;
        Ok(Self {
            choice,
            fields,
            keys,
            values,
        })
    }

    /// Whether a row is better than the one picked.
    fn is_better(&self, picked: &Picked, key: &[u8], place: i64) -> bool {
        let Some((known, known_place, _)) = &picked.0 else {
            return true;
        };
        let by_key = match self.choice {
            Choice::Largest => key.cmp(known),
            Choice::Smallest => known.as_ref().cmp(key),
            Choice::First => std::cmp::Ordering::Equal,
        };
        by_key.then(known_place.cmp(&place)).is_gt()
    }
}

/// A key column in which what is not a number is the best key, as it poisons `max` and `min`.
fn poisoned(key: &ArrayRef, choice: Choice) -> ArrayRef {
    match key.as_primitive_opt::<Float64Type>() {
        None => Arc::clone(key),
        Some(reals) => {
            let nan = f64::NAN.copysign(if choice == Choice::Largest { 1.0 } else { -1.0 });
            let map = |x: f64| if x.is_nan() { nan } else { x + 0.0 };
            Arc::new(reals.unary::<_, Float64Type>(map))
        }
    }
}

impl Accumulate for Pick {
    type Group = Picked;

    fn update(&self, groups: &mut [Picked], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let leading = self.choice.leading();
        let keys = match &self.keys {
            Some(converter) => {
                Some(converter.convert_columns(&[poisoned(&values[0], self.choice)])?)
            }
            None => None,
        };
        let key = |row: usize| keys.as_ref().map_or(&[][..], |keys| keys.row(row).data());
        let places: &Int64Array = values[leading - 1].as_primitive();
        // Find each group's winner first, so that only winners are copied.
        let mut winners: Vec<(usize, usize)> = Vec::new();
        let mut winner_of: std::collections::HashMap<usize, usize> =
            std::collections::HashMap::new();
        for (row, group) in rows.iter() {
            if !self.is_better(&groups[group], key(row), places.value(row)) {
                continue;
            }
            match winner_of.get(&group) {
                None => {
                    winner_of.insert(group, winners.len());
                    winners.push((group, row));
                }
                Some(at) => {
                    let (_, other) = winners[*at];
                    let rival = Picked(Some((
                        key(other).into(),
                        places.value(other),
                        Box::default(),
                    )));
                    if self.is_better(&rival, key(row), places.value(row)) {
                        winners[*at] = (group, row);
                    }
                }
            }
        }
        let indices: UInt32Array = winners.iter().map(|(_, row)| *row as u32).collect();
        let chosen = values[leading..]
            .iter()
            .map(|column| Ok(take(column, &indices, None)?))
            .collect::<Result<Vec<_>>>()?;
        let chosen = self.values.convert_columns(&chosen)?;
        for (index, (group, row)) in winners.into_iter().enumerate() {
            let value = chosen.row(index).data().into();
            groups[group] = Picked(Some((key(row).into(), places.value(row), value)));
        }
        Ok(())
    }

    fn write_state(&self, group: &Picked, out: &mut Vec<u8>) {
        if let Some((key, place, value)) = &group.0 {
            groups::write_bytes(out, key);
            groups::write_i64(out, *place);
            groups::write_bytes(out, value);
        }
    }

    fn merge(&self, group: &mut Picked, state: &[u8]) -> Result<()> {
        let mut reader = StateReader(state);
        let (key, place, value) = (reader.bytes()?, reader.i64()?, reader.bytes()?);
        if self.is_better(group, key, place) {
            *group = Picked(Some((key.into(), place, value.into())));
        }
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Picked>) -> Result<ArrayRef> {
        let parser = self.values.parser();
        let found: Vec<_> = groups.iter().filter_map(|group| group.0.as_ref()).collect();
        let rows = found.iter().map(|(_, _, value)| parser.parse(value));
        let columns = self.values.convert_rows(rows)?;
        if found.len() == groups.len() {
            return Ok(Arc::new(StructArray::new(
                self.fields.clone(),
                columns,
                None,
            )));
        }
        // Groups without rows get nulls.
        let mut next = 0;
        let indices: UInt32Array = groups
            .iter()
            .map(|group| {
                group.0.as_ref()?;
                next += 1;
                Some(next - 1)
            })
            .collect();
        let columns = columns
            .iter()
            .map(|column| Ok(take(column, &indices, None)?))
            .collect::<Result<Vec<_>>>()?;
        Ok(Arc::new(StructArray::new(
            self.fields.clone(),
            columns,
            None,
        )))
    }

    fn group_bytes(group: &Picked) -> usize {
        group
            .0
            .as_ref()
            .map_or(0, |(key, _, value)| key.len() + value.len())
    }
}
