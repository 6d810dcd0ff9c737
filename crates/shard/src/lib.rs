//! A node that holds the logs of workspaces: one in a cluster as a rule, all on one machine.
//!
//! Start at [`Node`]. It serves parts of plans through `engine`'s worker and takes batches through
//! the `Shard` service; both stand in [`Node::routes`]. A query's plans read one [`snapshots`] entry
//! for each workspace, so that they see the same rows however many they are.
//!
//! It knows no KQL, and talks to no other node.

mod node;
mod service;
mod snapshots;

pub use node::Node;
