//! What a store may use, and when it flushes.

use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// Bounds of a store. Every queue, buffer and cache of the crate has its limit here or as a named
/// constant beside its use.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of one append, as it lies in the log.
    pub batch_bytes_max: u64,
    /// Appends that may wait for the log at a time; more are refused as retryable.
    pub queue_batches_max: usize,
    /// Bytes of appends that may wait for the log at a time; more are refused as retryable.
    pub queue_bytes_max: u64,
    /// Bytes that one commit takes from the queue, and at least one append.
    pub commit_bytes_max: u64,
    /// Bytes in memtables above which the largest workspaces are flushed.
    pub memtable_bytes_max: u64,
    /// Bytes in memtables above which appends are refused as retryable: flushing lags behind.
    pub memtable_bytes_limit: u64,
    /// Bytes of log records above which the workspace with the oldest one is flushed. It bounds the
    /// time that opening takes.
    pub log_bytes_max: u64,
    /// How long a record may lie in the log before its workspace is flushed.
    pub flush_age: Duration,
    /// Batch ids remembered after their flush, over all workspaces; the oldest are forgotten first.
    pub batch_ids_max: u64,
    /// How long batch ids are remembered after their flush.
    pub batch_ids_age: Duration,
    /// Workspaces with tables.
    pub workspaces_max: usize,
    /// Tables of one workspace.
    pub tables_max: usize,
    /// Columns of one table.
    pub columns_max: usize,
    /// Bytes of decoded Parquet footers that are kept.
    pub footer_cache_bytes: usize,
    /// How long closing may flush; what is left stays in the log and is replayed at the next open.
    pub close_flush_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            batch_bytes_max: 32 * MIB,
            queue_batches_max: 4096,
            queue_bytes_max: 64 * MIB,
            commit_bytes_max: 8 * MIB,
            memtable_bytes_max: 256 * MIB,
            memtable_bytes_limit: 512 * MIB,
            log_bytes_max: 512 * MIB,
            flush_age: Duration::from_secs(60 * 60),
            batch_ids_max: 1_000_000,
            batch_ids_age: Duration::from_secs(24 * 60 * 60),
            workspaces_max: 10_000,
            tables_max: 1000,
            columns_max: 1000,
            footer_cache_bytes: 64 * MIB as usize,
            close_flush_max: Duration::from_secs(30),
        }
    }
}
