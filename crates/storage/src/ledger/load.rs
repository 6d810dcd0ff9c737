//! Reading the whole ledger, at open and when every checksum is verified.

use std::path::PathBuf;

use redb::{ReadTransaction, ReadableTable};

use crate::columns::Columns;
use crate::error::Result;
use crate::id::{TableName, WorkspaceId};
use crate::ledger::entries::{self, SegmentEntry, malformed};
use crate::ledger::sealed::unseal;
use crate::ledger::{
    BATCH_ORDER, BATCHES, CHECKSUMS, LOG, Ledger, Rows, SEGMENTS, TABLES, guarded,
};
use crate::record::Record;

/// A record of the log with its place.
pub(crate) struct Replayed {
    pub(crate) workspace: WorkspaceId,
    pub(crate) sequence: u64,
    pub(crate) bytes: u64,
    pub(crate) record: Record,
}

impl Ledger {
    /// The columns of all tables.
    pub(crate) fn tables(&self) -> Result<Vec<(WorkspaceId, TableName, Columns)>> {
        self.reading(|transaction| {
            let mut tables = Vec::new();
            each(transaction, TABLES, |key, value| {
                let (workspace, table) = entries::decode_table_key(key)?;
                tables.push((workspace, table, entries::decode_columns(value)?));
                Ok(())
            })?;
            Ok(tables)
        })
    }

    /// All segments of the manifest, oldest first.
    pub(crate) fn segments(&self) -> Result<Vec<SegmentEntry>> {
        self.reading(|transaction| {
            let checksums = transaction.open_table(CHECKSUMS)?;
            let mut segments = Vec::new();
            each(transaction, SEGMENTS, |key, value| {
                let sums = checksums.get(key)?.ok_or_else(|| malformed("segment"))?;
                let sums = unseal(key, sums.value())?;
                segments.push(SegmentEntry::decode(key, value, sums)?);
                Ok(())
            })?;
            expect_count("segments", self.head.segments, segments.len())?;
            Ok(segments)
        })
    }

    /// Gives all records of the log, those of a workspace in the order of their sequence numbers.
    pub(crate) fn replay(&self, mut visit: impl FnMut(Replayed) -> Result<()>) -> Result<()> {
        let mut failed = Ok(());
        self.reading(|transaction| {
            let mut count = 0;
            each(transaction, LOG, |key, value| {
                let (workspace, sequence) = entries::decode_log_key(key)?;
                let record = Record::decode(value).map_err(redb::Error::Corrupted)?;
                count += 1;
                if failed.is_ok() {
                    failed = visit(Replayed {
                        workspace,
                        sequence,
                        bytes: value.len() as u64,
                        record,
                    });
                }
                Ok(())
            })?;
            expect_count("log records", self.head.records, count)
        })?;
        failed
    }

    /// The ledger as it is now, to be verified while it goes on changing.
    pub(crate) fn frozen(&self) -> Result<Frozen> {
        Ok(Frozen {
            transaction: self.begin_read()?,
            path: self.path.clone(),
        })
    }
}

/// One state of the ledger.
pub(crate) struct Frozen {
    transaction: ReadTransaction,
    path: PathBuf,
}

impl Frozen {
    /// Verifies the checksum of every value.
    pub(crate) fn verify(&self) -> Result<()> {
        guarded(&self.path, || {
            for rows in [TABLES, LOG, SEGMENTS, CHECKSUMS, BATCHES, BATCH_ORDER] {
                each(&self.transaction, rows, |_, _| Ok(()))?;
            }
            Ok(())
        })
    }
}

fn each(
    transaction: &ReadTransaction,
    rows: Rows,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let table = transaction.open_table(rows)?;
    for row in table.iter()? {
        let (key, value) = row?;
        visit(key.value(), unseal(key.value(), value.value())?)?;
    }
    Ok(())
}

fn expect_count(what: &str, expected: u64, found: usize) -> Result<(), redb::Error> {
    if expected == found as u64 {
        return Ok(());
    }
    let text = format!("{expected} {what} were written, {found} are there");
    Err(redb::Error::Corrupted(text))
}
