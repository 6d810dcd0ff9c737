//! What is in the log and not yet flushed, without the rows.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Instant, SystemTime};

use crate::id::{BatchId, PayloadHash, WorkspaceId};

/// The records of all workspaces.
#[derive(Debug, Default)]
pub(crate) struct Log {
    workspaces: BTreeMap<WorkspaceId, WorkspaceLog>,
    bytes: u64,
}

#[derive(Debug)]
struct WorkspaceLog {
    entries: VecDeque<LogEntry>,
    hashes: HashMap<BatchId, PayloadHash>,
    bytes: u64,
}

/// A record of the log.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    pub(crate) sequence: u64,
    pub(crate) id: BatchId,
    pub(crate) hash: PayloadHash,
    pub(crate) accepted: SystemTime,
    /// When this process appended or replayed it.
    pub(crate) seen: Instant,
    /// Bytes of the record.
    pub(crate) bytes: u64,
}

impl Log {
    pub(crate) fn push(&mut self, workspace: WorkspaceId, entry: LogEntry) {
        let log = self.workspaces.entry(workspace);
        let log = log.or_insert_with(|| WorkspaceLog {
            entries: VecDeque::new(),
            hashes: HashMap::new(),
            bytes: 0,
        });
        self.bytes += entry.bytes;
        log.bytes += entry.bytes;
        log.hashes.insert(entry.id.clone(), entry.hash);
        log.entries.push_back(entry);
    }

    /// The payload hash under which an unflushed batch id is known.
    pub(crate) fn hash(&self, workspace: WorkspaceId, id: &BatchId) -> Option<PayloadHash> {
        self.workspaces.get(&workspace)?.hashes.get(id).copied()
    }

    /// The last sequence number of a workspace's records, if it has any.
    pub(crate) fn last(&self, workspace: WorkspaceId) -> Option<u64> {
        let entries = &self.workspaces.get(&workspace)?.entries;
        entries.back().map(|entry| entry.sequence)
    }

    /// A workspace's records up to that sequence number.
    pub(crate) fn through(&self, workspace: WorkspaceId, sequence: u64) -> Vec<LogEntry> {
        let entries = self.workspaces.get(&workspace).map(|log| &log.entries);
        let entries = entries.into_iter().flatten();
        let old = entries.take_while(|entry| entry.sequence <= sequence);
        old.cloned().collect()
    }

    /// Forgets a workspace's records up to that sequence number.
    pub(crate) fn trim(&mut self, workspace: WorkspaceId, sequence: u64) {
        let Some(log) = self.workspaces.get_mut(&workspace) else {
            return;
        };
        while let Some(entry) = log.entries.pop_front_if(|entry| entry.sequence <= sequence) {
            log.hashes.remove(&entry.id);
            log.bytes -= entry.bytes;
            self.bytes -= entry.bytes;
        }
        if log.entries.is_empty() {
            self.workspaces.remove(&workspace);
        }
    }

    /// Bytes of all records.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of a workspace's records.
    pub(crate) fn workspace_bytes(&self, workspace: WorkspaceId) -> u64 {
        self.workspaces.get(&workspace).map_or(0, |log| log.bytes)
    }

    /// The workspaces with records, the one with the oldest first, and since when it has it.
    pub(crate) fn by_age(&self) -> Vec<(WorkspaceId, Instant)> {
        let first = |(workspace, log): (&WorkspaceId, &WorkspaceLog)| {
            let entry = log.entries.front()?;
            Some((entry.sequence, *workspace, entry.seen))
        };
        let mut ages: Vec<_> = self.workspaces.iter().filter_map(first).collect();
        ages.sort_by_key(|(sequence, ..)| *sequence);
        let ages = ages.into_iter();
        ages.map(|(_, workspace, seen)| (workspace, seen)).collect()
    }
}
