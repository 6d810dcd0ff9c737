//! A shard that shows a query two snapshots.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::limit::LocalLimitExec;
use engine::{LocalScan, LocalTables};
use parking_lot::Mutex;
use uuid::Uuid;

use super::Plan;

/// Tables that lack rows from the second look on.
pub(crate) struct Stale<T> {
    tables: T,
    seen: Mutex<HashSet<(Uuid, String)>>,
}

impl<T> Stale<T> {
    pub(crate) fn new(tables: T) -> Self {
        Self {
            tables,
            seen: Mutex::default(),
        }
    }
}

impl<T: LocalTables> LocalTables for Stale<T> {
    fn scan(&self, scan: LocalScan<'_>) -> Result<Plan> {
        let first = self.seen.lock().insert((scan.query, scan.table.to_owned()));
        let plan = self.tables.scan(scan)?;
        if first {
            return Ok(plan);
        }
        Ok(Arc::new(LocalLimitExec::new(plan, 1)))
    }
}
