//! One implementation of DataFusion's accumulators over a small trait.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, BooleanArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

/// What an aggregate does with its groups.
pub(super) trait Accumulate: Debug + Send + Sync + Sized + 'static {
    /// What is kept for a group.
    type Group: Default + Debug + Send + Sync;

    /// Adds a batch's rows: row `r` goes to group `rows.group(r)`.
    fn update(
        &self,
        groups: &mut [Self::Group],
        values: &[ArrayRef],
        rows: &Rows<'_>,
    ) -> Result<()>;

    /// Writes a group down; nothing for one that has seen no rows.
    fn write_state(&self, group: &Self::Group, out: &mut Vec<u8>);

    /// Adds what another accumulator wrote down.
    fn merge(&self, group: &mut Self::Group, state: &[u8]) -> Result<()>;

    /// The results, a row for each group.
    fn evaluate(&self, groups: Vec<Self::Group>) -> Result<ArrayRef>;

    /// The memory of a group beyond its own size, in bytes.
    fn group_bytes(group: &Self::Group) -> usize;
}

/// Which rows of a batch count, and for which group.
pub(super) struct Rows<'a> {
    groups: Option<&'a [usize]>,
    filter: Option<&'a BooleanArray>,
    count: usize,
}

impl Rows<'_> {
    /// The rows that count, with their groups.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.count)
            .filter(|row| {
                self.filter
                    .is_none_or(|f| f.is_valid(*row) && f.value(*row))
            })
            .map(|row| (row, self.groups.map_or(0, |groups| groups[row])))
    }
}

#[cfg(test)]
impl Rows<'_> {
    /// All rows of a batch, for one group.
    pub(super) fn of_one_group(count: usize) -> Self {
        Self {
            groups: None,
            filter: None,
            count,
        }
    }
}

type Make<A> = fn(&AccumulatorArgs<'_>) -> Result<A>;
type ReturnType = fn(&[DataType]) -> Result<DataType>;

/// Builds the DataFusion aggregate.
pub(super) fn udaf<A: Accumulate>(
    name: &'static str,
    return_type: ReturnType,
    make: Make<A>,
) -> AggregateUDF {
    AggregateUDF::new_from_impl(GroupsUdaf {
        name,
        return_type,
        make,
        signature: Signature::variadic_any(Volatility::Immutable),
    })
}

struct GroupsUdaf<A> {
    name: &'static str,
    return_type: ReturnType,
    make: Make<A>,
    signature: Signature,
}

impl<A> Debug for GroupsUdaf<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

// Names are unique, so they decide.
impl<A> PartialEq for GroupsUdaf<A> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl<A> Eq for GroupsUdaf<A> {}

impl<A> Hash for GroupsUdaf<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl<A: Accumulate> AggregateUDFImpl for GroupsUdaf<A> {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.return_type)(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Groups {
            inner: (self.make)(&args)?,
            groups: vec![A::Group::default()],
            bytes: 0,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format!("{}[state]", args.name);
        Ok(vec![Arc::new(Field::new(name, DataType::Binary, true))])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups {
            inner: (self.make)(&args)?,
            groups: Vec::new(),
            bytes: 0,
        }))
    }
}

/// The constant argument `index` of an aggregate.
pub(super) fn constant(args: &AccumulatorArgs<'_>, index: usize) -> Result<ScalarValue> {
    let Some(expr) = args.exprs.get(index) else {
        return internal_err!("missing argument {index}");
    };
    let nothing = arrow::array::RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
    match expr.evaluate(&nothing) {
        Ok(datafusion_expr::ColumnarValue::Scalar(value)) => Ok(value),
        _ => internal_err!("argument {index} is not constant"),
    }
}

#[derive(Debug)]
struct Groups<A: Accumulate> {
    inner: A,
    groups: Vec<A::Group>,
    /// Memory of the groups beyond their own size.
    bytes: usize,
}

impl<A: Accumulate> Groups<A> {
    fn add(&mut self, values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        // Only groups that this batch touches can have grown.
        let mut touched: Vec<usize> = rows.iter().map(|(_, group)| group).collect();
        touched.sort_unstable();
        touched.dedup();
        let before: usize = touched
            .iter()
            .map(|group| A::group_bytes(&self.groups[*group]))
            .sum();
        self.inner.update(&mut self.groups, values, rows)?;
        let after: usize = touched
            .iter()
            .map(|group| A::group_bytes(&self.groups[*group]))
            .sum();
        self.bytes = (self.bytes + after).saturating_sub(before);
        Ok(())
    }

    fn merge_into(&mut self, group: usize, state: &[u8]) -> Result<()> {
        let before = A::group_bytes(&self.groups[group]);
        self.inner.merge(&mut self.groups[group], state)?;
        self.bytes = (self.bytes + A::group_bytes(&self.groups[group])).saturating_sub(before);
        Ok(())
    }

    fn state_array(&self, groups: &[A::Group]) -> ArrayRef {
        let mut builder = BinaryBuilder::new();
        let mut buffer = Vec::new();
        for group in groups {
            buffer.clear();
            self.inner.write_state(group, &mut buffer);
            builder.append_value(&buffer);
        }
        Arc::new(builder.finish())
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<A::Group> {
        let groups = emit_to.take_needed(&mut self.groups);
        let bytes: usize = groups.iter().map(A::group_bytes).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        groups
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.groups.capacity() * size_of::<A::Group>() + self.bytes
    }
}

impl<A: Accumulate> GroupsAccumulator for Groups<A> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, A::Group::default);
        let rows = Rows {
            groups: Some(group_indices),
            filter: opt_filter,
            count: group_indices.len(),
        };
        self.add(values, &rows)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.groups.resize_with(total_num_groups, A::Group::default);
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().copied().enumerate() {
            if states.is_valid(row) && !states.value(row).is_empty() {
                self.merge_into(group, states.value(row))?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let count = values.first().map_or(0, Array::len);
        let each: Vec<usize> = (0..count).collect();
        let mut groups: Vec<A::Group> = Vec::new();
        groups.resize_with(count, A::Group::default);
        let rows = Rows {
            groups: Some(&each),
            filter: opt_filter,
            count,
        };
        self.inner.update(&mut groups, values, &rows)?;
        Ok(vec![self.state_array(&groups)])
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = self.take(emit_to);
        self.inner.evaluate(groups)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = self.take(emit_to);
        Ok(vec![self.state_array(&groups)])
    }

    fn size(&self) -> usize {
        self.memory()
    }
}

impl<A: Accumulate> Accumulator for Groups<A> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let count = values.first().map_or(0, Array::len);
        self.add(
            values,
            &Rows {
                groups: None,
                filter: None,
                count,
            },
        )
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = states[0].as_binary::<i32>();
        for state in states.iter().flatten().filter(|state| !state.is_empty()) {
            self.merge_into(0, state)?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let group = std::mem::take(&mut self.groups[0]);
        ScalarValue::try_from_array(&self.inner.evaluate(vec![group])?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let group = std::mem::take(&mut self.groups[0]);
        let array = self.state_array(std::slice::from_ref(&group));
        Ok(vec![ScalarValue::try_from_array(&array, 0)?])
    }

    fn size(&self) -> usize {
        self.memory()
    }
}

/// Reads what [`Accumulate::write_state`] wrote: numbers and byte strings, little-endian.
pub(super) struct StateReader<'a>(pub(super) &'a [u8]);

impl<'a> StateReader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn i64(&mut self) -> Result<i64> {
        let Some((head, rest)) = self.0.split_first_chunk::<8>() else {
            return internal_err!("an aggregate's state is cut short");
        };
        self.0 = rest;
        Ok(i64::from_le_bytes(*head))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.0.split_first_chunk::<4>() else {
            return internal_err!("an aggregate's state is cut short");
        };
        let length = u32::from_le_bytes(*head) as usize;
        let Some((bytes, rest)) = rest.split_at_checked(length) else {
            return internal_err!("an aggregate's state is cut short");
        };
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn str(&mut self) -> Result<&'a str> {
        match std::str::from_utf8(self.bytes()?) {
            Ok(text) => Ok(text),
            Err(_) => internal_err!("an aggregate's state is no text"),
        }
    }
}

pub(super) fn write_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // A state is held under 4 GiB by the limits on what goes into it.
    let length = u32::try_from(bytes.len()).expect("a value is far shorter than 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}
