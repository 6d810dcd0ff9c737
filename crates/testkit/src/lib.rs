//! What tests stand on: a cluster in one process, cases in text files, random queries.
//!
//! [`Cluster`] runs queries over test tables whose rows are dealt over shards; plans and batches
//! cross gRPC as they do between machines. [`Node`] runs the same queries on one plain DataFusion.
//! [`case`] holds both to what a file expects. [`Oracle`] asks them queries that [`random`] makes up,
//! and holds one to the other and both to [`reference`].

pub mod case;
pub mod cluster;
pub mod deal;
pub mod mutation;
pub mod node;
pub mod oracle;
pub mod random;
pub mod reference;
pub mod rows;
pub mod tables;

pub use cluster::Cluster;
pub use deal::Deal;
pub use node::Node;
pub use oracle::Oracle;
pub use rows::Rows;
pub use tables::TestTable;
