//! One plan over many shards, on `datafusion-distributed`.
//!
//! A table of many shards is a [`ShardTable`]: its scan is one leaf, `shard_scan`. After DataFusion
//! has optimized the plan, `boundaries` puts a network boundary above the largest part that each
//! shard can compute alone; everything above runs on the coordinator, and shards never talk to each
//! other. Each task of the part below is pinned to the shard that holds its data. On the shard the
//! leaf becomes a scan of its own table ([`LocalTables`]).
//!
//! Start at [`session`] for the coordinator's side and [`worker`] for the shard's.

mod boundaries;
pub mod channel;
mod codec;
mod filtered_totals;
mod metered;
pub mod session;
mod shard_scan;
pub mod stats;
mod whole_sort_keys;
pub mod worker;
mod yielding;

pub use boundaries::{PlaceBoundaries, is_distributed};
pub use channel::Channels;
pub use session::{Session, SessionConfig};
pub use shard_scan::{QueryId, ShardRef, ShardTable};
pub use stats::{QueryStats, ShardStats};
pub use worker::{LocalScan, LocalTables};
