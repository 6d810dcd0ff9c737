//! How many different values there are, by HyperLogLog.
//!
//! A value counts by a 64-bit hash of it. While there are no more than [`Precision::exact_max`]
//! different hashes they are kept as they are, and the count is exact. Beyond that, the first bits
//! of a hash choose one of 2^p registers, which keeps the longest run of zeros that the rest began
//! with; the count is read from all of them by Ertl's estimator, with a standard error of 1.04 / √2^p.
//! Which form a sketch has depends on the set of hashes only, so that however values are dealt over
//! shards, and however often they are merged, the sketch is the same to the bit.
//!
//! Written down, a group takes 2 bytes and 8 for each hash, or half a byte for each register and 3
//! for each of the few that stand out: at the default accuracy at most some 8.3 KB.
//!
//! <https://learn.microsoft.com/kusto/query/dcount-aggregation-function>
//! <https://arxiv.org/abs/1702.01284>

use datafusion_common::{Result, exec_err, internal_err};

/// The form in which sketches are written down.
const SPARSE: u8 = 1;
const DENSE: u8 = 2;

/// The largest distance from the base that half a byte tells.
const NIBBLE_MAX: u8 = 14;

/// How many bits of a hash choose a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Precision(u8);

impl Precision {
    /// The precisions of KQL's accuracies 0 to 4, and how many values each counts exactly.
    const LEVELS: [(u8, usize); 5] = [
        (12, 512),
        (14, 1_024),
        (16, 8_192),
        (17, 8_192),
        (18, 8_192),
    ];

    /// The precision of an accuracy.
    pub(super) fn of_accuracy(accuracy: i64) -> Result<Self> {
        let level = usize::try_from(accuracy).ok();
        match level.and_then(|level| Self::LEVELS.get(level)) {
            Some((bits, _)) => Ok(Self(*bits)),
            None => exec_err!("the accuracy is a number from 0 to 4, not {accuracy}"),
        }
    }

    /// The precision of so many bits.
    pub(crate) fn of_bits(bits: i64) -> Option<Self> {
        let known = Self::LEVELS.iter().map(|(known, _)| *known);
        known
            .into_iter()
            .find(|known| i64::from(*known) == bits)
            .map(Self)
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    fn registers(self) -> usize {
        1 << self.0
    }

    /// Most values that are counted exactly.
    pub(super) fn exact_max(self) -> usize {
        let level = Self::LEVELS.iter().find(|(bits, _)| *bits == self.0);
        level.map_or(0, |(_, exact_max)| *exact_max)
    }
}

/// A set of values, as far as it takes to count them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hll {
    /// The hashes in order.
    Sparse(Vec<u64>),
    /// The longest run of zeros, and one, of each register.
    Dense(Box<[u8]>),
}

impl Default for Hll {
    fn default() -> Self {
        Self::Sparse(Vec::new())
    }
}

impl Hll {
    /// Adds a value by its hash if registers are kept; else `false`.
    pub(super) fn raise(&mut self, precision: Precision, hash: u64) -> bool {
        match self {
            Self::Dense(registers) => raise(registers, precision, hash),
            Self::Sparse(_) => return false,
        }
        true
    }

    /// Adds values by their hashes, which are in ascending order and each there once.
    pub(super) fn insert(&mut self, precision: Precision, sorted: &[u64]) {
        match self {
            Self::Dense(registers) => {
                for hash in sorted {
                    raise(registers, precision, *hash);
                }
            }
            Self::Sparse(hashes) => {
                add_sorted(hashes, sorted);
                if hashes.len() > precision.exact_max() {
                    self.make_dense(precision);
                }
            }
        }
    }

    fn make_dense(&mut self, precision: Precision) {
        if let Self::Sparse(hashes) = self {
            let mut registers = vec![0; precision.registers()].into_boxed_slice();
            for hash in hashes {
                raise(&mut registers, precision, *hash);
            }
            *self = Self::Dense(registers);
        }
    }

    /// Adds another's values.
    pub(crate) fn merge(&mut self, precision: Precision, other: &Self) {
        match other {
            Self::Sparse(hashes) => self.insert(precision, hashes),
            Self::Dense(others) => {
                self.make_dense(precision);
                if let Self::Dense(registers) = self {
                    for (register, other) in registers.iter_mut().zip(others) {
                        *register = (*register).max(*other);
                    }
                }
            }
        }
    }

    /// How many different values there are.
    pub(crate) fn count(&self, precision: Precision) -> i64 {
        match self {
            Self::Sparse(hashes) => hashes.len() as i64,
            Self::Dense(registers) => estimate(registers, precision).round() as i64,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Sparse(hashes) if hashes.is_empty())
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Sparse(hashes) => hashes.capacity() * size_of::<u64>(),
            Self::Dense(registers) => registers.len(),
        }
    }

    /// Writes the hashes; or half a byte for each register, its distance from the lowest of all, and
    /// those that are farther apart with their places.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sparse(hashes) => {
                out.push(SPARSE);
                hashes
                    .iter()
                    .for_each(|hash| out.extend(hash.to_le_bytes()));
            }
            Self::Dense(registers) => {
                let base = registers.iter().copied().min().unwrap_or(0);
                let nibble = |register: u8| (register - base).min(NIBBLE_MAX + 1);
                out.extend([DENSE, base]);
                out.extend(
                    registers
                        .as_chunks::<2>()
                        .0
                        .iter()
                        .map(|[a, b]| nibble(*a) | nibble(*b) << 4),
                );
                for (place, register) in registers.iter().enumerate() {
                    if register - base > NIBBLE_MAX {
                        // A precision has at most 18 bits, a register six.
                        let packed = (place as u32) << 6 | u32::from(*register);
                        out.extend(&packed.to_le_bytes()[..3]);
                    }
                }
            }
        }
    }

    pub(crate) fn read(precision: Precision, bytes: &[u8]) -> Result<Self> {
        match bytes {
            [SPARSE, rest @ ..] => read_sparse(precision, rest),
            [DENSE, base, rest @ ..] => read_dense(precision, *base, rest),
            _ => internal_err!("a set of no known form"),
        }
    }
}

/// Most sets whose intersection is counted once a set has registers: each doubles the work.
const INTERSECTED_MAX: usize = 8;

/// How many different values the first sets have in common: one, two, and so on. While all hashes are
/// known the counts are exact, else they follow from the counts of unions.
pub(crate) fn intersections(precision: Precision, sets: &[Hll]) -> Result<Vec<i64>> {
    let hashes = sets.iter().map(|set| match set {
        Hll::Sparse(hashes) => Some(hashes),
        Hll::Dense(_) => None,
    });
    if let Some(hashes) = hashes.collect::<Option<Vec<_>>>() {
        let mut common = hashes
            .first()
            .map_or_else(Vec::new, |first| (*first).clone());
        let counts = hashes.iter().map(|hashes| {
            common.retain(|hash| hashes.binary_search(hash).is_ok());
            common.len() as i64
        });
        return Ok(counts.collect());
    }
    if sets.len() > INTERSECTED_MAX {
        return exec_err!(
            "no more than {INTERSECTED_MAX} sets as large as these are intersected, not {}",
            sets.len()
        );
    }
    let mut counts = vec![0; sets.len()];
    add_unions(precision, sets, 0, &Hll::default(), 1, &mut counts);
    let mut common = i64::MAX;
    let mut sum = 0;
    for count in &mut counts {
        sum += *count;
        common = common.min(sum).max(0);
        *count = common;
    }
    Ok(counts)
}

/// Adds the counts of all unions of a union with sets from one on, with changing sign, each at the
/// last set that is in it.
fn add_unions(
    precision: Precision,
    sets: &[Hll],
    from: usize,
    union: &Hll,
    sign: i64,
    counts: &mut [i64],
) {
    for at in from..sets.len() {
        let mut wider = union.clone();
        wider.merge(precision, &sets[at]);
        counts[at] += sign * wider.count(precision);
        add_unions(precision, sets, at + 1, &wider, -sign, counts);
    }
}

/// Adds sorted hashes to sorted hashes.
fn add_sorted(known: &mut Vec<u64>, added: &[u64]) {
    // A few hashes are mostly known ones, and looking them up beats a pass over all.
    if added.len() < known.len() / 16 && added.iter().all(|hash| known.binary_search(hash).is_ok())
    {
        return;
    }
    let mut union = Vec::with_capacity(known.len() + added.len());
    let mut rest = known.as_slice();
    for hash in added {
        let smaller = rest.partition_point(|other| other < hash);
        union.extend_from_slice(&rest[..smaller]);
        rest = &rest[smaller..];
        if rest.first() != Some(hash) {
            union.push(*hash);
        }
    }
    union.extend_from_slice(rest);
    *known = union;
}

fn read_sparse(precision: Precision, bytes: &[u8]) -> Result<Hll> {
    let (hashes, rest) = bytes.as_chunks::<8>();
    let hashes: Vec<u64> = hashes
        .iter()
        .map(|hash| u64::from_le_bytes(*hash))
        .collect();
    let is_set = hashes.is_sorted_by(|a, b| a < b) && hashes.len() <= precision.exact_max();
    if !is_set || !rest.is_empty() {
        return internal_err!("a set is not in order");
    }
    Ok(Hll::Sparse(hashes))
}

fn read_dense(precision: Precision, base: u8, bytes: &[u8]) -> Result<Hll> {
    let longest = 64 - precision.bits() + 1;
    let Some((nibbles, exceptions)) = bytes.split_at_checked(precision.registers() / 2) else {
        return internal_err!("a set is cut short");
    };
    let registers = nibbles.iter().flat_map(|pair| [pair & 0xf, pair >> 4]);
    let mut registers: Box<[u8]> = registers
        .map(|nibble| base.saturating_add(nibble))
        .collect();
    let (exceptions, rest) = exceptions.as_chunks::<3>();
    for [a, b, c] in exceptions {
        let packed = u32::from_le_bytes([*a, *b, *c, 0]);
        match registers.get_mut((packed >> 6) as usize) {
            Some(register) => *register = (packed & 0x3f) as u8,
            None => return internal_err!("a set has no such register"),
        }
    }
    if !rest.is_empty() || registers.iter().any(|register| *register > longest) {
        return internal_err!("a set is not in order");
    }
    Ok(Hll::Dense(registers))
}

/// Raises the register of a hash to the run of zeros that its other bits begin with, and one.
fn raise(registers: &mut [u8], precision: Precision, hash: u64) {
    let bits = u32::from(precision.bits());
    let place = (hash >> (64 - bits)) as usize;
    // The bit that is set ends the run where the hash does.
    let run = ((hash << bits) | (1 << (bits - 1))).leading_zeros() as u8 + 1;
    registers[place] = registers[place].max(run);
}

/// Ertl's improved estimator, which has no bias to correct at either end.
fn estimate(registers: &[u8], precision: Precision) -> f64 {
    let longest = usize::from(64 - precision.bits());
    let mut counts = [0_u32; 65];
    for register in registers {
        counts[usize::from(*register)] += 1;
    }
    let count = registers.len() as f64;
    let mut sum = count * tau(1.0 - f64::from(counts[longest + 1]) / count);
    for run in (1..=longest).rev() {
        sum = 0.5 * (sum + f64::from(counts[run]));
    }
    sum += count * sigma(f64::from(counts[0]) / count);
    count * count / (2.0 * std::f64::consts::LN_2 * sum)
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * power;
        power *= 2.0;
        if sum == before {
            return sum;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut power, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        power *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * power;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests;
