//! What readers see: the tables of each workspace, swapped as a whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parking_lot::RwLock;

use crate::columns::{Columns, adapted};
use crate::error::{Error, Result};
use crate::id::{TableName, WorkspaceId};
use crate::memtable::Memtable;
use crate::segment::Segment;

/// The tables of all workspaces. Only a thread that holds the ledger changes them, and readers wait
/// for no more than a pointer to be copied.
#[derive(Debug, Default)]
pub(crate) struct Published {
    workspaces: RwLock<HashMap<WorkspaceId, Arc<Tables>>>,
    memtable_bytes: AtomicU64,
}

/// The tables of a workspace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    tables: BTreeMap<TableName, Arc<Table>>,
    /// The last record of the log whose rows are in sealed memtables, while they are being flushed.
    pub(crate) sealed_through: Option<u64>,
}

/// A table: each of its rows is in one of three places.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) columns: Columns,
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    /// Rows that are being flushed.
    pub(crate) sealed: Option<Memtable>,
    /// Rows that came after.
    pub(crate) active: Memtable,
}

impl Table {
    pub(crate) fn new(columns: Columns) -> Self {
        Self {
            columns,
            segments: Arc::default(),
            sealed: None,
            active: Memtable::default(),
        }
    }

    /// The memtables with rows, the newest first.
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Memtable> {
        std::iter::once(&self.active).chain(&self.sealed)
    }
}

impl Tables {
    pub(crate) fn get(&self, table: &str) -> Option<&Arc<Table>> {
        self.tables.get(table)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TableName, &Arc<Table>)> {
        self.tables.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.tables.len()
    }

    /// Gives a table these columns; creates it if there is none.
    pub(crate) fn set_columns(&mut self, table: &TableName, columns: Columns) {
        match self.tables.get_mut(table) {
            Some(known) => Arc::make_mut(known).columns = columns,
            None => {
                let created = Arc::new(Table::new(columns));
                self.tables.insert(table.clone(), created);
            }
        }
    }

    /// Adds rows to a table that has their columns.
    pub(crate) fn push(&mut self, table: &TableName, rows: &RecordBatch) -> Result<()> {
        let failed = |reason: String| Error::Rows {
            action: "hold rows of",
            table: table.clone(),
            reason,
        };
        let held = self.tables.get_mut(table);
        let held = held.ok_or_else(|| failed("there is no such table".to_owned()))?;
        let held = Arc::make_mut(held);
        let schema = held.columns.schema();
        let pushed = adapted(rows, schema).and_then(|rows| held.active.pushed(rows, schema));
        held.active = pushed.map_err(|error: ArrowError| failed(error.to_string()))?;
        Ok(())
    }

    /// Adds a segment that the manifest has.
    pub(crate) fn add_segment(&mut self, segment: Arc<Segment>) {
        let entry = segment.entry();
        let table = self.tables.entry(entry.table.clone());
        let table = table.or_insert_with(|| Arc::new(Table::new(entry.columns.clone())));
        let table = Arc::make_mut(table);
        Arc::make_mut(&mut table.segments).push(segment);
    }

    /// Makes the active memtables those that are being flushed, up to that record of the log.
    pub(crate) fn seal(&mut self, sequence: u64) {
        self.sealed_through = Some(sequence);
        for table in self.tables.values_mut() {
            let table = Arc::make_mut(table);
            table.sealed = Some(std::mem::take(&mut table.active));
        }
    }

    /// Puts segments in the place of the sealed memtables.
    pub(crate) fn flushed(&mut self, segments: &[Arc<Segment>]) {
        self.sealed_through = None;
        for table in self.tables.values_mut() {
            Arc::make_mut(table).sealed = None;
        }
        for segment in segments {
            self.add_segment(Arc::clone(segment));
        }
    }

    /// Bytes in all memtables.
    pub(crate) fn memtable_bytes(&self) -> u64 {
        let memtables = self.tables.values().flat_map(|table| table.memtables());
        memtables.map(Memtable::bytes).sum()
    }
}

impl Published {
    /// The tables of a workspace as they are now; of one that has none, none.
    pub(crate) fn tables(&self, workspace: WorkspaceId) -> Arc<Tables> {
        let workspaces = self.workspaces.read();
        workspaces.get(&workspace).cloned().unwrap_or_default()
    }

    /// How many workspaces there are, together with others.
    pub(crate) fn count_with<'a>(&self, others: impl Iterator<Item = &'a WorkspaceId>) -> usize {
        let workspaces = self.workspaces.read();
        let new = others.filter(|workspace| !workspaces.contains_key(workspace));
        workspaces.len() + new.count()
    }

    /// The tables of all workspaces that have any, as they are now.
    pub(crate) fn all(&self) -> Vec<(WorkspaceId, Arc<Tables>)> {
        let workspaces = self.workspaces.read();
        let full = workspaces.iter().filter(|(_, tables)| tables.len() > 0);
        let pairs = full.map(|(id, tables)| (*id, Arc::clone(tables)));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_by_key(|(id, _)| *id);
        pairs
    }

    /// Shows other tables, for several workspaces at a time.
    pub(crate) fn publish(&self, changed: impl IntoIterator<Item = (WorkspaceId, Tables)>) {
        let mut replaced = Vec::new();
        let mut workspaces = self.workspaces.write();
        for (workspace, tables) in changed {
            let bytes = tables.memtable_bytes();
            let old = workspaces.insert(workspace, Arc::new(tables));
            self.count_memory(old.as_deref(), bytes);
            replaced.push(old);
        }
        // The last reader of a segment may remove its file, which must not happen under the lock.
        drop(workspaces);
        drop(replaced);
    }

    /// Shows a workspace no more, and gives what was shown of it last.
    pub(crate) fn remove(&self, workspace: WorkspaceId) -> Option<Arc<Tables>> {
        let removed = self.workspaces.write().remove(&workspace);
        self.count_memory(removed.as_deref(), 0);
        removed
    }

    fn count_memory(&self, old: Option<&Tables>, new_bytes: u64) {
        let old_bytes = old.map_or(0, Tables::memtable_bytes);
        // In one step, so that no append sees both the old and the new counted.
        let grown = new_bytes.wrapping_sub(old_bytes);
        self.memtable_bytes.fetch_add(grown, Ordering::Relaxed);
    }

    /// Bytes in all memtables of the store.
    pub(crate) fn memtable_bytes(&self) -> u64 {
        self.memtable_bytes.load(Ordering::Relaxed)
    }
}
