//! A segment: an immutable Parquet file of one table, sorted by time.
//!
//! The manifest holds a checksum of each block of the file, and every read verifies the blocks that
//! it touches: Parquet itself would decode some damaged pages to other values. Parquet is known here
//! and nowhere else.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::file_system::{File, FileSystem, OpenMode};
use crate::ledger::SegmentEntry;

mod blocks;
mod reader;
mod source;
mod write;

use blocks::Fault;

pub(crate) use reader::FooterCache;
pub(crate) use source::{files, time_statistics};
pub(crate) use write::write;

/// The directory of all segments, in the data directory; each workspace has one in it.
pub(crate) const DIRECTORY: &str = "segments";
/// How segments' names end.
pub(crate) const EXTENSION: &str = ".parquet";
/// How names of files end that are still being written.
pub(crate) const UNFINISHED: &str = ".parquet.new";

/// A segment of the manifest, open for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    entry: SegmentEntry,
    path: PathBuf,
    fs: Arc<dyn FileSystem>,
    /// What is wrong with the file, once anything was found.
    damage: OnceLock<Arc<str>>,
    /// Whether the manifest no longer has it, so that the file goes with its last reader.
    obsolete: AtomicBool,
}

/// How every Parquet file ends, after four bytes that tell the footer's length.
const MAGIC: &[u8; 4] = b"PAR1";

impl Segment {
    pub(crate) fn new(entry: SegmentEntry, path: PathBuf, fs: Arc<dyn FileSystem>) -> Self {
        Self {
            entry,
            path,
            fs,
            damage: OnceLock::new(),
            obsolete: AtomicBool::new(false),
        }
    }

    pub(crate) fn entry(&self) -> &SegmentEntry {
        &self.entry
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// What is known to be wrong with the file.
    pub(crate) fn damage(&self) -> Option<&Arc<str>> {
        self.damage.get()
    }

    /// Fails if the file is known to be damaged.
    pub(crate) fn check(&self) -> Result<()> {
        let damage = self.damage.get();
        damage.map_or(Ok(()), |reason| Err(self.error(reason)))
    }

    /// Looks at length and footer, and remembers what is wrong with them. A file system that refuses
    /// now is not proof of damage; a scan would tell.
    pub(crate) fn probe(&self) {
        if let Err(fault) = self.probed() {
            let error = self.fault(fault);
            tracing::warn!(path = %self.path.display(), %error, "a segment does not look whole");
        }
    }

    fn probed(&self) -> Result<(), Fault> {
        let damaged = |reason: String| Err(Fault::Damaged(reason));
        let file = self.fs.open(&self.path, OpenMode::Read)?;
        let size = file.size()?;
        if size != self.entry.bytes {
            return damaged(format!("{} bytes expected, {size} found", self.entry.bytes));
        }
        let Some(start) = size.checked_sub(2 * MAGIC.len() as u64) else {
            return damaged("too short for a footer".to_owned());
        };
        let tail = blocks::read(file.as_ref(), &self.entry, start..size)?;
        let (length, magic) = tail.split_at(MAGIC.len());
        let length = length.try_into().map(u32::from_le_bytes).ok();
        let footer = length.and_then(|length| start.checked_sub(length.into()));
        match footer {
            Some(footer) if magic == MAGIC => {
                blocks::read(file.as_ref(), &self.entry, footer..size).map(drop)
            }
            _ => damaged("no Parquet footer".to_owned()),
        }
    }

    /// Verifies every block of the file, and remembers what is wrong.
    pub(crate) fn verify(&self) -> Result<()> {
        self.check()?;
        let verified = self.probed().and_then(|()| {
            let file = self.fs.open(&self.path, OpenMode::Read)?;
            blocks::verify(file.as_ref(), &self.entry)
        });
        verified.map_err(|fault| self.fault(fault))
    }

    /// The verified bytes in each of the ranges. The file is opened unless it is given, and given
    /// back for the next read.
    pub(crate) fn read(
        &self,
        file: Option<Arc<dyn File>>,
        ranges: &[Range<u64>],
    ) -> Result<(Arc<dyn File>, Vec<Bytes>)> {
        self.check()?;
        let read = || {
            let file = match file {
                Some(file) => file,
                None => self.fs.open(&self.path, OpenMode::Read)?,
            };
            let bytes = blocks::read_ranges(file.as_ref(), &self.entry, ranges)?;
            Ok((file, bytes))
        };
        read().map_err(|fault| self.fault(fault))
    }

    /// The error of a fault. Damage is remembered; the first reason stays.
    fn fault(&self, fault: Fault) -> Error {
        match fault {
            Fault::Io(error) => Error::io("read", &self.path)(error),
            Fault::Damaged(reason) => {
                let reason = self.damage.get_or_init(|| {
                    tracing::error!(path = %self.path.display(), reason, "a segment is damaged");
                    reason.into()
                });
                self.error(reason)
            }
        }
    }

    fn error(&self, reason: &Arc<str>) -> Error {
        Error::SegmentDamaged {
            workspace: self.entry.workspace,
            table: self.entry.table.clone(),
            path: self.path.clone(),
            reason: Arc::clone(reason),
        }
    }

    /// Lets the file be removed when nothing reads it any more. The manifest must not have it, and
    /// that must be durable.
    pub(crate) fn retire(&self) {
        self.obsolete.store(true, Ordering::Relaxed);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if !*self.obsolete.get_mut() {
            return;
        }
        // A file that stays behind is removed when the store is opened next.
        if let Err(error) = self.fs.remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a segment cannot be removed");
        }
    }
}
