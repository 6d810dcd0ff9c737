//! Answers queries over many shards, and routes records to the shard that owns them.
//!
//! Start at [`Coordinator`], which serves `Query`, `Ingest` and `Catalog`. A query's way is
//! [`ask`]: parse, resolve the scope, bind (running what binding needs first), plan, run. The
//! context of a query is fixed once, before it is bound.
//!
//! It holds no logs and no state that another coordinator would lack.

mod admission;
mod answer;
pub mod ask;
mod catalog_service;
mod config;
mod encode;
mod fail;
mod host;
mod ingest;
mod query;
pub mod timespan;

pub use config::Config;
pub use host::CatalogHost;
pub use query::Coordinator;
