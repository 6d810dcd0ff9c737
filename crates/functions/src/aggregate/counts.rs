//! Keys with how often each occurs, in order of keys.

use datafusion_common::{Result, internal_err};

/// Keys in ascending order, each once, with a count that is not 0; and a few that wait to be put in
/// order, which [`Counts::settle`] does. All but adding reads the ones in order only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    sorted: Vec<(i64, u64)>,
    waiting: Vec<(i64, u64)>,
}

impl Counts {
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty() && self.waiting.is_empty()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, u64)> + Clone + '_ {
        self.sorted.iter().copied()
    }

    /// How often all keys occur together.
    pub(super) fn total(&self) -> u64 {
        self.iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    pub(super) fn first_key(&self) -> Option<i64> {
        self.sorted.first().map(|(key, _)| *key)
    }

    pub(super) fn last_key(&self) -> Option<i64> {
        self.sorted.last().map(|(key, _)| *key)
    }

    pub(super) fn bytes(&self) -> usize {
        (self.sorted.capacity() + self.waiting.capacity()) * size_of::<(i64, u64)>()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts all keys in order.
    pub(super) fn settle(&mut self) {
        if !self.waiting.is_empty() {
            let mut waiting = std::mem::take(&mut self.waiting);
            waiting.sort_unstable();
            self.merge(waiting.into_iter());
        }
    }

    /// Adds keys that come in ascending order; a key may come several times.
    pub(super) fn add(&mut self, sorted: impl Iterator<Item = (i64, u64)> + Clone) {
        // A few keys are looked up, and what is unknown waits until a pass over all is worth it.
        let few = self.sorted.len() / 16;
        if sorted.clone().take(few + 1).count() > few {
            self.settle();
            self.merge(sorted);
            return;
        }
        for (key, count) in sorted {
            match self.sorted.binary_search_by_key(&key, |(known, _)| *known) {
                Ok(at) => self.sorted[at].1 = self.sorted[at].1.saturating_add(count),
                Err(_) => self.waiting.push((key, count)),
            }
        }
        if self.waiting.len() > self.sorted.len() / 4 {
            self.settle();
        }
    }

    fn merge(&mut self, added: impl Iterator<Item = (i64, u64)>) {
        let known = std::mem::take(&mut self.sorted);
        let mut known = known.into_iter().peekable();
        let mut merged: Vec<(i64, u64)> = Vec::with_capacity(known.len());
        for (key, count) in added {
            while let Some(smaller) = known.next_if(|(other, _)| *other <= key) {
                merged.push(smaller);
            }
            match merged.last_mut() {
                Some((last, sum)) if *last == key => *sum = sum.saturating_add(count),
                _ => merged.push((key, count)),
            }
        }
        merged.extend(known);
        self.sorted = merged;
    }

    /// The same with each key replaced; the order of keys must not change.
    pub(super) fn map_keys(&self, key: impl Fn(i64) -> i64) -> Self {
        let mut mapped = Self::default();
        mapped.merge(self.iter().map(|(old, count)| (key(old), count)));
        mapped
    }

    /// How many low bits, but one at least, the keys must leave out for no more than `keys_max` to be
    /// different.
    pub(super) fn bits_to_drop(&self, keys_max: usize) -> u32 {
        let fits = |bits: u32| {
            let keys = self.iter().map(|(key, _)| key >> bits);
            let later = keys.clone().skip(1);
            let changes = keys.zip(later).filter(|(key, next)| key != next);
            changes.count() < keys_max
        };
        // What has grown a little too large needs one.
        if fits(1) {
            return 1;
        }
        let (mut too_few, mut enough) = (1, i64::BITS - 1);
        while enough - too_few > 1 {
            let bits = u32::midpoint(too_few, enough);
            if fits(bits) {
                enough = bits;
            } else {
                too_few = bits;
            }
        }
        enough
    }

    /// Writes each key as its distance from the one before, and its count, in seven-bit groups.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut last = 0_i64;
        for (key, count) in self.iter() {
            let distance = key.wrapping_sub(last);
            write_varint(out, ((distance << 1) ^ (distance >> 63)) as u64);
            write_varint(out, count);
            last = key;
        }
    }

    /// Reads what [`Self::write`] wrote, of at most `keys_max` keys.
    pub(super) fn read(mut bytes: &[u8], keys_max: usize) -> Result<Self> {
        let mut counts: Vec<(i64, u64)> = Vec::new();
        let mut last = 0_i64;
        while !bytes.is_empty() {
            let zigzag = read_varint(&mut bytes)?;
            let distance = ((zigzag >> 1) as i64) ^ -((zigzag & 1) as i64);
            let key = last.wrapping_add(distance);
            let count = read_varint(&mut bytes)?;
            let is_next = counts.last().is_none_or(|(before, _)| *before < key);
            if !is_next || count == 0 || counts.len() == keys_max {
                return internal_err!("a sketch is not in order");
            }
            counts.push((key, count));
            last = key;
        }
        Ok(Self {
            sorted: counts,
            waiting: Vec::new(),
        })
    }
}

/// Appends a number in seven-bit groups, the low ones first.
pub(super) fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a number that [`write_varint`] wrote.
pub(super) fn read_varint(bytes: &mut &[u8]) -> Result<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_order_however_they_come() {
        let mut counts = Counts::default();
        counts.add([(1, 1), (1, 2), (5, 1)].into_iter());
        counts.add([(0, 1), (5, 1), (9, 1)].into_iter());
        assert_eq!(
            counts.iter().collect::<Vec<_>>(),
            [(0, 1), (1, 3), (5, 2), (9, 1)]
        );
        let many: Vec<(i64, u64)> = (0..100).map(|key| (key, 1)).collect();
        counts.add(many.iter().copied());
        counts.add([(3, 1), (-7, 1), (1_000, 2)].into_iter());
        counts.settle();
        assert_eq!((counts.len(), counts.total()), (102, 111));
        assert_eq!(
            (counts.first_key(), counts.last_key()),
            (Some(-7), Some(1_000))
        );
        let mut bytes = Vec::new();
        counts.write(&mut bytes);
        assert_eq!(Counts::read(&bytes, 102).expect("counts"), counts);
        assert!(Counts::read(&bytes, 101).is_err());
        assert!(Counts::read(&bytes[..bytes.len() - 1], 102).is_err());
        assert!(Counts::read(&[0, 1, 0, 1], 9).is_err());
    }

    #[test]
    fn no_more_bits_are_dropped_than_it_takes() {
        let mut counts = Counts::default();
        counts.add((0..100).map(|key| (key * 8, 1)));
        for (keys_max, bits) in [(99, 4), (50, 4), (49, 5), (2, 9), (1, 10)] {
            assert_eq!(counts.bits_to_drop(keys_max), bits, "{keys_max}");
        }
        counts.add([(i64::MIN, 1), (i64::MAX, 1)].into_iter());
        counts.settle();
        assert_eq!(counts.bits_to_drop(2), 63);
    }
}
