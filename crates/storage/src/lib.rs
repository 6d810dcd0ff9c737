//! Durable tables of workspaces: batches of rows go in, consistent snapshots come out.
//!
//! Start at [`Store`]. An append is a record in the `ledger` (log and manifest, one redb file),
//! written and synced by the thread in `writer` together with whatever else was waiting, and then
//! rows in a `memtable`. The thread in `maintenance` flushes memtables to a `segment` each, a sorted
//! Parquet file, and swaps the two in one ledger commit. [`Snapshot`] reads both.
//!
//! What was acknowledged survives a crash at any point and is seen exactly once. What is damaged is
//! reported by the name of its file, never skipped. A failed sync is never retried: the store turns
//! read-only, because what the disk holds is unknown from then on.
//!
//! It knows typed columns and nothing of queries, routing or the network.

mod config;
mod error;
pub mod file_system;
mod id;
mod snapshot;
mod status;
mod store;

mod columns;
mod ledger;
mod maintenance;
mod memtable;
mod published;
mod record;
mod scan;
mod segment;
mod writer;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use error::{Error, Result};
pub use id::{BatchId, PayloadHash, TableName, WorkspaceId};
pub use snapshot::{Scan, Snapshot};
pub use status::{Counters, Damage, State, Status, TableStatus, WorkspaceStatus};
pub use store::Store;
pub use writer::Appended;
