//! What tests stand on: a cluster in one process, cases in text files, random queries.
//!
//! [`Cluster`] runs queries over test tables whose rows are dealt over shards; plans and batches
//! cross gRPC as they do between machines. [`Node`] runs the same queries on one plain DataFusion.
//! [`case`] holds both to what a file expects, and [`random`] holds one to the other.

pub mod case;
pub mod cluster;
pub mod deal;
pub mod node;
pub mod random;
pub mod rows;
pub mod tables;

pub use cluster::Cluster;
pub use deal::Deal;
pub use node::Node;
pub use rows::Rows;
pub use tables::TestTable;
