//! Rows that are in the log and not yet in a segment.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::BatchCoalescer;
use arrow::compute::kernels::aggregate::{max, min};
use arrow::datatypes::{SchemaRef, TimestampNanosecondType};
use arrow::error::ArrowError;
use schema::table::TIME_GENERATED;

use crate::columns::{adapted, memory_bytes};

/// Rows of a table, in the order in which they were appended. Immutable: a push makes a new one
/// that shares all but the last chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memtable {
    chunks: Vec<Arc<RecordBatch>>,
    rows: u64,
    bytes: u64,
    times: Times,
}

/// Chunks of that many rows are not merged further: plans work on batches of this size, and appends
/// wait while rows are copied.
const CHUNK_ROWS: usize = 8 * 1024;
/// That many chunks at the end, each of at most the last one's order of magnitude, become one. A row
/// is so copied once per order of magnitude between its batch and a full chunk, and thousands of
/// batches of a few rows are some dozens of chunks.
const FAN_IN: usize = 16;

impl Memtable {
    /// These rows and then those; `schema` has the columns of both.
    pub(crate) fn pushed(&self, rows: RecordBatch, schema: &SchemaRef) -> Result<Self, ArrowError> {
        if rows.num_rows() == 0 {
            return Ok(self.clone());
        }
        let mut chunks = self.chunks.clone();
        let times = self.times.merged(&Times::of(&rows));
        let bytes = self.bytes + memory_bytes(&rows);
        let count = self.rows + rows.num_rows() as u64;
        chunks.push(Arc::new(rows));
        while let Some(start) = mergeable(&chunks) {
            let merged = concatenated(&chunks[start..], schema)?;
            chunks.truncate(start);
            chunks.push(Arc::new(merged));
        }
        Ok(Self {
            chunks,
            rows: count,
            bytes,
            times,
        })
    }

    pub(crate) fn chunks(&self) -> &[Arc<RecordBatch>] {
        &self.chunks
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The memory that the rows were counted with as they came.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn times(&self) -> &Times {
        &self.times
    }
}

/// Where the run of chunks begins that should become one now.
fn mergeable(chunks: &[Arc<RecordBatch>]) -> Option<usize> {
    let level = |chunk: &Arc<RecordBatch>| chunk.num_rows().max(1).ilog(FAN_IN);
    let last = chunks.last().filter(|last| last.num_rows() < CHUNK_ROWS)?;
    let run = chunks.iter().rev();
    let run = run.take_while(|chunk| level(chunk) <= level(last)).count();
    (run >= FAN_IN).then(|| chunks.len() - run)
}

/// The coalescer, unlike `concat`, leaves behind the buffers that text no longer fills.
fn concatenated(
    chunks: &[Arc<RecordBatch>],
    schema: &SchemaRef,
) -> Result<RecordBatch, ArrowError> {
    let rows = chunks.iter().map(|chunk| chunk.num_rows()).sum();
    let mut coalescer = BatchCoalescer::new(Arc::clone(schema), rows);
    for chunk in chunks {
        coalescer.push_batch(adapted(chunk, schema)?)?;
    }
    coalescer.finish_buffered_batch()?;
    let merged = coalescer.next_completed_batch();
    Ok(merged.expect("a coalescer gives a batch once it has that batch's rows"))
}

/// The instants in `TimeGenerated`, in nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// The first and the last, if there is any.
    pub(crate) range: Option<(i64, i64)>,
    /// Rows without one.
    pub(crate) nulls: u64,
}

impl Times {
    fn of(rows: &RecordBatch) -> Self {
        let column = rows.column_by_name(TIME_GENERATED);
        let times = column.and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
        match times {
            None => Self {
                range: None,
                nulls: rows.num_rows() as u64,
            },
            Some(times) => Self {
                range: min(times).zip(max(times)),
                nulls: times.null_count() as u64,
            },
        }
    }

    pub(crate) fn merged(&self, other: &Self) -> Self {
        let range = match (self.range, other.range) {
            (Some((low, high)), Some((other_low, other_high))) => {
                Some((low.min(other_low), high.max(other_high)))
            }
            (range, None) | (None, range) => range,
        };
        Self {
            range,
            nulls: self.nulls + other.nulls,
        }
    }
}
