//! Keys with how often each occurs, in order of keys.

use datafusion_common::{Result, internal_err};

/// Keys in ascending order, each once, with a count that is not 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(Vec<(i64, u64)>);

impl Counts {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, u64)> + Clone + '_ {
        self.0.iter().copied()
    }

    /// How often all keys occur together.
    pub(super) fn total(&self) -> u64 {
        self.iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    pub(super) fn first_key(&self) -> Option<i64> {
        self.0.first().map(|(key, _)| *key)
    }

    pub(super) fn last_key(&self) -> Option<i64> {
        self.0.last().map(|(key, _)| *key)
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(i64, u64)>()
    }

    /// Adds keys that come in ascending order; a key may come several times.
    pub(super) fn add(&mut self, sorted: impl Iterator<Item = (i64, u64)> + Clone) {
        // A few keys are mostly known ones, and looking them up beats a pass over all.
        let is_few = sorted.clone().take(self.0.len() / 16 + 1).count() <= self.0.len() / 16;
        if !is_few {
            self.merge(sorted);
            return;
        }
        let mut unknown = Vec::new();
        for (key, count) in sorted {
            match self.0.binary_search_by_key(&key, |(known, _)| *known) {
                Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
                Err(_) => unknown.push((key, count)),
            }
        }
        if !unknown.is_empty() {
            self.merge(unknown.into_iter());
        }
    }

    fn merge(&mut self, added: impl Iterator<Item = (i64, u64)>) {
        let known = std::mem::take(&mut self.0);
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
        self.0 = merged;
    }

    /// The same with each key replaced; the order of keys must not change.
    pub(super) fn map_keys(&self, key: impl Fn(i64) -> i64) -> Self {
        let mut mapped = Self::default();
        mapped.merge(self.iter().map(|(old, count)| (key(old), count)));
        mapped
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
        Ok(Self(counts))
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
}
