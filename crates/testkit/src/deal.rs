//! Ways to deal rows over shards.

use arrow::array::{Array, RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;

use crate::tables::compact;

/// How rows are dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deal {
    /// One after the other.
    Even,
    /// Nearly all to the last shard, and none to the first if there are three or more.
    Skewed,
    /// Each row to a shard that a seed decides.
    Random(u64),
    /// The rows that are null in a column to the first shard, the rest to the others in turn.
    NullsApart(usize),
}

impl Deal {
    /// The rows of each shard, in the order in which they stood.
    pub fn deal(self, rows: &RecordBatch, shards: usize) -> Vec<RecordBatch> {
        let mut dealt: Vec<Vec<u64>> = vec![Vec::new(); shards];
        for row in 0..rows.num_rows() {
            dealt[self.shard(rows, row, shards)].push(row as u64);
        }
        dealt
            .into_iter()
            .map(|rows_of_shard| {
                let taken = take_record_batch(rows, &UInt64Array::from(rows_of_shard));
                compact(&taken.expect("rows exist"))
            })
            .collect()
    }

    fn shard(self, rows: &RecordBatch, row: usize, shards: usize) -> usize {
        match self {
            Self::Even => row % shards,
            Self::NullsApart(column) if column < rows.num_columns() => {
                match rows.column(column).is_null(row) || shards == 1 {
                    true => 0,
                    false => 1 + row % (shards - 1),
                }
            }
            Self::NullsApart(_) => row % shards,
            Self::Skewed if shards >= 3 && row % 10 == 3 => 1,
            Self::Skewed => shards - 1,
            Self::Random(seed) => {
                let mixed = crate::random::mix(seed ^ (row as u64).wrapping_mul(0x9e37_79b9));
                (mixed % shards as u64) as usize
            }
        }
    }
}
