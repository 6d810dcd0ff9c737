//! Log and manifest: everything that must change in one step, in one redb file.
//!
//! A commit is two-phase and synced when it returns. Each value carries a CRC over itself and its
//! key, on top of redb's own page checksums, which redb looks at only when it opens the file.
//! `redb` is known here and nowhere else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use redb::{Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata};
use redb::{ReadTransaction, TableDefinition, WriteTransaction};

use crate::error::{Error, Result, SYNC};
use crate::file_system::{FileSystem, OpenMode};
use crate::id::{BatchId, PayloadHash, SegmentId, TableName, WorkspaceId};
use crate::record::{from_millis, millis};

mod backend;
mod entries;
pub(crate) mod load;
mod log;
mod sealed;
mod witness;

pub(crate) use entries::SegmentEntry;
pub(crate) use log::{Log, LogEntry};

use backend::Backend;
use entries::Head;
use sealed::{seal, unseal};
use witness::Witness;

use crate::columns::Columns;

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// One value: what the whole store counts by.
const HEAD: Rows = TableDefinition::new("head");
const HEAD_KEY: &[u8] = b"head";
/// Workspace and sequence number to record.
const LOG: Rows = TableDefinition::new("log");
/// Workspace and table to columns.
const TABLES: Rows = TableDefinition::new("tables");
/// Segment to what it holds.
const SEGMENTS: Rows = TableDefinition::new("segments");
/// Segment to the checksums of its blocks.
const CHECKSUMS: Rows = TableDefinition::new("checksums");
/// Workspace and batch id to payload hash and sequence number, for records that were flushed.
const BATCHES: Rows = TableDefinition::new("batches");
/// Sequence number to time of acceptance, workspace and batch id, for forgetting the oldest.
const BATCH_ORDER: Rows = TableDefinition::new("batch_order");

/// The file's name in the data directory.
pub(crate) const FILE: &str = "ledger.redb";
const NEW_FILE: &str = "ledger.redb.new";
const WITNESS_FILE: &str = "witness";

/// Memory for redb's pages. Rows are served from memtables, so only batch ids are read back.
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The open file, and what was counted in it.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// `None` after closing.
    database: Option<Database>,
    path: PathBuf,
    head: Head,
    witness: Witness,
}

impl Ledger {
    /// Opens the ledger of a data directory, or makes an empty one in a directory without segments.
    /// The whole file is verified.
    pub(crate) fn open(fs: &dyn FileSystem, dir: &Path, has_segments: bool) -> Result<Self> {
        let path = dir.join(FILE);
        let witness = Witness::open(fs, &dir.join(WITNESS_FILE))?;
        let names = fs.list(dir).map_err(Error::io("list", dir))?;
        if !names.iter().any(|name| name == FILE) {
            if has_segments || witness.commit() > 0 {
                let dir = dir.to_owned();
                return Err(Error::ManifestMissing { dir, path });
            }
            create(fs, dir, &path)?;
        }
        let database = open_database(fs, &path)?;
        let head = read_head(&database, &path)?;
        if witness.commit() > head.commit {
            return Err(Error::CommitsLost {
                path,
                witness: dir.join(WITNESS_FILE),
                found: head.commit,
                acknowledged: witness.commit(),
            });
        }
        Ok(Self {
            database: Some(database),
            path,
            head,
            witness,
        })
    }

    /// Makes a change durable, all of it or nothing. After an error it is unknown which: the ledger
    /// must not be written again before it was reopened.
    pub(crate) fn commit<T>(
        &mut self,
        change: impl FnOnce(&mut Change) -> Result<T, redb::Error>,
    ) -> Result<T> {
        let database = self.database.as_ref().ok_or(Error::Closed)?;
        let head = self.head;
        // redb reports most of what it finds wrong, and panics on the rest.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_two_phase_commit(true);
            let mut change_set = Change { transaction, head };
            let value = change(&mut change_set)?;
            change_set.head.commit += 1;
            let head = change_set.head;
            change_set.put(HEAD, HEAD_KEY, &head.encode())?;
            change_set.transaction.commit()?;
            Ok::<_, redb::Error>((value, head))
        }));
        let reason = match outcome {
            Ok(Ok((value, head))) => {
                self.head = head;
                self.witness.note(head.commit);
                return Ok(value);
            }
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic_text(panic.as_ref()),
        };
        Err(Error::Commit {
            path: self.path.clone(),
            reason,
        })
    }

    /// A number for a new segment, never given before in this process.
    pub(crate) fn next_segment(&mut self) -> SegmentId {
        self.head.next_segment += 1;
        SegmentId(self.head.next_segment)
    }

    /// The payload hashes under which flushed batch ids are remembered.
    pub(crate) fn remembered<'a>(
        &self,
        batches: impl Iterator<Item = (WorkspaceId, &'a BatchId)>,
    ) -> Result<Vec<Option<PayloadHash>>> {
        self.reading(|transaction| {
            let table = transaction.open_table(BATCHES)?;
            let mut hashes = Vec::new();
            for (workspace, id) in batches {
                let key = entries::batch_key(workspace, id);
                let found = table.get(key.as_slice())?;
                hashes.push(match found {
                    None => None,
                    Some(value) => Some(entries::batch_hash(unseal(&key, value.value())?)?),
                });
            }
            Ok(hashes)
        })
    }

    fn begin_read(&self) -> Result<ReadTransaction> {
        let database = self.database.as_ref().ok_or(Error::Closed)?;
        guarded(&self.path, || Ok(database.begin_read()?))
    }

    fn reading<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T> {
        let transaction = self.begin_read()?;
        guarded(&self.path, || read(&transaction))
    }

    /// Bytes of the file.
    pub(crate) fn file_bytes(&self, fs: &dyn FileSystem) -> Result<u64> {
        let file = fs.open(&self.path, OpenMode::Read);
        file.and_then(|file| file.size())
            .map_err(Error::io("size", &self.path))
    }

    /// Marks the file as cleanly shut down. Without it, the next open works the same.
    pub(crate) fn close(&mut self) -> Result<()> {
        match self.database.take() {
            None => Ok(()),
            Some(database) => guarded(&self.path, || Ok(database.close()?)),
        }
    }
}

/// What one commit writes.
pub(crate) struct Change {
    transaction: WriteTransaction,
    head: Head,
}

impl Change {
    /// Adds a record to the log and gives its sequence number.
    pub(crate) fn append(
        &mut self,
        workspace: WorkspaceId,
        record: &[u8],
    ) -> Result<u64, redb::Error> {
        self.head.next_sequence += 1;
        self.head.records += 1;
        let sequence = self.head.next_sequence;
        self.put(LOG, &entries::log_key(workspace, sequence), record)?;
        Ok(sequence)
    }

    /// Removes records from the log, and remembers their batch ids.
    pub(crate) fn flushed(
        &mut self,
        workspace: WorkspaceId,
        records: &[LogEntry],
    ) -> Result<(), redb::Error> {
        let mut log = self.transaction.open_table(LOG)?;
        let mut batches = self.transaction.open_table(BATCHES)?;
        let mut order = self.transaction.open_table(BATCH_ORDER)?;
        for record in records {
            take(&mut log, &entries::log_key(workspace, record.sequence))?;
            let key = entries::batch_key(workspace, &record.id);
            put(&mut batches, &key, &entries::batch_value(record))?;
            let value = entries::order_value(workspace, record);
            put(&mut order, &record.sequence.to_be_bytes(), &value)?;
        }
        self.head.records -= records.len() as u64;
        Ok(())
    }

    /// Forgets the oldest batch ids, down to `count_max` and to those accepted since.
    pub(crate) fn forget_batches(
        &mut self,
        count_max: u64,
        since: SystemTime,
    ) -> Result<(), redb::Error> {
        let mut order = self.transaction.open_table(BATCH_ORDER)?;
        let mut batches = self.transaction.open_table(BATCHES)?;
        let mut count = order.len()?;
        loop {
            let oldest = match order.first()? {
                None => return Ok(()),
                Some((key, value)) => {
                    let value = unseal(key.value(), value.value())?;
                    let (accepted, batch) = entries::order_batch(value)?;
                    let old = from_millis(accepted) < since;
                    (count > count_max || old).then(|| (key.value().to_vec(), batch.to_vec()))
                }
            };
            let Some((sequence, batch)) = oldest else {
                return Ok(());
            };
            order.remove(sequence.as_slice())?;
            batches.remove(batch.as_slice())?;
            count -= 1;
        }
    }

    /// Writes a table's columns.
    pub(crate) fn put_columns(
        &mut self,
        workspace: WorkspaceId,
        table: &TableName,
        columns: &Columns,
    ) -> Result<(), redb::Error> {
        let key = entries::table_key(workspace, table);
        self.put(TABLES, &key, &entries::encode_columns(columns))
    }

    /// Adds a segment to the manifest.
    pub(crate) fn add_segment(&mut self, entry: &SegmentEntry) -> Result<(), redb::Error> {
        let key = entry.id.0.to_be_bytes();
        self.put(SEGMENTS, &key, &entry.encode())?;
        self.put(CHECKSUMS, &key, &entry.encode_checksums())?;
        self.head.segments += 1;
        Ok(())
    }

    /// Removes a segment from the manifest.
    pub(crate) fn remove_segment(&mut self, id: SegmentId) -> Result<(), redb::Error> {
        let key = id.0.to_be_bytes();
        self.take(SEGMENTS, &key)?;
        self.take(CHECKSUMS, &key)?;
        self.head.segments -= 1;
        Ok(())
    }

    /// Removes a workspace's tables, remembered batch ids and log records; its segments are the
    /// caller's to remove.
    pub(crate) fn drop_workspace(
        &mut self,
        workspace: WorkspaceId,
        records: &[u64],
    ) -> Result<(), redb::Error> {
        for sequence in records {
            self.take(LOG, &entries::log_key(workspace, *sequence))?;
        }
        self.head.records -= records.len() as u64;
        for key in self.keys_of(TABLES, workspace)? {
            self.take(TABLES, &key)?;
        }
        for key in self.keys_of(BATCHES, workspace)? {
            let sequence = {
                let batches = self.transaction.open_table(BATCHES)?;
                let value = batches.get(key.as_slice())?;
                let value = value.ok_or_else(|| missing("batch"))?;
                entries::batch_sequence(unseal(&key, value.value())?)?
            };
            self.take(BATCHES, &key)?;
            self.take(BATCH_ORDER, &sequence.to_be_bytes())?;
        }
        Ok(())
    }

    fn keys_of(&self, rows: Rows, workspace: WorkspaceId) -> Result<Vec<Vec<u8>>, redb::Error> {
        let prefix = workspace.as_bytes();
        let table = self.transaction.open_table(rows)?;
        let mut keys = Vec::new();
        for row in table.range(prefix.as_slice()..)? {
            let (key, _) = row?;
            if !key.value().starts_with(prefix) {
                break;
            }
            keys.push(key.value().to_vec());
        }
        Ok(keys)
    }

    fn put(&mut self, rows: Rows, key: &[u8], value: &[u8]) -> Result<(), redb::Error> {
        put(&mut self.transaction.open_table(rows)?, key, value)
    }

    fn take(&mut self, rows: Rows, key: &[u8]) -> Result<(), redb::Error> {
        take(&mut self.transaction.open_table(rows)?, key)
    }
}

type Table<'a> = redb::Table<'a, &'static [u8], &'static [u8]>;

fn put(table: &mut Table<'_>, key: &[u8], value: &[u8]) -> Result<(), redb::Error> {
    let mut place = table.insert_reserve(key, sealed::sealed_len(value))?;
    seal(key, value, place.as_mut());
    Ok(())
}

/// Removes a row that must be there: one that is not means that rows were lost unnoticed.
fn take(table: &mut Table<'_>, key: &[u8]) -> Result<(), redb::Error> {
    let found = table.remove(key)?.is_some();
    if found { Ok(()) } else { Err(missing("row")) }
}

fn missing(what: &str) -> redb::Error {
    redb::Error::Corrupted(format!("a {what} is missing"))
}

/// Builds the file under another name, so that a crash leaves none rather than half of one.
fn create(fs: &dyn FileSystem, dir: &Path, path: &Path) -> Result<()> {
    let new = dir.join(NEW_FILE);
    let file = fs
        .open(&new, OpenMode::Create)
        .map_err(Error::io("create", &new))?;
    guarded(&new, || {
        let database = redb::Builder::new().create_with_backend(Backend(Arc::clone(&file)))?;
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(true);
        let head = Head::default();
        let mut change = Change { transaction, head };
        for rows in [LOG, TABLES, SEGMENTS, CHECKSUMS, BATCHES, BATCH_ORDER] {
            change.transaction.open_table(rows)?;
        }
        change.put(HEAD, HEAD_KEY, &head.encode())?;
        change.transaction.commit()?;
        Ok(database.close()?)
    })?;
    file.sync().map_err(Error::io(SYNC, &new))?;
    fs.rename(&new, path).map_err(Error::io("rename", &new))?;
    fs.sync_dir(dir).map_err(Error::io(SYNC, dir))
}

fn open_database(fs: &dyn FileSystem, path: &Path) -> Result<Database> {
    let file = fs
        .open(path, OpenMode::Update)
        .map_err(Error::io("open", path))?;
    guarded(path, || {
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(Backend(file))?;
        Ok(database)
    })
}

fn read_head(database: &Database, path: &Path) -> Result<Head> {
    let head = guarded(path, || {
        let table = database.begin_read()?.open_table(HEAD)?;
        let value = table.get(HEAD_KEY)?.ok_or_else(|| missing("head"))?;
        Head::decode(unseal(HEAD_KEY, value.value())?)
    })?;
    if head.format != Head::FORMAT {
        return Err(Error::Format {
            path: path.to_owned(),
            found: head.format,
            known: Head::FORMAT,
        });
    }
    Ok(head)
}

/// Runs redb with its panics and errors turned into one error that names the file.
fn guarded<T>(path: &Path, run: impl FnOnce() -> Result<T, redb::Error>) -> Result<T> {
    let reason = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(redb::Error::Io(source))) => {
            return Err(Error::io("read or write", path)(source));
        }
        Ok(Err(error)) => error.to_string(),
        Err(panic) => panic_text(panic.as_ref()),
    };
    Err(Error::LedgerDamaged {
        path: path.to_owned(),
        reason,
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "panic without a message".to_owned())
}

impl LogEntry {
    fn accepted_millis(&self) -> u64 {
        millis(self.accepted)
    }
}
