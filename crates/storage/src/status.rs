//! What a store tells about itself.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::id::{TableName, WorkspaceId};

/// What a store will do.
#[derive(Clone, Debug)]
pub enum State {
    /// Appends and reads.
    Open,
    /// Reads only, since a sync or commit failed: what the disk holds is unknown until the store is
    /// opened anew. Nothing that was acknowledged is lost by that.
    ReadOnly {
        /// The failure.
        cause: Error,
    },
    /// Nothing but reads of snapshots that were taken before.
    Closed,
}

/// The whole store at an instant.
#[derive(Clone, Debug)]
pub struct Status {
    /// What it will do.
    pub state: State,
    /// Bytes of log records that are not flushed.
    pub log_bytes: u64,
    /// Bytes of the file that holds log and manifest; it keeps what it once grew to, for reuse.
    pub ledger_file_bytes: u64,
    /// Bytes in memtables.
    pub memtable_bytes: u64,
    /// Why the last flush failed, until one succeeds.
    pub flush_error: Option<Error>,
    /// What was counted since the store was opened.
    pub counters: Counters,
    /// The workspaces that have tables, by id.
    pub workspaces: Vec<WorkspaceStatus>,
}

/// A workspace at an instant.
#[derive(Clone, Debug)]
pub struct WorkspaceStatus {
    /// Which one.
    pub workspace: WorkspaceId,
    /// Bytes of its log records that are not flushed.
    pub log_bytes: u64,
    /// Its tables, by name.
    pub tables: Vec<TableStatus>,
}

/// A table at an instant.
#[derive(Clone, Debug)]
pub struct TableStatus {
    /// Which one.
    pub table: TableName,
    /// Its segments.
    pub segments: u64,
    /// Rows in segments.
    pub segment_rows: u64,
    /// Bytes of segments.
    pub segment_bytes: u64,
    /// Rows in memtables.
    pub memtable_rows: u64,
    /// Bytes in memtables.
    pub memtable_bytes: u64,
    /// Segments that are known to be damaged.
    pub damaged: Vec<Damage>,
}

/// A file whose content is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Whose file it is.
    pub workspace: WorkspaceId,
    /// The table that lacks its rows.
    pub table: TableName,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// What was counted since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commits of the log and manifest.
    pub commits: u64,
    /// Batches that were appended.
    pub batches: u64,
    /// Rows that were appended.
    pub rows: u64,
    /// Bytes of log records that were appended.
    pub bytes: u64,
    /// Batches that were recognised as already stored.
    pub duplicates: u64,
    /// Batches that were refused because their id or their columns conflict with stored ones.
    pub refused: u64,
    /// Flushes that made segments.
    pub flushes: u64,
    /// Flushes that failed.
    pub flushes_failed: u64,
}

/// The counters as they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) commits: AtomicU64,
    pub(crate) batches: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) flushes: AtomicU64,
    pub(crate) flushes_failed: AtomicU64,
}

impl Counting {
    pub(crate) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            commits: read(&self.commits),
            batches: read(&self.batches),
            rows: read(&self.rows),
            bytes: read(&self.bytes),
            duplicates: read(&self.duplicates),
            refused: read(&self.refused),
            flushes: read(&self.flushes),
            flushes_failed: read(&self.flushes_failed),
        }
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
