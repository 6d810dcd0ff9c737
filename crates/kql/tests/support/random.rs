//! Numbers that look random and are the same for the same seed, and texts spoilt by them.

/// A generator: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    /// One of `items`.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    /// `text` with up to four spoilt places, as any bytes may leave it.
    pub(crate) fn spoil(&mut self, text: &str, others: &[&str]) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let end = (at + 1 + self.below(8)).min(bytes.len());
            match self.below(6) {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                2 => {
                    let (a, b) = (at.min(bytes.len().saturating_sub(1)), end.saturating_sub(1));
                    if !bytes.is_empty() {
                        bytes.swap(a, b);
                    }
                }
                3 => bytes
                    .splice(at..end, [self.below(256) as u8])
                    .for_each(drop),
                4 => bytes.truncate(at.max(1)),
                _ => {
                    let words: Vec<&str> = self.pick(others).split(' ').collect();
                    let from = self.below(words.len());
                    let to = (from + 1 + self.below(4)).min(words.len());
                    let piece = format!(" {} ", words[from..to].join(" "));
                    bytes.splice(at..end, piece.into_bytes()).for_each(drop);
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
