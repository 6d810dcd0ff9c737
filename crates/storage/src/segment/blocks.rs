//! Files with a checksum for each block, kept apart from them.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::file_system::File;
use crate::ledger::SegmentEntry;

/// Bytes of a block. Larger ones would make reads of a small column chunk read much more than it;
/// smaller ones would make checksums take more memory: these take 64 KB for each GB.
const BLOCK_BYTES: u64 = 64 * 1024;
/// Blocks that are read or written at a time where a whole file is.
const RUN_BLOCKS: u64 = 16;

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file system refused, which may pass.
    Io(io::Error),
    /// The file is missing or is not what was written.
    Damaged(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Io(error),
        }
    }
}

/// The bytes in a range of a segment's file, verified.
pub(super) fn read(
    file: &dyn File,
    entry: &SegmentEntry,
    range: Range<u64>,
) -> Result<Bytes, Fault> {
    if range.end > entry.bytes || range.start > range.end {
        let (start, end) = (range.start, range.end);
        let reason = format!("bytes {start} to {end} of {}", entry.bytes);
        return Err(Fault::Damaged(reason));
    }
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let first = range.start / BLOCK_BYTES;
    let start = first * BLOCK_BYTES;
    let end = entry.bytes.min(range.end.next_multiple_of(BLOCK_BYTES));
    let mut buffer = vec![0; (end - start) as usize];
    file.read_at(start, &mut buffer)?;
    for (block, number) in buffer.chunks(BLOCK_BYTES as usize).zip(first..) {
        if entry.checksums.get(number as usize) != Some(&crc32fast::hash(block)) {
            let offset = number * BLOCK_BYTES;
            let reason = format!("wrong checksum of the block at byte {offset}");
            return Err(Fault::Damaged(reason));
        }
    }
    let inner = (range.start - start) as usize..(range.end - start) as usize;
    Ok(Bytes::from(buffer).slice(inner))
}

/// As `read` for several ranges, in the order in which they are given. Neighbours are read in one
/// go, or the block between them would be read twice.
pub(super) fn read_ranges(
    file: &dyn File,
    entry: &SegmentEntry,
    ranges: &[Range<u64>],
) -> Result<Vec<Bytes>, Fault> {
    let mut order: Vec<usize> = (0..ranges.len()).collect();
    order.sort_by_key(|&index| ranges[index].start);
    let mut results = vec![Bytes::new(); ranges.len()];
    let mut rest = order.as_slice();
    while let Some(&head) = rest.first() {
        let mut run = ranges[head].clone();
        let near = |end: u64| end.next_multiple_of(BLOCK_BYTES);
        let count = rest
            .iter()
            .take_while(|&&index| {
                let joins = ranges[index].start <= near(run.end);
                if joins {
                    run.end = run.end.max(ranges[index].end);
                }
                joins
            })
            .count();
        let bytes = read(file, entry, run.clone())?;
        let (joined, later) = rest.split_at(count);
        for &index in joined {
            let range = &ranges[index];
            let inner = (range.start - run.start) as usize..(range.end - run.start) as usize;
            results[index] = bytes.slice(inner);
        }
        rest = later;
    }
    Ok(results)
}

/// Reads the whole file.
pub(super) fn verify(file: &dyn File, entry: &SegmentEntry) -> Result<(), Fault> {
    let mut start = 0;
    while start < entry.bytes {
        let end = entry.bytes.min(start + RUN_BLOCKS * BLOCK_BYTES);
        read(file, entry, start..end)?;
        start = end;
    }
    Ok(())
}

/// Writes a file from its start and sums up its blocks.
#[derive(Debug)]
pub(super) struct BlockWriter {
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    written: u64,
    checksums: Vec<u32>,
}

impl BlockWriter {
    pub(super) fn new(file: Arc<dyn File>) -> Self {
        Self {
            file,
            buffer: Vec::with_capacity((RUN_BLOCKS * BLOCK_BYTES) as usize),
            written: 0,
            checksums: Vec::new(),
        }
    }

    /// Writes what is left; gives the file's length and checksums. Nothing is synced.
    pub(super) fn finish(mut self) -> io::Result<(u64, Arc<[u32]>)> {
        self.write_buffer()?;
        Ok((self.written, self.checksums.into()))
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let blocks = self.buffer.chunks(BLOCK_BYTES as usize);
        self.checksums.extend(blocks.map(crc32fast::hash));
        self.file.write_at(self.written, &self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for BlockWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = (RUN_BLOCKS * BLOCK_BYTES) as usize - self.buffer.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.buffer.extend_from_slice(taken);
        if taken.len() == room {
            self.write_buffer()?;
        }
        Ok(taken.len())
    }

    /// Only whole blocks have a checksum, so nothing is written before the buffer is full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
