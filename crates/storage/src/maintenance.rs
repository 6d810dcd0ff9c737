//! The thread that flushes memtables and drops workspaces, one task at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use crate::error::{Error, Result, SYNC};
use crate::id::{SegmentId, TableName, WorkspaceId};
use crate::published::Tables;
use crate::segment::{self, Segment};
use crate::status::count;
use crate::store::shared::Shared;

/// Tasks that may wait; whoever brings more waits for a place.
pub(crate) const TASKS_MAX: usize = 64;
/// How often the age of records is looked at.
const TICK: Duration = Duration::from_secs(10);
/// How long after a failed flush none is tried unasked.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What the thread can be told.
#[derive(Debug)]
pub(crate) enum Task {
    /// Flush what is due.
    Check,
    /// Flush one workspace, or all.
    Flush(Option<WorkspaceId>, oneshot::Sender<Result<()>>),
    /// Remove all that a workspace has.
    Drop(WorkspaceId, oneshot::Sender<Result<()>>),
    /// Flush what can be flushed until then, and end.
    Finish(Instant, oneshot::Sender<Result<()>>),
}

/// Wakes the thread when something is due; waking it twice is as good as once.
#[derive(Debug)]
pub(crate) struct Wake {
    pub(crate) tasks: SyncSender<Task>,
    pub(crate) woken: Arc<AtomicBool>,
}

impl Wake {
    pub(crate) fn check_if_due(&self, shared: &Shared) {
        if !over_limits(shared) || self.woken.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.tasks.try_send(Task::Check).is_err() {
            self.woken.store(false, Ordering::Relaxed);
        }
    }
}

fn over_limits(shared: &Shared) -> bool {
    let log_bytes = shared.books.lock().log.bytes();
    log_bytes > shared.config.log_bytes_max
        || shared.published.memtable_bytes() > shared.config.memtable_bytes_max
}

/// Does tasks until no one can send any more, or one says to finish.
pub(crate) fn run(shared: &Shared, tasks: &Receiver<Task>, woken: &AtomicBool) {
    let mut quiet_until = None;
    loop {
        let task = match tasks.recv_timeout(TICK) {
            Ok(task) => task,
            Err(RecvTimeoutError::Timeout) => Task::Check,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        match task {
            Task::Check => {
                woken.store(false, Ordering::Relaxed);
                let now = Instant::now();
                if quiet_until.is_none_or(|until| until <= now) && flush_due(shared).is_err() {
                    quiet_until = Some(now + RETRY_AFTER);
                }
            }
            Task::Flush(workspace, reply) => {
                let _ = reply.send(flush_asked(shared, workspace));
            }
            Task::Drop(workspace, reply) => {
                let _ = reply.send(drop_workspace(shared, workspace));
            }
            Task::Finish(deadline, reply) => {
                let _ = reply.send(finish(shared, deadline));
                return;
            }
        }
    }
}

fn flush_asked(shared: &Shared, workspace: Option<WorkspaceId>) -> Result<()> {
    match workspace {
        Some(workspace) => flush(shared, workspace),
        None => {
            let all = shared.books.lock().log.by_age();
            all.into_iter()
                .try_for_each(|(workspace, _)| flush(shared, workspace))
        }
    }
}

fn finish(shared: &Shared, deadline: Instant) -> Result<()> {
    let all = shared.books.lock().log.by_age();
    for (workspace, _) in all {
        if Instant::now() >= deadline {
            break;
        }
        flush(shared, workspace)?;
    }
    Ok(())
}

/// Flushes the workspaces with the oldest records while the log is too large or they are too old,
/// then the largest while memtables take too much: half of what they may, or the next batch would
/// be due again.
pub(crate) fn flush_due(shared: &Shared) -> Result<()> {
    let config = &shared.config;
    let mut by_age = VecDeque::from(shared.books.lock().log.by_age());
    while let Some((workspace, since)) = by_age.pop_front() {
        let too_large = shared.books.lock().log.bytes() > config.log_bytes_max;
        if !too_large && since.elapsed() < config.flush_age {
            break;
        }
        flush(shared, workspace)?;
    }
    if shared.published.memtable_bytes() <= config.memtable_bytes_max {
        return Ok(());
    }
    let mut by_size = shared.published.all();
    by_size.sort_by_key(|(_, tables)| tables.memtable_bytes());
    while let Some((workspace, _)) = by_size.pop() {
        if shared.published.memtable_bytes() <= config.memtable_bytes_max / 2 {
            break;
        }
        flush(shared, workspace)?;
    }
    Ok(())
}

/// Brings all rows of a workspace that were acknowledged before into segments.
fn flush(shared: &Shared, workspace: WorkspaceId) -> Result<()> {
    let done = flush_rounds(shared, workspace);
    match &done {
        Ok(()) => *shared.flush_error.lock() = None,
        Err(error) => {
            tracing::error!(%workspace, %error, "a flush failed");
            count(&shared.counting.flushes_failed, 1);
            *shared.flush_error.lock() = Some(error.clone());
        }
    }
    done
}

fn flush_rounds(shared: &Shared, workspace: WorkspaceId) -> Result<()> {
    while let Some(sealed) = seal(shared, workspace)? {
        let resumed = sealed.resumed;
        flush_sealed(shared, workspace, &sealed)?;
        // A flush that failed left sealed memtables; the rows since then take a second round.
        if !resumed {
            break;
        }
    }
    Ok(())
}

/// Memtables to be flushed.
struct Sealed {
    tables: Arc<Tables>,
    /// The last record of the log whose rows are in them.
    through: u64,
    /// Whether they were sealed by a flush that failed.
    resumed: bool,
    /// The tables with rows, and numbers for their segments.
    ids: Vec<(TableName, SegmentId)>,
}

fn seal(shared: &Shared, workspace: WorkspaceId) -> Result<Option<Sealed>> {
    let mut books = shared.books.lock();
    shared.writable()?;
    let mut tables = shared.published.tables(workspace);
    let resumed = tables.sealed_through;
    let Some(through) = resumed.or_else(|| books.log.last(workspace)) else {
        return Ok(None);
    };
    if resumed.is_none() {
        let mut sealed = Tables::clone(&tables);
        sealed.seal(through);
        shared.published.publish([(workspace, sealed)]);
        tables = shared.published.tables(workspace);
    }
    let full = tables.iter().filter(|(_, table)| {
        let sealed = table.sealed.as_ref();
        sealed.is_some_and(|memtable| memtable.rows() > 0)
    });
    let ids = full.map(|(name, _)| (name.clone(), books.ledger.next_segment()));
    Ok(Some(Sealed {
        ids: ids.collect(),
        tables: Arc::clone(&tables),
        through,
        resumed: resumed.is_some(),
    }))
}

fn flush_sealed(shared: &Shared, workspace: WorkspaceId, sealed: &Sealed) -> Result<()> {
    let mut segments = Vec::with_capacity(sealed.ids.len());
    let written = write_segments(shared, workspace, sealed, &mut segments);
    if let Err(error) = written {
        // No manifest has them, and a later try writes others.
        segments.iter().for_each(|segment| segment.retire());
        // The rows are still in the log, but a disk that cannot sync is not asked again.
        if error.is_failed_sync() {
            shared.fail(&error);
        }
        return Err(error);
    }
    let mut books = shared.books.lock();
    shared.writable()?;
    let records = books.log.through(workspace, sealed.through);
    let age = shared.config.batch_ids_age;
    let since = SystemTime::now().checked_sub(age);
    let since = since.unwrap_or(SystemTime::UNIX_EPOCH);
    let committed = books.ledger.commit(|change| {
        for segment in &segments {
            change.add_segment(segment.entry())?;
        }
        change.flushed(workspace, &records)?;
        change.forget_batches(shared.config.batch_ids_max, since)
    });
    // The files stay after a failed commit: the manifest may have them.
    committed.inspect_err(|error| shared.fail(error))?;
    books.log.trim(workspace, sealed.through);
    let mut tables = Tables::clone(&shared.published.tables(workspace));
    tables.flushed(&segments);
    shared.published.publish([(workspace, tables)]);
    count(&shared.counting.commits, 1);
    count(&shared.counting.flushes, 1);
    Ok(())
}

/// Writes the sealed memtables, and makes the files and their names durable.
fn write_segments(
    shared: &Shared,
    workspace: WorkspaceId,
    sealed: &Sealed,
    segments: &mut Vec<Arc<Segment>>,
) -> Result<()> {
    if sealed.ids.is_empty() {
        return Ok(());
    }
    let home = shared.dir.join(segment::DIRECTORY);
    let dir = home.join(workspace.to_string());
    let mut tables = sealed.tables.iter();
    // Where the manifest has a segment, its directory is durable.
    if tables.all(|(_, table)| table.segments.is_empty()) {
        let made = shared.fs.create_dir(&dir);
        made.map_err(Error::io("create", &dir))?;
        let synced = shared.fs.sync_dir(&home);
        synced.map_err(Error::io(SYNC, &home))?;
    }
    for (name, id) in &sealed.ids {
        if shared.stopping() {
            return Err(Error::Closed);
        }
        let table = sealed.tables.get(name.as_str());
        let parts = table.and_then(|table| Some((table, table.sealed.as_ref()?)));
        let (table, memtable) = parts.expect("only tables with sealed rows were given numbers");
        let owner = (workspace, name);
        let written = segment::write(
            &shared.fs,
            &shared.dir,
            *id,
            owner,
            &table.columns,
            memtable,
        )?;
        segments.push(Arc::new(written));
    }
    shared.fs.sync_dir(&dir).map_err(Error::io(SYNC, &dir))
}

/// Makes a workspace's absence durable, then lets go of its files.
fn drop_workspace(shared: &Shared, workspace: WorkspaceId) -> Result<()> {
    let mut books = shared.books.lock();
    shared.writable()?;
    let tables = shared.published.tables(workspace);
    let segments = tables.iter().flat_map(|(_, table)| table.segments.iter());
    let segments: Vec<Arc<Segment>> = segments.cloned().collect();
    let records = books.log.through(workspace, u64::MAX);
    let sequences: Vec<u64> = records.iter().map(|record| record.sequence).collect();
    let committed = books.ledger.commit(|change| {
        for segment in &segments {
            change.remove_segment(segment.entry().id)?;
        }
        change.drop_workspace(workspace, &sequences)
    });
    committed.inspect_err(|error| shared.fail(error))?;
    books.log.trim(workspace, u64::MAX);
    for segment in &segments {
        segment.retire();
        shared.footers.remove(segment.entry().id);
    }
    let removed = shared.published.remove(workspace);
    count(&shared.counting.commits, 1);
    // Files go when their last reader does, which should not make appends wait.
    drop(books);
    drop((removed, tables, segments));
    Ok(())
}
