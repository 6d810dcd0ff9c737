//! Random numbers that depend on the seed and on nothing else.

/// A SplitMix64 generator (<https://prng.di.unimi.it/splitmix64.c>): small, fast, and the same on
/// every machine, which a library's default generator does not promise.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A generator of its own for a part that `name` names.
    ///
    /// Parts draw from generators of their own, so that one more draw in one of them changes
    /// nothing in the others.
    pub(crate) fn part(&self, name: &str) -> Self {
        // FNV-1a, over the state as well.
        let bytes = self.state.to_le_bytes().into_iter().chain(name.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state: hash }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to, but not, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 up to, but not, `end`; the slight preference for low numbers doesn't matter here.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % (high - low + 1).max(1) as u64) as i64
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    pub(crate) fn word<'a>(&mut self, of: &'a [String]) -> &'a str {
        &of[self.below(of.len())]
    }

    /// A log-normal number: `median`, times `e` to a normal number of deviation `sigma`.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let (a, b) = (1.0 - self.unit(), self.unit());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        median * (sigma * normal).exp()
    }

    /// A number near `mean`, cut to `low..=high`.
    pub(crate) fn around(&mut self, mean: f64, spread: f64, low: f64, high: f64) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() - 1.5;
        (mean + spread * sum).clamp(low, high)
    }

    /// A random (version 4) UUID.
    pub(crate) fn guid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0x0fff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            text += &format!("{:016x}", self.next());
        }
        text.truncate(digits);
        text
    }

    pub(crate) fn ip(&mut self) -> String {
        // Addresses for documentation (RFC 5737).
        let net = ["192.0.2", "198.51.100", "203.0.113"][self.below(3)];
        format!("{net}.{}", 1 + self.below(254))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn parts_are_apart() {
        let rng = Rng::new(1);
        let (mut a, mut b) = (rng.part("a"), rng.part("b"));
        assert_ne!(a.next(), b.next());
        assert_eq!(rng.part("a").guid(), rng.part("a").guid());
    }

    #[test]
    fn guids_are_version_4() {
        let guid = Rng::new(9).guid();
        assert_eq!(guid.len(), 36);
        assert_eq!(&guid[14..15], "4");
        assert!(matches!(&guid[19..20], "8" | "9" | "a" | "b"), "{guid}");
    }
}
