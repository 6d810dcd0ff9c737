//! What the store tells about itself, and whether it is whole.

use crate::error::{Error, Result};
use crate::id::TableName;
use crate::memtable::Memtable;
use crate::published::Table;
use crate::segment::Segment;
use crate::status::{Damage, Status, TableStatus, WorkspaceStatus};
use crate::store::shared::Shared;

pub(super) fn status(shared: &Shared) -> Status {
    let all = shared.published.all();
    let books = shared.books.lock();
    let workspaces = all.iter().map(|(workspace, tables)| WorkspaceStatus {
        workspace: *workspace,
        log_bytes: books.log.workspace_bytes(*workspace),
        tables: tables
            .iter()
            .map(|(name, table)| table_status(name, table))
            .collect(),
    });
    Status {
        state: shared.state(),
        log_bytes: books.log.bytes(),
        ledger_file_bytes: books.ledger.file_bytes(shared.fs.as_ref()).unwrap_or(0),
        memtable_bytes: shared.published.memtable_bytes(),
        flush_error: shared.flush_error.lock().clone(),
        counters: shared.counting.read(),
        workspaces: workspaces.collect(),
    }
}

fn table_status(name: &TableName, table: &Table) -> TableStatus {
    let entries = || table.segments.iter().map(|segment| segment.entry());
    TableStatus {
        table: name.clone(),
        segments: table.segments.len() as u64,
        segment_rows: entries().map(|entry| entry.rows).sum(),
        segment_bytes: entries().map(|entry| entry.bytes).sum(),
        memtable_rows: table.memtables().map(Memtable::rows).sum(),
        memtable_bytes: table.memtables().map(Memtable::bytes).sum(),
        damaged: table
            .segments
            .iter()
            .filter_map(|segment| damage(segment))
            .collect(),
    }
}

fn damage(segment: &Segment) -> Option<Damage> {
    let entry = segment.entry();
    Some(Damage {
        workspace: entry.workspace,
        table: entry.table.clone(),
        path: segment.path().clone(),
        reason: segment.damage()?.to_string(),
    })
}

pub(super) fn verify(shared: &Shared) -> Result<Vec<Damage>> {
    let frozen = shared.books.lock().ledger.frozen()?;
    frozen.verify()?;
    drop(frozen);
    let mut damaged = Vec::new();
    for (_, tables) in shared.published.all() {
        for segment in tables.iter().flat_map(|(_, table)| table.segments.iter()) {
            match segment.verify() {
                Ok(()) | Err(Error::SegmentDamaged { .. }) => damaged.extend(damage(segment)),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(damaged)
}
