//! Sketches of a group's values, from which percentiles are read.
//!
//! Up to [`EXACT_MAX`] values are kept as they are. Beyond that, numbers and timespans are counted in
//! buckets of equal relative width (a DDSketch), so that a percentile is off by at most half a
//! percent of itself; datetimes, whose size means nothing, are counted in buckets of equal width,
//! doubled as often as it takes to need no more than [`WIDTH_BUCKETS_MAX`], so that a percentile is
//! off by at most a thousandth of the time that the group spans. Which bucket a value falls into does
//! not depend on the others, and neither does the width that they end with: however the values are
//! dealt over shards, the merged sketch is the same to the bit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder};
use arrow::datatypes::{
    DataType, DurationNanosecondType, Float64Type, Int64Type, TimestampNanosecondType,
};
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::AggregateUDF;

use super::groups::{self, Accumulate, Rows, StateReader};

/// Most values that a sketch keeps as they are.
pub(crate) const EXACT_MAX: usize = 512;

/// Most buckets of equal width.
pub(crate) const WIDTH_BUCKETS_MAX: usize = 2_048;

/// The relative error of a percentile of numbers.
const RELATIVE_ERROR: f64 = 0.005;

/// `kql_sketch(value)`: a sketch of the values, nulls and what is not a number aside.
pub(super) fn udaf() -> AggregateUDF {
    groups::udaf(
        "kql_sketch",
        |_| Ok(DataType::Binary),
        |args| match args.expr_fields.first().map(|field| field.data_type()) {
            Some(DataType::Timestamp(..)) => Ok(MakeSketch {
                scale: Scale::Width,
            }),
            Some(DataType::Float64 | DataType::Int64 | DataType::Duration(_)) => Ok(MakeSketch {
                scale: Scale::Relative,
            }),
            other => exec_err!("no sketch of {other:?}"),
        },
    )
}

/// How values beyond the exact ones are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Relative,
    Width,
}

#[derive(Debug)]
struct MakeSketch {
    scale: Scale,
}

/// The values of a group. Whole numbers, instants and timespans are kept as `i64`; reals as the bits
/// of an order-preserving `i64`, so that one form serves all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sketch {
    /// The values themselves, in no order.
    Exact(Vec<f64>, Vec<i64>),
    /// Counts by logarithm: of negative numbers, of zeros, of positive numbers; with the extremes.
    Relative {
        negative: BTreeMap<i32, u64>,
        zeros: u64,
        positive: BTreeMap<i32, u64>,
        min: f64,
        max: f64,
    },
    /// Counts by `value >> shift`, with the extremes.
    Width {
        shift: u32,
        counts: BTreeMap<i64, u64>,
        min: i64,
        max: i64,
    },
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Exact(Vec::new(), Vec::new())
    }
}

fn gamma_ln() -> f64 {
    ((1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR)).ln()
}

/// The bucket of a positive number.
fn bucket(value: f64) -> i32 {
    if value.is_infinite() {
        i32::MAX
    } else {
        (value.ln() / gamma_ln()).ceil() as i32
    }
}

/// The number that stands for a bucket.
fn bucket_value(bucket: i32) -> f64 {
    if bucket == i32::MAX {
        return f64::INFINITY;
    }
    let gamma = gamma_ln().exp();
    2.0 * (f64::from(bucket) * gamma_ln()).exp() / (gamma + 1.0)
}

impl Sketch {
    fn relative() -> Self {
        Self::Relative {
            negative: BTreeMap::new(),
            zeros: 0,
            positive: BTreeMap::new(),
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    fn width() -> Self {
        Self::Width {
            shift: 0,
            counts: BTreeMap::new(),
            min: i64::MAX,
            max: i64::MIN,
        }
    }

    fn add_real(&mut self, value: f64) {
        match self {
            Self::Exact(reals, _) => reals.push(value),
            Self::Relative {
                negative,
                zeros,
                positive,
                min,
                max,
            } => {
                *min = min.min(value);
                *max = max.max(value);
                if value == 0.0 {
                    *zeros += 1;
                } else if value > 0.0 {
                    *positive.entry(bucket(value)).or_default() += 1;
                } else {
                    *negative.entry(bucket(-value)).or_default() += 1;
                }
            }
            Self::Width { .. } => {}
        }
    }

    fn add_whole(&mut self, value: i64) {
        match self {
            Self::Exact(_, wholes) => wholes.push(value),
            Self::Relative { .. } => self.add_real(value as f64),
            Self::Width {
                shift,
                counts,
                min,
                max,
            } => {
                *min = (*min).min(value);
                *max = (*max).max(value);
                *counts.entry(value >> *shift).or_default() += 1;
            }
        }
    }

    /// Leaves the exact form when there are too many values, and widens buckets when there are too
    /// many of them.
    fn settle(&mut self, scale: Scale) {
        if let Self::Exact(reals, wholes) = self
            && reals.len() + wholes.len() > EXACT_MAX
        {
            let (reals, wholes) = (std::mem::take(reals), std::mem::take(wholes));
            *self = if scale == Scale::Width {
                Self::width()
            } else {
                Self::relative()
            };
            reals.into_iter().for_each(|value| self.add_real(value));
            wholes.into_iter().for_each(|value| self.add_whole(value));
        }
        if let Self::Width { shift, counts, .. } = self {
            while counts.len() > WIDTH_BUCKETS_MAX {
                *shift += 1;
                *counts = rebucketed(counts, 1);
            }
        }
    }

    fn merge(&mut self, other: Self, scale: Scale) {
        let (mut into, from) = match (std::mem::take(self), other) {
            (exact @ Self::Exact(..), buckets @ (Self::Relative { .. } | Self::Width { .. })) => {
                (buckets, exact)
            }
            (into, from) => (into, from),
        };
        match from {
            Self::Exact(reals, wholes) => {
                reals.into_iter().for_each(|value| into.add_real(value));
                wholes.into_iter().for_each(|value| into.add_whole(value));
            }
            Self::Relative {
                negative: n,
                zeros: z,
                positive: p,
                min: low,
                max: high,
            } => {
                if let Self::Relative {
                    negative,
                    zeros,
                    positive,
                    min,
                    max,
                } = &mut into
                {
                    n.into_iter()
                        .for_each(|(key, count)| *negative.entry(key).or_default() += count);
                    p.into_iter()
                        .for_each(|(key, count)| *positive.entry(key).or_default() += count);
                    *zeros += z;
                    *min = min.min(low);
                    *max = max.max(high);
                }
            }
            Self::Width {
                shift: s,
                counts: c,
                min: low,
                max: high,
            } => {
                if let Self::Width {
                    shift,
                    counts,
                    min,
                    max,
                } = &mut into
                {
                    let common = s.max(*shift);
                    *counts = rebucketed(counts, common - *shift);
                    for (key, count) in rebucketed(&c, common - s) {
                        *counts.entry(key).or_default() += count;
                    }
                    *shift = common;
                    *min = (*min).min(low);
                    *max = (*max).max(high);
                }
            }
        }
        into.settle(scale);
        *self = into;
    }

    fn count(&self) -> u64 {
        match self {
            Self::Exact(reals, wholes) => (reals.len() + wholes.len()) as u64,
            Self::Relative {
                negative,
                zeros,
                positive,
                ..
            } => negative.values().sum::<u64>() + zeros + positive.values().sum::<u64>(),
            Self::Width { counts, .. } => counts.values().sum(),
        }
    }

    /// The value of nearest rank; `None` if there are no values. A real if the values are, else a
    /// whole number.
    pub(crate) fn percentile(&self, percentile: f64) -> Option<Quantile> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let rank = ((percentile / 100.0 * count as f64).ceil() as u64).clamp(1, count);
        Some(match self {
            Self::Exact(reals, wholes) if wholes.is_empty() => {
                let mut sorted = reals.clone();
                sorted.sort_by(f64::total_cmp);
                Quantile::Real(sorted[rank as usize - 1])
            }
            Self::Exact(_, wholes) => {
                let mut sorted = wholes.clone();
                sorted.sort_unstable();
                Quantile::Whole(sorted[rank as usize - 1])
            }
            Self::Relative {
                negative,
                zeros,
                positive,
                min,
                max,
            } => {
                let below = negative
                    .iter()
                    .rev()
                    .map(|(key, count)| (-bucket_value(*key), *count));
                let above = positive
                    .iter()
                    .map(|(key, count)| (bucket_value(*key), *count));
                let all = below.chain([(0.0, *zeros)]).chain(above);
                Quantile::Real(at_rank(all, rank)?.clamp(*min, *max))
            }
            Self::Width {
                shift,
                counts,
                min,
                max,
            } => {
                let half = if *shift == 0 {
                    0
                } else {
                    1_i64 << (*shift - 1)
                };
                let all = counts
                    .iter()
                    .map(|(key, count)| ((key << shift) + half, *count));
                Quantile::Whole(at_rank(all, rank)?.clamp(*min, *max))
            }
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Exact(reals, wholes) => {
                out.push(0);
                groups::write_i64(out, reals.len() as i64);
                reals
                    .iter()
                    .for_each(|value| groups::write_i64(out, value.to_bits() as i64));
                wholes
                    .iter()
                    .for_each(|value| groups::write_i64(out, *value));
            }
            Self::Relative {
                negative,
                zeros,
                positive,
                min,
                max,
            } => {
                out.push(1);
                for number in [min.to_bits() as i64, max.to_bits() as i64, *zeros as i64] {
                    groups::write_i64(out, number);
                }
                let widen = |map: &BTreeMap<i32, u64>| {
                    map.iter().map(|(k, c)| (i64::from(*k), *c)).collect()
                };
                write_counts(out, &widen(negative));
                write_counts(out, &widen(positive));
            }
            Self::Width {
                shift,
                counts,
                min,
                max,
            } => {
                out.push(2);
                for number in [i64::from(*shift), *min, *max] {
                    groups::write_i64(out, number);
                }
                write_counts(out, counts);
            }
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let Some((tag, rest)) = bytes.split_first() else {
            return Ok(Self::default());
        };
        let mut reader = StateReader(rest);
        Ok(match tag {
            0 => {
                let reals = reader.i64()?;
                let mut sketch = (Vec::new(), Vec::new());
                for _ in 0..reals {
                    sketch.0.push(f64::from_bits(reader.i64()? as u64));
                }
                while !reader.is_empty() {
                    sketch.1.push(reader.i64()?);
                }
                Self::Exact(sketch.0, sketch.1)
            }
            1 => {
                let (min, max) = (reader.i64()? as u64, reader.i64()? as u64);
                let zeros = reader.i64()? as u64;
                let narrow = |counts: BTreeMap<i64, u64>| {
                    counts.into_iter().map(|(k, c)| (k as i32, c)).collect()
                };
                Self::Relative {
                    negative: narrow(read_counts(&mut reader)?),
                    zeros,
                    positive: narrow(read_counts(&mut reader)?),
                    min: f64::from_bits(min),
                    max: f64::from_bits(max),
                }
            }
            2 => {
                let shift = u32::try_from(reader.i64()?).unwrap_or(0).min(63);
                let (min, max) = (reader.i64()?, reader.i64()?);
                Self::Width {
                    shift,
                    min,
                    max,
                    counts: read_counts(&mut reader)?,
                }
            }
            _ => return internal_err!("a sketch that is none"),
        })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Exact(reals, wholes) => (reals.capacity() + wholes.capacity()) * 8,
            Self::Relative {
                negative, positive, ..
            } => (negative.len() + positive.len()) * 24,
            Self::Width { counts, .. } => counts.len() * 32,
        }
    }
}

/// A percentile as it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantile {
    Real(f64),
    Whole(i64),
}

fn at_rank<T>(counts: impl Iterator<Item = (T, u64)>, rank: u64) -> Option<T> {
    let mut seen = 0;
    for (value, count) in counts {
        seen += count;
        if seen >= rank {
            return Some(value);
        }
    }
    None
}

fn rebucketed(counts: &BTreeMap<i64, u64>, shift: u32) -> BTreeMap<i64, u64> {
    let mut out = BTreeMap::new();
    for (key, count) in counts {
        *out.entry(key >> shift).or_default() += count;
    }
    out
}

/// Counts in order of keys, keys as distances, all in seven-bit groups.
fn write_counts(out: &mut Vec<u8>, counts: &BTreeMap<i64, u64>) {
    let mut bytes = Vec::with_capacity(counts.len() * 3);
    let mut last = 0_i64;
    for (key, count) in counts {
        let distance = key.wrapping_sub(last);
        write_varint(&mut bytes, ((distance << 1) ^ (distance >> 63)) as u64);
        write_varint(&mut bytes, *count);
        last = *key;
    }
    groups::write_bytes(out, &bytes);
}

fn read_counts(reader: &mut StateReader<'_>) -> Result<BTreeMap<i64, u64>> {
    let mut bytes = reader.bytes()?;
    let mut counts = BTreeMap::new();
    let mut last = 0_i64;
    while !bytes.is_empty() {
        let zigzag = read_varint(&mut bytes)?;
        let distance = ((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64);
        last = last.wrapping_add(distance);
        counts.insert(last, read_varint(&mut bytes)?);
    }
    Ok(counts)
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else {
            return internal_err!("a sketch is cut short");
        };
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    internal_err!("a number in a sketch is too long")
}

impl Accumulate for MakeSketch {
    type Group = Sketch;

    fn update(&self, groups: &mut [Sketch], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let array = &values[0];
        let whole: Option<Box<dyn Fn(usize) -> i64 + '_>> = match array.data_type() {
            DataType::Int64 => {
                let array = array.as_primitive::<Int64Type>();
                Some(Box::new(|row| array.value(row)))
            }
            DataType::Timestamp(..) => {
                let array = array.as_primitive::<TimestampNanosecondType>();
                Some(Box::new(|row| array.value(row)))
            }
            DataType::Duration(_) => {
                let array = array.as_primitive::<DurationNanosecondType>();
                Some(Box::new(|row| array.value(row)))
            }
            _ => None,
        };
        for (row, group) in rows.iter().filter(|(row, _)| array.is_valid(*row)) {
            match &whole {
                Some(whole) => groups[group].add_whole(whole(row)),
                None => {
                    let value = array.as_primitive::<Float64Type>().value(row);
                    if !value.is_nan() {
                        groups[group].add_real(value);
                    }
                }
            }
            groups[group].settle(self.scale);
        }
        Ok(())
    }

    fn write_state(&self, group: &Sketch, out: &mut Vec<u8>) {
        if group.count() > 0 {
            group.write(out);
        }
    }

    fn merge(&self, group: &mut Sketch, state: &[u8]) -> Result<()> {
        group.merge(Sketch::read(state)?, self.scale);
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Sketch>) -> Result<ArrayRef> {
        let mut builder = BinaryBuilder::new();
        let mut buffer = Vec::new();
        for group in &groups {
            buffer.clear();
            self.write_state(group, &mut buffer);
            builder.append_value(&buffer);
        }
        Ok(Arc::new(builder.finish()))
    }

    fn group_bytes(group: &Sketch) -> usize {
        group.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(scale: Scale, values: impl Iterator<Item = i64>) -> Sketch {
        let mut sketch = Sketch::default();
        for value in values {
            sketch.add_whole(value);
            sketch.settle(scale);
        }
        sketch
    }

    /// A fixed shuffle of numbers whose sizes differ widely.
    fn numbers(count: u64) -> Vec<i64> {
        (0..count)
            .map(|i| ((i.wrapping_mul(6_364_136_223_846_793_005) >> 20) % 1_000_000_007) as i64)
            .collect()
    }

    #[test]
    fn merging_gives_the_same_bits_however_values_are_dealt() {
        let values = numbers(5_000);
        for scale in [Scale::Relative, Scale::Width] {
            let whole = sketch(scale, values.iter().copied());
            for shards in [2, 3, 7] {
                let mut merged = Sketch::default();
                for shard in 0..shards {
                    let part = values
                        .iter()
                        .copied()
                        .enumerate()
                        .filter(|(i, _)| i % shards == shard);
                    let mut bytes = Vec::new();
                    sketch(scale, part.map(|(_, value)| value)).write(&mut bytes);
                    merged.merge(Sketch::read(&bytes).expect("a sketch"), scale);
                }
                assert_eq!(merged, whole, "{scale:?} over {shards} shards");
            }
        }
    }

    #[test]
    fn percentiles_are_within_the_stated_error() {
        let mut values = numbers(20_000);
        let relative = sketch(Scale::Relative, values.iter().copied());
        let width = sketch(Scale::Width, values.iter().copied());
        values.sort_unstable();
        let span = (values[values.len() - 1] - values[0]) as f64;
        for p in [0.0, 1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 100.0] {
            let rank = ((p / 100.0 * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let exact = values[rank - 1] as f64;
            let Some(Quantile::Real(found)) = relative.percentile(p) else {
                panic!("a real")
            };
            assert!(
                (found - exact).abs() <= RELATIVE_ERROR * 1.01 * exact,
                "{p}: {found} {exact}"
            );
            let Some(Quantile::Whole(found)) = width.percentile(p) else {
                panic!("a whole number")
            };
            assert!(
                (found as f64 - exact).abs() <= span / 1_000.0,
                "{p}: {found} {exact}"
            );
        }
    }

    #[test]
    fn few_values_are_exact() {
        let few = sketch(Scale::Relative, 1..=100);
        assert_eq!(few.percentile(50.0), Some(Quantile::Whole(50)));
        assert_eq!(few.percentile(95.0), Some(Quantile::Whole(95)));
        assert_eq!(few.percentile(0.0), Some(Quantile::Whole(1)));
        assert_eq!(Sketch::default().percentile(50.0), None);
    }
}
