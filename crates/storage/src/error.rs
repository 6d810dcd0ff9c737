//! What can go wrong, and whether trying again may help.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::id::{BatchId, TableName, WorkspaceId};

/// The result of a storage operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the store. It clones, because all appends of a commit share its fate.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Another process has the data directory open.
    #[error("data directory `{}` is in use by another process", dir.display())]
    Locked {
        /// The data directory.
        dir: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why it failed.
        source: Arc<io::Error>,
    },
    /// The file that holds log and manifest does not hold what was written to it.
    #[error("`{}` is damaged: {reason}", path.display())]
    LedgerDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A commit to the log and manifest failed.
    #[error("cannot commit to `{}`: {reason}", path.display())]
    Commit {
        /// The file that holds log and manifest.
        path: PathBuf,
        /// Why it failed.
        reason: String,
    },
    /// The log lacks commits that were acknowledged: the file was put back to an older state, or the
    /// disk lost what it said it had synced.
    #[error(
        "`{}` ends at commit {found}, but commit {acknowledged} was acknowledged; \
         removing `{}` accepts the loss",
        path.display(), witness.display()
    )]
    CommitsLost {
        /// The file that holds log and manifest.
        path: PathBuf,
        /// The file that knows of the later commit.
        witness: PathBuf,
        /// The last commit in the log.
        found: u64,
        /// The last commit that was acknowledged.
        acknowledged: u64,
    },
    /// There are segments, but nothing that says what they are.
    #[error("`{}` has segments, but `{}` is missing or empty", dir.display(), path.display())]
    ManifestMissing {
        /// The data directory.
        dir: PathBuf,
        /// The file that holds log and manifest.
        path: PathBuf,
    },
    /// The data directory was written by another version.
    #[error("`{}` has format {found}; this version knows {known}", path.display())]
    Format {
        /// The file that holds log and manifest.
        path: PathBuf,
        /// The format that was found.
        found: u64,
        /// The format of this version.
        known: u64,
    },
    /// A segment is missing or does not hold what was written to it.
    #[error(
        "segment `{}` of table `{table}` in workspace {workspace} is damaged: {reason}",
        path.display()
    )]
    SegmentDamaged {
        /// The workspace.
        workspace: WorkspaceId,
        /// The table.
        table: TableName,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// An earlier failure left the disk's content unknown; only reads go on.
    #[error("the store is read-only: {reason}")]
    ReadOnly {
        /// The failure.
        reason: Arc<str>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Too many appends wait for the log.
    #[error("the append queue is full: {batches} batches, {bytes} bytes")]
    QueueFull {
        /// Appends that wait.
        batches: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// Flushing lags behind appending.
    #[error("memtables hold {bytes} bytes, the limit is {limit}")]
    MemtablesFull {
        /// Bytes in memtables.
        bytes: u64,
        /// Bytes that they may hold.
        limit: u64,
    },
    /// A batch exceeds what one log record may hold.
    #[error("batch `{id}` has {bytes} bytes, the limit is {limit}")]
    BatchTooLarge {
        /// The batch.
        id: BatchId,
        /// Its bytes in the log.
        bytes: u64,
        /// Bytes that one batch may have.
        limit: u64,
    },
    /// A batch id came again with other rows.
    #[error("batch id `{id}` of workspace {workspace} was used before, for another payload")]
    BatchConflict {
        /// The workspace.
        workspace: WorkspaceId,
        /// The id.
        id: BatchId,
    },
    /// A column has another type than the table's.
    #[error("column `{column}` of table `{table}` is of type {stored}, not {given}")]
    ColumnType {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// The type that the table has, or that the Arrow type should be for the KQL type.
        stored: String,
        /// The type that came.
        given: String,
    },
    /// A batch of rows is not of the form that tables hold.
    #[error("rows for table `{table}` are not valid: {reason}")]
    InvalidRows {
        /// The table.
        table: TableName,
        /// What is wrong with them.
        reason: String,
    },
    /// A name is not of the allowed form.
    #[error("`{name}` is no valid {what}")]
    InvalidName {
        /// What it should name.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A workspace would have too many tables, or a table too many columns.
    #[error("{holder} would have {count} {what}, the limit is {limit}")]
    TooMany {
        /// What would have them.
        holder: String,
        /// What there are too many of.
        what: &'static str,
        /// How many there would be.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Arrow or Parquet refused to encode or decode rows.
    #[error("cannot {action} table `{table}`: {reason}")]
    Rows {
        /// What was tried.
        action: &'static str,
        /// The table.
        table: TableName,
        /// Why it failed.
        reason: String,
    },
}

/// The action of syncing, whose failure is never followed by another try.
pub(crate) const SYNC: &str = "sync";

impl Error {
    /// Whether the same call may succeed later, without anyone repairing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::QueueFull { .. } | Self::MemtablesFull { .. } => true,
            Self::Io { source, .. } => is_disk_full(source),
            _ => false,
        }
    }

    /// Whether the error says that stored rows are lost or unreadable.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::LedgerDamaged { .. }
                | Self::CommitsLost { .. }
                | Self::ManifestMissing { .. }
                | Self::SegmentDamaged { .. }
        )
    }

    /// Whether the disk could not make durable what it was given.
    pub(crate) fn is_failed_sync(&self) -> bool {
        matches!(self, Self::Io { action: SYNC, .. })
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source: Arc::new(source),
        }
    }
}

fn is_disk_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl From<Error> for datafusion::error::DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}
