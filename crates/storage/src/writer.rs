//! The thread that writes the log: whatever waits goes into one commit.
//!
//! A commit costs about the same for one record as for a hundred, so while one is being synced the
//! next gathers. Rows are published after their commit and before their senders are told.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Instant, SystemTime};

use arrow::array::RecordBatch;
use tokio::sync::oneshot;

use crate::columns::Columns;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::id::{BatchId, PayloadHash, TableName, WorkspaceId};
use crate::ledger::LogEntry;
use crate::maintenance::Wake;
use crate::published::Tables;
use crate::status::count;
use crate::store::shared::{Books, Place, Shared};

/// How an append ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The rows are stored.
    Stored,
    /// A batch of the same id and payload was stored before; nothing was added.
    Duplicate,
}

/// An append that waits.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) workspace: WorkspaceId,
    pub(crate) id: BatchId,
    pub(crate) hash: PayloadHash,
    pub(crate) accepted: SystemTime,
    pub(crate) tables: Vec<(TableName, RecordBatch)>,
    /// The encoded record.
    pub(crate) record: Vec<u8>,
    pub(crate) place: Place,
    pub(crate) reply: oneshot::Sender<Result<Appended>>,
}

/// Commits appends until no one can send any more.
pub(crate) fn run(shared: &Shared, appends: &Receiver<Append>, wake: &Wake) {
    while let Ok(first) = appends.recv() {
        let group = gather(&shared.config, first, appends);
        // A panic leaves the ledger's state unknown, as a failed commit does.
        let done = catch_unwind(AssertUnwindSafe(|| commit(shared, group)));
        if done.is_err() {
            shared.fail(&Error::Commit {
                path: shared.dir.join(crate::ledger::FILE),
                reason: "the log's thread panicked".to_owned(),
            });
        }
        wake.check_if_due(shared);
    }
}

fn gather(config: &Config, first: Append, appends: &Receiver<Append>) -> Vec<Append> {
    let mut bytes = first.place.bytes();
    let mut group = vec![first];
    while bytes < config.commit_bytes_max {
        let Ok(next) = appends.try_recv() else { break };
        bytes += next.place.bytes();
        group.push(next);
    }
    group
}

fn commit(shared: &Shared, group: Vec<Append>) {
    let mut books = shared.books.lock();
    let verdicts = match shared
        .writable()
        .and_then(|()| judge(shared, &books, &group))
    {
        Ok(plan) => write(shared, &mut books, &group, plan),
        Err(error) => group.iter().map(|_| Err(error.clone())).collect(),
    };
    drop(books);
    for (append, verdict) in group.into_iter().zip(verdicts) {
        drop(append.place);
        // A sender that went away will ask again, with the same batch id.
        let _ = append.reply.send(verdict);
    }
}

/// What a commit will write, and what its senders will hear if it succeeds.
#[derive(Default)]
struct Plan {
    verdicts: Vec<Result<Appended>>,
    /// The tables of each touched workspace with the new rows in them.
    tables: HashMap<WorkspaceId, Tables>,
    /// Tables that are new or have new columns.
    columns: HashMap<(WorkspaceId, TableName), Columns>,
}

/// Sorts out duplicates and conflicts, and brings the rest into the memtables to be.
fn judge(shared: &Shared, books: &Books, group: &[Append]) -> Result<Plan> {
    let ids = group.iter().map(|append| (append.workspace, &append.id));
    let remembered = books.ledger.remembered(ids);
    let remembered = remembered.inspect_err(|error| shared.fail(error))?;
    let mut in_group: HashMap<(WorkspaceId, &BatchId), PayloadHash> = HashMap::new();
    let mut plan = Plan::default();
    for (append, flushed) in group.iter().zip(remembered) {
        let key = (append.workspace, &append.id);
        let logged = books.log.hash(append.workspace, &append.id);
        let known = flushed.or(logged).or_else(|| in_group.get(&key).copied());
        let verdict = match known {
            Some(hash) if hash == append.hash => Ok(Appended::Duplicate),
            Some(_) => Err(Error::BatchConflict {
                workspace: append.workspace,
                id: append.id.clone(),
            }),
            None => admit(shared, &mut plan, append).map(|()| Appended::Stored),
        };
        if let Ok(Appended::Stored) = verdict {
            in_group.insert(key, append.hash);
        }
        plan.verdicts.push(verdict);
    }
    Ok(plan)
}

/// Brings an append's rows into the tables to be: all of them, or none if one does not fit.
fn admit(shared: &Shared, plan: &mut Plan, append: &Append) -> Result<()> {
    let mut tables = match plan.tables.get(&append.workspace) {
        Some(planned) => planned.clone(),
        None => Tables::clone(&shared.published.tables(append.workspace)),
    };
    if tables.len() == 0 {
        let others = shared.published.count_with(plan.tables.keys());
        let limit = shared.config.workspaces_max;
        check_limit(|| "the store".to_owned(), "workspaces", others + 1, limit)?;
    }
    let mut changed = Vec::new();
    for (name, rows) in &append.tables {
        let schema = rows.schema_ref();
        let columns = match tables.get(name.as_str()) {
            Some(table) => table.columns.extended(name, schema)?,
            None => Columns::new([]).extended(name, schema)?,
        };
        if let Some(columns) = columns {
            tables.set_columns(name, columns.clone());
            let workspace = || format!("workspace {}", append.workspace);
            check_limit(workspace, "tables", tables.len(), shared.config.tables_max)?;
            let table = || format!("table `{name}`");
            let count = columns.iter().count();
            check_limit(table, "columns", count, shared.config.columns_max)?;
            changed.push((name.clone(), columns));
        }
        tables.push(name, rows)?;
    }
    plan.tables.insert(append.workspace, tables);
    let changed = changed.into_iter();
    plan.columns
        .extend(changed.map(|(name, columns)| ((append.workspace, name), columns)));
    Ok(())
}

fn check_limit(
    holder: impl Fn() -> String,
    what: &'static str,
    count: usize,
    limit: usize,
) -> Result<()> {
    if count <= limit {
        return Ok(());
    }
    Err(Error::TooMany {
        holder: holder(),
        what,
        count,
        limit,
    })
}

fn write(
    shared: &Shared,
    books: &mut Books,
    group: &[Append],
    plan: Plan,
) -> Vec<Result<Appended>> {
    let verdicts = plan.verdicts.iter().zip(group);
    let stored = verdicts.filter(|(verdict, _)| matches!(verdict, Ok(Appended::Stored)));
    let stored: Vec<&Append> = stored.map(|(_, append)| append).collect();
    if stored.is_empty() {
        tally(shared, &plan.verdicts, &stored);
        return plan.verdicts;
    }
    let committed = books.ledger.commit(|change| {
        for ((workspace, table), columns) in &plan.columns {
            change.put_columns(*workspace, table, columns)?;
        }
        let sequences = stored
            .iter()
            .map(|append| change.append(append.workspace, &append.record));
        sequences.collect::<Result<Vec<u64>, _>>()
    });
    let sequences = match committed {
        Ok(sequences) => sequences,
        Err(error) => {
            shared.fail(&error);
            // A duplicate may be one of a batch in this very commit.
            return group.iter().map(|_| Err(error.clone())).collect();
        }
    };
    count(&shared.counting.commits, 1);
    tally(shared, &plan.verdicts, &stored);
    let seen = Instant::now();
    for (append, sequence) in stored.into_iter().zip(sequences) {
        let entry = LogEntry {
            sequence,
            id: append.id.clone(),
            hash: append.hash,
            accepted: append.accepted,
            seen,
            bytes: append.record.len() as u64,
        };
        books.log.push(append.workspace, entry);
    }
    shared.published.publish(plan.tables);
    plan.verdicts
}

fn tally(shared: &Shared, verdicts: &[Result<Appended>], stored: &[&Append]) {
    let counting = &shared.counting;
    let of = |wanted: fn(&Result<Appended>) -> bool| {
        verdicts.iter().filter(|verdict| wanted(verdict)).count() as u64
    };
    count(
        &counting.duplicates,
        of(|v| matches!(v, Ok(Appended::Duplicate))),
    );
    count(&counting.refused, of(Result::is_err));
    count(&counting.batches, stored.len() as u64);
    let tables = stored.iter().flat_map(|append| &append.tables);
    let rows: usize = tables.map(|(_, rows)| rows.num_rows()).sum();
    count(&counting.rows, rows as u64);
    let bytes: usize = stored.iter().map(|append| append.record.len()).sum();
    count(&counting.bytes, bytes as u64);
}

/// The sending side of the queue.
pub(crate) type Sender = std::sync::mpsc::SyncSender<Append>;

/// Encodes and checks an append, and puts it into the queue; the receiver gets its outcome.
pub(crate) fn enqueue(
    shared: &Arc<Shared>,
    sender: &Sender,
    workspace: WorkspaceId,
    record: crate::record::Record,
) -> Result<oneshot::Receiver<Result<Appended>>> {
    let encoded = record.encode()?;
    let bytes = encoded.len() as u64;
    if bytes > shared.config.batch_bytes_max {
        return Err(Error::BatchTooLarge {
            id: record.id,
            bytes,
            limit: shared.config.batch_bytes_max,
        });
    }
    shared.writable()?;
    let held = shared.published.memtable_bytes();
    if held > shared.config.memtable_bytes_limit {
        return Err(Error::MemtablesFull {
            bytes: held,
            limit: shared.config.memtable_bytes_limit,
        });
    }
    let (reply, receiver) = oneshot::channel();
    let append = Append {
        workspace,
        id: record.id,
        hash: record.hash,
        accepted: record.accepted,
        tables: record.tables,
        record: encoded,
        place: Place::take(shared, bytes)?,
        reply,
    };
    // The channel has as many places as the queue gives, so it is never full.
    sender.try_send(append).map_err(|_| Error::Closed)?;
    Ok(receiver)
}
