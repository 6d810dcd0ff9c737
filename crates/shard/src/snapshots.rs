//! What queries read: one snapshot for each query and workspace.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use engine::QueryId;
use parking_lot::Mutex;
use storage::{Snapshot, WorkspaceId};

/// How long a snapshot outlives its last use, where its query never says that it has ended. Longer
/// than any query runs.
const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// Most queries whose snapshots are kept.
const QUERIES_MAX: usize = 10_000;

/// The snapshots of running queries.
#[derive(Debug, Default)]
pub(crate) struct Snapshots {
    queries: Mutex<HashMap<QueryId, Entry>>,
}

#[derive(Debug)]
struct Entry {
    used: Instant,
    snapshots: HashMap<WorkspaceId, Snapshot>,
}

impl Snapshots {
    /// The snapshot that a query reads, taken at its first use. `None` if too many queries run.
    pub(crate) fn get(
        &self,
        query: QueryId,
        workspace: WorkspaceId,
        take: impl FnOnce() -> Snapshot,
    ) -> Option<Snapshot> {
        let now = Instant::now();
        let mut queries = self.queries.lock();
        if !queries.contains_key(&query) && queries.len() >= QUERIES_MAX {
            queries.retain(|_, entry| now.duration_since(entry.used) < IDLE_MAX);
            if queries.len() >= QUERIES_MAX {
                return None;
            }
        }
        let entry = queries.entry(query).or_insert_with(|| Entry {
            used: now,
            snapshots: HashMap::new(),
        });
        entry.used = now;
        Some(
            entry
                .snapshots
                .entry(workspace)
                .or_insert_with(take)
                .clone(),
        )
    }

    /// Lets go of a query's snapshots, and of those that were forgotten.
    pub(crate) fn release(&self, query: QueryId) {
        let now = Instant::now();
        let mut queries = self.queries.lock();
        queries.remove(&query);
        queries.retain(|_, entry| now.duration_since(entry.used) < IDLE_MAX);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queries.lock().len()
    }
}
