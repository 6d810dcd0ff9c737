//! Sketches of a group's values, from which percentiles are read.
//!
//! While there are no more than [`EXACT_MAX`] different values, each is kept with how often it occurs,
//! and percentiles are exact. Beyond that they are counted in buckets: of nearly equal relative width
//! for numbers and timespans (a DDSketch, cut at the bits of a real), of equal width for datetimes,
//! whose size means nothing. The width is doubled as often as it takes to need no more than
//! [`BUCKETS_MAX`] buckets, and values are taken to lie evenly in each.
//!
//! A percentile of numbers is off by at most a 2048th of itself for each power of two that they spread
//! over, which is 0.8 % for numbers from 1 to 65,536, and one of datetimes by a 2048th of the time that
//! they span. The least and the greatest value are exact.
//!
//! Which bucket a value falls into does not depend on the others, and neither does the width that
//! they end with: however the values are dealt over shards, the merged sketch is the same to the bit.
//!
//! Written down, a group takes 3 bytes and, for each value or bucket, the distance to the one before
//! and its count in seven-bit groups: at most 20 bytes, mostly 3 or 4; and 16 bytes for the extremes
//! once there are buckets.

mod sketcher;

use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::AggregateUDF;

use super::counts::Counts;
use super::groups::{self, StateReader};
pub(super) use sketcher::Sketcher;

/// Most different values that a sketch keeps as they are.
pub(crate) const EXACT_MAX: usize = 1_024;

/// Most buckets.
pub(crate) const BUCKETS_MAX: usize = 4_096;

/// The form in which sketches are written down.
const VERSION: u8 = 1;

/// `kql_sketch(value, weight?)`: a sketch of the values, nulls and what is not a number aside. A value
/// of weight `w` counts as `w` values; one whose weight is not positive does not count.
pub(super) fn udaf() -> AggregateUDF {
    groups::udaf("kql_sketch", |_| Ok(DataType::Binary), Sketcher::new)
}

/// The type of a sketch's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Long,
    Real,
    Datetime,
    Timespan,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Long, Self::Real, Self::Datetime, Self::Timespan];

    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Int64 => Self::Long,
            DataType::Float64 => Self::Real,
            DataType::Timestamp(..) => Self::Datetime,
            DataType::Duration(_) => Self::Timespan,
            _ => return None,
        })
    }

    /// What buckets are cut from: an `i64` in the order of the values.
    fn key(self, value: i64) -> i64 {
        match self {
            Self::Long | Self::Timespan => from_real(value as f64),
            Self::Real | Self::Datetime => value,
        }
    }

    /// The value of a key of a bucket.
    fn value(self, bucket: i64, key: i64) -> i64 {
        match self {
            Self::Datetime => key,
            // Whole numbers lie on the side of a bucket that is nearer to zero.
            Self::Long | Self::Timespan => to_real(key) as i64,
            // Around zero a bucket holds what is too small to tell from it, and past infinity are no
            // numbers.
            Self::Real if bucket == 0 => 0,
            Self::Real if !to_real(key).is_nan() => key,
            Self::Real if bucket > 0 => from_real(f64::INFINITY),
            Self::Real => from_real(f64::NEG_INFINITY),
        }
    }

    /// The key that the keys of values greater than this one begin with.
    fn key_after(self, value: i64) -> i64 {
        let next = self.key(value).saturating_add(1);
        match self {
            Self::Long | Self::Timespan if value >= 0 => {
                next.max(self.key(value.saturating_add(1)))
            }
            _ => next,
        }
    }
}

/// A real as an `i64` in the same order; both zeros are one.
pub(crate) fn from_real(value: f64) -> i64 {
    flip((value + 0.0).to_bits() as i64)
}

/// The real of [`from_real`].
pub(crate) fn to_real(key: i64) -> f64 {
    f64::from_bits(flip(key) as u64)
}

fn flip(bits: i64) -> i64 {
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The values of a group: whole numbers and times as they are, reals by [`from_real`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values {
    counts: Counts,
    buckets: Option<Buckets>,
}

/// How values are counted once there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Buckets {
    /// How many low bits of a key its bucket leaves out.
    shift: u32,
    least: i64,
    greatest: i64,
}

impl Buckets {
    /// The keys that a bucket holds, as far as there are values: from the first to before the second.
    fn keys(&self, kind: Kind, bucket: i64) -> (i64, i64) {
        let key = |bucket: i128| {
            (bucket << self.shift).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
        };
        let (low, high) = (key(i128::from(bucket)), key(i128::from(bucket) + 1));
        let least = kind.key_after(self.least.saturating_sub(1));
        (low.max(least), high.min(kind.key_after(self.greatest)))
    }

    /// The value in the middle of part `part` of a bucket that is cut in `parts`.
    fn value(&self, kind: Kind, bucket: i64, part: u64, parts: u64) -> i64 {
        let (low, high) = self.keys(kind, bucket);
        let place = high.abs_diff(low) as f64 * (part as f64 + 0.5) / parts as f64;
        kind.value(bucket, low.saturating_add(place as i64))
            .clamp(self.least, self.greatest)
    }

    /// Which part of a bucket's values are at most `value`, which lies in it.
    fn share(&self, kind: Kind, bucket: i64, value: i64) -> f64 {
        let (low, high) = self.keys(kind, bucket);
        let until = kind.key_after(value).max(low).min(high);
        until.abs_diff(low) as f64 / high.abs_diff(low).max(1) as f64
    }
}

impl Values {
    /// Adds values in ascending order with their weights.
    fn add(&mut self, kind: Kind, sorted: &[(i64, u64)]) {
        let (Some((low, _)), Some((high, _))) = (sorted.first(), sorted.last()) else {
            return;
        };
        let sorted = sorted.iter().copied();
        match &mut self.buckets {
            None => self.counts.add(sorted),
            Some(buckets) => {
                let shift = buckets.shift;
                buckets.least = buckets.least.min(*low);
                buckets.greatest = buckets.greatest.max(*high);
                self.counts
                    .add(sorted.map(|(value, weight)| (kind.key(value) >> shift, weight)));
            }
        }
        self.settle(kind);
    }

    /// Leaves the exact form when there are too many values, and widens buckets when there are too
    /// many of them.
    fn settle(&mut self, kind: Kind) {
        if self.buckets.is_none() && self.counts.len() > EXACT_MAX {
            self.spread(kind);
        }
        if let Some(buckets) = &mut self.buckets
            && self.counts.len() > BUCKETS_MAX
        {
            let bits = self.counts.bits_to_drop(BUCKETS_MAX);
            buckets.shift += bits;
            self.counts = self.counts.map_keys(|key| key >> bits);
        }
    }

    /// Puts all values in order, so that the form depends on nothing but which values there are.
    fn finish(&mut self, kind: Kind) {
        self.counts.settle();
        self.settle(kind);
    }

    /// Counts the values in buckets.
    fn spread(&mut self, kind: Kind) {
        self.counts.settle();
        let (Some(least), Some(greatest)) = (self.counts.first_key(), self.counts.last_key())
        else {
            return;
        };
        self.counts = self.counts.map_keys(|value| kind.key(value));
        self.buckets = Some(Buckets {
            shift: 0,
            least,
            greatest,
        });
    }

    /// Adds another sketch's values.
    pub(super) fn merge(&mut self, kind: Kind, mut other: Self) {
        self.finish(kind);
        other.finish(kind);
        match (self.buckets, other.buckets) {
            (None, Some(_)) => {
                self.spread(kind);
                if self.buckets.is_none() {
                    *self = other;
                    return;
                }
            }
            (Some(_), None) => other.spread(kind),
            _ => {}
        }
        if let (Some(mine), Some(others)) = (&mut self.buckets, &other.buckets) {
            let (own, foreign) = (mine.shift, others.shift);
            *mine = Buckets {
                shift: own.max(foreign),
                least: mine.least.min(others.least),
                greatest: mine.greatest.max(others.greatest),
            };
            let (own, foreign) = (mine.shift - own, mine.shift - foreign);
            self.counts = self.counts.map_keys(|key| key >> own);
            other.counts = other.counts.map_keys(|key| key >> foreign);
        }
        self.counts.add(other.counts.iter());
        self.settle(kind);
    }

    pub(super) fn write(&self, kind: Kind, out: &mut Vec<u8>) {
        if !self.counts.is_settled() {
            let mut finished = self.clone();
            finished.finish(kind);
            finished.write(kind, out);
            return;
        }
        out.push(VERSION);
        out.push(kind as u8);
        match &self.buckets {
            None => out.push(u8::MAX),
            Some(buckets) => {
                out.push(buckets.shift as u8);
                groups::write_i64(out, buckets.least);
                groups::write_i64(out, buckets.greatest);
            }
        }
        self.counts.write(out);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    fn bytes(&self) -> usize {
        self.counts.bytes()
    }
}

/// A sketch that was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sketch {
    pub(crate) kind: Kind,
    pub(super) values: Values,
}

/// A percentile as it was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantile {
    Real(f64),
    Whole(i64),
}

impl Sketch {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let [VERSION, kind, form, rest @ ..] = bytes else {
            return match bytes {
                [] => Ok(Self {
                    kind: Kind::Long,
                    values: Values::default(),
                }),
                _ => internal_err!("a sketch of another version"),
            };
        };
        let Some(kind) = Kind::ALL.into_iter().find(|known| *known as u8 == *kind) else {
            return internal_err!("a sketch of no known type");
        };
        let values = match *form {
            u8::MAX => Values {
                counts: Counts::read(rest, EXACT_MAX)?,
                buckets: None,
            },
            shift @ 0..=63 => {
                let mut reader = StateReader(rest);
                let (least, greatest) = (reader.i64()?, reader.i64()?);
                let shift = u32::from(shift);
                let counts = Counts::read(reader.0, BUCKETS_MAX)?;
                let bucket = |value| Some(kind.key(value) >> shift);
                let is_whole = least <= greatest
                    && counts.first_key() == bucket(least)
                    && counts.last_key() == bucket(greatest);
                if !is_whole {
                    return internal_err!("a sketch is not in order");
                }
                Values {
                    counts,
                    buckets: Some(Buckets {
                        shift,
                        least,
                        greatest,
                    }),
                }
            }
            _ => return internal_err!("a sketch of no known form"),
        };
        Ok(Self { kind, values })
    }

    /// The value of nearest rank; `None` if there are no values. A real if the values are, else a
    /// whole number.
    ///
    /// <https://learn.microsoft.com/kusto/query/percentiles-aggregation-function>
    pub(crate) fn percentile(&self, percentile: f64) -> Option<Quantile> {
        let total = self.values.counts.total();
        if total == 0 {
            return None;
        }
        let rank = nearest_rank(percentile, total);
        let mut seen = 0_u64;
        let (key, count) = self.values.counts.iter().find(|(_, count)| {
            seen = seen.saturating_add(*count);
            seen >= rank
        })?;
        let value = match &self.values.buckets {
            None => key,
            Some(buckets) if rank == 1 => buckets.least,
            Some(buckets) if rank == total => buckets.greatest,
            Some(buckets) => {
                let part = rank.saturating_sub(1 + seen.saturating_sub(count));
                buckets.value(self.kind, key, part, count)
            }
        };
        Some(match self.kind {
            Kind::Real => Quantile::Real(to_real(value)),
            Kind::Long | Kind::Datetime | Kind::Timespan => Quantile::Whole(value),
        })
    }

    /// Adds the values of another.
    ///
    /// # Errors
    /// If both have values, of different types.
    pub(crate) fn merge(&mut self, other: Self) -> Result<()> {
        if self.values.is_empty() {
            *self = other;
        } else if !other.values.is_empty() {
            if self.kind != other.kind {
                return exec_err!("results of `tdigest()` of different types can't be merged");
            }
            self.values.merge(self.kind, other.values);
        }
        Ok(())
    }

    /// How many values there are.
    pub(crate) fn total(&self) -> u64 {
        self.values.counts.total()
    }

    /// How many values are at most `value`, of which a part of a bucket may be counted.
    pub(crate) fn rank(&self, value: i64) -> f64 {
        let counts = self.values.counts.iter();
        let Some(buckets) = &self.values.buckets else {
            return counts
                .take_while(|(known, _)| *known <= value)
                .map(|(_, count)| count as f64)
                .sum();
        };
        if value < buckets.least {
            return 0.0;
        }
        if value >= buckets.greatest {
            return self.total() as f64;
        }
        let bucket = self.kind.key(value) >> buckets.shift;
        let share = buckets.share(self.kind, bucket, value);
        counts
            .take_while(|(known, _)| *known <= bucket)
            .map(|(known, count)| count as f64 * if known == bucket { share } else { 1.0 })
            .sum()
    }
}

/// The smallest rank that at least so many percent of the ranks are at or below.
fn nearest_rank(percentile: f64, total: u64) -> u64 {
    let place = percentile * total as f64 / 100.0;
    // 99.9 * 1000 / 100 is a little more than 999.
    let whole = place.round();
    let rank = if (place - whole).abs() <= whole * 1e-12 {
        whole
    } else {
        place.ceil()
    };
    (rank as u64).clamp(1, total)
}

#[cfg(test)]
mod tests;
