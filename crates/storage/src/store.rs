//! The store of a process: opening, appending, closing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::columns::{canonical, memory_bytes};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::file_system::{Disk, FileSystem};
use crate::id::{BatchId, PayloadHash, TableName, WorkspaceId};
use crate::maintenance::{self, Task, Wake};
use crate::record::{Record, payload};
use crate::snapshot::Snapshot;
use crate::status::{Damage, State, Status};
use crate::writer::{self, Appended};

mod open;
mod report;
pub(crate) mod shared;

use shared::Shared;

/// The tables of all workspaces that live in one data directory. One process has one.
///
/// Its methods may be called from any thread; those that are async need a tokio runtime.
#[derive(Debug)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    /// `None` once the store is being closed.
    threads: Mutex<Option<Threads>>,
}

#[derive(Debug)]
struct Threads {
    appends: writer::Sender,
    tasks: SyncSender<Task>,
    writer: JoinHandle<()>,
    maintenance: JoinHandle<()>,
}

/// Batches up to this size are encoded and hashed where they are appended: moving them to another
/// thread would take longer.
const INLINE_BYTES: u64 = 256 * 1024;

impl Store {
    /// Opens the data directory, creating it if there is none: verifies the log and manifest, looks
    /// at the length and footer of each segment, and brings the log's rows into memory.
    ///
    /// Blocks for as long as reading the log takes. Fails if another process has the directory, or
    /// if log or manifest are damaged; a damaged segment shows in [`Store::status`] and in scans.
    pub fn open(dir: &Path, config: Config) -> Result<Self> {
        Self::open_on(Arc::new(Disk), dir, config)
    }

    /// As [`Store::open`], on another file system.
    pub fn open_on(fs: Arc<dyn FileSystem>, dir: &Path, config: Config) -> Result<Self> {
        let shared = Arc::new(open::open(fs, dir, config)?);
        let threads = start(&shared).map_err(Error::io("start threads for", dir))?;
        Ok(Self {
            shared,
            threads: Mutex::new(Some(threads)),
        })
    }

    /// Appends rows to tables of a workspace, all or none, and returns when they are durable. From
    /// then on every new snapshot has them, exactly once.
    ///
    /// A table is created, or gets columns, as its rows have them: Arrow types as `schema::arrow`
    /// gives them, KQL types in field metadata where the Arrow type leaves them open. A batch id
    /// that was used before for the same content is acknowledged and adds nothing; `_TimeReceived`
    /// is not part of the content. Where the sender's payload is at hand, its hash is the better
    /// proof: see [`Store::append_hashed`].
    ///
    /// When the future is dropped the rows may be stored all the same, and so they may after
    /// [`Error::Commit`]: ask again with the same id.
    pub async fn append(
        &self,
        workspace: WorkspaceId,
        id: BatchId,
        tables: Vec<(TableName, RecordBatch)>,
    ) -> Result<Appended> {
        self.append_as(workspace, id, None, tables).await
    }

    /// As [`Store::append`], with a hash of the payload as it was received, before anything was
    /// filled in that differs from one try to the next.
    pub async fn append_hashed(
        &self,
        workspace: WorkspaceId,
        id: BatchId,
        hash: PayloadHash,
        tables: Vec<(TableName, RecordBatch)>,
    ) -> Result<Appended> {
        self.append_as(workspace, id, Some(hash), tables).await
    }

    async fn append_as(
        &self,
        workspace: WorkspaceId,
        id: BatchId,
        hash: Option<PayloadHash>,
        tables: Vec<(TableName, RecordBatch)>,
    ) -> Result<Appended> {
        let sender = match &*self.threads.lock() {
            Some(threads) => threads.appends.clone(),
            None => return Err(Error::Closed),
        };
        let bytes: u64 = tables.iter().map(|(_, rows)| memory_bytes(rows)).sum();
        let shared = Arc::clone(&self.shared);
        let enqueue = move || {
            let record = record(id, hash, &tables)?;
            writer::enqueue(&shared, &sender, workspace, record)
        };
        let outcome = if bytes <= INLINE_BYTES {
            enqueue()?
        } else {
            let encoded = tokio::task::spawn_blocking(enqueue).await;
            encoded.map_err(|_| Error::Closed)??
        };
        // No answer means that the log's thread is gone, and the state says why.
        outcome.await.unwrap_or_else(|_| {
            self.shared.writable()?;
            Err(Error::Closed)
        })
    }

    /// A consistent view of a workspace's tables; cheap. A workspace without tables has an empty
    /// one.
    pub fn snapshot(&self, workspace: WorkspaceId) -> Snapshot {
        let tables = self.shared.published.tables(workspace);
        Snapshot::new(workspace, tables, Arc::clone(&self.shared.footers))
    }

    /// The workspaces that have tables, in the order of their ids.
    pub fn workspaces(&self) -> Vec<WorkspaceId> {
        let all = self.shared.published.all().into_iter();
        all.map(|(workspace, _)| workspace).collect()
    }

    /// The tables of a workspace by name, with their stored columns.
    pub fn tables(&self, workspace: WorkspaceId) -> Vec<(TableName, SchemaRef)> {
        let tables = self.shared.published.tables(workspace);
        let pairs = tables
            .iter()
            .map(|(name, table)| (name.clone(), Arc::clone(table.columns.schema())));
        pairs.collect()
    }

    /// What the store will do with the next call.
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// Sizes and counts of everything.
    pub fn status(&self) -> Status {
        report::status(&self.shared)
    }

    /// Reads every value of log and manifest and every block of every segment, and gives the
    /// segments that are damaged. Blocks for as long as reading takes; appends and scans go on.
    ///
    /// Fails if log or manifest are damaged.
    pub fn verify(&self) -> Result<Vec<Damage>> {
        report::verify(&self.shared)
    }

    /// Brings the rows of a workspace, or of all, into segments.
    pub async fn flush(&self, workspace: Option<WorkspaceId>) -> Result<()> {
        self.ask(|reply| Task::Flush(workspace, reply)).await
    }

    /// Removes all tables of a workspace, its batch ids and, once no snapshot reads them, its
    /// files.
    pub async fn drop_workspace(&self, workspace: WorkspaceId) -> Result<()> {
        self.ask(|reply| Task::Drop(workspace, reply)).await
    }

    async fn ask(&self, task: impl FnOnce(oneshot::Sender<Result<()>>) -> Task) -> Result<()> {
        let tasks = match &*self.threads.lock() {
            Some(threads) => threads.tasks.clone(),
            None => return Err(Error::Closed),
        };
        let (reply, outcome) = oneshot::channel();
        let task = task(reply);
        let sent = tokio::task::spawn_blocking(move || tasks.send(task)).await;
        match sent {
            Ok(Ok(())) => outcome.await.unwrap_or(Err(Error::Closed)),
            _ => Err(Error::Closed),
        }
    }

    /// Takes no more appends, commits those that wait, flushes for as long as the configuration
    /// allows, and gives the data directory free. What was not flushed is in the log. Closing twice
    /// does nothing.
    pub async fn close(&self) -> Result<()> {
        let Some(threads) = self.threads.lock().take() else {
            return Ok(());
        };
        let shared = Arc::clone(&self.shared);
        let closed = tokio::task::spawn_blocking(move || close(&shared, threads)).await;
        closed.unwrap_or(Err(Error::Closed))
    }
}

/// Without [`Store::close`] nothing is flushed, and nothing that was acknowledged is lost.
impl Drop for Store {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.get_mut().take() {
            self.shared.stopping.store(true, Ordering::Relaxed);
            threads.join();
            // The directory is given free when nothing writes to it any more.
            if let Err(error) = self.shared.books.lock().ledger.close() {
                tracing::warn!(%error, "the log was not closed cleanly");
            }
            self.shared.set_closed();
        }
    }
}

impl Threads {
    /// Lets both threads do what they were told, and end. Their panics are in the store's state.
    fn join(self) {
        drop(self.appends);
        let _ = self.writer.join();
        drop(self.tasks);
        let _ = self.maintenance.join();
    }
}

fn start(shared: &Arc<Shared>) -> std::io::Result<Threads> {
    let (appends, received) = sync_channel(shared.config.queue_batches_max);
    let (tasks, told) = sync_channel(maintenance::TASKS_MAX);
    let woken = Arc::new(AtomicBool::new(false));
    let wake = Wake {
        tasks: tasks.clone(),
        woken: Arc::clone(&woken),
    };
    // What was replayed may be due already.
    wake.check_if_due(shared);
    let writing = Arc::clone(shared);
    let writer = std::thread::Builder::new()
        .name("storage-log".to_owned())
        .spawn(move || writer::run(&writing, &received, &wake))?;
    let maintaining = Arc::clone(shared);
    let maintenance = std::thread::Builder::new()
        .name("storage-flush".to_owned())
        .spawn(move || maintenance::run(&maintaining, &told, &woken))?;
    Ok(Threads {
        appends,
        tasks,
        writer,
        maintenance,
    })
}

fn record(
    id: BatchId,
    hash: Option<PayloadHash>,
    tables: &[(TableName, RecordBatch)],
) -> Result<Record> {
    let tables = tables
        .iter()
        .map(|(name, rows)| Ok((name.clone(), canonical(name, rows)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(Record {
        id,
        hash: hash.unwrap_or_else(|| payload::hash(&tables)),
        accepted: SystemTime::now(),
        tables,
    })
}

fn close(shared: &Shared, threads: Threads) -> Result<()> {
    let Threads {
        appends,
        tasks,
        writer,
        maintenance,
    } = threads;
    drop(appends);
    let _ = writer.join();
    let (reply, mut outcome) = oneshot::channel();
    let deadline = Instant::now() + shared.config.close_flush_max;
    let told = tasks.send(Task::Finish(deadline, reply));
    drop(tasks);
    let _ = maintenance.join();
    let flushed = match told.map(|()| outcome.try_recv()) {
        Ok(Ok(flushed)) => flushed,
        _ => Err(Error::Closed),
    };
    let closed = shared.books.lock().ledger.close();
    shared.set_closed();
    flushed.and(closed)
}
