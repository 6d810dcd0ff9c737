/// Bounds on what one call reads. Every one ends in a [`Refused`](crate::Refused) that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest record, in bytes of JSON.
    pub record_bytes_max: usize,
    /// Deepest nesting of a value that is kept as JSON; what reads dynamic values goes as deep.
    pub nesting_max: usize,
    /// Most members of a record, and of its `properties`.
    pub members_max: usize,
    /// Most records in one call.
    pub records_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 1 << 20,
            nesting_max: 128,
            members_max: 1_000,
            records_max: 1_000_000,
        }
    }
}
